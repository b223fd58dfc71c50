"""The trainable variables as one vector."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from skrnn._engine.parameters import (
    ELEMENTWISE_OPTIMIZERS,
    FlattenedParameters,
    ModelParameters,
    supports_flattening,
    values_of,
    variables_of,
)


def make_model(optimizer, **settings):
    first = layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(0), **settings)
    model = keras.Sequential([keras.Input((3,)), first, layers.Dense(1)])
    model.layers[1].set_weights([np.ones((2, 1)), np.zeros(1)])
    model.compile(optimizer, "mse")
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.mark.parametrize(
    "optimizer",
    sorted(ELEMENTWISE_OPTIMIZERS, key=lambda value: value.__name__),
    ids=lambda value: value.__name__,
)
def test_updates_of_the_vector_are_those_of_the_variables(optimizer):
    results = []
    for parameters_class in (ModelParameters, FlattenedParameters):
        model = make_model(optimizer(0.1, clipvalue=0.5))
        assert supports_flattening(model)
        parameters = parameters_class(model)
        for step in range(3):
            parameters.load()
            values = parameters.values()
            parameters.apply([tf.cos(value + float(step)) for value in values])
            parameters.store()
        results.append([*values_of(variables_of(model)), *values_of(model.optimizer.variables)])
    for value, expected in zip(*results, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        (keras.optimizers.SGD(clipnorm=1.0), {}),
        (keras.optimizers.SGD(weight_decay=0.1), {}),
        (keras.optimizers.SGD(use_ema=True), {}),
        (keras.optimizers.SGD(gradient_accumulation_steps=2), {}),
        (keras.optimizers.Lamb(), {}),
        (keras.optimizers.SGD(), {"kernel_constraint": keras.constraints.MaxNorm(1)}),
        (keras.optimizers.SGD(), {"dtype": "float64"}),
    ],
    ids=["clipnorm", "decay", "ema", "accumulation", "lamb", "constraint", "dtypes"],
)
def test_updates_that_depend_on_the_variable_are_not_flattened(optimizer, settings):
    assert not supports_flattening(make_model(optimizer, **settings))
