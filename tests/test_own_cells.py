"""A cell of the user's own under `cell=`: trained in compiled graphs or by Keras, copied, saved."""

import pickle
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skrnn import CharLSTMClassifier, GradientFlowDisplay, RNNClassifier, RNNRegressor, build_rnn
from skrnn._engine.cache import architecture_key, training_key
from skrnn._engine.eligibility import supports_fused_engine
from skrnn._keras_compat import all_layers
from skrnn.forecasting._strategy import build_forecaster
from skrnn.networks import build_rnn_classifier, build_text_rnn
from skrnn.networks.encoders import build_cnn_rnn, build_encoder_decoder

# Keras makes arrays of its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


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
class Registered(MinimalCell):
    pass


class Leaky(keras.layers.Layer):
    """An output that is no state, two states that do not begin at zero, and a mode of its own."""

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


class GatedLayer(keras.layers.GRU):
    """A recurrent layer that does more than its cell."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(2 * sequences, initial_state, mask, training)


class Noisy(MinimalCell):
    """It draws random numbers in each step."""

    def __init__(self, units, **settings):
        super().__init__(units, **settings)
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, inputs, states, training=False):
        h, states = super().call(inputs, states)
        noise = keras.random.normal(ops.shape(h), stddev=0.1, seed=self.seed_generator)
        return (h + noise if training else h), states


class Centred(MinimalCell):
    """It looks at the batch as a whole."""

    def call(self, inputs, states):
        h, _ = super().call(inputs, states)
        return h - ops.mean(h, axis=0), [h]


class Penalized(MinimalCell):
    """It adds a loss in each step."""

    def call(self, inputs, states):
        h, states = super().call(inputs, states)
        self.add_loss(ops.mean(ops.square(h)))
        return h, states


class NotCompiled(MinimalCell):
    """XLA does not know what it does."""

    def call(self, inputs, states):
        h, states = super().call(inputs, states)
        return tf.ensure_shape(tf.numpy_function(np.abs, [h], h.dtype), h.shape), states


def dropping(units):
    return keras.layers.LSTM(units, dropout=0.2, recurrent_dropout=0.2)


def stacked(units):
    return keras.layers.StackedRNNCells([keras.layers.GRUCell(units), MinimalCell(units)])


# What runs in the compiled loop, and what is left to Keras
COMPILED = [MinimalCell, Leaky, keras.layers.LSTMCell, partial(MinimalCell, activation="relu")]
LEFT_TO_KERAS = [GatedLayer, dropping, stacked, Noisy]


def name_of(cell):
    return getattr(cell, "__name__", cell if isinstance(cell, str) else "partial")


each_cell = pytest.mark.parametrize("cell", COMPILED + LEFT_TO_KERAS, ids=name_of)
TEXT = "the cat sat on the mat. " * 8
BATCHES = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)


@pytest.fixture
def windows():
    X = np.random.default_rng(0).normal(size=(64, 6, 2)).astype("float32")
    return X, X[:, -2, 0] - X[:, -1, 1]


@pytest.mark.slow
@each_cell
def test_regressors_train_and_repeat(cell, windows):
    X, y = windows
    settings = {"units": 4, "bidirectional": True, "dropout": 0.1}
    settings |= {"epochs": 15, "learning_rate": 0.05, "random_state": 0}
    rnn = RNNRegressor(cell, **settings).fit(X, y)
    assert supports_fused_engine(rnn.model_) == (cell in COMPILED)
    assert rnn.loss_curve_[-1] < 0.9 * rnn.loss_curve_[0]
    again = RNNRegressor(cell, **settings).fit(X, y)
    np.testing.assert_array_equal(rnn.predict(X), again.predict(X))
    copied = pickle.loads(pickle.dumps(rnn))
    np.testing.assert_allclose(copied.predict(X), rnn.predict(X), rtol=1e-5)
    assert copied.partial_fit(X, y).n_iter_ == 16


@pytest.mark.parametrize("cell", [Centred, NotCompiled, Penalized], ids=name_of)
def test_steps_that_are_no_functions_are_left_to_keras(cell, windows):
    model = build_rnn((6, 2), 1, cell, 3, seed=0)
    assert not supports_fused_engine(model)
    if cell is Centred:
        rnn = RNNRegressor(cell, 3, epochs=2, random_state=0).fit(*windows)
        assert np.isfinite(rnn.predict(windows[0])).all()


@pytest.mark.slow
@pytest.mark.parametrize("cell", COMPILED[:3], ids=name_of)
def test_compiled_training_is_that_of_keras(cell, windows):
    X, y = windows
    gaps = X.copy()
    gaps[::3, 2:4] = gaps[1::3, 4:] = np.nan
    settings = {"units": (4, 3), "epochs": 3, "batch_size": 16}
    settings |= {"optimizer": "sgd", "learning_rate": 0.1, "random_state": 0}
    turned = cell is MinimalCell  # each estimator has cells in one direction, and in both
    for make, data, target, bidirectional in (
        (RNNRegressor, X, y, turned),
        (RNNClassifier, gaps, y > 0, not turned),
    ):
        options = settings | {"bidirectional": bidirectional}
        compiled = make(cell, **options).fit(data, target)
        eager = make(cell, **options, callbacks=[BATCHES]).fit(data, target)
        np.testing.assert_allclose(compiled.loss_curve_, eager.loss_curve_, rtol=1e-4)
        answers = [
            model.predict_proba(data) if make is RNNClassifier else model.predict(data)
            for model in (compiled, eager)
        ]
        np.testing.assert_allclose(*answers, rtol=1e-3, atol=1e-4)


@each_cell
def test_text_models(cell):
    settings = {"epochs": 40, "learning_rate": 0.03, "random_state": 0, "batch_size": 4}
    model = CharLSTMClassifier(cell=cell, units=(8, 6), chunk_length=16, **settings)
    if cell is Noisy:
        with pytest.raises(
            ValueError, match="The step of Noisy draws random numbers or changes variables"
        ):
            model.fit(TEXT)
        return
    model.fit(TEXT)
    assert model.score(TEXT) > 0.6
    texts = ["", "the c", TEXT[:70]]
    numbers = [
        [[len(model.vocabulary_) + 1, *(model.vocabulary_[s] + 1 for s in t)]] for t in texts
    ]
    by_keras = [np.asarray(model.model_(np.array(row)))[0, -1] for row in numbers]
    np.testing.assert_allclose(model.predict_proba(texts), by_keras, atol=1e-5)
    written = model.generate("the c", 12, top_k=1)
    assert written[0] == model.predict(["the c"])[0]
    assert written[7] == model.predict(["the c" + written[:7]])[0]
    copied = pickle.loads(pickle.dumps(model))
    assert copied.generate("the c", 12, top_k=1) == written


@pytest.mark.parametrize("cell", [Leaky, MinimalCell])
def test_a_text_is_begun_with_the_states_that_a_cell_begins_with(cell, monkeypatch):
    monkeypatch.setattr("skrnn._language._BEGIN_ANEW", 0)
    settings = {"learning_rate": 1e-30, "optimizer": "sgd", "epochs": 1, "random_state": 0}
    model = CharLSTMClassifier(cell=cell, units=6, chunk_length=8, batch_size=1, **settings)
    model.fit([TEXT[:50], TEXT[3:30], TEXT])
    if cell is Leaky:  # which computes something else in training
        return
    expected = model.cross_entropy([TEXT[:50], TEXT[3:30], TEXT]).nats
    assert model.loss_curve_[0] == pytest.approx(expected, rel=1e-5)


def test_dropout_of_a_cells_own_is_drawn_anew_for_each_chunk():
    settings = {"chunk_length": 8, "batch_size": 1, "epochs": 1, "random_state": 0}
    model = CharLSTMClassifier(cell=dropping, units=4, **settings).fit(TEXT[:40])
    (layer,) = (one for one in model.model_.layers if isinstance(one, keras.layers.RNN))
    n_draws = int(layer.cell.seed_generator.state[1])
    assert n_draws >= 5 * 8  # chunks, and masks of four gates for inputs and for states


def test_strings_and_classes(windows):
    strings, labels = ["aba", "ab", "xyx", "yx"], ["a", "a", "x", "x"]
    settings = {"epochs": 60, "learning_rate": 0.05, "random_state": 0}
    for cell in (MinimalCell, dropping):
        model = CharLSTMClassifier(cell=cell, units=6, bidirectional=True, **settings)
        assert model.fit(strings, labels).predict(["abab", "xy"]).tolist() == ["a", "x"]
        X, y = windows
        assert RNNClassifier(cell, 8, **settings).fit(X, y > 0).score(X, y > 0) > 0.8


@pytest.mark.parametrize("cell", [MinimalCell, GatedLayer, dropping], ids=name_of)
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
        layers = [one for one in all_layers(model) if isinstance(one, keras.layers.RNN)]
        assert layers
        assert all(type(one) is made or type(one.cell) is made for one in layers)
        shape = (2, 8, 2)[: len(model.input_shape)]
        assert np.isfinite(model(np.ones(shape))).all()
    again = build_rnn((8, 2), 1, cell, (4, 3), bidirectional=True, seed=0)
    other = build_rnn((8, 2), 1, cell, (4, 3), bidirectional=True, seed=1)
    for a, b in zip(models[0].get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    pairs = zip(models[0].get_weights(), other.get_weights(), strict=True)
    assert any(not np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("decoder", ["dense", "recurrent"])
@pytest.mark.parametrize("cell", [MinimalCell, dropping, "depthgated"], ids=name_of)
def test_forecasters(cell, decoder):
    from skrnn.forecasting import RNNForecaster

    options = {"n_steps": 3, "n_ahead": 0, "decoder": decoder, "at_base": True}
    model = build_forecaster((6, 1), 3, cell, (4, 4), 0.0, 0, **options)
    n_cells = [isinstance(layer, keras.layers.RNN) for layer in model.layers].count(True)
    assert n_cells == (1 if cell == "depthgated" else 2) + (decoder == "recurrent")
    forecaster = RNNForecaster(
        window_length=6, cell=cell, units=4, decoder=decoder, epochs=2, random_state=0
    )
    y = np.sin(np.arange(60) / 4)
    assert np.isfinite(forecaster.fit(y, fh=[1, 2, 3]).predict()).all()


def test_search_and_clone(windows):
    cells = ["gru", MinimalCell, dropping]
    rnn = RNNRegressor(units=3, epochs=1, random_state=0)
    search = GridSearchCV(rnn, {"cell": cells}, cv=2, n_jobs=2).fit(*windows)
    assert search.best_params_["cell"] in cells
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    for cell in cells:
        assert clone(rnn.set_params(cell=cell)).cell is cell


def test_going_on_needs_the_same_cell(windows):
    rnn = RNNRegressor(MinimalCell, 3, epochs=1, warm_start=True, random_state=0).fit(*windows)
    assert rnn.fit(*windows).n_iter_ == 2
    for cell in (Registered, "gru"):
        with pytest.raises(ValueError, match=r"fitted with cell=.*MinimalCell.* cannot go on"):
            rnn.set_params(cell=cell).fit(*windows)


def test_what_the_user_registered_is_saved(windows, tmp_path):
    X, y = windows
    for cell in (Registered, keras.layers.GRUCell):
        rnn = RNNRegressor(cell, (4, 3), bidirectional=True, epochs=1, random_state=0).fit(X, y)
        rnn.model_.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(loaded(X)[:, 0], rnn.predict(X), rtol=1e-4, atol=1e-5)
    model = build_rnn((6, 2), 1, Registered, 3)
    assert architecture_key(model) is None  # its meaning is not in its settings alone


def test_trying_steps_again_and_again_says_nothing(caplog):
    """TensorFlow warns of functions that are traced in most of their calls."""
    for seed in range(8):
        assert supports_fused_engine(build_rnn((6, 2), 1, MinimalCell, 3, seed=seed))
    assert "retracing" not in caplog.text


def cell_of(factor, module):
    """Return a class like the others that this makes, but for what it computes."""

    class Scaled(MinimalCell):
        def call(self, inputs, states):
            h, _ = super().call(inputs, states)
            return factor * h, [factor * h]

    Scaled.__module__ = module
    return Scaled


@pytest.mark.parametrize("module", ["__main__", "elsewhere", "keras_like"])
@pytest.mark.parametrize("registered", [False, True])
def test_cells_of_one_name_share_no_program(module, registered, windows):
    """In a notebook, a cell that is run again makes another class of the same name."""
    X, y = windows
    fits = []
    for factor in (1.0, -0.5):
        cell = cell_of(factor, module)
        if registered:
            keras.saving.register_keras_serializable("test_own_cells")(cell)
        fits.append(RNNRegressor(cell, 3, epochs=1, random_state=0).fit(X, y))
        assert fits[-1]._network._architecture is None
    one, other = fits
    assert one.loss_curve_ != other.loss_curve_
    for rnn in fits:
        np.testing.assert_allclose(rnn.predict(X), rnn.model_(X)[:, 0], rtol=1e-4, atol=1e-5)
    assert np.abs(one.predict(X) - other.predict(X)).max() > 1e-3


def relu(x):  # in the place of Keras'
    return ops.minimum(x, 0.0)


class Zeros(keras.initializers.Zeros):
    pass


class L2(keras.regularizers.L2):
    pass


def of_half(shape, dtype=None):
    return ops.full(shape, 0.5, dtype)


@pytest.mark.parametrize(
    "settings",
    [
        {"activation": relu},
        {"recurrent_initializer": Zeros()},
        {"bias_initializer": of_half},
        {"kernel_regularizer": L2(0.1)},
        {"kernel_constraint": type("NonNeg", (keras.constraints.NonNeg,), {})()},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_only_what_is_keras_or_ours_shares_programs(settings):
    shares = architecture_key(build_rnn((6, 2), 1, keras.layers.LSTMCell, 3))
    assert shares is not None
    model = build_rnn((6, 2), 1, partial(keras.layers.LSTMCell, **settings), 3)
    assert architecture_key(model) is None


def mean_squared_error(y, y_pred):
    return ops.mean(ops.abs(y - y_pred), axis=-1)


class ExponentialDecay(keras.optimizers.schedules.ExponentialDecay):
    pass


def test_what_trains_is_shared_if_it_is_keras():
    adam, loss = keras.optimizers.Adam(), keras.losses.MeanSquaredError()
    scheduled = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 9, 0.5))
    for optimizer in (adam, scheduled):
        assert training_key(optimizer, loss, None) is not None
    assert training_key(keras.optimizers.Adam(ExponentialDecay(0.1, 9, 0.5)), loss, None) is None
    of_own = keras.losses.MeanSquaredError()
    of_own.fn = mean_squared_error
    assert training_key(adam, of_own, None) is None


def test_gradients_flow_through_it(windows):
    X, y = windows
    for cell, name in ((MinimalCell, "MinimalCell"), (dropping, "dropping")):
        rnn = RNNRegressor(cell, 4, bidirectional=True, epochs=1, random_state=0).fit(X, y)
        display = GradientFlowDisplay.from_estimator(rnn, X)
        assert display.name == name
        assert (display.norms > 0).all()
        assert len(display.lines_) == 2


class Configurable(keras.layers.GRUCell):
    """Its settings go to the class it is made of."""

    def __init__(self, units, **settings):
        super().__init__(units, **settings)


def configurable(units, activation, recurrent_regularizer=None):
    return keras.layers.GRUCell(
        units, activation=activation, recurrent_regularizer=recurrent_regularizer
    )


def test_settings_reach_it():
    remedies = {"l1": 0.1, "recurrent_l2": 0.2, "recurrent_dropout": 0.3, "activation": "relu"}
    remedies |= {"recurrent_initializer": "identity"}
    for cell in (Configurable, keras.layers.GRU):
        (layer,) = build_rnn((5, 2), 1, cell, 3, **remedies).layers[1:-1]
        inner = layer.cell
        assert float(inner.kernel_regularizer.l1) == pytest.approx(0.1)
        assert float(inner.recurrent_regularizer.l2) == pytest.approx(0.2)
        assert inner.recurrent_dropout == 0.3
        assert inner.activation is keras.activations.relu
        np.testing.assert_array_equal(inner.recurrent_kernel, np.tile(np.eye(3), 3))
    make = partial(configurable, activation="elu")
    (layer,) = build_rnn((5, 2), 1, make, 3, recurrent_l2=0.5).layers[1:-1]
    assert layer.cell.activation is keras.activations.elu  # its own, as none is asked for
    assert float(layer.cell.recurrent_regularizer.l2) == 0.5


@pytest.mark.parametrize(
    ("cell", "remedy", "match"),
    [
        (MinimalCell, {"l2": 0.1}, "l1 or l2 is set, but cell=.*MinimalCell.*kernel_regularizer"),
        (MinimalCell, {"recurrent_l2": 0.1}, "recurrent_l2 is set.*no recurrent_regularizer"),
        (MinimalCell, {"recurrent_dropout": 0.1}, "it has the parameters units, activation"),
        (Leaky, {"activation": "relu"}, "activation is set.* leave activation at 'tanh'"),
        (dropping, {"recurrent_initializer": "zeros"}, "leave recurrent_initializer at 'orth"),
    ],
)
def test_settings_that_it_does_not_take(cell, remedy, match):
    with pytest.raises(ValueError, match=match):
        build_rnn((5, 2), 1, cell, 3, **remedy)


@pytest.mark.parametrize(
    ("cell", "match"),
    [
        (keras.layers.Dense, r"cell=.*Dense.* made <Dense .*, which is no recurrent cell. Pass"),
        (lambda units: units, "made 3, which is no recurrent cell"),
        (MinimalCell(3), "is made already.*Pass the class, MinimalCell, or a function"),
        (keras.layers.LSTM(3), "is made already.*Pass the class, LSTM"),
        ("mgu", "cell='mgu' is not known. Did you mean 'gru'"),
        (3, "cell=3 is not known"),
    ],
    ids=["Dense", "number", "cell", "layer", "name", "3"],
)
def test_what_is_no_cell(cell, match):
    with pytest.raises(ValueError, match=match):
        build_rnn((5, 2), 1, cell, 3)
    if cell != 3:
        with pytest.raises(ValueError, match=match):
            CharLSTMClassifier(cell=cell, units=3).fit("abab")
