"""The cells of `skrnn.layers` and custom cells in networks: training, copies, and errors."""

import pickle
import re
import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skrnn import (
    CharLSTMClassifier,
    GradientFlowDisplay,
    RNNClassifier,
    RNNRegressor,
    build_rnn,
)
from skrnn.layers import LAYERS, DepthGatedLSTMCell, recurrent_layer
from skrnn.networks import build_rnn_classifier, build_text_rnn
from skrnn.networks.encoders import build_cnn_rnn, build_encoder_decoder

# Keras makes arrays of its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
each_named_cell = pytest.mark.parametrize("cell", LAYERS)
SETTINGS = {"units": 3, "epochs": 2, "batch_size": 16, "random_state": 0}
SGD = {"optimizer": "sgd", "learning_rate": 0.1}
X = np.random.default_rng(0).normal(size=(48, 6, 2)).astype("float32")
y = X[:, -2, 0] - X[:, -1, 1]
TEXT = "the cat sat on the mat. " * 8


class MinimalCell(keras.layers.Layer):
    """The minimal gated unit of Zhou et al. (2016): one gate f, and h = (1 - f) h⁻ + f g."""

    def __init__(self, units, activation="tanh", **settings):
        super().__init__(**settings)
        self.units = self.state_size = units
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 2 * self.units), name="kernel")
        self.U_f = self.add_weight(shape=(self.units, self.units), name="U_f")
        self.U_g = self.add_weight(shape=(self.units, self.units), name="U_g")

    def call(self, inputs, states):
        (h,) = states
        a_f, a_g = ops.split(ops.matmul(inputs, self.kernel), 2, axis=-1)
        f = ops.sigmoid(a_f + ops.matmul(h, self.U_f))
        g = self.activation(a_g + ops.matmul(f * h, self.U_g))
        h = (1 - f) * h + f * g
        return h, [h]

    def get_config(self):
        config = {"units": self.units, "activation": keras.activations.serialize(self.activation)}
        return super().get_config() | config


@keras.saving.register_keras_serializable(package="tests")
class RegisteredCell(MinimalCell):
    pass


class LeakyCell(keras.layers.Layer):
    """An output that is not a state, initial states of ones, another computation in training."""

    def __init__(self, units, **settings):
        super().__init__(**settings)
        self.units, self.output_size, self.state_size = units, 2 * units, [units, 1]

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")

    def call(self, inputs, states, training=False):
        h, total = states
        h = 0.5 * h + ops.tanh(ops.matmul(inputs, self.w)) * (0.8 if training else 1.0)
        total = total + ops.mean(ops.square(h), axis=-1, keepdims=True)
        return ops.concatenate([h, h / (1 + total)], axis=-1), [h, total]

    def get_initial_state(self, batch_size=None):
        return [ops.ones((batch_size, size), self.compute_dtype) for size in self.state_size]

    def get_config(self):
        return super().get_config() | {"units": self.units}


class CenteringCell(MinimalCell):
    """A cell whose rows depend on the whole batch."""

    def call(self, inputs, states):
        h, _ = super().call(inputs, states)
        return h - ops.mean(h, axis=0), [h]


class NoisyCell(MinimalCell):
    """A cell that draws random numbers at each time step."""

    def __init__(self, units, **settings):
        super().__init__(units, **settings)
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, inputs, states, training=False):
        h, states = super().call(inputs, states)
        noise = keras.random.normal(ops.shape(h), stddev=0.1, seed=self.seed_generator)
        return (h + noise if training else h), states


