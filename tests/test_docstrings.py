import re
import subprocess
import sys

import pytest

from skrnn._docstrings import GROUPS, PARAMETERS, substitute_docs


def test_placeholders_are_replaced_with_their_indentation():
    @substitute_docs(y="y : array-like\n    The target.")
    class Estimator:
        """Estimate {y}.

        Parameters
        ----------
        {y}
        output : {"last", "sequence"}
            {y}
        """

    assert Estimator.__doc__.splitlines()[4:8] == [
        "        y : array-like",
        "            The target.",
        '        output : {"last", "sequence"}',
        "            y : array-like",
    ]
    assert Estimator.__doc__.startswith("Estimate {y}.")


def test_groups_are_replaced_with_the_entries_of_their_parameters():
    @substitute_docs()
    def build():
        """Build.

        {network_parameters}
        """

    entries = re.findall(r"^        (\w+) :", build.__doc__, re.MULTILINE)
    assert entries == GROUPS["network_parameters"]


def test_unknown_placeholder():
    with pytest.raises(KeyError, match="unit"):

        @substitute_docs()
        def build():
            """Build.

            {unit}
            """


def test_entries_begin_with_the_names_of_their_parameters():
    for name in {name for names in GROUPS.values() for name in names}:
        assert PARAMETERS[name].startswith(f"{name} : ")


def test_all_cells_and_initializers_are_described():
    from skrnn.networks import CELLS
    from skrnn.networks.initialize import RECURRENT_INITIALIZERS

    assert set(re.findall(r'"(\w+)"', PARAMETERS["cell"])) == set(CELLS)
    initializers = re.findall(r'"(\w+)"', PARAMETERS["recurrent_initializer"])
    assert set(initializers) == {*RECURRENT_INITIALIZERS, "rnn", "relu"}


def test_without_docstrings():
    code = (
        "import sys\n"
        "from skrnn._docstrings import substitute_docs\n"
        "def fit():\n    '''{units}'''\n"
        "sys.exit(substitute_docs()(fit) is not fit or fit.__doc__ is not None)"
    )
    subprocess.run([sys.executable, "-OO", "-c", code], check=True)
