"""Loops over time against loops in Python."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skrnn._engine.scan import (
    previous_states,
    scan,
    scan_with_vjp,
    split_by_lengths,
    split_masked_cotangent,
    where_mask,
)

rng = np.random.default_rng(0)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("n_timesteps", [1, 4])
def test_scan(n_timesteps, backwards):
    X, Y = rng.normal(size=(n_timesteps, 3, 2)), rng.normal(size=(n_timesteps, 3, 1))

    def step(carry, inputs):
        (total,), (x, y) = carry, inputs
        return (total / 2 + x,), (total, x * y)

    inputs = [tf.constant(X), tf.constant(Y)]
    (last,), sequences = scan(
        step, (tf.zeros((3, 2), "float64"),), inputs, (2, 2), backwards=backwards
    )
    total, totals = np.zeros((3, 2)), np.zeros_like(X)
    for t in range(n_timesteps)[:: -1 if backwards else 1]:
        totals[t], total = total, total / 2 + X[t]
    np.testing.assert_allclose(last, total)
    np.testing.assert_allclose(sequences[0], totals)
    np.testing.assert_allclose(sequences[1], X * Y)


def test_masked_time_steps_keep_the_old_state_and_pass_its_gradient():
    new, old, weights = (tf.constant(rng.normal(size=(3, 2))) for _ in range(3))
    for mask in ([], [tf.constant([[True], [False], [True]])]):
        with tf.GradientTape() as tape:
            tape.watch([new, old])
            state = where_mask(new, old, mask)
            loss = tf.reduce_sum(state * weights)
        zero = tf.UnconnectedGradients.ZERO
        expected = tape.gradient(loss, [new, old], unconnected_gradients=zero)
        for cotangent, gradient in zip(
            split_masked_cotangent(weights, mask), expected, strict=True
        ):
            np.testing.assert_array_equal(cotangent, gradient)
    np.testing.assert_array_equal(state[1], old[1])
    np.testing.assert_array_equal(state[::2], new[::2])


def test_previous_states():
    sequence, initial = rng.normal(size=(3, 2, 1)), rng.normal(size=(2, 1))
    expected = np.stack([initial, sequence[0], sequence[1]])
    np.testing.assert_array_equal(
        previous_states(tf.constant(initial), tf.constant(sequence)), expected
    )


def test_split_by_lengths():
    assert split_by_lengths(range(6), 1, 0, 3) == [[0], [], [1, 2, 3], [4, 5]]


@pytest.mark.parametrize("n_masks", [0, 1])
@pytest.mark.parametrize("width", [3, 2], ids=["all columns", "some columns"])
def test_gradients_of_a_scan_are_those_of_a_loop_in_python(width, n_masks):
    """The recurrent product is added to the first columns of the first input."""
    X, Z = (tf.constant(rng.normal(size=(4, 2, size))) for size in (3, 1))
    h, c = (tf.constant(rng.normal(size=(2, size))) for size in (2, 1))
    W = keras.Variable(rng.normal(size=(3, 2)), dtype="float64")
    U = tf.constant(rng.normal(size=(2, width)))
    masks = [tf.constant(rng.normal(size=(2, 2)))] * n_masks
    time_mask = tf.constant(rng.random((4, 2, 1)) < 0.6)
    weights = rng.normal(size=(4, 2, 3))

    def step(inputs, states):
        (a, z), (h, c) = inputs, states
        return tf.tanh(a @ W + h * c), c * z + tf.reduce_sum(a, axis=1, keepdims=True)

    def loop(X, Z, h, c, U):
        states, sequences = [h, c], []
        for x, z, m in zip(X, Z, time_mask, strict=True):
            product = (states[0] * masks[0] if masks else states[0]) @ U
            a = x + tf.pad(product, ((0, 0), (0, 3 - width)))
            new = step([a, z], states)
            states = [tf.where(m, *pair) for pair in zip(new, states, strict=True)]
            sequences.append(tf.concat(states, axis=1))
        return tf.stack(sequences)

    def fused(X, Z, h, c, U):
        sequences = scan_with_vjp(step, [X, Z], [h, c], [W], [time_mask], U, masks)
        return tf.concat(sequences, axis=2)

    results = []
    for run in (loop, fused):
        sources = [X, Z, h, c, U]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            y = run(*sources)
            loss = tf.reduce_sum(y * weights)
        results.append([y, *tape.gradient(loss, [*sources, W.value])])
    for result, expected in zip(*results, strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-10, atol=1e-12)
