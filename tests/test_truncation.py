"""Truncated backpropagation through time: chunks with a carried state, against plain loops."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import label
from keras import layers
from sklearn.base import clone

from skrnn import CharLSTMClassifier, RNNClassifier, RNNRegressor, WindowTransformer
from skrnn.networks import MASKED
from skrnn.networks import CELLS, build_rnn

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RATE = 0.05
N_SAMPLES, N_TIMESTEPS, CHUNK = 5, 13, 5  # the last chunk is of 3 steps, the last batch of 1 row
KINDS = [(cell, (4,)) for cell in CELLS] + [("lstm", (4, 3)), ("gru", (3, 4)), ("peephole", (3, 2))]


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(N_SAMPLES, N_TIMESTEPS, 2)).astype("float32")


@pytest.fixture
def y(X):
    return np.cumsum(X[:, :, 0], axis=1) / 3


@pytest.fixture
def labels(y):
    return np.array(["down", "up"])[(y > 0).astype(int)]


def make(cell="gru", units=4, estimator=RNNRegressor, **settings):
    defaults = {"output": "sequence", "optimizer": "sgd", "learning_rate": RATE, "epochs": 1}
    defaults |= {"batch_size": 2, "random_state": 0, "chunk_length": CHUNK}
    return estimator(cell, units, **(defaults | settings))


def weights_of(model):
    return model.model_.get_weights()


def assert_close(found, expected, atol=1e-5):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


# The same by a plain loop


def run(model, x, mask, states):
    """Return what a model's layers make of some steps, and the states after them."""
    after = []
    for layer in model.layers[1:]:
        if isinstance(layer, keras.layers.RNN):
            own, states = states[: len(layer.state_size)], states[len(layer.state_size) :]
            layer.return_state, returns = True, layer.return_state
            x, *last = layer(x, initial_state=own or None, mask=mask)
            layer.return_state = returns
            after += last
        elif not isinstance(layer, keras.layers.Masking):
            x = layer(x)
    return x, after


def step(model, x, y, mask, weights, states, loss, rate):
    """Take a step of gradient descent on some time steps; return the loss and the states."""
    with tf.GradientTape() as tape:
        y_pred, after = run(model, x, mask, states)
        value = tf.reduce_sum(loss(y, y_pred) * weights)
    variables = model.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(value, variables), strict=True):
        variable.assign_sub(rate * gradient)
    return float(value), after


def by_loop(model, seed, X, y, loss, *, weights=None, chunk=CHUNK, size=2, epochs=1, rate=RATE):
    """Train a model of Keras' on one chunk after the other; return the mean loss of each epoch."""
    weights = np.ones(len(X), "float32") if weights is None else weights / weights.mean()
    means = []
    for epoch in range(epochs):
        order, total = np.arange(len(X), dtype=np.int32), 0.0
        np.random.default_rng([seed, epoch]).shuffle(order)
        for first in range(0, len(X), size):
            rows, states = order[first : first + size], []
            for start in range(0, X.shape[1], chunk):
                steps = slice(start, start + chunk)
                x, named = X[rows, steps], y[rows, steps]
                mask = (x != MASKED).any(axis=2)
                mask = None if mask.all() else mask
                n_losses = x.shape[0] * x.shape[1] if mask is None else mask.sum()
                weight = weights[rows, None] / max(n_losses, 1)
                value, states = step(model, x, named, mask, weight, states, loss, rate)
                total += value * n_losses
        means.append(total / (X != MASKED).any(axis=2).sum())
    return means


def square(y, y_pred):
    return (y - y_pred[:, :, 0]) ** 2


def untrained(estimator, X, y):
    """Return the Keras model that an estimator begins with, of chunks of any length."""
    began = clone(estimator).set_params(learning_rate=1e-30, epochs=1).fit(X, y)
    return pickle.loads(pickle.dumps(began)).model_, began._network.seed


