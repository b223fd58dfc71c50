"""The loss of predictions outside of training, and callbacks that are not supported."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from skrnn import RNNClassifier, RNNRegressor
from skrnn._engine.fit import evaluate_loss


@pytest.mark.parametrize(
    "loss", ["mse", keras.losses.mean_squared_error, keras.losses.MeanSquaredError()]
)
@pytest.mark.parametrize("weight_shape", [None, (5,), (5, 1), (5, 3)])
def test_the_loss_is_the_weighted_mean_over_samples_and_time_steps(loss, weight_shape):
    rng = np.random.default_rng(0)
    y, y_pred = rng.random((5, 3, 2)), rng.random((5, 3, 2))
    square = ((y - y_pred) ** 2).mean(axis=2)
    weights = None if weight_shape is None else rng.random(weight_shape)
    broadcast = 1 if weights is None else weights.reshape(weight_shape + (1,) * (2 - weights.ndim))
    if isinstance(loss, keras.losses.Loss) and weight_shape == (5,):
        pytest.skip("Keras' losses take weights that broadcast to their values")
    found = evaluate_loss(SimpleNamespace(loss=lambda: loss), y, y_pred, weights)
    if isinstance(loss, keras.losses.Loss):
        expected = (square * broadcast).mean()
    else:
        expected = np.average(square, weights=np.broadcast_to(broadcast, square.shape))
    assert found == pytest.approx(expected, rel=1e-6)


X = np.zeros((8, 3, 1))
FITS = {
    "regressor": (RNNRegressor, X, np.arange(8.0)),
    "classifier": (RNNClassifier, X, [0, 1] * 4),
}


@pytest.mark.parametrize("name", FITS)
def test_backup_and_restore_raises_before_training(name, tmp_path):
    class Subclass(keras.callbacks.BackupAndRestore):
        pass

    estimator, X, y = FITS[name]
    callback = Subclass(str(tmp_path / "backup"))
    model = estimator(cell="rnn", units=2, epochs=1, callbacks=[callback], random_state=0)
    with pytest.raises(ValueError, match=r"contains Subclass, .*partial_fit or warm_start=True"):
        model.fit(X, y)
    assert not hasattr(model, "_network")
    assert not any(tmp_path.iterdir())
    before = model.set_params(callbacks=None).fit(X, y).loss_curve_
    with pytest.raises(ValueError, match="contains Subclass"):
        model.set_params(callbacks=[callback]).partial_fit(X, y)
    assert model.loss_curve_ == before
