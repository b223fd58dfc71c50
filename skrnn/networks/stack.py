"""Stacks of recurrent layers and their options."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

import keras

from .._checks import check_name, raises_as_value_error
from .._docstrings import substitute_docs
from .._keras_compat import default_seeds
from .._parameters import Activation, StackParameters, Units
from .checks import check_keras_name, output_policy
from .custom_cells import custom_objects_of, make_recurrent_layer
from .initialize import (
    RECURRENT_INITIALIZERS,
    initialize_identity,
    recurrent_settings,
    seed_sequence,
)


class StackKeywords(TypedDict, total=False):
    """The options of `StackOptions` that builders take as ``**stack_options``."""

    activation: Activation
    bidirectional: bool
    dropout: float
    recurrent_dropout: float
    recurrent_initializer: str
    l1: float
    l2: float
    recurrent_l2: float
    seed: int | None


@dataclass(kw_only=True)
class StackOptions(StackParameters):
    """Validated options of a network, and its sequence of seeds.

    Attributes
    ----------
    sizes : tuple of int
        Number of units of each layer, or of each level of "depthgated", which is a single layer.
    new_seed : callable
        Returns the next seed of the network at each call.
    """

    seed: int | None = None

    def __post_init__(self) -> None:
        check_keras_name("activation", self.activation, keras.activations)
        check_name("recurrent_initializer", self.recurrent_initializer, RECURRENT_INITIALIZERS)
        self.sizes = check_units(self.units)
        if self.cell == "depthgated" and len(set(self.sizes)) > 1:
            raise ValueError(
                f"units={self.sizes} has levels of different sizes, but the depth gates of "
                "cell='depthgated' connect each unit with the same unit of the level below. Give "
                "all levels the same number of units, such as "
                f"units={self.sizes[:1] * len(self.sizes)}."
            )
        self.new_seed = seed_sequence(self.seed)

    def layer_settings(self) -> dict[str, Any]:
        """Return the arguments of a new layer."""
        settings: dict[str, Any]
        settings = {"activation": self.activation, "recurrent_dropout": self.recurrent_dropout}
        if self.l1 or self.l2:
            settings["kernel_regularizer"] = keras.regularizers.L1L2(self.l1, self.l2)
        if self.recurrent_l2:
            settings["recurrent_regularizer"] = keras.regularizers.L2(self.recurrent_l2)
        if self.cell == "depthgated" and len(self.sizes) > 1:
            settings["levels"] = len(self.sizes)
        initializer = RECURRENT_INITIALIZERS[self.recurrent_initializer]
        return settings | recurrent_settings(initializer, self.new_seed)


_SEED = """
seed : int, default=None
    Seed of the initializers and of dropout. If None, a seed is sampled with Python's `random`
    module, which scikeras seeds with its `random_state`. No other global random state is changed.
""".strip()

Builder = TypeVar("Builder", bound=Callable[..., keras.Model])


def stack_builder(builder: Builder) -> Builder:
    """Replace ``**stack_options`` in the signature of a builder by the options of `StackOptions`.

    `inspect.signature` and the manual then list all parameters of the builder. Placeholders in its
    docstring are replaced as by `substitute_docs`.
    """
    expand_keywords(builder, StackOptions)
    return substitute_docs(seed=_SEED)(builder)


def expand_keywords(function: Callable[..., Any], source: Callable[..., Any]) -> None:
    """Replace the ``**keywords`` in the signature of a function by the parameters of `source`."""
    signature = inspect.signature(function)
    own = {name: p for name, p in signature.parameters.items() if p.kind is not p.VAR_KEYWORD}
    inherited = inspect.signature(source).parameters
    parameters = [p for name, p in inherited.items() if name not in own] + [*own.values()]
    parameters.sort(key=lambda parameter: parameter.kind)
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]


def stack_recurrent_layers(
    x: keras.KerasTensor, options: StackOptions, *, sequences: bool = False
) -> keras.KerasTensor:
    """Apply recurrent layers, with an output at each time step or only at the last time step."""
    sizes = options.sizes[:1] if options.cell == "depthgated" else options.sizes
    for i, units in enumerate(sizes):
        return_sequences = sequences or i < len(sizes) - 1
        # Custom cells initialize their weights themselves.
        with default_seeds(0 if isinstance(options.cell, str) else options.new_seed()):
            layer = _make_layer(options, units, return_sequences=return_sequences)
            x = _apply_layer(options, layer, x)
        if options.recurrent_initializer == "identity":
            initialize_identity(layer)
        if options.dropout:
            x = keras.layers.Dropout(options.dropout, seed=options.new_seed())(x)
    return x


def _apply_layer(options, layer, x):
    """Return the outputs of a new recurrent layer, or raise the ValueError of a bad cell."""
    if isinstance(options.cell, str):
        return layer(x)
    action = f"was applied to inputs of shape {tuple(x.shape)}"
    need = (
        "The cell needs a method call(inputs, states) that returns the output and the new states."
    )
    with raises_as_value_error(f"cell={options.cell!r}", action, need):
        outputs = layer(x)
        if not _is_stateful(layer):  # the call above does not run a step of the cell
            _check_step(layer, x, outputs)
        return outputs


def _check_step(layer, x, outputs):
    """Raise a ValueError if the outputs of a time step have another shape than those of `layer`."""
    with keras.StatelessScope():  # a cell that draws random numbers keeps its seed
        output = layer(keras.ops.zeros((1, 1, x.shape[-1]), x.dtype), training=False)
    if (output.shape[0], output.shape[-1]) != (1, outputs.shape[-1]):
        raise ValueError(
            f"its output for inputs of shape (1, {x.shape[-1]}) has the shape "
            f"{tuple(output.shape)}, not (1, {outputs.shape[-1]})"
        )


def _is_stateful(layer):
    return getattr(getattr(layer, "forward_layer", layer), "stateful", False)


def _make_layer(options, units, **settings):
    def make(**direction):
        layer_settings = options.layer_settings() | settings | direction
        return make_recurrent_layer(options.cell, units, **layer_settings)

    layer = make()
    if not options.bidirectional:
        return layer
    backward_layer = make(go_backwards=True, name=f"{layer.name}_backward")
    need = (
        "Let its __init__ pass **kwargs to super().__init__, and get_config return its parameters."
    )
    context = raises_as_value_error(f"cell={options.cell!r}", "was copied from its config", need)
    with context, keras.saving.custom_object_scope(custom_objects_of([layer])):
        bidirectional = keras.layers.Bidirectional(layer, backward_layer=backward_layer)
    if isinstance(options.cell, str):  # the copy of a SimpleRNN has another seed
        copied_cell = bidirectional.forward_layer.cell
        copied_cell.seed_generator.state.assign(layer.cell.seed_generator.state)
    return bidirectional


def output_layer(
    size: int, options: StackOptions, activation: str | None = None
) -> keras.layers.Dense:
    """Return the dense layer at the end of a network."""
    initializer = keras.initializers.GlorotUniform(options.new_seed())
    return keras.layers.Dense(
        size, activation=activation, kernel_initializer=initializer, dtype=output_policy()
    )


def check_units(units: Units) -> tuple[int, ...]:
    """Return `units` as a tuple of positive ints, one for each layer, or raise a ValueError."""
    sizes = tuple(units) if isinstance(units, (tuple, list)) else (units,)
    if not sizes or not all(
        hasattr(size, "__index__") and not isinstance(size, bool) and size >= 1 for size in sizes
    ):
        raise ValueError(
            f"units={units!r} must be a positive int, or a non-empty tuple with a positive int for "
            "each layer."
        )
    return tuple(int(size) for size in sizes)
