"""Truncated backpropagation through time, compared with plain loops over chunks."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import label
from keras import layers
from sklearn.base import clone

from skrnn import CharLSTMClassifier, RNNClassifier, RNNRegressor, WindowTransformer
from skrnn.networks import CELLS, MASKED, build_rnn
from skrnn.text import _language_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RATE = 0.05
N_SAMPLES, N_TIMESTEPS, CHUNK = 5, 7, 3  # the last chunk has one time step, the last batch one row
rng = np.random.default_rng(0)
X = rng.normal(size=(N_SAMPLES, N_TIMESTEPS, 2)).astype("float32")
Y = np.cumsum(X[:, :, 0], axis=1) / 3
LABELS = np.array(["down", "up"])[(Y > 0).astype(int)]
X_MASKED = X.copy()
X_MASKED[0, 1:] = X_MASKED[1, 2:5] = X_MASKED[2, :4] = np.nan  # whole chunks among them
SLOW_CELLS = [("lstm", (3, 2)), *((cell, 4) for cell in CELLS)]
EACH_CELL = pytest.mark.parametrize(
    ("cell", "units"),
    [("gru", (3, 2)), *(pytest.param(*args, marks=pytest.mark.slow) for args in SLOW_CELLS)],
    ids=label,
)


def make(cell="gru", units=2, estimator=RNNRegressor, **settings):
    defaults = {"output": "sequence", "optimizer": "sgd", "learning_rate": RATE, "epochs": 1}
    defaults |= {"batch_size": 2, "random_state": 0, "chunk_length": CHUNK}
    return estimator(cell, units, **(defaults | settings))


def target_of(output, y=Y):
    return y if output == "sequence" else y[:, -1]


def weights_of(rnn):
    return rnn.model_.get_weights()


def assert_close(values, expected, atol=1e-5):
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, other, atol=atol)


def epoch_order(seed, epoch=0):
    order = np.arange(N_SAMPLES, dtype=np.int32)
    np.random.default_rng([seed, epoch]).shuffle(order)
    return order


# Plain loops


def run(model, x, mask, states):
    """Return the outputs of a model at some time steps, and the states after them."""
    last_states = []
    for layer in model.layers[1:]:
        if isinstance(layer, keras.layers.RNN):
            initial, states = states[: len(layer.state_size)], states[len(layer.state_size) :]
            layer.return_state, returns = True, layer.return_state
            x, *last = layer(x, initial_state=initial or None, mask=mask)
            layer.return_state = returns
            last_states += last
        elif not isinstance(layer, keras.layers.Masking):
            x = layer(x)
    return x, last_states


def train_step(model, x, y, mask, weights, states, loss, rate=RATE):
    """Take a step of gradient descent on some time steps; return the loss and the states."""
    with tf.GradientTape() as tape:
        y_pred, states = run(model, x, mask, states)
        value = tf.reduce_sum(loss(y, y_pred) * weights)
    variables = model.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(value, variables), strict=True):
        variable.assign_sub(rate * gradient)
    return float(value), states


def train_in_chunks(model, seed, X, y, loss, *, weights=None, chunk=CHUNK, size=2, epochs=1):
    """Train a Keras model on chunks, one after the other; return the mean loss of each epoch."""
    weights = np.ones(len(X), "float32") if weights is None else weights / weights.mean()
    means = []
    for epoch in range(epochs):
        order, total = epoch_order(seed, epoch), 0.0
        for first in range(0, len(X), size):
            rows, states = order[first : first + size], []
            for start in range(0, X.shape[1], chunk):
                x, target = X[rows, start : start + chunk], y[rows, start : start + chunk]
                mask = (x != MASKED).any(axis=2)
                mask = None if mask.all() else mask
                n_losses = x.shape[0] * x.shape[1] if mask is None else mask.sum()
                weight = weights[rows, None] / max(n_losses, 1)
                value, states = train_step(model, x, target, mask, weight, states, loss)
                total += value * n_losses
        means.append(total / (X != MASKED).any(axis=2).sum())
    return means


def square(y, y_pred):
    return (y - y_pred[:, :, 0]) ** 2


def square_of_last(y, y_pred):
    return (y - y_pred) ** 2


def cross_entropy(y, y_pred):
    entropies = keras.losses.sparse_categorical_crossentropy(np.maximum(y, 0), y_pred)
    return entropies * (y >= 0)


def untrained(estimator, X, y):
    """Return the initial Keras model of an estimator, and the seed of the order of the rows."""
    fitted = clone(estimator).set_params(learning_rate=1e-30, epochs=1).fit(X, y)
    return pickle.loads(pickle.dumps(fitted)).model_, fitted._network.seed


@EACH_CELL
def test_chunks_are_trained_on_like_in_a_plain_loop(cell, units):
    weights = np.arange(1, N_SAMPLES + 1, dtype="float32") if cell == "gru" else None
    rnn = make(cell, units, epochs=2)
    model, seed = untrained(rnn, X, Y)
    expected = train_in_chunks(model, seed, X, Y, square, weights=weights, epochs=2)
    rnn.fit(X, Y, weights)
    np.testing.assert_allclose(rnn.loss_curve_, expected, rtol=1e-4)
    assert_close(weights_of(rnn), model.get_weights(), atol=1e-4)


@pytest.mark.slow
def test_shards_are_trained_on_like_in_a_plain_loop():
    X = np.random.default_rng(0).normal(size=(32, 40, 2)).astype("float32")
    y = np.cumsum(X[:, :, 0], axis=1) / 5
    rnn = make("lstm", (48, 40), batch_size=32, chunk_length=15)
    model, seed = untrained(rnn, X, y)
    order = np.arange(32, dtype=np.int32)
    np.random.default_rng([seed, 0]).shuffle(order)
    states, total = [], 0.0
    for start in range(0, 40, 15):
        x, target = X[order, start : start + 15], y[order, start : start + 15]
        loss, states = train_step(model, x, target, None, 1 / target.size, states, square)
        total += loss * target.size
    assert rnn.fit(X, y).loss_curve_ == pytest.approx([total / y.size], rel=1e-4)
    assert_close(weights_of(rnn), model.get_weights())


@pytest.mark.parametrize(
    ("cell", "units"),
    [
        ("gru", (3, 2)),
        pytest.param("lstm", 4, marks=pytest.mark.slow),
        pytest.param("coupled", 3, marks=pytest.mark.slow),
    ],
)
def test_states_are_kept_at_masked_time_steps(cell, units):
    classifier = make(cell, units, RNNClassifier)
    model, seed = untrained(classifier, X_MASKED, LABELS)
    is_masked = np.isnan(X_MASKED).any(axis=2)
    codes = np.where(is_masked, -1, LABELS == "up")
    inputs = np.where(is_masked[:, :, None], MASKED, X_MASKED)
    (loss,) = train_in_chunks(model, seed, inputs, codes, cross_entropy)
    classifier.fit(X_MASKED, LABELS)
    assert classifier.loss_curve_ == pytest.approx([loss], rel=1e-4)
    assert_close(weights_of(classifier), model.get_weights())


def train_on_last_steps(model, X, y, loss):
    """Take a step on one sequence, with the gradient of its last time steps."""
    n_early, states = X.shape[1] - CHUNK, []
    if n_early > 0:
        _, states = run(model, X[:, :n_early], None, [])
        X = X[:, n_early:]
    return train_step(model, X, y, None, 1.0, states, loss)[0]


@pytest.mark.parametrize(
    ("cell", "units"),
    [
        ("gru", (3, 2)),
        pytest.param("lstm", 4, marks=pytest.mark.slow),
        pytest.param("depthgated", 4, marks=pytest.mark.slow),
    ],
)
def test_a_single_output_has_the_gradient_of_the_last_time_steps(cell, units):
    y = Y[:, -1]
    rnn = make(cell, units, output="last", batch_size=1)
    model, seed = untrained(rnn, X, y)
    initial = model.get_weights()
    losses = [
        train_on_last_steps(model, X[row][None], y[row], square_of_last)
        for row in epoch_order(seed)
    ]
    rnn.fit(X, y)
    assert rnn.loss_curve_ == pytest.approx([np.mean(losses)], rel=1e-4)
    assert_close(weights_of(rnn), model.get_weights())
    # The whole gradient is another one.
    model.set_weights(initial)
    for row in epoch_order(seed):
        train_step(model, X[row][None], y[row], None, 1.0, [], square_of_last)
    differences = zip(weights_of(rnn), model.get_weights(), strict=True)
    assert max(np.abs(value - other).max() for value, other in differences) > 1e-4


@pytest.mark.parametrize("cell", ["gru", pytest.param("clockwork", marks=pytest.mark.slow)])
def test_the_last_time_steps_are_those_of_each_sequence(cell):
    sequences = [X[row, :length] for row, length in enumerate([7, 1, 4, 5, 2])]
    classes = np.array(["down", "up", "up", "down", "up"])
    classifier = make(cell, (3, 2), RNNClassifier, output="last", batch_size=1)
    model, seed = untrained(classifier, sequences, classes)
    for row in epoch_order(seed):
        code = np.array([int(classes[row] == "up")])
        train_on_last_steps(model, sequences[row][None], code, cross_entropy)
    classifier.fit(sequences, classes)
    assert_close(weights_of(classifier), model.get_weights())


@pytest.mark.slow
def test_windows_that_end_in_masked_time_steps_keep_the_output_before():
    series = np.random.default_rng(0).normal(size=(24, 1))
    series[12:16] = np.nan
    windows = WindowTransformer(5).fit_transform(series)
    losses = [
        make("gru", 2, RNNClassifier, output="last", learning_rate=1e-30, chunk_length=chunk_length)
        .fit(windows, np.arange(24) % 2)
        .loss_curve_
        for chunk_length in (2, None)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-5)


# What carried states are for


def first_signs(seed=0, n_samples=64, n_timesteps=24):
    """Return noise that begins with -1 or 1, and that number as the target at every step."""
    rng = np.random.default_rng(seed)
    X = rng.normal(scale=0.1, size=(n_samples, n_timesteps))
    X[:, 0] = rng.choice([-1.0, 1.0], n_samples)
    return X, np.repeat(X[:, :1], n_timesteps, axis=1)


@pytest.mark.slow
def test_a_chunk_is_predicted_with_the_steps_before_it():
    settings = {"optimizer": "adam", "learning_rate": 0.02, "epochs": 40, "batch_size": 16}
    X, y = first_signs()
    carried = make("gru", 8, chunk_length=6, **settings).fit(X, y)
    separate = make("gru", 8, chunk_length=None, **settings)
    separate.fit(X.reshape(-1, 6), y.reshape(-1, 6))
    X, y = first_signs(seed=1)
    assert carried.score(X, y) > 0.95
    assert separate.score(X.reshape(-1, 6), y.reshape(-1, 6)) < 0.5


@pytest.mark.slow
def test_a_chunk_is_classified_with_the_steps_before_it():
    settings = {"optimizer": "adam", "learning_rate": 0.02, "epochs": 30, "batch_size": 16}
    X, y = first_signs()
    classifier = make("lstm", 8, RNNClassifier, chunk_length=6, **settings).fit(X, y > 0)
    X, y = first_signs(seed=1)
    assert classifier.score(X, y > 0) > 0.95


def test_each_sequence_begins_with_the_initial_states():
    """Twice the same batch has twice the same losses."""
    twice = make(batch_size=5, learning_rate=1e-30).fit(np.tile(X, (2, 1, 1)), np.tile(Y, (2, 1)))
    once = make(batch_size=5, learning_rate=1e-30).fit(X, Y)
    assert twice.loss_curve_ == pytest.approx(once.loss_curve_, rel=1e-5)


# Losses, weights and lengths


@pytest.mark.parametrize("chunk_length", [N_TIMESTEPS, 100])
@pytest.mark.parametrize("output", ["sequence", pytest.param("last", marks=pytest.mark.slow)])
def test_chunks_as_long_as_the_sequences_change_nothing(chunk_length, output):
    rnn = make(output=output, chunk_length=chunk_length).fit(X, target_of(output))
    whole = make(output=output, chunk_length=None).fit(X, target_of(output))
    assert rnn.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(rnn.predict(X), whole.predict(X))
    assert_close(weights_of(rnn), weights_of(whole), atol=0)


@pytest.mark.parametrize("chunk_length", [CHUNK, pytest.param(1, marks=pytest.mark.slow)])
def test_losses_are_means_over_all_time_steps(chunk_length):
    """Without a mask, the padding of the last chunk would be counted as well."""
    y = Y.copy()
    y[:, -1] += 10
    rnn = make(chunk_length=chunk_length, learning_rate=1e-30).fit(X, y)
    assert rnn.loss_curve_ == pytest.approx([np.mean((rnn.predict(X) - y) ** 2)], rel=1e-5)


@pytest.mark.parametrize("incomplete", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_losses_are_means_over_the_time_steps_with_a_class(incomplete):
    """Masked time steps of the holdout, and incomplete windows without a class, do not count."""
    rng = np.random.default_rng(0)
    series = rng.normal(size=(40, 1))
    series[30:, 0][rng.random(10) < 0.5] = np.nan
    windows = WindowTransformer(N_TIMESTEPS).fit_transform(series)
    windows = windows if incomplete else np.asarray(windows)[N_TIMESTEPS:]
    y = rng.random(windows.shape[:2]) < 0.5
    settings = {"learning_rate": 1e-30, "early_stopping": True, "validation_fraction": 0.3}
    settings["batch_size"] = 64
    losses = [
        make("gru", 2, RNNClassifier, chunk_length=length, **settings).fit(windows, y).loss_curve_
        for length in (CHUNK, None)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_weights_of_time_steps_apply_to_their_chunks():
    """The targets of time steps without weight do not matter."""
    weights = np.random.default_rng(1).uniform(1, 2, size=Y.shape)
    weights *= np.arange(N_TIMESTEPS) % 3 > 0
    other = np.where(weights > 0, Y, 1e3)
    rnn, same = (make(epochs=2).fit(X, y, weights) for y in (Y, other))
    assert rnn.loss_curve_ == same.loss_curve_
    assert_close(weights_of(rnn), weights_of(same), atol=0)
    unweighted = make(epochs=2).fit(X, Y)
    assert np.abs(weights_of(rnn)[0] - weights_of(unweighted)[0]).max() > 1e-5


def test_predictions_are_those_of_the_network_for_any_length():
    longer = np.concatenate([X, X[::-1]], axis=1)
    rnn = make().fit(X, Y)
    assert rnn.model_.input_shape == (None, None, 2)
    for data in (X, longer, X[:, :2]):
        np.testing.assert_allclose(rnn.predict(data), rnn.model_(data)[:, :, 0], atol=1e-6)
    assert np.isfinite(rnn.score(longer, np.concatenate([Y, Y[::-1]], axis=1)))
    with pytest.raises(ValueError, match="7 time steps and 1 features, but RNNRegressor was"):
        rnn.predict(X[:, :, :1])


def test_networks_for_sequences_of_one_length_predict_no_other():
    longer = np.concatenate([X, X], axis=1)
    for settings in ({"chunk_length": None}, {"output": "last"}):
        rnn = make(**settings)
        rnn.fit(X, target_of(rnn.output))
        with pytest.raises(ValueError, match="14 time steps and 2 features, but RNNRegressor was"):
            rnn.predict(longer)


def test_chunks_of_windows_are_those_of_an_array():
    series = np.random.default_rng(0).normal(size=(16, 2)).astype("float32")
    windows = WindowTransformer(N_TIMESTEPS).fit_transform(series)
    y = np.cumsum(np.asarray(windows)[:, :, 0], axis=1)
    rnn = make(epochs=2, batch_size=64).fit(windows, y)
    array = np.asarray(windows[N_TIMESTEPS:])
    expected = make(epochs=2, batch_size=64).fit(array, y[N_TIMESTEPS:])
    assert rnn.loss_curve_ == pytest.approx(expected.loss_curve_, rel=1e-5)
    assert_close(weights_of(rnn), weights_of(expected))


def test_validation_is_on_whole_sequences():
    rnn = make(early_stopping=True, validation_fraction=0.4, learning_rate=1e-30).fit(X, Y)
    y_pred = rnn.predict(X[3:])
    assert rnn.validation_loss_curve_ == pytest.approx([np.mean((y_pred - Y[3:]) ** 2)], rel=1e-5)
    assert rnn.validation_scores_ == pytest.approx([rnn.score(X[3:], Y[3:])])


@pytest.mark.slow
def test_results_are_those_of_the_seed():
    rnn = make("lstm", (3, 2), epochs=3, dropout=0.3, recurrent_dropout=0.3)
    first, second = (clone(rnn).fit(X, Y) for _ in range(2))
    assert first.loss_curve_ == second.loss_curve_
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    assert first.loss_curve_ != clone(rnn).set_params(random_state=1).fit(X, Y).loss_curve_


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "peephole"])
def test_recurrent_dropout_in_chunks(cell):
    rnn = make(cell, 8, recurrent_dropout=0.2, epochs=60, learning_rate=0.1).fit(X, Y)
    assert rnn.loss_curve_[-1] < rnn.loss_curve_[0] / 2


def test_penalties_are_added_to_each_loss():
    squares = [
        np.square(make(l2=l2, epochs=20, learning_rate=0.1).fit(X, Y).model_.get_weights()[0]).sum()
        for l2 in (0.0, 0.1)
    ]
    assert squares[1] < squares[0] / 2


@pytest.mark.parametrize("way", ["partial_fit", "warm_start", "pickle"])
def test_training_is_resumed(way):
    expected = make(epochs=2, optimizer="adam").fit(X, Y)
    rnn = make(epochs=1, optimizer="adam", warm_start=True).fit(X, Y)
    if way == "pickle":
        rnn = pickle.loads(pickle.dumps(rnn))
    rnn = rnn.partial_fit(X, Y) if way == "partial_fit" else rnn.fit(X, Y)
    np.testing.assert_allclose(rnn.loss_curve_, expected.loss_curve_, rtol=1e-6)
    assert_close(weights_of(rnn), weights_of(expected), atol=1e-6)


def test_training_is_resumed_with_another_chunk_length():
    rnn = make(warm_start=True).fit(X, Y)
    for chunk_length in (2, 100, None):
        rnn.set_params(chunk_length=chunk_length).fit(X, Y)
    assert rnn.n_iter_ == 4


@pytest.mark.slow
def test_a_classifier_of_whole_sequences_is_trained_further_in_chunks():
    """Its network takes sequences of any length."""
    settings = {"chunk_length": None, "warm_start": True, "batch_size": N_SAMPLES}
    classifier = make("gru", 2, RNNClassifier, **settings).fit(X, LABELS)
    model = pickle.loads(pickle.dumps(classifier)).model_
    codes = (LABELS == "up").astype(int)
    seed = classifier._network.seed
    (loss,) = train_in_chunks(model, seed, X, codes, cross_entropy, size=N_SAMPLES)
    classifier.set_params(chunk_length=CHUNK).fit(X, LABELS)
    assert classifier.loss_curve_[1] == pytest.approx(loss, rel=1e-4)
    assert_close(weights_of(classifier), model.get_weights())


# Training with Keras' own layers


class BatchCounter(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.began, self.ended = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.began.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.ended.append(batch)


@keras.saving.register_keras_serializable("test_tbptt")
def own_square(y, y_pred):
    return keras.ops.mean(keras.ops.square(y - y_pred), axis=-1)


def build_compiled(input_shape, n_outputs, output, seed):
    model = build_rnn(input_shape, n_outputs, "gru", 2, output=output, seed=seed)
    model.compile(keras.optimizers.SGD(RATE), own_square)
    return model


SCALED = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(RATE), initial_scale=4.0)


@pytest.mark.parametrize("output", ["last", "sequence"])
@pytest.mark.parametrize(
    "settings",
    [
        {"callbacks": [BatchCounter()]},
        {"network": build_compiled},
        pytest.param({"loss": own_square}, marks=pytest.mark.slow),
        pytest.param({"optimizer": SCALED, "learning_rate": None}, marks=pytest.mark.slow),
    ],
    ids=["callback", "network", "loss", "scale"],
)
def test_training_that_is_not_fused_is_the_same(settings, output):
    y = target_of(output)
    expected = make(epochs=2, output=output).fit(X, y)
    rnn = make(epochs=2, output=output, **settings).fit(X, y)
    np.testing.assert_allclose(rnn.loss_curve_, expected.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(rnn.predict(X), expected.predict(X), atol=1e-5)


@pytest.mark.parametrize("output", ["sequence", pytest.param("last", marks=pytest.mark.slow)])
def test_training_that_is_not_fused_is_the_same_with_masked_time_steps(output):
    settings = {"output": output, "epochs": 2, "estimator": RNNClassifier}
    y = target_of(output, LABELS)
    expected = make("gru", (3, 2), **settings).fit(X_MASKED, y)
    classifier = make("gru", (3, 2), callbacks=[BatchCounter()], **settings).fit(X_MASKED, y)
    np.testing.assert_allclose(classifier.loss_curve_, expected.loss_curve_, rtol=1e-5)


def test_a_callback_is_called_for_every_chunk():
    callback = BatchCounter()
    make(callbacks=[callback]).fit(X, Y)
    assert callback.began == callback.ended == [*range(3 * 3)]


# Custom networks


def build_timestep_wise(input_shape, n_outputs):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.TimeDistributed(layers.Dense(4, "tanh")),
            layers.RNN([layers.GRUCell(4), layers.LSTMCell(3)], return_sequences=True),
            layers.LayerNormalization(),
            layers.Dense(n_outputs),
        ]
    )


def test_networks_of_timestep_wise_layers_are_trained_in_chunks():
    rnn = make(network=build_timestep_wise, learning_rate=1e-30, warm_start=True).fit(X, Y)
    assert rnn.loss_curve_ == pytest.approx([np.mean((rnn.predict(X) - Y) ** 2)], rel=1e-5)
    rnn.set_params(epochs=60, learning_rate=0.1).fit(X, Y)
    assert rnn.loss_curve_[-1] < rnn.loss_curve_[0] / 2


def build_probabilities(input_shape, n_outputs):
    """Build a keras.Sequential, whose layers are called again when it is copied."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Masking(MASKED),
            layers.GRU(2, return_sequences=True),
            layers.Dense(n_outputs, activation="softmax"),
        ]
    )