@pytest.mark.parametrize(("cell", "units"), KINDS, ids=label)
def test_chunks_are_trained_on_as_by_a_plain_loop(cell, units, X, y):
    weights = np.arange(1, N_SAMPLES + 1, dtype="float32") if len(units) == 2 else None
    rnn = make(cell, units, epochs=2)
    model, seed = untrained(rnn, X, y)
    expected = by_loop(model, seed, X, y, square, weights=weights, epochs=2)
    rnn.fit(X, y, weights)
    np.testing.assert_allclose(rnn.loss_curve_, expected, rtol=1e-4)
    assert_close(weights_of(rnn), model.get_weights(), atol=1e-4)


def test_batches_in_branches_are_trained_on_as_by_a_plain_loop():
    X = np.random.default_rng(0).normal(size=(32, 40, 2)).astype("float32")
    y = np.cumsum(X[:, :, 0], axis=1) / 5
    settings = {"learning_rate": 0.1, "chunk_length": 15}
    rnn = make("lstm", (48, 40), batch_size=32, **settings)
    model, seed = untrained(rnn, X, y)
    (loss,) = by_loop(model, seed, X, y, square, size=32, rate=0.1, chunk=15)
    assert rnn.fit(X, y).loss_curve_ == pytest.approx([loss], rel=1e-4)
    assert_close(weights_of(rnn), model.get_weights())


def cross_entropy(y, y_pred):
    entropies = keras.losses.sparse_categorical_crossentropy(np.maximum(y, 0), y_pred)
    return entropies * (y >= 0)


@pytest.mark.parametrize(("cell", "units"), [("lstm", 4), ("gru", (4, 3)), ("coupled", 3)])
def test_masked_steps_keep_the_state(cell, units, X, labels):
    """The first sequence has two steps, so that two of its chunks are masked as a whole."""
    X = X.copy()
    X[0, 2:] = X[1, 4:7] = X[2, :6] = np.nan
    classifier = make(cell, units, RNNClassifier)
    model, seed = untrained(classifier, X, labels)
    missing = np.isnan(X).any(axis=2)
    numbers = np.where(missing, -1, labels == "up")
    (loss,) = by_loop(model, seed, np.where(missing[:, :, None], MASKED, X), numbers, cross_entropy)
    classifier.fit(X, labels)
    assert classifier.loss_curve_ == pytest.approx([loss], rel=1e-4)
    assert_close(weights_of(classifier), model.get_weights())


def by_last_steps(model, X, y, loss):
    """Take a step on one sequence whose first steps are read without a gradient."""
    early, states = X.shape[1] - CHUNK, []
    if early > 0:
        _, states = run(model, X[:, :early], None, [])
        X = X[:, early:]
    return step(model, X, y, None, 1.0, states, loss, RATE)[0]


@pytest.mark.parametrize(("cell", "units"), KINDS, ids=label)
def test_one_output_has_gradients_of_the_last_steps(cell, units, X, y):
    rnn = make(cell, units, output="last", batch_size=1)
    model, seed = untrained(rnn, X, y[:, -1])
    order = np.arange(N_SAMPLES, dtype=np.int32)
    np.random.default_rng([seed, 0]).shuffle(order)
    losses = [
        by_last_steps(model, X[row][None], y[row, -1], lambda y, y_pred: (y - y_pred) ** 2)
        for row in order
    ]
    rnn.fit(X, y[:, -1])
    assert rnn.loss_curve_ == pytest.approx([np.mean(losses)], rel=1e-4)
    assert_close(weights_of(rnn), model.get_weights())
    whole = make(cell, units, output="last", batch_size=1, chunk_length=None).fit(X, y[:, -1])
    differences = zip(weights_of(rnn), weights_of(whole), strict=True)
    assert max(np.abs(one - other).max() for one, other in differences) > 1e-4


@pytest.mark.parametrize("cell", ["lstm", "clockwork"])
def test_the_last_steps_are_those_of_each_sequence(cell, X):
    """Sequences of other lengths than the longest are not cut too early."""
    sequences = [X[row, :length] for row, length in enumerate([13, 2, 7, 9, 4])]
    classes = np.array(["down", "up", "up", "down", "up"])
    classifier = make(cell, (4, 3), RNNClassifier, output="last", batch_size=1)
    model, seed = untrained(classifier, sequences, classes)
    order = np.arange(N_SAMPLES, dtype=np.int32)
    np.random.default_rng([seed, 0]).shuffle(order)
    for row in order:
        number = np.array([int(classes[row] == "up")])
        by_last_steps(model, sequences[row][None], number, cross_entropy)
    classifier.fit(sequences, classes)
    assert_close(weights_of(classifier), model.get_weights())


