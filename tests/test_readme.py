"""README and manual say what the code does and what the benchmarks printed."""

import re
from pathlib import Path

import matplotlib.pyplot
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_example_runs():
    matplotlib.use("Agg")
    names = {}
    for code in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL):
        exec(code, names)
    display = names["model"].predict(names["test"])
    assert display.shape == (200, 1)
    assert np.isfinite(display).all()
    matplotlib.pyplot.close("all")


def test_the_results_are_those_of_the_benchmark():
    shown = re.search(r"<!-- results:.*?-->(.*)<!-- end of results -->", README, flags=re.DOTALL)
    printed = (ROOT / "benchmarks" / "results" / "tutorials.md").read_text()
    assert shown[1].strip() == printed.strip()
    assert "| MasterCard GRU(125) |" in printed


@pytest.mark.parametrize(
    "name", ["training", "memory", "prediction", "frameworks", "scaling", "search"]
)
def test_the_manual_shows_what_the_benchmarks_printed(name):
    printed = (ROOT / "benchmarks" / "results" / f"{name}.md").read_text()
    assert "|" in printed
    assert printed.strip() in (ROOT / "docs" / "performance.md").read_text()
