"""The cells of `layers` by their names: built, trained in compiled graphs, drawn anew, pickled."""

import os
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest

from skrnn import CharLSTMClassifier, RNNClassifier, RNNRegressor, build_rnn
from skrnn._engine.cache import architecture_key
from skrnn._engine.eligibility import supports_fused_engine
from skrnn.layers import LAYERS, DepthGatedLSTMCell, recurrent_layer
from skrnn.networks.encoders import build_cnn_rnn, build_encoder_decoder
from skrnn.networks.initialize import reseed

each_cell = pytest.mark.parametrize("cell", LAYERS)


@pytest.fixture
def windows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 7, 2)).astype("float32")
    return X, X[:, -3, 0] - X[:, -1, 1]


# test_kinds compares stacks of every cell, in both directions.
@each_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_compiled_training_is_that_of_keras(cell, bidirectional, windows):
    X, y = windows
    settings = {"units": 4, "bidirectional": bidirectional, "epochs": 3, "batch_size": 20}
    settings |= {"optimizer": "sgd", "random_state": 0}
    rnn = RNNRegressor(cell, **settings).fit(X, y)
    assert supports_fused_engine(rnn.model_)
    batches = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    eager = RNNRegressor(cell, **settings, callbacks=[batches]).fit(X, y)  # by Keras
    np.testing.assert_allclose(rnn.loss_curve_, eager.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(rnn.predict(X), eager.predict(X), rtol=1e-3, atol=1e-4)


@each_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_drawn_anew_is_as_built(cell, bidirectional):
    options = {"cell": cell, "units": (4, 4), "bidirectional": bidirectional}
    model, expected = (build_rnn((5, 2), 1, **options, seed=seed) for seed in (1, 2))
    names = [w.path for w in model.weights]
    assert any(
        not np.array_equal(a, b)
        for a, b in zip(model.get_weights(), expected.get_weights(), strict=True)
    )
    reseed(model, 2)
    for name, a, b in zip(names, model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
    assert architecture_key(model) == architecture_key(expected) is not None


@each_cell
def test_same_seed_same_bits_after_another_fit(cell, windows):
    def predictions(seed):
        settings = {"epochs": 2, "batch_size": 20, "optimizer": "sgd", "learning_rate": 0.1}
        rnn = RNNRegressor(cell, units=4, random_state=seed, **settings)
        return rnn.fit(*windows).predict(X)

    X, _ = windows
    first, other, again = (predictions(seed) for seed in (0, 1, 0))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_pickle_is_read_in_a_fresh_process(windows, tmp_path):
    X, y = windows
    rnn = RNNRegressor("peephole", units=4, epochs=1, random_state=0).fit(X, y)
    (tmp_path / "rnn.pkl").write_bytes(pickle.dumps((rnn, X)))
    code = (
        f"import pickle; rnn, X = pickle.load(open({str(tmp_path / 'rnn.pkl')!r}, 'rb'));"
        "print(float(rnn.predict(X).sum()), rnn.model_.count_params())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    total, n_parameters = run.stdout.split()
    assert float(total) == pytest.approx(float(rnn.predict(X).sum()), rel=1e-5)
    assert int(n_parameters) == rnn.model_.count_params()


@pytest.mark.slow
def test_bits_do_not_depend_on_the_number_of_threads():
    code = (
        "import numpy as np; from skrnn import RNNRegressor;"
        "X = np.random.default_rng(0).normal(size=(64, 20, 3)).astype('float32'); y = X[:, -5, 0];"
        "print([RNNRegressor(cell, units=125, epochs=1, random_state=0).fit(X, y).predict(X)"
        f".tobytes().hex() for cell in {[*LAYERS]}])"
    )
    outputs = []
    for n_threads in "14":
        threads = {f"TF_NUM_{kind}OP_THREADS": n_threads for kind in ("INTRA", "INTER")}
        run = subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            env=os.environ | threads,
            timeout=300,
        )
        outputs.append(run.stdout)
    assert outputs[0] == outputs[1]


@each_cell
def test_layers_with_dropout_are_trained_by_keras(cell, windows):
    def network(input_shape, n_outputs, seed):
        x = keras.Input(input_shape)
        h = LAYERS[cell](4, dropout=0.2, recurrent_dropout=0.2, seed=seed)(x)
        return keras.Model(x, keras.layers.Dense(n_outputs)(h))

    X, y = windows
    rnn = RNNRegressor(network=network, epochs=20, learning_rate=0.02, random_state=0).fit(X, y)
    assert not supports_fused_engine(rnn.model_)
    assert rnn.loss_curve_[-1] < 0.9 * rnn.loss_curve_[0]
    # Nothing is dropped in prediction.
    np.testing.assert_array_equal(rnn.predict(X), rnn.predict(X))


@keras.saving.register_keras_serializable(package="tests")
class OwnCell(keras.layers.Layer):
    """h = h⁻ / 2 + x w, as a user may write it."""

    def __init__(self, units, **settings):
        super().__init__(**settings)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")

    def call(self, inputs, states):
        h = states[0] / 2 + keras.ops.matmul(inputs, self.w)
        return h, [h]

    def get_config(self):
        return super().get_config() | {"units": self.units}


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_cell_of_the_users_own(bidirectional, windows):
    def network(input_shape, n_outputs, seed):
        x = keras.Input(input_shape)
        layer = recurrent_layer(OwnCell, 4)
        h = keras.layers.Bidirectional(layer)(x) if bidirectional else layer(x)
        return keras.Model(x, keras.layers.Dense(n_outputs)(h))

    X, y = windows
    rnn = RNNRegressor(network=network, epochs=10, learning_rate=0.02, random_state=0).fit(X, y)
    assert rnn.loss_curve_[-1] < 0.8 * rnn.loss_curve_[0]


# Depth gates


def test_depth_gates_link_all_levels_of_a_stack():
    model = build_rnn((5, 2), 1, "depthgated", (4, 4, 4), seed=0)
    (layer,) = (layer for layer in model.layers if isinstance(layer, keras.layers.RNN))
    assert [level.units for level in layer.cell.cells] == [4, 4, 4]
    by_hand = keras.layers.RNN(DepthGatedLSTMCell(4, levels=3))
    X = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
    by_hand(X)
    by_hand.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(X), by_hand(X))
    # What is in the lowest memory reaches the highest through the gates alone.
    for level in layer.cell.cells[1:]:
        level.kernel.assign(0 * level.kernel)
        level.bias.assign(keras.ops.concatenate([0 * level.bias[:-4], 9 + level.bias[-4:]]))
    assert np.abs(layer(X)).max() > 0.01


@pytest.mark.parametrize("units", [3, (3,), (3, 3)])
def test_one_number_is_two_levels_with_a_depth_gate(units):
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
def test_depth_gates_need_levels_of_one_size(fit):
    match = r"units=\(5, 3\) has levels of different sizes, .* such as units=\(5, 5\)\."
    with pytest.raises(ValueError, match=match):
        fit()


@pytest.mark.slow
@each_cell
def test_text_models_of_every_cell(cell):
    settings = {"epochs": 60, "learning_rate": 0.03, "random_state": 0, "chunk_length": 16}
    text = "abcd" * 30
    speaker = CharLSTMClassifier(cell=cell, units=(8, 8), **settings).fit(text)
    assert speaker.generate("ab", 6, top_k=1) == "cdabcd"
    assert speaker.predict(["a", "abc"]).tolist() == ["b", "d"]
    reader = CharLSTMClassifier(cell=cell, units=(4, 4), bidirectional=True, **settings)
    reader.fit(["aba", "ab", "xyx", "yx"], [0, 0, 1, 1])
    assert reader.predict(["ababab", "xy"]).tolist() == [0, 1]