def test_windows_that_end_in_masked_steps_keep_their_output():
    """All of a window's last steps may be masked: the output is that of the steps before."""
    series = np.random.default_rng(0).normal(size=(40, 1))
    series[20:24] = np.nan
    windows = WindowTransformer(8).fit_transform(series)
    classes = np.arange(40) % 2
    settings = {"output": "last", "learning_rate": 1e-30}
    losses = [
        make("gru", 4, RNNClassifier, chunk_length=chunk_length, **settings)
        .fit(windows, classes)
        .loss_curve_
        for chunk_length in (2, None)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-5)


# What it is for


def first_signs(n_samples, n_timesteps, seed=0):
    """Noise after a first step of -1 or 1, and that step again at every step."""
    rng = np.random.default_rng(seed)
    X = rng.normal(scale=0.1, size=(n_samples, n_timesteps))
    X[:, 0] = rng.choice([-1.0, 1.0], n_samples)
    return X, np.repeat(X[:, :1], n_timesteps, axis=1)


def test_what_came_before_a_chunk_is_known_in_it():
    X, y = first_signs(64, 24)
    settings = {"optimizer": "adam", "learning_rate": 0.02, "epochs": 40, "batch_size": 16}
    carried = make("gru", 8, chunk_length=6, **settings).fit(X, y)
    alone = make("gru", 8, chunk_length=None, **settings).fit(X.reshape(-1, 6), y.reshape(-1, 6))
    X, y = first_signs(64, 24, seed=1)
    assert carried.score(X, y) > 0.95
    assert alone.score(X.reshape(-1, 6), y.reshape(-1, 6)) < 0.5


def test_classes_that_depend_on_what_came_before_a_chunk():
    X, y = first_signs(64, 24)
    settings = {"optimizer": "adam", "learning_rate": 0.02, "epochs": 30, "batch_size": 16}
    classifier = make("lstm", 8, RNNClassifier, chunk_length=6, **settings).fit(X, y > 0)
    X, y = first_signs(64, 24, seed=1)
    assert classifier.score(X, y > 0) > 0.95


def test_a_state_begins_anew_in_each_sequence(X, y):
    """Also where a batch is the same rows again: twice the rows are twice the steps."""
    twice = make(batch_size=5, learning_rate=1e-30).fit(np.tile(X, (2, 1, 1)), np.tile(y, (2, 1)))
    once = make(batch_size=5, learning_rate=1e-30).fit(X, y)
    assert twice.loss_curve_ == pytest.approx(once.loss_curve_, rel=1e-5)


# What stays as it is


@pytest.mark.parametrize("chunk_length", [N_TIMESTEPS, 100])
@pytest.mark.parametrize("output", ["last", "sequence"])
def test_chunks_of_all_steps_are_whole_sequences(chunk_length, output, X, y, labels):
    of_y, of_labels = (y, labels) if output == "sequence" else (y[:, -1], labels[:, -1])
    for estimator, target in ((RNNRegressor, of_y), (RNNClassifier, of_labels)):
        settings = {"output": output, "epochs": 3}
        cut = make("lstm", (4, 3), estimator, chunk_length=chunk_length, **settings).fit(X, target)
        whole = make("lstm", (4, 3), estimator, chunk_length=None, **settings).fit(X, target)
        assert cut.loss_curve_ == whole.loss_curve_
        np.testing.assert_array_equal(cut.predict(X), whole.predict(X))
        assert_close(weights_of(cut), weights_of(whole), atol=0)


@pytest.mark.parametrize("chunk_length", [1, 4, 12, 13])
def test_losses_are_means_over_all_steps(chunk_length, X, y):
    """Steps that fill up the last chunk would count 9 times the last one of 13."""
    y[:, -1] += 10
    rnn = make(chunk_length=chunk_length, learning_rate=1e-30, epochs=1).fit(X, y)
    assert rnn.loss_curve_ == pytest.approx([np.mean((rnn.predict(X) - y) ** 2)], rel=1e-5)