class DoublingLayer(keras.layers.GRU):
    """A recurrent layer that computes more than its cell."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(2 * sequences, initial_state, mask, training)


def lstm_with_dropout(units):
    return keras.layers.LSTM(units, dropout=0.2, recurrent_dropout=0.2)


def stack_of_cells(units):
    return keras.layers.StackedRNNCells([keras.layers.GRUCell(units), MinimalCell(units)])


def name_of(cell):
    return getattr(cell, "__name__", cell if isinstance(cell, str) else "partial")


class BatchCallback(keras.callbacks.Callback):
    """Has a hook for batches, so that `keras.Model.fit` trains."""

    def on_train_batch_end(self, batch, logs=None):
        pass


def check_trained_like_keras(make, X, y, **settings):
    fused = make(**settings).fit(X, y)
    by_keras = make(**settings, callbacks=[BatchCallback()]).fit(X, y)
    np.testing.assert_allclose(fused.loss_curve_, by_keras.loss_curve_, rtol=1e-4)
    predict = "predict_proba" if make is RNNClassifier else "predict"
    outputs = [getattr(model, predict)(X) for model in (fused, by_keras)]
    np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-4)


# The cells of skrnn.layers


@each_named_cell
def test_same_seed_same_predictions_after_another_fit(cell):
    first, other, again = (
        RNNRegressor(cell, **SETTINGS | {"random_state": seed}).fit(X, y).predict(X)
        for seed in (0, 1, 0)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.slow
def test_depth_gated_stack_is_trained_like_keras_in_both_directions():
    settings = SETTINGS | SGD | {"cell": "depthgated", "bidirectional": True}
    check_trained_like_keras(RNNRegressor, X, y, **settings)


@pytest.mark.slow
def test_layers_that_drop_inputs():
    def network(input_shape, n_outputs, seed):
        x = keras.Input(input_shape)
        h = LAYERS["depthgated"](4, dropout=0.2, recurrent_dropout=0.2, seed=seed)(x)
        return keras.Model(x, keras.layers.Dense(n_outputs)(h))

    rnn = RNNRegressor(network=network, epochs=20, learning_rate=0.02, random_state=0).fit(X, y)
    assert rnn.loss_curve_[-1] < 0.9 * rnn.loss_curve_[0]
    np.testing.assert_array_equal(rnn.predict(X), rnn.predict(X))


def test_depth_gates_connect_all_levels_of_a_stack():
    model = build_rnn((5, 2), 1, "depthgated", (4, 4, 4), seed=0)
    (layer,) = (layer for layer in model.layers if isinstance(layer, keras.layers.RNN))
    assert [level.units for level in layer.cell.cells] == [4, 4, 4]
    expected = keras.layers.RNN(DepthGatedLSTMCell(4, levels=3))
    x = X[:3, :5]
    expected(x)
    expected.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(x), expected(x))
    # Only the depth gates connect the levels.
    for level in layer.cell.cells[1:]:
        level.kernel.assign(0 * level.kernel)
        level.bias.assign(ops.concatenate([0 * level.bias[:-4], 9 + level.bias[-4:]]))
    assert np.abs(layer(x)).max() > 0.01


@pytest.mark.parametrize("units", [3, (3,), (3, 3)])
def test_a_depth_gated_stack_has_at_least_two_levels(units):
    model = build_rnn((5, 2), 1, "depthgated", units, seed=0)
    (layer,) = (layer for layer in model.layers if isinstance(layer, keras.layers.RNN))
    assert len(layer.cell.cells) == 2


@pytest.mark.parametrize(
    "fit",
    [
        lambda: RNNRegressor("depthgated", (5, 3)).fit(np.zeros((8, 4)), np.zeros(8)),
        lambda: RNNClassifier("depthgated", (5, 3)).fit(np.zeros((8, 4)), [0, 1] * 4),
        lambda: CharLSTMClassifier(cell="depthgated", units=(5, 3)).fit("abab"),
        lambda: build_encoder_decoder((5, 2), 3, "depthgated", (5, 3)),
        lambda: build_cnn_rnn((8, 2), 3, "depthgated", (5, 3), filters=2),
    ],
)
def test_levels_of_a_depth_gated_stack_need_the_same_size(fit):
    with pytest.raises(ValueError, match=r"units=\(5, 3\)"):
        fit()


@pytest.mark.slow
def test_language_model_with_a_depth_gated_stack():
    settings = {
        "cell": "depthgated",
        "epochs": 60,
        "learning_rate": 0.03,
        "random_state": 0,
        "chunk_length": 16,
    }
    language_model = CharLSTMClassifier(units=(8, 8), **settings).fit("abcd" * 20)
    assert language_model.generate("ab", 6, top_k=1) == "cdabcd"
    assert language_model.predict(["a", "abc"]).tolist() == ["b", "d"]


@pytest.mark.slow
def test_predictions_of_a_pickle_in_a_fresh_process(tmp_path):
    rnn = RNNRegressor("peephole", **SETTINGS).fit(X, y)
    path = tmp_path / "rnn.pkl"
    path.write_bytes(pickle.dumps((rnn, X)))
    code = (
        f"import pickle; rnn, X = pickle.load(open({str(path)!r}, 'rb'));"
        "print(float(rnn.predict(X).sum()), rnn.model_.count_params())"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    total, n_parameters = run.stdout.split()
    assert float(total) == pytest.approx(float(rnn.predict(X).sum()), rel=1e-5)
    assert int(n_parameters) == rnn.model_.count_params()


# Custom cells


@pytest.fixture(scope="module")
def rnn():
    return RNNRegressor(MinimalCell, **SETTINGS).fit(X, y)


def test_copies_of_a_fitted_estimator(rnn):
    copied = pickle.loads(pickle.dumps(rnn))
    np.testing.assert_allclose(copied.predict(X), rnn.predict(X), rtol=1e-5, atol=1e-6)
    assert copied.partial_fit(X, y).n_iter_ == 3
    assert clone(rnn).cell is MinimalCell


def test_training_cannot_continue_with_another_cell(rnn):
    rnn = pickle.loads(pickle.dumps(rnn)).set_params(warm_start=True)
    for cell in (RegisteredCell, "gru"):
        with pytest.raises(ValueError, match=r"fitted with cell=.*MinimalCell"):
            rnn.set_params(cell=cell).fit(X, y)


def test_a_cell_that_centers_the_batch_is_trained_by_keras():
    check_trained_like_keras(RNNRegressor, X[:40], y[:40], cell=CenteringCell, **SETTINGS, **SGD)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [lstm_with_dropout, stack_of_cells, NoisyCell], ids=name_of)
def test_training_with_a_seed_is_reproducible(cell):
    settings = SETTINGS | {"bidirectional": cell is stack_of_cells, "learning_rate": 0.05}
    first, again = (RNNRegressor(cell, **settings | {"epochs": 8}).fit(X, y) for _ in range(2))
    assert first.loss_curve_[-1] < first.loss_curve_[0]
    np.testing.assert_array_equal(first.predict(X), again.predict(X))


@pytest.mark.slow
def test_custom_cells_are_trained_like_keras():
    masked = X.copy()
    masked[::3, 2:4] = masked[1::3, 4:] = np.nan
    settings = SETTINGS | SGD | {"units": (4, 3)}
    check_trained_like_keras(RNNRegressor, X, y, cell=MinimalCell, bidirectional=True, **settings)
    check_trained_like_keras(RNNClassifier, masked, y > 0, cell=LeakyCell, **settings)


def define_cell(factor, module):
    """Return a class with the same name for any factor, as if a notebook cell were run again."""

    class ScaledCell(MinimalCell):
        def call(self, inputs, states):
            h, _ = super().call(inputs, states)
            return factor * h, [factor * h]

    ScaledCell.__module__ = module
    return ScaledCell


@pytest.mark.parametrize(
    ("module", "is_registered"),
    [
        ("__main__", False),
        pytest.param("keras_like", True, marks=pytest.mark.slow),
    ],
)
def test_cells_with_the_same_name_are_compiled_separately(module, is_registered):
    fits = []
    for factor in (1.0, -0.5):
        cell = define_cell(factor, module)
        if is_registered:
            keras.saving.register_keras_serializable("test_custom_cells")(cell)
        fits.append(RNNRegressor(cell, **SETTINGS).fit(X, y))
    first, second = fits
    assert first.loss_curve_ != second.loss_curve_
    for rnn in fits:
        np.testing.assert_allclose(rnn.predict(X), rnn.model_(X)[:, 0], rtol=1e-4, atol=1e-5)
    assert np.abs(first.predict(X) - second.predict(X)).max() > 1e-3


@pytest.mark.parametrize("cell", [RegisteredCell, keras.layers.GRUCell], ids=name_of)
def test_saved_models_with_registered_cells(cell, tmp_path):
    rnn = RNNRegressor(cell, **SETTINGS, bidirectional=True).fit(X, y)
    rnn.model_.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(X)[:, 0], rnn.predict(X), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_custom_network_with_a_registered_cell():
    def network(input_shape, n_outputs, seed):
        x = keras.Input(input_shape)
        h = keras.layers.Bidirectional(recurrent_layer(RegisteredCell, 4))(x)
        return keras.Model(x, keras.layers.Dense(n_outputs)(h))

    rnn = RNNRegressor(network=network, epochs=10, learning_rate=0.02, random_state=0).fit(X, y)
    assert rnn.loss_curve_[-1] < 0.9 * rnn.loss_curve_[0]


@pytest.mark.parametrize("cell", [MinimalCell, lstm_with_dropout], ids=name_of)
def test_builders(cell):
    models = [
        build_rnn((8, 2), 1, cell, (4, 3), bidirectional=True, seed=0),
        build_rnn_classifier((8, 2), 3, cell, 4, seed=0),
        build_text_rnn(5, 5, cell, 4, seed=0),
        build_encoder_decoder((8, 2), 3, cell, (4, 3), bidirectional=True, seed=0),
        build_cnn_rnn((8, 2), 1, cell, 4, filters=2, seed=0),
    ]
    made = type(cell(1))
    for model in models:
        layers = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
        layers += [
            layer.forward_layer
            for layer in model.layers
            if isinstance(layer, keras.layers.Bidirectional)
        ]
        assert layers
        assert all(type(layer) is made or type(layer.cell) is made for layer in layers)
        shape = (2, 8, 2)[: len(model.input_shape)]
        assert np.isfinite(model(np.ones(shape))).all()
    again, other = (
        build_rnn((8, 2), 1, cell, (4, 3), bidirectional=True, seed=seed).get_weights()
        for seed in (0, 1)
    )
    for weight, expected in zip(models[0].get_weights(), again, strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert any(not np.array_equal(*pair) for pair in zip(again, other, strict=True))


# Texts, forecasts, searches and displays


def test_language_models_with_random_numbers_in_each_step():
    settings = {"epochs": 3, "learning_rate": 0.03, "random_state": 0, "chunk_length": 16}
    model = CharLSTMClassifier(cell=NoisyCell, units=8, **settings).fit(TEXT)
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.slow
@pytest.mark.parametrize("cell", [LeakyCell, lstm_with_dropout], ids=name_of)
def test_language_models(cell):
    settings = {"epochs": 30, "learning_rate": 0.03, "random_state": 0, "batch_size": 4}
    model = CharLSTMClassifier(cell=cell, units=(8, 6), chunk_length=16, **settings).fit(TEXT)
    assert model.score(TEXT) > 0.6
    texts = ["", "the c", TEXT[:70]]
    start = len(model.vocabulary_) + 1
    tokens = [[start, *(model.vocabulary_[token] + 1 for token in text)] for text in texts]
    expected = [np.asarray(model.model_(np.array([row])))[0, -1] for row in tokens]
    np.testing.assert_allclose(model.predict_proba(texts), expected, atol=1e-5)
    generated = model.generate("the c", 12, top_k=1)
    assert generated[0] == model.predict(["the c"])[0]
    assert generated[7] == model.predict(["the c" + generated[:7]])[0]
    assert pickle.loads(pickle.dumps(model)).generate("the c", 12, top_k=1) == generated


@pytest.mark.slow
@pytest.mark.parametrize("cell", [DoublingLayer, stack_of_cells], ids=name_of)
def test_language_models_with_layers_of_keras(cell):
    settings = {"epochs": 40, "learning_rate": 0.03, "random_state": 0, "batch_size": 4}
    model = CharLSTMClassifier(cell=cell, units=8, chunk_length=16, **settings).fit(TEXT)
    assert model.score(TEXT) > 0.6


@pytest.mark.slow
def test_texts_start_with_the_initial_states_of_the_cell():
    settings = {"learning_rate": 1e-30, "optimizer": "sgd", "epochs": 1, "random_state": 0}
    texts = [TEXT[:50], TEXT[3:30], TEXT[:64]]
    model = CharLSTMClassifier(cell=MinimalCell, units=6, chunk_length=80, batch_size=1, **settings)
    assert model.fit(texts).loss_curve_[0] == pytest.approx(
        model.cross_entropy(texts).nats, rel=1e-5
    )


@pytest.mark.slow
def test_dropout_of_a_layer_of_keras_changes_with_each_chunk():
    settings = {"chunk_length": 8, "batch_size": 1, "epochs": 1, "random_state": 0}
    model = CharLSTMClassifier(cell=lstm_with_dropout, units=4, **settings).fit(TEXT[:40])
    (layer,) = (layer for layer in model.model_.layers if isinstance(layer, keras.layers.RNN))
    n_draws = int(layer.cell.seed_generator.state[1])
    assert n_draws >= 5 * 8  # chunks, and masks of four gates for the inputs and for the states


@pytest.mark.slow
def test_classifier_of_strings():
    strings, labels = ["aba", "ab", "xyx", "yx"], ["a", "a", "x", "x"]
    settings = {"epochs": 60, "learning_rate": 0.05, "random_state": 0}
    model = CharLSTMClassifier(cell=MinimalCell, units=6, bidirectional=True, **settings)
    assert model.fit(strings, labels).predict(["abab", "xy"]).tolist() == ["a", "x"]


@pytest.mark.slow
def test_classifier_of_sequences():
    settings = {"epochs": 40, "learning_rate": 0.05, "random_state": 0}
    assert RNNClassifier(lstm_with_dropout, 8, **settings).fit(X, y > 0).score(X, y > 0) > 0.8


@pytest.mark.slow
def test_forecaster_with_a_recurrent_decoder():
    from skrnn.forecasting import RNNForecaster

    settings = {"window_length": 6, "units": 4, "epochs": 1, "random_state": 0}
    forecaster = RNNForecaster(cell=MinimalCell, decoder="recurrent", **settings)
    series = np.sin(np.arange(60) / 4)
    assert np.isfinite(forecaster.fit(series, fh=[1, 2, 3]).predict()).all()


@pytest.mark.slow
def test_search_over_cells_in_several_processes():
    cells = [MinimalCell, keras.layers.GRUCell]
    rnn = RNNRegressor(units=3, epochs=1, random_state=0)
    search = GridSearchCV(rnn, {"cell": cells}, cv=2, n_jobs=2).fit(X, y)
    assert search.best_params_["cell"] in cells
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("cell", [MinimalCell, lstm_with_dropout], ids=name_of)
def test_gradient_flow_through_cells(cell):
    settings = SETTINGS | {"epochs": 1}
    display = GradientFlowDisplay.from_estimator(RNNRegressor(cell, **settings).fit(X, y), X)
    assert display.name == cell.__name__
    assert (display.norms > 0).all()
    assert len(display.lines_) == 2


# Settings


class ConfigurableCell(keras.layers.GRUCell):
    """Passes its settings to the base class."""

    def __init__(self, units, **settings):
        super().__init__(units, **settings)


def make_configurable_cell(units, activation, recurrent_regularizer=None):
    return keras.layers.GRUCell(
        units, activation=activation, recurrent_regularizer=recurrent_regularizer
    )


@pytest.mark.parametrize("cell", [ConfigurableCell, keras.layers.GRU], ids=name_of)
def test_settings_are_passed_to_the_cell(cell):
    settings = {"l1": 0.1, "recurrent_l2": 0.2, "recurrent_dropout": 0.3, "activation": "relu"}
    settings |= {"recurrent_initializer": "identity"}
    (layer,) = build_rnn((5, 2), 1, cell, 3, **settings).layers[1:-1]
    inner = layer.cell
    assert float(inner.kernel_regularizer.l1) == pytest.approx(0.1)
    assert float(inner.recurrent_regularizer.l2) == pytest.approx(0.2)
    assert inner.recurrent_dropout == 0.3
    assert inner.activation is keras.activations.relu
    np.testing.assert_array_equal(inner.recurrent_kernel, np.tile(np.eye(3), 3))


def test_cells_keep_their_defaults():
    make_cell = partial(make_configurable_cell, activation="elu")
    (layer,) = build_rnn((5, 2), 1, make_cell, 3, recurrent_l2=0.5).layers[1:-1]
    assert layer.cell.activation is keras.activations.elu
    assert float(layer.cell.recurrent_regularizer.l2) == 0.5


@pytest.mark.parametrize(
    ("cell", "settings", "match"),
    [
        (MinimalCell, {"l2": 0.1}, "l1 or l2 is set, but cell=.*MinimalCell.*kernel_regularizer"),
        (
            MinimalCell,
            {"recurrent_l2": 0.1},
            "recurrent_l2 is set.*parameter recurrent_regularizer",
        ),
        (MinimalCell, {"recurrent_dropout": 0.1}, "it has the parameters units, activation"),
        (LeakyCell, {"activation": "relu"}, "activation is set.* leave activation at 'tanh'"),
        (lstm_with_dropout, {"recurrent_initializer": "zeros"}, "recurrent_initializer at 'orth"),
    ],
    ids=["l2", "recurrent_l2", "recurrent_dropout", "activation", "recurrent_initializer"],
)
def test_settings_without_a_parameter_of_the_cell(cell, settings, match):
    with pytest.raises(ValueError, match=match):
        build_rnn((5, 2), 1, cell, 3, **settings)


class CellWithoutCall(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units


class CellWithoutConfig(CellWithoutCall):
    def __init__(self, units):
        super().__init__(units)

    def call(self, inputs, states):
        return states[0], states


class CellWithoutStates(CellWithoutCall):
    def call(self, inputs, states):
        return inputs


class FailingCell(CellWithoutCall):
    def call(self, inputs, states):
        raise KeyError("no step")


class BroadcastingCell(CellWithoutCall):
    def call(self, inputs, states):
        return keras.ops.ones((2, self.state_size)), states


def make_nothing():
    pass


def raise_error(units):
    raise RuntimeError("no cell today.")


INVALID_CALLABLES = {
    dict: r"raised TypeError when it was called as cell\(3\): 'int' object is not iterable\. Pass",
    int: "returned 3, which is not a recurrent cell",
    len: r"raised TypeError when it was called as cell\(3\)",
    max: r"raised TypeError when it was called as cell\(3\)",
    object: r"raised TypeError when it was called as cell\(3\)",
    make_nothing: r"raised TypeError .* takes 0 positional arguments",
    raise_error: r"raised RuntimeError when it was called as cell\(3\): no cell today\. Pass",
    print: "returned None, which is not a recurrent cell",
    keras.layers.Conv1D: r"raised TypeError .*missing 1 required positional argument: 'kernel_size",
    keras.layers.RNN: "raised ValueError .*Argument `cell` should have a `call` method",
    keras.layers.Bidirectional: "raised ValueError .*Please initialize `Bidirectional`",
    CellWithoutCall: "returned <CellWithoutCall .*, which is not a recurrent cell",
    CellWithoutStates: r"raised ValueError when it was applied to inputs of shape \(None, 5, 2\)",
    FailingCell: r"raised KeyError when it was applied.* needs a method call\(inputs, states\)",
    BroadcastingCell: r"for inputs of shape \(1, 2\) has the shape \(2, [36]\), not \(1, [36]\)",
}


@pytest.mark.parametrize("cell", INVALID_CALLABLES, ids=lambda cell: cell.__name__)
@pytest.mark.parametrize("settings", [{}, {"bidirectional": True}], ids=["forward", "both"])
def test_callables_that_make_no_cell(cell, settings):
    match = f"(?s)^cell={re.escape(repr(cell))} .*{INVALID_CALLABLES[cell]}"
    with pytest.raises(ValueError, match=match) as info:
        build_rnn((5, 2), 1, cell, 3, **settings)
    assert info.value.__cause__ is not None or " returned " in str(info.value)


def test_bidirectional_layers_need_the_config_of_a_cell():
    match = r"(?s)cell=.*CellWithoutConfig.* raised TypeError when it was copied.* Let its __init__"
    with pytest.raises(ValueError, match=match):
        build_rnn((5, 2), 1, CellWithoutConfig, 3, bidirectional=True)


@pytest.mark.parametrize(
    ("cell", "match"),
    [
        (keras.layers.Dense, "cell=.*Dense.* returned <Dense .*, which is not a recurrent cell"),
        (lambda units: units, "returned 3, which is not a recurrent cell"),
        (MinimalCell(3), "is an instance.*Pass the class, MinimalCell, or a function"),
        (keras.layers.LSTM(3), "is an instance.*Pass the class, LSTM"),
        ("mgu", "cell='mgu' is not known. Did you mean 'gru'"),
        (3, "cell=3 is not known"),
    ],
    ids=["Dense", "number", "cell", "layer", "name", "3"],
)
def test_invalid_cells(cell, match):
    with pytest.raises(ValueError, match=match):
        build_rnn((5, 2), 1, cell, 3)
    if cell != 3:
        with pytest.raises(ValueError, match=match):
            CharLSTMClassifier(cell=cell, units=3).fit("abab")