@pytest.mark.slow
def test_a_sequential_network_is_trained_like_in_a_plain_loop():
    classifier = make(estimator=RNNClassifier, network=build_probabilities)
    model, seed = untrained(classifier, X, LABELS)
    codes = (LABELS == "up").astype(int)
    (loss,) = train_in_chunks(model, seed, X, codes, cross_entropy)
    classifier.fit(X, LABELS)
    assert classifier._network._supports_fused_engine
    assert classifier.loss_curve_ == pytest.approx([loss], rel=1e-4)
    assert_close(weights_of(classifier), model.get_weights())


def compiled_with(loss):
    """Return a builder of a network that it compiles with a loss."""

    def build(input_shape, n_outputs):
        model = build_probabilities(input_shape, n_outputs)
        model.compile(keras.optimizers.SGD(RATE), loss)
        return model

    return build


@keras.saving.register_keras_serializable("test_tbptt")
def known_cross_entropy(y, y_pred):
    has_class = keras.ops.cast(y >= 0, y_pred.dtype)
    y = keras.ops.maximum(keras.ops.cast(y, "int32"), 0)
    return has_class * keras.losses.sparse_categorical_crossentropy(y, y_pred)


def test_compiled_losses_must_ignore_masked_time_steps():
    settings = {"estimator": RNNClassifier, "learning_rate": RATE}
    classifier = make(network=compiled_with("sparse_categorical_crossentropy"), **settings)
    with pytest.raises(ValueError, match=r"masked .*class -1.*\(ignore_class=-1\)"):
        classifier.fit(X_MASKED, LABELS)