def test_predictions_are_those_of_the_network_on_whole_sequences(X, y):
    rnn = make("lstm", (4, 3)).fit(X, y)
    np.testing.assert_allclose(rnn.predict(X), rnn.model_(X)[:, :, 0], atol=1e-6)
    assert rnn.model_.input_shape == (None, None, 2)


def test_predictions_of_other_lengths_are_those_of_the_network(X, y):
    longer = np.concatenate([X, X[::-1]], axis=1)
    rnn = make("lstm", (4, 3)).fit(X, y)
    for data in (longer, X[:, :3]):
        np.testing.assert_allclose(rnn.predict(data), rnn.model_(data)[:, :, 0], atol=1e-6)
    assert np.isfinite(rnn.score(longer, np.concatenate([y, y[::-1]], axis=1)))
    of_columns = make("gru").fit(X[:, :, 0], y)
    for data in (longer[:, :, 0], X[:, :, 0]):
        expected = of_columns.model_(data[:, :, None])[:, :, 0]
        np.testing.assert_allclose(of_columns.predict(data), expected, atol=1e-6)


def test_other_lengths_are_refused_where_the_network_is_of_one(X, y):
    longer = np.concatenate([X, X], axis=1)
    last = make(output="last").fit(X, y[:, -1])
    for rnn in (make(chunk_length=None).fit(X, y), last):
        with pytest.raises(ValueError, match="26 time steps and 2 features, but RNNRegressor was"):
            rnn.predict(longer)
    with pytest.raises(ValueError, match="13 time steps and 1 features, but RNNRegressor was"):
        make().fit(X, y).predict(X[:, :, :1])


def test_windows_are_cut_like_arrays(y):
    series = np.random.default_rng(0).normal(size=(30, 2)).astype("float32")
    windows = WindowTransformer(N_TIMESTEPS).fit_transform(series)
    target = np.cumsum(np.asarray(windows)[:, :, 0], axis=1)
    whole = windows[N_TIMESTEPS:]
    found = make(epochs=2, batch_size=64).fit(windows, target)
    expected = make(epochs=2, batch_size=64).fit(np.asarray(whole), target[N_TIMESTEPS:])
    assert found.loss_curve_ == pytest.approx(expected.loss_curve_, rel=1e-5)
    assert_close(weights_of(found), weights_of(expected))


def test_validation_is_on_whole_sequences(X, y):
    rnn = make(early_stopping=True, validation_fraction=0.4, learning_rate=1e-30).fit(X, y)
    y_pred = rnn.predict(X[3:])
    assert rnn.validation_loss_curve_ == pytest.approx([np.mean((y_pred - y[3:]) ** 2)], rel=1e-5)
    assert rnn.validation_scores_ == pytest.approx([rnn.score(X[3:], y[3:])])


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.3}, {"recurrent_dropout": 0.3}], ids=label)
def test_the_same_seed_gives_the_same_bits(settings, X, y):
    rnn = make("lstm", (4, 3), epochs=3, **settings)
    first, again = (clone(rnn).fit(X, y) for _ in range(2))
    assert first.loss_curve_ == again.loss_curve_
    np.testing.assert_array_equal(first.predict(X), again.predict(X))
    other = clone(rnn).set_params(random_state=1).fit(X, y)
    assert first.loss_curve_ != other.loss_curve_


def test_penalties_count_in_each_step(X, y):
    before, after = (
        make(l2=l2, epochs=20, learning_rate=0.1).fit(X, y).model_.layers[1].cell.kernel.numpy()
        for l2 in (0.0, 0.1)
    )
    assert np.square(after).sum() < np.square(before).sum() / 2


@pytest.mark.parametrize("way", ["partial_fit", "warm_start", "pickle"])
def test_training_goes_on(way, X, y):
    expected = make(epochs=2, optimizer="adam").fit(X, y)
    rnn = make(epochs=1, optimizer="adam", warm_start=True).fit(X, y)
    if way == "pickle":
        rnn = pickle.loads(pickle.dumps(rnn))
    rnn = rnn.partial_fit(X, y) if way == "partial_fit" else rnn.fit(X, y)
    np.testing.assert_allclose(rnn.loss_curve_, expected.loss_curve_, rtol=1e-6)
    assert_close(weights_of(rnn), weights_of(expected), atol=1e-6)


