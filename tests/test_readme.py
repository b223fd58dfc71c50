"""The README's example runs, and README and manual show the stored benchmark results."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MANUAL = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def read_result(name):
    return (ROOT / "benchmarks" / "results" / f"{name}.md").read_text(encoding="utf-8").strip()


def test_readme_example_runs():
    plt.switch_backend("Agg")
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, names)
    y_pred = names["model"].predict(names["test"])
    assert y_pred.shape == (200, 1)
    assert np.isfinite(y_pred).all()
    plt.close("all")


def test_readme_shows_the_benchmark_results():
    shown = re.search(r"<!-- results:.*?-->(.*)<!-- end of results -->", README, flags=re.DOTALL)
    result = read_result("tutorials")
    assert shown[1].strip() == result
    assert "| MasterCard GRU(125) |" in result


@pytest.mark.parametrize(
    "name", ["training", "memory", "prediction", "frameworks", "scaling", "search"]
)
def test_manual_shows_the_benchmark_results(name):
    result = read_result(name)
    assert "|" in result
    assert result in MANUAL


def test_manual_shows_the_benchmark_table_of_cells():
    rows = [line for line in read_result("cells").splitlines() if line.startswith("|")]
    assert len(rows) > 2
    assert "\n".join(rows) in MANUAL