@pytest.mark.slow
@pytest.mark.parametrize("chunk_length", [None, CHUNK])
def test_compiled_losses_that_ignore_masked_time_steps(chunk_length):
    settings = {"chunk_length": chunk_length, "estimator": RNNClassifier}
    ignoring = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    expected = make(network=build_probabilities, **settings).fit(X_MASKED, LABELS)
    for loss in (ignoring, known_cross_entropy):
        classifier = make(network=compiled_with(loss), **settings).fit(X_MASKED, LABELS)
        np.testing.assert_allclose(classifier.loss_curve_, expected.loss_curve_, rtol=1e-4)


def build_normalized(input_shape, n_outputs, output):
    """Build a network with a layer that depends on the whole batch."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.BatchNormalization(momentum=0.0),
            layers.GRU(2, return_sequences=output == "sequence"),
            layers.Dense(n_outputs),
        ]
    )


def test_layers_that_depend_on_the_batch_are_not_passed_its_padding():
    rnn = make(network=build_normalized, output="last", batch_size=3).fit(X, Y[:, -1])
    last = X[epoch_order(rnn._network.seed)[3:]].reshape(-1, 2)  # the second batch has 2 rows
    norm = rnn.model_.layers[0]
    assert_close([norm.moving_mean, norm.moving_variance], [last.mean(0), last.var(0)])


def build_penalized(input_shape, n_outputs, output):
    """Build a network with a penalty on the outputs of its recurrent layer."""
    recurrent = layers.GRU(2, return_sequences=output == "sequence", activity_regularizer="l2")
    return keras.Sequential([keras.Input(input_shape), recurrent, layers.Dense(n_outputs)])


@pytest.mark.parametrize("output", ["sequence", pytest.param("last", marks=pytest.mark.slow)])
@pytest.mark.parametrize("batch_size", [3, pytest.param(5, marks=pytest.mark.slow)])
def test_penalties_on_outputs_are_those_of_the_real_rows(output, batch_size):
    inputs, y = X[:, : 2 * CHUNK], target_of(output, Y[:, : 2 * CHUNK])
    rnn = make(network=build_penalized, output=output, learning_rate=1e-30, batch_size=batch_size)
    rnn.fit(inputs, y)
    outputs = np.asarray(keras.Sequential(rnn.model_.layers[:1])(inputs))
    order = epoch_order(rnn._network.seed)
    squares = np.square(rnn.predict(inputs) - y).reshape(N_SAMPLES, -1)
    # The mean loss of each batch has the mean penalty of its rows.
    total, n_losses = 0.0, 0
    for first in range(0, N_SAMPLES, batch_size):
        rows = order[first : first + batch_size]
        for start in range(0, squares.shape[1], CHUNK):
            losses = squares[rows, start : start + CHUNK]
            values = outputs[rows, start : start + CHUNK] if output == "sequence" else outputs[rows]
            total += losses.sum() + 0.01 * np.square(values).sum() / len(rows) * losses.size
            n_losses += losses.size
    assert rnn.loss_curve_ == pytest.approx([total / n_losses], rel=1e-4)
    assert np.square(outputs).sum() > 0.05


def test_penalties_on_outputs_need_chunks_of_equal_length():
    with pytest.raises(ValueError, match=r"activity_regularizer.* 7 time steps .* that divides"):
        make(network=build_penalized).fit(X, Y)


@pytest.mark.slow
def test_penalties_on_outputs_of_a_short_batch_without_chunks():
    settings = {"network": build_penalized, "output": "last", "chunk_length": None}
    rnn = make(batch_size=8, learning_rate=1e-30, **settings).fit(X[:3], Y[:3, -1])
    penalty = 0.01 * np.square(keras.Sequential(rnn.model_.layers[:1])(X[:3])).sum() / 3
    loss = np.square(rnn.predict(X[:3]) - Y[:3, -1]).mean()
    assert rnn.loss_curve_ == pytest.approx([loss + penalty], rel=1e-4)


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
    """Has no training step of its own, but might."""


def gru(**settings):
    return lambda: layers.GRU(2, return_sequences=True, **settings)


def bidirectional():
    return layers.Bidirectional(gru()())


@pytest.mark.parametrize(
    ("network", "problem"),
    [
        (of_layers(bidirectional), r"the layer 'bidirectional\w*' processes sequences backward"),
        (of_layers(gru(go_backwards=True)), r"the layer 'gru\w*' processes sequences backward"),
        (
            of_layers(gru(), lambda: layers.Conv1D(3, 2, padding="same")),
            r"'conv1d\w*' \(Conv1D\) may need time steps outside of the chunk",
        ),
        (
            of_layers(gru(), lambda: layers.LayerNormalization(axis=(1, 2)), fixed=True),
            "the network takes sequences of 7 time steps, not chunks of them",
        ),
        (of_layers(lambda: keras.Sequential([gru()()])), r"the recurrent layer 'gru\w*' is"),
        (of_layers(gru(), model=OwnModel), "a model of class OwnModel may define its own training"),
        (of_layers(gru(), lambda: layers.BatchNormalization()), r"\(BatchNormalization\) may need"),
    ],
    ids=["bidirectional", "backward", "convolution", "fixed", "nested", "model", "batch"],
)
def test_networks_whose_states_cannot_be_carried(network, problem):
    match = rf"chunk_length=3 carries states forward in time, but .*{problem}.*or set chunk_length"
    rnn = make(network=network)
    with pytest.raises(ValueError, match=match):
        rnn.fit(X, Y)
    assert not hasattr(rnn, "n_iter_")


@pytest.mark.parametrize("output", ["last", "sequence"])
@pytest.mark.parametrize("estimator", [RNNRegressor, RNNClassifier])
def test_chunks_and_bidirectional_layers_exclude_each_other(estimator, output):
    rnn = make("gru", 3, estimator, output=output, bidirectional=True)
    with pytest.raises(ValueError, match=r"chunk_length=3 .* bidirectional=True, .*Set bidir"):
        rnn.fit(X, target_of(output, Y > 0))


def test_a_network_for_whole_sequences_cannot_be_trained_further_in_chunks():
    rnn = make(chunk_length=None, warm_start=True).fit(X, Y)
    before = rnn.predict(X)
    for fit in (rnn.set_params(chunk_length=CHUNK).fit, rnn.partial_fit):
        with pytest.raises(ValueError, match=r"chunk_length=3 .* of 7 time steps.*fit a new estim"):
            fit(X, Y)
    np.testing.assert_array_equal(rnn.predict(X), before)


def mean_over_all_steps(y, y_pred):
    return keras.ops.mean(keras.ops.square(y - y_pred), axis=(1, 2))


@pytest.mark.parametrize(
    ("loss", "match"),
    [
        (mean_over_all_steps, r"returns values of shape \(None,\), .* a loss of each time step"),
        (
            keras.losses.MeanSquaredError(reduction="sum"),
            "cannot be computed in chunks: chunk_length needs a single loss with",
        ),
    ],
    ids=["shape", "reduction"],
)
def test_losses_that_cannot_be_computed_in_chunks(loss, match):
    with pytest.raises(ValueError, match=match):
        make(loss=loss).fit(X, Y)


@pytest.mark.parametrize("estimator", [RNNRegressor, RNNClassifier, CharLSTMClassifier])
def test_a_chunk_length_that_is_a_bool(estimator):
    data = ("abab",) if estimator is CharLSTMClassifier else (X, LABELS[:, 0] == "up")
    with pytest.raises(ValueError, match=r"'chunk_length' parameter of .* Got True"):
        estimator(chunk_length=True).fit(*data)


@pytest.mark.parametrize("chunk_length", [0, 2.5, "all"])
def test_a_chunk_length_that_is_not_a_positive_int(chunk_length):
    with pytest.raises(ValueError, match="The 'chunk_length' parameter of RNNRegressor must be"):
        make(chunk_length=chunk_length).fit(X, Y)


# Language models


def language_model(**settings):
    defaults = {"units": 3, "cell": "gru", "chunk_length": 8, "epochs": 1, "batch_size": 2}
    defaults |= {"optimizer": "sgd", "learning_rate": RATE, "random_state": 0}
    return CharLSTMClassifier(**(defaults | settings))


TEXT = "abcab cabca bcabb"


def test_a_language_model_is_trained_like_in_a_plain_loop(monkeypatch):
    monkeypatch.setattr(_language_model, "STATE_RESET_RATE", 0)
    model = language_model(batch_size=1, learning_rate=1e-30).fit(TEXT)
    network = pickle.loads(pickle.dumps(model)).model_
    codes = [len(model.vocabulary_) + 1, *(model.vocabulary_[token] + 1 for token in TEXT)]
    codes, states, total = np.array(codes), [], 0.0
    for start in range(0, len(TEXT), 8):
        tokens = codes[start : start + 9]
        y = tokens[None, 1:] - 1
        loss, states = train_step(
            network, tokens[None, :-1], y, None, 1 / y.size, states, cross_entropy
        )
        total += loss * y.size
    trained = language_model(batch_size=1).fit(TEXT)
    assert trained.loss_curve_ == pytest.approx([total / len(TEXT)], rel=1e-4)
    assert_close(weights_of(trained), network.get_weights())


class NoisyCell(keras.layers.GRUCell):
    """Samples random numbers in each step, so that its layer has no kernel."""

    def __init__(self, units, **settings):
        super().__init__(units, **settings)
        self.noise = keras.random.SeedGenerator(0)

    def call(self, inputs, states, training=False):
        outputs, states = super().call(inputs, states, training=training)
        scale = 1e-6 if training else 0.0
        noise = keras.random.normal(keras.ops.shape(outputs), stddev=1.0, seed=self.noise)
        return outputs + scale * noise, states


class PlainCell(keras.layers.GRUCell):
    pass


def test_language_models_that_are_not_fused_train_alike():
    settings = {"epochs": 2, "l2": 0.1, "embedding": 2}
    expected = language_model(cell=PlainCell, **settings).fit(TEXT)
    assert expected._network._supports_fused_engine
    model = language_model(cell=NoisyCell, **settings).fit(TEXT)
    assert not model._network._supports_fused_engine
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-3)
    np.testing.assert_allclose(model.predict_proba("ab"), expected.predict_proba("ab"), rtol=1e-3)
    assert len(model.generate("a", 5, random_state=0)) == 5


def test_chunks_of_a_corpus_continue_within_texts():
    texts = [np.arange(1, 8), np.arange(1, 4), np.arange(1, 6)]
    data = _language_model.CorpusChunks((texts, 2), np.ones(9, "float32"), None)

    class AlwaysOne:
        def random(self, n):
            return np.ones(n)

    data.set_epoch_order([2, 0, 1], AlwaysOne())
    codes, starts, lengths, continues, weights, _ = data.tensors(3, "float32")
    assert data.n_batches(3) == 3
    # Nine chunks of at most two tokens, of the texts 2, 0 and 1; a row goes through three of them.
    np.testing.assert_array_equal(np.asarray(lengths).T, [[2, 2, 1], [2, 2, 2], [1, 2, 1]])
    np.testing.assert_array_equal(np.asarray(continues).T, [[0, 1, 1], [0, 1, 1], [0, 0, 1]])
    first_codes = np.asarray(codes)[np.asarray(starts).T]
    np.testing.assert_array_equal(first_codes, [[10, 2, 4], [10, 2, 4], [6, 10, 2]])
    np.testing.assert_array_equal(weights, np.ones((3, 3)))
    assert data.loss_denominator(3, 3) == 15