def test_training_goes_on_in_chunks_of_another_length(X, y):
    rnn = make(warm_start=True).fit(X, y)
    for chunk_length in (2, 100, None):
        rnn.set_params(chunk_length=chunk_length).fit(X, y)
    assert rnn.n_iter_ == 4


# Where XLA cannot train


class EachBatch(keras.callbacks.Callback):
    """Counts the batches."""

    def __init__(self):
        super().__init__()
        self.began, self.ended = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.began.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.ended.append(batch)


@keras.saving.register_keras_serializable("test_truncation")
def own_square(y, y_pred):
    return keras.ops.mean(keras.ops.square(y - y_pred), axis=-1)


def own(input_shape, n_outputs, output, seed):
    """Build a network of its own, which it compiles."""
    model = build_rnn(input_shape, n_outputs, "gru", 4, output=output, seed=seed)
    model.compile(keras.optimizers.SGD(RATE), own_square)
    return model


@pytest.mark.parametrize("output", ["last", "sequence"])
@pytest.mark.parametrize(
    "settings",
    [
        {"callbacks": [EachBatch()]},
        {"loss": own_square},
        {"network": own},
        {
            "optimizer": keras.optimizers.LossScaleOptimizer(
                keras.optimizers.SGD(RATE), initial_scale=4.0
            ),
            "learning_rate": None,
        },
    ],
    ids=["callback", "loss", "network", "scale"],
)
def test_keras_layers_train_alike(settings, output, X, y):
    y = y if output == "sequence" else y[:, -1]
    expected = make(epochs=2, output=output).fit(X, y)
    found = make(epochs=2, output=output, **settings).fit(X, y)
    np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(found.predict(X), expected.predict(X), atol=1e-5)


def test_keras_layers_train_alike_on_masked_steps(X, labels):
    X[0, 2:] = X[1, 4:7] = X[2, :6] = np.nan
    for output, target in (("sequence", labels), ("last", labels[:, -1])):
        settings = {"output": output, "epochs": 2, "estimator": RNNClassifier}
        expected = make("lstm", (4, 3), **settings).fit(X, target)
        found = make("lstm", (4, 3), callbacks=[EachBatch()], **settings).fit(X, target)
        np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-5)


def test_a_callback_sees_every_chunk(X, y):
    callback = EachBatch()
    make(callbacks=[callback]).fit(X, y)
    assert callback.began == callback.ended == [*range(3 * 3)]


@pytest.mark.parametrize("cell", [*CELLS])
def test_recurrent_dropout_in_chunks(cell, X, y):
    settings = {"epochs": 40, "learning_rate": 0.1}
    rnn = make(cell, 8, recurrent_dropout=0.2, **settings).fit(X, y)
    assert rnn.loss_curve_[-1] < rnn.loss_curve_[0] / 2


def step_by_step(input_shape, n_outputs):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.TimeDistributed(layers.Dense(4, "tanh")),
            layers.RNN([layers.GRUCell(4), layers.LSTMCell(3)], return_sequences=True),
            layers.LayerNormalization(),
            layers.Dense(n_outputs),
        ]
    )


def test_networks_of_ones_own_that_go_step_by_step(X, y):
    rnn = make(network=step_by_step, epochs=40, learning_rate=0.1).fit(X, y)
    assert rnn.loss_curve_[-1] < rnn.loss_curve_[0] / 2
    frozen = make(network=step_by_step, learning_rate=1e-30).fit(X, y)
    assert frozen.loss_curve_ == pytest.approx([np.mean((frozen.predict(X) - y) ** 2)], rel=1e-5)


