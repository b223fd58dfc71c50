"""Recurrent layers from user-defined cells."""

from inspect import Parameter, signature

import keras

from .._checks import check_name

# What a setting is called where users set it, and what it is there by default.
_PARAMETERS = {
    "activation": ("activation", "'tanh'"),
    "recurrent_dropout": ("recurrent_dropout", 0.0),
    "recurrent_initializer": ("recurrent_initializer", "'orthogonal'"),
    "kernel_regularizer": ("l1 or l2", 0.0),
    "recurrent_regularizer": ("recurrent_l2", 0.0),
}


def make_recurrent_layer(cell, known, units, *, return_sequences, go_backwards=False, **settings):
    """Make a recurrent layer of a cell.

    Parameters
    ----------
    cell : str, class or callable
        One of `known`; or the class of a Keras cell or recurrent layer, or a function from units to
        a new one. A class or function keeps its own defaults: it is called with the units and with
        those of the settings that are not what they are by default.
    known : dict
        Makers of layers by the names of their cells.
    units : int
    return_sequences, go_backwards : bool
    **settings : dict
        What makers of layers take.

    Returns
    -------
    layer : keras.layers.RNN
    """
    if isinstance(cell, str) or not callable(cell):
        make = known[check_name("cell", cell, known)]
        directions = {"go_backwards": True} if go_backwards else {}
        return make(units, return_sequences=return_sequences, **directions, **settings)
    if isinstance(cell, keras.layers.Layer):
        raise ValueError(
            f"cell={cell!r} is made already, but each layer of a network needs one of its own. "
            f"Pass the class, {type(cell).__name__}, or a function from units to a new one."
        )
    asked = {name: value for name, value in settings.items() if _is_non_default(name, value)}
    made = cell(units, **_check_settings(cell, asked))
    if isinstance(made, keras.layers.Layer) and hasattr(made, "state_size"):
        layer = made if isinstance(made, keras.layers.RNN) else keras.layers.RNN(made)
        layer.return_sequences, layer.go_backwards = return_sequences, go_backwards
        return layer
    raise ValueError(
        f"cell={cell!r} made {made!r}, which is no recurrent cell. Pass the class of a Keras cell "
        "(a keras.layers.Layer with state_size, and call(inputs, states)) or of a recurrent layer, "
        f"a function from units to one, or one of {', '.join(map(repr, known))}."
    )


def _is_non_default(name, value):
    """Whether a setting is not what it is by default, so that a cell of one's own must heed it."""
    if name == "recurrent_initializer":
        return not isinstance(value, keras.initializers.Orthogonal)
    return name in _PARAMETERS and value not in ("tanh", 0.0)


def _check_settings(cell, asked):
    """Return the settings, or raise a ValueError if `cell` has no parameter for one."""
    names, takes_all = _accepted_parameters(cell)
    for name in asked:
        if not takes_all and name not in names:
            parameter, default = _PARAMETERS[name]
            raise ValueError(
                f"{parameter} is set, but cell={cell!r} takes no {name}: it has the parameters "
                f"{', '.join(names)}. Give it {name}=, or leave {parameter} at {default}."
            )
    return asked


def _accepted_parameters(cell):
    """Return the names of a callable's parameters, and whether it takes any others.

    Those of a class are its own and, as far as it hands others on, those of the classes it is made
    of, up to Keras' layers.
    """
    makers: list = [cell]
    if isinstance(cell, type):
        of_layers = {keras.layers.RNN, *keras.layers.Layer.__mro__}
        own = [vars(one) for one in cell.__mro__ if one not in of_layers]
        makers = [content["__init__"] for content in own if "__init__" in content]
    names: list = []
    for make in makers:
        parameters = signature(make).parameters.values()
        named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        names += [name for name in named if name not in (*names, "self")]
        if not any(p.kind is Parameter.VAR_KEYWORD for p in parameters):
            return names, False
    return names, not isinstance(cell, type)


def custom_objects_of(layers):
    """Return the classes of some layers and their cells that Keras does not know, by their names.

    Keras makes layers anew from their settings: it takes classes of its own, those that are
    registered with it, and those that are named to it (`keras.saving.custom_object_scope`).
    """
    cells = [layer.cell for layer in layers if hasattr(layer, "cell")]
    parts = [*layers, *cells, *(part for cell in cells for part in getattr(cell, "cells", ()))]
    classes = {type(part).__name__: type(part) for part in parts}
    return {
        name: one
        for name, one in classes.items()
        if not one.__module__.startswith("keras.") and keras.saving.get_registered_name(one) == name
    }
