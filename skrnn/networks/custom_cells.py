"""Recurrent layers with custom cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import Parameter, signature
from typing import Any

import keras

from .._checks import check_name, raises_as_value_error
from ..layers import LAYERS

# Makers of recurrent layers by the name of the cell.
CELLS = {
    "rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    **LAYERS,
}

# Settings that are passed to custom cells: the parameter of the estimators and its default.
_PARAMETERS = {
    "activation": ("activation", "'tanh'"),
    "recurrent_dropout": ("recurrent_dropout", 0.0),
    "recurrent_initializer": ("recurrent_initializer", "'orthogonal'"),
    "kernel_regularizer": ("l1 or l2", 0.0),
    "recurrent_regularizer": ("recurrent_l2", 0.0),
}


def make_recurrent_layer(
    cell: str | Callable[..., keras.layers.Layer],
    units: int,
    *,
    return_sequences: bool,
    go_backwards: bool = False,
    **settings: Any,
) -> keras.layers.RNN:
    """Make a recurrent layer from a cell.

    Parameters
    ----------
    cell : str, class or callable
        Name of a cell in `CELLS`, class of a Keras cell or recurrent layer, or function that
        returns a new cell or layer for a number of units. A class or function is called with
        `units` and with those settings that differ from the defaults of the estimators, so that it
        keeps its own defaults.
    units : int
        Number of units.
    return_sequences, go_backwards : bool
        As in `keras.layers.RNN`.
    **settings : dict
        Settings of the makers in `CELLS`, such as `activation`.

    Returns
    -------
    layer : keras.layers.RNN

    Raises
    ------
    ValueError
        If `cell` is unknown, has no parameter for a setting, or does not return a recurrent cell.
    """
    if isinstance(cell, str) or not callable(cell):
        settings |= {"return_sequences": return_sequences, "go_backwards": go_backwards}
        return CELLS[check_name("cell", cell, CELLS)](units, **settings)
    if isinstance(cell, keras.layers.Layer):
        raise ValueError(
            f"cell={cell!r} is an instance, but each layer of a network needs its own cell. "
            f"Pass the class, {type(cell).__name__}, or a function that returns a new cell for a "
            "number of units."
        )
    settings = {name: value for name, value in settings.items() if _is_non_default(name, value)}
    if settings:
        _check_settings(cell, settings)
    need = (
        "Pass the class of a Keras cell (a keras.layers.Layer with state_size and call(inputs, "
        "states)) or of a recurrent layer, a function that returns a new cell or layer for a "
        f"number of units, or one of {', '.join(map(repr, CELLS))}."
    )
    arguments = ", ".join([repr(units), *(f"{name}=..." for name in settings)])
    with raises_as_value_error(f"cell={cell!r}", f"was called as cell({arguments})", need):
        layer = cell(units, **settings)
    is_layer = isinstance(layer, keras.layers.Layer) and type(layer).call != keras.layers.Layer.call
    if not (is_layer and hasattr(layer, "state_size")):
        raise ValueError(f"cell={cell!r} returned {layer!r}, which is not a recurrent cell. {need}")
    if not isinstance(layer, keras.layers.RNN):
        layer = keras.layers.RNN(layer)
    layer.return_sequences, layer.go_backwards = return_sequences, go_backwards
    return layer


def _is_non_default(name: str, value: Any) -> bool:
    """Return whether a setting differs from its default and is passed to a custom cell."""
    if name == "recurrent_initializer":
        return not isinstance(value, keras.initializers.Orthogonal)
    return name in _PARAMETERS and value not in ("tanh", 0.0)


def _check_settings(cell: Callable, settings: Iterable[str]) -> None:
    """Raise a ValueError if `cell` has no parameter for a setting."""
    names, accepts_any = _accepted_parameters(cell)
    for name in settings:
        if not accepts_any and name not in names:
            parameter, default = _PARAMETERS[name]
            raise ValueError(
                f"{parameter} is set, but cell={cell!r} has no parameter {name}: it has the "
                f"parameters {', '.join(names)}. Add the parameter {name}, or leave {parameter} at "
                f"{default}."
            )


def _accepted_parameters(cell: Callable) -> tuple[list[str], bool]:
    """Return the names of a callable's parameters, and whether it accepts any other name.

    A class whose constructor has ``**kwargs`` passes them to its base classes, up to those of
    Keras.
    """
    constructors: list[Callable] = [cell]
    if isinstance(cell, type):
        bases = {keras.layers.RNN, *keras.layers.Layer.__mro__}
        classes = [vars(parent) for parent in cell.__mro__ if parent not in bases]
        constructors = [members["__init__"] for members in classes if "__init__" in members]
    names: list[str] = []
    for constructor in constructors:
        try:
            parameters = signature(constructor).parameters.values()
        except ValueError:  # of a function in C
            return names, True
        named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        names += [name for name in named if name not in (*names, "self")]
        if not any(p.kind is Parameter.VAR_KEYWORD for p in parameters):
            return names, False
    return names, not isinstance(cell, type)


def custom_objects_of(layers: Iterable[keras.layers.Layer]) -> dict[str, type]:
    """Return the classes of layers and of their cells that Keras cannot find by itself, by name.

    To deserialize a layer, Keras needs its class: a class of Keras, a registered class, or one
    that is passed to `keras.saving.custom_object_scope`.
    """
    layers = list(layers)
    cells = [layer.cell for layer in layers if hasattr(layer, "cell")]
    inner_cells = [inner for cell in cells for inner in getattr(cell, "cells", ())]
    classes = {type(part).__name__: type(part) for part in (*layers, *cells, *inner_cells)}
    return {
        name: cls
        for name, cls in classes.items()
        if not cls.__module__.startswith("keras.") and keras.saving.get_registered_name(cls) == name
    }