def probabilities(input_shape, n_outputs):
    """Build a keras.Sequential, whose layers are called again when it is made anew."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Masking(MASKED),
            layers.GRU(4, return_sequences=True),
            layers.Dense(n_outputs, activation="softmax"),
        ]
    )


def test_a_sequential_network_is_trained_on_as_by_a_plain_loop(X, labels):
    classifier = make("gru", 4, RNNClassifier, network=probabilities)
    model, seed = untrained(classifier, X, labels)
    numbers = (labels == "up").astype(int)
    (loss,) = by_loop(model, seed, X, numbers, cross_entropy)
    classifier.fit(X, labels)
    assert classifier._network._is_compilable
    assert classifier.loss_curve_ == pytest.approx([loss], rel=1e-4)
    assert_close(weights_of(classifier), model.get_weights())


def compiled_with(loss):
    """Return a builder of a network that it compiles with a loss."""

    def build(input_shape, n_outputs):
        model = probabilities(input_shape, n_outputs)
        model.compile(keras.optimizers.SGD(RATE), loss)
        return model

    return build


@keras.saving.register_keras_serializable("test_truncation")
def known_cross_entropy(y, y_pred):
    known = keras.ops.cast(y >= 0, y_pred.dtype)
    y = keras.ops.maximum(keras.ops.cast(y, "int32"), 0)
    return known * keras.losses.sparse_categorical_crossentropy(y, y_pred)


@pytest.mark.parametrize("chunk_length", [None, CHUNK])
def test_losses_of_ones_own_leave_masked_steps_out(chunk_length, X, labels):
    settings = {"chunk_length": chunk_length, "estimator": RNNClassifier}
    refused = make(network=compiled_with("sparse_categorical_crossentropy"), **settings)
    refused.fit(X, labels)
    X[0, 2:] = X[1, 4:7] = np.nan
    with pytest.raises(ValueError, match=r"masked steps, .* of class -1,.*\(ignore_class=-1\), or"):
        refused.fit(X, labels)
    known = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    expected = make(network=probabilities, **settings).fit(X, labels)
    for loss in (known, known_cross_entropy):
        found = make(network=compiled_with(loss), **settings).fit(X, labels)
        np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-4)


@pytest.mark.parametrize("incomplete", [False, True])
def test_losses_are_means_over_the_steps_that_are_trained_on(incomplete):
    """Held-out rows have masked steps, and incomplete windows no class, that do not count."""
    rng = np.random.default_rng(0)
    series = rng.normal(size=(40, 1))
    series[30:, 0][rng.random(10) < 0.5] = np.nan
    X = WindowTransformer(8).fit_transform(series)
    X = X if incomplete else np.asarray(X)[8:]
    y = rng.random(X.shape[:2]) < 0.5
    settings = {"learning_rate": 1e-30, "early_stopping": True, "validation_fraction": 0.3}
    losses = [
        make("gru", 4, RNNClassifier, chunk_length=chunk_length, **settings).fit(X, y).loss_curve_
        for chunk_length in (3, 8)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def normalized(input_shape, n_outputs, output):
    """Build a network that looks at a batch as a whole."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.BatchNormalization(momentum=0.0),
            layers.GRU(4, return_sequences=output == "sequence"),
            layers.Dense(n_outputs),
        ]
    )


def test_short_batches_are_no_larger_where_layers_look_at_them(X, y):
    rnn = make(network=normalized, output="last", batch_size=3).fit(X, y[:, -1])
    order = np.arange(N_SAMPLES, dtype=np.int32)
    np.random.default_rng([rnn._network.seed, 0]).shuffle(order)
    last = X[order[3:]].reshape(-1, 2)  # the second batch is of 2 rows
    norm = rnn.model_.layers[0]
    assert_close([norm.moving_mean, norm.moving_variance], [last.mean(0), last.var(0)])


def penalizing(input_shape, n_outputs, output):
    """Build a network with a penalty on what its recurrent layer gives out."""
    recurrent = layers.GRU(4, return_sequences=output == "sequence", activity_regularizer="l2")
    return keras.Sequential([keras.Input(input_shape), recurrent, layers.Dense(n_outputs)])


