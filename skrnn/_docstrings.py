"""A decorator that inserts the descriptions of shared parameters into docstrings."""

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

from ._parameters import (
    OPTIMIZER_CONSTRAINTS,
    STACK_CONSTRAINTS,
    RNNParameters,
    SequenceParameters,
    StackParameters,
)

Documented = TypeVar("Documented", bound=Callable[..., Any])

_PLACEHOLDER = re.compile(r"^( *)\{(\w+)\}$", re.MULTILINE)
_ENTRY = re.compile(r"^(\w+) : .*(?:\n(?: .*)?)*", re.MULTILINE)


# The entry of each parameter in the Parameters section of a docstring, by name.
PARAMETERS = {
    entry[1]: entry[0].rstrip()
    for documented in (StackParameters, RNNParameters, SequenceParameters)
    for entry in _ENTRY.finditer(inspect.cleandoc(documented.__doc__ or ""))
}

# Names of parameters whose entries are inserted together.
GROUPS = {
    "network_parameters": [*STACK_CONSTRAINTS],
    "layer_parameters": [name for name in STACK_CONSTRAINTS if name not in ("cell", "units")],
    "optimizer_parameters": ["optimizer", *OPTIMIZER_CONSTRAINTS, "epochs", "batch_size"],
    "early_stopping_parameters": ["validation_fraction", "n_iter_no_change"],
    "fit_parameters": ["warm_start", "random_state", "callbacks", "verbose"],
}


def substitute_docs(**texts: str) -> Callable[[Documented], Documented]:
    """Return a decorator that replaces the placeholders in the docstring of a function or class.

    A placeholder is a line that contains only a name in braces, such as ``{units}``. It is replaced
    with the text of that name, indented like the placeholder.

    Parameters
    ----------
    **texts : str
        Texts by name, in addition to the entries of `PARAMETERS` and `GROUPS`.

    Raises
    ------
    KeyError
        If a placeholder has an unknown name.

    Examples
    --------
    >>> from skrnn._docstrings import substitute_docs
    >>> @substitute_docs(y='''y : array-like of shape (n_samples,)
    ...     The target.''')
    ... def fit(X, y, bidirectional=False):
    ...     '''Fit to X and y.
    ...
    ...     {y}
    ...     {bidirectional}
    ...     '''
    >>> print(fit.__doc__)  # doctest: +ELLIPSIS
    Fit to X and y.
    <BLANKLINE>
        y : array-like of shape (n_samples,)
            The target.
        bidirectional : bool, default=False
            Whether each recurrent layer also processes the sequence backwards. ...
    """
    groups = {
        group: "\n".join(PARAMETERS.get(name, "") for name in names)
        for group, names in GROUPS.items()
    }
    texts = PARAMETERS | groups | texts

    def substitute(documented):
        if documented.__doc__ is not None:  # it is None under python -OO
            documented.__doc__ = _PLACEHOLDER.sub(
                lambda match: textwrap.indent(texts[match[2]], match[1]), documented.__doc__
            )
        return documented

    return substitute
