"""Products against NumPy, and their gradients against TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from skrnn._engine import matmul

rng = np.random.default_rng(0)


@pytest.mark.parametrize("jit", [True, False], ids=["xla", "plain"])
def test_products_of_any_shape(jit, monkeypatch):
    monkeypatch.setattr(matmul, "_MIN_SHARED_MULTIPLICATIONS", 0)
    shapes = [(3, 1, 5), (1, 1, 1), (7, 64, 3), (7, 65, 3), (5, 130, 5), (1, 501, 4)]
    pairs = [(rng.normal(size=(m, k)), rng.normal(size=(k, n))) for m, k, n in shapes]

    @tf.function(jit_compile=jit, autograph=False)
    def products():
        return [matmul.deterministic_matmul(tf.constant(a), tf.constant(b)) for a, b in pairs]

    for product, (a, b) in zip(products(), pairs, strict=True):
        np.testing.assert_allclose(product, a @ b, rtol=1e-12, atol=1e-12 * np.sqrt(a.shape[1]))


def check_large_product(m, k, n):
    assert m * k * n > matmul._MIN_SHARED_MULTIPLICATIONS
    product = tf.function(matmul.deterministic_matmul, jit_compile=True, autograph=False)
    a, b = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    result = product(tf.constant(a, tf.float32), tf.constant(b, tf.float32))
    np.testing.assert_allclose(result, a @ b, atol=1e-3)


def test_large_square_product():
    """XLA computes the sum of a batched product incorrectly if it is square."""
    check_large_product(128, 65, 128)


@pytest.mark.slow
@pytest.mark.parametrize("m", [500, 1024])
def test_large_products(m):
    for k, n in ((65, m), (200, m), (128, 500), (128, 65)):
        check_large_product(m, k, n)


@pytest.mark.parametrize(
    ("m", "k", "n", "is_split"),
    [
        (900, 1, 900, False),
        (128, 64, 128, False),
        (64, 128, 64, False),  # as many multiplications as a single thread computes
        (65, 128, 64, True),
        (33, 501, 41, True),
    ],
)
def test_sums_that_threads_share_have_a_maximum_length(m, k, n, is_split):
    graph = tf.function(matmul.deterministic_matmul, autograph=False).get_concrete_function(
        tf.TensorSpec((m, k)), tf.TensorSpec((k, n))
    )
    operations = graph.graph.get_operations()
    lengths = [op.inputs[0].shape[-1] for op in operations if "MatMul" in op.type]
    assert len(lengths) == (k > 1)
    assert any(op.type == "AddN" for op in operations) == is_split
    if is_split:
        assert lengths[0] <= matmul._MAX_SUM_LENGTH


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)])
def test_dense_product_and_its_gradient(shape):
    x, W = tf.constant(rng.normal(size=(7, *shape))), tf.constant(rng.normal(size=(3, 2)))
    weights = rng.normal(size=(7, *shape[:-1], 2))
    results = []
    for product in (matmul.dense_matmul, lambda x, W: tf.tensordot(x, W, 1)):
        with tf.GradientTape() as tape:
            tape.watch([x, W])
            y = product(x, W)
            loss = tf.reduce_sum(y * weights)
        results.append([y, *tape.gradient(loss, [x, W])])
    for result, expected in zip(*results, strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-12)


@pytest.mark.parametrize("n_masks", [0, 1, 4])
def test_recurrent_product_and_its_gradients(n_masks):
    H, U = tf.constant(rng.normal(size=(5, 2, 3))), tf.constant(rng.normal(size=(3, 12)))
    masks = [tf.constant(rng.normal(size=(2, 3))) for _ in range(n_masks)]
    dA = tf.constant(rng.normal(size=(5, 2, 12)))
    with tf.GradientTape() as tape:
        tape.watch([H, U])
        A = tf.stack([matmul.recurrent_matmul(h, U, masks) for h in H])
        loss = tf.reduce_sum(A * dA)
    blocks = tf.split(U, n_masks or 1, axis=1)
    expected = [(H * mask) @ block for mask, block in zip(masks or [1.0], blocks, strict=True)]
    np.testing.assert_allclose(A, tf.concat(expected, axis=2), rtol=1e-12)
    dH, dU = tape.gradient(loss, [H, U])
    result = [matmul.recurrent_matmul_vjp_h(da, tf.transpose(U), masks) for da in dA]
    np.testing.assert_allclose(tf.stack(result), dH, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        matmul.recurrent_matmul_vjp_U(H, dA, masks), dU, rtol=1e-12, atol=1e-14
    )