@pytest.mark.parametrize("output", ["last", "sequence"])
@pytest.mark.parametrize("batch_size", [3, 5])
def test_penalties_on_outputs_are_of_the_rows_there_are(output, batch_size, X, y):
    X, y = X[:, : 2 * CHUNK], y[:, : 2 * CHUNK] if output == "sequence" else y[:, -1]
    rnn = make(network=penalizing, output=output, learning_rate=1e-30, batch_size=batch_size)
    rnn.fit(X, y)
    outputs = keras.Sequential(rnn.model_.layers[:1])(X)
    assert np.square(outputs).sum() > 0.1
    order = np.arange(N_SAMPLES, dtype=np.int32)
    np.random.default_rng([rnn._network.seed, 0]).shuffle(order)
    squares = np.square(rnn.predict(X) - y).reshape(N_SAMPLES, -1)
    # Each batch's mean, of as many losses as there are in it, has the mean penalty of its rows.
    total, n_losses = 0.0, 0
    for first in range(0, N_SAMPLES, batch_size):
        rows = order[first : first + batch_size]
        for start in range(0, squares.shape[1], CHUNK):
            part = squares[rows, start : start + CHUNK]
            values = np.asarray(outputs)[rows]
            values = values[:, start : start + CHUNK] if output == "sequence" else values
            total += part.sum() + 0.01 * np.square(values).sum() / len(rows) * part.size
            n_losses += part.size
    assert rnn.loss_curve_ == pytest.approx([total / n_losses], rel=1e-4)


def test_penalties_on_outputs_need_chunks_of_one_length(X, y):
    with pytest.raises(ValueError, match=r"activity_regularizer.* 13 time steps .* that divides"):
        make(network=penalizing).fit(X, y)


def test_penalties_on_outputs_of_a_short_batch(X, y):
    """Without chunks, a batch of 3 rows is not filled up to the 4 that are compiled for."""
    settings = {"network": penalizing, "output": "last", "chunk_length": None}
    rnn = make(batch_size=8, learning_rate=1e-30, **settings).fit(X[:3], y[:3, -1])
    penalty = 0.01 * np.square(keras.Sequential(rnn.model_.layers[:1])(X[:3])).sum() / 3
    square = np.square(rnn.predict(X[:3]) - y[:3, -1]).mean()
    assert rnn.loss_curve_ == pytest.approx([square + penalty], rel=1e-4)


# Errors


def of_layers(*make_layers, fixed=False, model=keras.Model):
    """Return a builder of a network of some layers, and a dense one."""

    def build(input_shape, n_outputs):
        x = z = keras.Input((N_TIMESTEPS, 2) if fixed else input_shape)
        for make_layer in make_layers:
            z = make_layer()(z)
        return model(x, layers.Dense(n_outputs)(z))

    return build


class OwnModel(keras.Model):
    """Trains in the usual way, but might not."""


def gru(**settings):
    return lambda: layers.GRU(3, return_sequences=True, **settings)


def both_ways():
    return layers.Bidirectional(layers.GRU(3, return_sequences=True))


@pytest.mark.parametrize(
    ("network", "fault"),
    [
        (of_layers(both_ways), r"the layer 'bidirectional\w*' reads sequences backwards"),
        (of_layers(gru(go_backwards=True)), r"the layer 'gru\w*' reads sequences backwards"),
        (
            of_layers(gru(), lambda: layers.Conv1D(3, 2, padding="same")),
            r"'conv1d\w*' \(Conv1D\) may need other steps than those of a chunk",
        ),
        (
            of_layers(gru(), lambda: layers.LayerNormalization(axis=(1, 2)), fixed=True),
            r"the network takes sequences of 13 time steps and no chunks of them",
        ),
        (of_layers(lambda: keras.Sequential([gru()()])), r"the recurrent layer 'gru\w*' is"),
        (of_layers(gru(), model=OwnModel), "a model of class OwnModel may train in a way of"),
        (of_layers(gru(), lambda: layers.BatchNormalization()), r"\(BatchNormalization\) may need"),
    ],
    ids=["bidirectional", "backwards", "convolution", "fixed", "nested", "model", "batch"],
)
def test_networks_that_carry_no_state(network, fault, X, y):
    match = rf"chunk_length=5 carries the state forwards from step to step, but .*{fault}.*or set "
    rnn = make(network=network)
    with pytest.raises(ValueError, match=match + "chunk_length=None"):
        rnn.fit(X, y)
    assert not hasattr(rnn, "n_iter_")
    rnn.set_params(chunk_length=None).fit(X, y)


@pytest.mark.parametrize("output", ["last", "sequence"])
@pytest.mark.parametrize("estimator", [RNNRegressor, RNNClassifier])
def test_bidirectional_networks_are_refused(estimator, output, X, y):
    rnn = make("gru", 3, estimator, output=output, bidirectional=True)
    with pytest.raises(ValueError, match=r"chunk_length=5 .* bidirectional=True .*Set bidir"):
        rnn.fit(X, y > 0 if output == "sequence" else y[:, -1] > 0)


def test_a_network_of_whole_sequences_does_not_go_on_in_chunks(X, y):
    rnn = make(chunk_length=None, warm_start=True).fit(X, y)
    before = rnn.predict(X)
    for fit in (rnn.set_params(chunk_length=5).fit, rnn.partial_fit):
        with pytest.raises(ValueError, match=r"chunk_length=5 .* of 13 time steps .*or fit anew"):
            fit(X, y)
    np.testing.assert_array_equal(rnn.predict(X), before)


def test_a_classifier_of_whole_sequences_goes_on_in_chunks(X, labels):
    """Its own network takes any number of steps."""
    for way in ("partial_fit", "fit"):
        settings = {"chunk_length": None, "warm_start": True, "batch_size": N_SAMPLES}
        classifier = make("gru", 4, RNNClassifier, **settings)
        getattr(classifier, way)(X, labels)
        model = pickle.loads(pickle.dumps(classifier)).model_
        size, numbers = {"size": N_SAMPLES}, (labels == "up").astype(int)
        (loss,) = by_loop(model, classifier._network.seed, X, numbers, cross_entropy, **size)
        getattr(classifier.set_params(chunk_length=CHUNK), way)(X, labels)
        assert classifier.loss_curve_[1] == pytest.approx(loss, rel=1e-4)
        assert_close(weights_of(classifier), model.get_weights())


def over_all_steps(y, y_pred):
    return keras.ops.mean(keras.ops.square(y - y_pred), axis=(1, 2))


def test_losses_have_to_be_of_steps(X, y):
    with pytest.raises(
        ValueError, match=r"gives values of shape \(None,\), but .* one for each step"
    ):
        make(loss=over_all_steps).fit(X, y)


def test_losses_have_to_be_means(X, y):
    loss = keras.losses.MeanSquaredError(reduction="sum")
    with pytest.raises(ValueError, match=r"which chunk_length cannot cut: it needs one loss with"):
        make(loss=loss).fit(X, y)


@pytest.mark.parametrize("estimator", [RNNRegressor, RNNClassifier, CharLSTMClassifier])
def test_chunk_length_is_no_bool(estimator, X, labels):
    data = ("abab",) if estimator is CharLSTMClassifier else (X, labels[:, 0] == "up")
    with pytest.raises(ValueError, match="chunk_length=True must be a positive int"):
        estimator(chunk_length=True).fit(*data)


@pytest.mark.parametrize("chunk_length", [0, 2.5, "all"])
def test_chunk_length_is_a_positive_int(chunk_length, X, y):
    with pytest.raises(ValueError, match="The 'chunk_length' parameter of RNNRegressor must be"):
        make(chunk_length=chunk_length).fit(X, y)


def test_weights_of_steps_go_with_their_chunks(X, y):
    """Steps that weigh nothing are as if their y were any other."""
    weights = np.random.default_rng(1).uniform(1, 2, size=y.shape) * (
        np.arange(N_TIMESTEPS) % 3 > 0
    )
    other = np.where(weights > 0, y, 1e3)
    one, two = (make("lstm", (4, 3), epochs=2).fit(X, y, weights) for y in (y, other))
    assert one.loss_curve_ == two.loss_curve_
    assert_close(weights_of(one), weights_of(two), atol=0)
    whole = make("lstm", (4, 3), epochs=2).fit(X, y)
    assert np.abs(weights_of(one)[0] - weights_of(whole)[0]).max() > 1e-5
    # In one chunk they are those of whole sequences.
    chunked, plain = (
        make("gru", epochs=2, chunk_length=n).fit(X, y, weights) for n in (N_TIMESTEPS, None)
    )
    assert chunked.loss_curve_ == pytest.approx(plain.loss_curve_, rel=1e-5)
