import importlib
import inspect
import pickle
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
from scikeras.wrappers import KerasRegressor
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TimeSeriesSplit,
    check_cv,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import get_tags

from skrnn import WindowTransformer, build_rnn, sliding_windows
from skrnn.scikeras import SciKerasRNNClassifier, SciKerasRNNRegressor, with_probabilities

SERIES = np.sin(np.arange(60) / 3).reshape(-1, 1)
LABELS = np.where(np.diff(SERIES[:, 0], prepend=-1) > 0, "up", "down")
TINY = {"model__cell": "rnn", "model__units": 3, "epochs": 1}

# `keras.Model.save` converts variables in a way that NumPy 2 warns about.
keras_saves = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


def regressor(**params):
    return SciKerasRNNRegressor(**(TINY | {"random_state": 0} | params))


def classifier(**params):
    return SciKerasRNNClassifier(**(TINY | {"random_state": 0} | params))


def scikeras_regressor(**params):
    settings = {"loss": "mse", "optimizer": "adam", "verbose": 0, "random_state": 0}
    return KerasRegressor(model=build_rnn, model__seed=0, **(settings | TINY | params))


@pytest.fixture(scope="module")
def fitted():
    """Both wrappers as the last step of a pipeline, trained on the first 50 rows."""
    steps = {"regressor": regressor(model__cell="gru"), "classifier": classifier(model__cell="gru")}
    targets = {"regressor": SERIES[:50], "classifier": LABELS[:50]}
    return {
        name: make_pipeline(WindowTransformer(5), step).fit(SERIES[:50], targets[name])
        for name, step in steps.items()
    }


@pytest.mark.parametrize(
    ("make", "y"),
    [
        (regressor, SERIES[:, 0]),
        (regressor, np.hstack([SERIES, -SERIES])),
        (scikeras_regressor, SERIES),
    ],
    ids=["1-D", "two columns", "wrapper of scikeras"],
)
def test_predictions_have_the_shape_of_y(make, y):
    model = make_pipeline(WindowTransformer(5), make()).fit(SERIES[:50], y[:50])
    assert model.predict(SERIES[50:]).shape == y[50:].shape
    assert model.predict(SERIES[50:51]).shape == y[50:51].shape


def test_regressor_learns_the_series():
    model = make_pipeline(
        WindowTransformer(8),
        regressor(model__units=8, epochs=20, batch_size=8, optimizer__learning_rate=0.02),
    ).fit(SERIES)
    assert model.score(SERIES) > 0.9
    network = model[-1].model_
    assert network.layers[1].units == 8
    assert float(network.optimizer.learning_rate) == pytest.approx(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("make", [regressor, scikeras_regressor])
def test_search_over_routed_parameters(make):
    model = make_pipeline(WindowTransformer(5), make(epochs=3, batch_size=8))
    step = model.steps[-1][0]
    # With a learning rate of almost zero the network keeps its random weights.
    grid = [
        {f"{step}__model__units": [units], f"{step}__optimizer__learning_rate": [learning_rate]}
        for units, learning_rate in ((2, 1e-7), (4, 0.05))
    ]
    scoring = "neg_root_mean_squared_error"
    search = GridSearchCV(model, grid, cv=TimeSeriesSplit(2), scoring=scoring).fit(SERIES, SERIES)
    assert search.best_params_ == {name: values[0] for name, values in grid[1].items()}
    best = search.best_estimator_[-1].model_
    assert best.layers[1].units == 4
    assert float(best.optimizer.learning_rate) == pytest.approx(0.05)


def test_callbacks_are_routed():
    model = regressor(
        epochs=9,
        callbacks=keras.callbacks.EarlyStopping,
        callbacks__monitor="loss",
        callbacks__min_delta=1e9,  # no decrease of the loss is large enough
        callbacks__patience=1,
    )
    X = sliding_windows(SERIES, 5)
    assert len(model.fit(X).history_["loss"]) == 2
    assert len(model.set_params(callbacks__patience=3).fit(X).history_["loss"]) == 4


def test_number_of_parameters():
    X, u, d = np.zeros((4, 5, 2)), 3, 2
    lstm, y = {"model__cell": "lstm", "model__units": u}, np.array([0, 1, 2, 0])
    counts = [
        model.model_.count_params()
        for model in (
            regressor(**lstm).initialize(X, y),  # builds the network without training
            regressor(**lstm | {"model__units": (u, u)}).initialize(X, np.c_[y, y]),
            regressor(**lstm, model__recurrent_dropout=0.1).initialize(X, y),
            classifier(**lstm).initialize(X, y),
            classifier(**lstm).initialize(X, y > 0),
            classifier(**lstm, loss="sparse_categorical_crossentropy").initialize(X, y > 0),
        )
    ]
    layer = 4 * u * (d + u + 1)
    assert counts == [
        layer + u + 1,
        layer + 4 * u * (u + u + 1) + 2 * (u + 1),
        layer + u + 1,
        layer + 3 * (u + 1),
        layer + u + 1,
        layer + 2 * (u + 1),
    ]


def test_network_is_that_of_build_rnn(fitted):
    network, expected = fitted["regressor"][-1].model_, build_rnn((5, 1), 1, "gru", 3)
    assert [type(layer) for layer in network.layers] == [type(layer) for layer in expected.layers]
    assert network.count_params() == expected.count_params()


def test_signatures_and_docstrings_list_all_parameters():
    for estimator in (SciKerasRNNRegressor, SciKerasRNNClassifier):
        names = list(inspect.signature(estimator).parameters)
        lines = inspect.getdoc(estimator).splitlines()
        section = lines[lines.index("Parameters") + 2 : lines.index("Attributes")]
        entries = [line.split(" :")[0] for line in section if line and not line.startswith(" ")]
        assert sorted(entries) == sorted([*names[:-1], "**kwargs"])
        assert {*names[:-1]} <= {*estimator().get_params()}


each_wrapper = pytest.mark.parametrize("wrapper", [SciKerasRNNRegressor, SciKerasRNNClassifier])


@each_wrapper
@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"cell": "gru"}, "has no parameter 'cell'. Did you mean 'model__cell'"),
        ({"units": 0}, "has no parameter 'units'. Did you mean 'model__units'"),
        ({"learning_rate": 0.1}, "Did you mean 'optimizer__learning_rate'"),
        ({"momentum": 0.1}, "Did you mean 'optimizer__momentum'"),
        ({"epoch": 3}, "Did you mean 'epochs'"),
        ({"model_cell": 3}, "Did you mean 'model__cell'"),
        ({"xyz": 3}, "has no parameter 'xyz'. Parameters of the network begin with 'model__'"),
        ({"network__cell": 3}, "has no parameter 'network__cell'"),
        ({"model__cel": "gru"}, "has no parameter 'model__cel', because build_rnn has no"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_unknown_parameters_raise(wrapper, parameters, match):
    with pytest.raises(TypeError, match=f"{wrapper.__name__}.*{match}"):
        wrapper(**parameters)
    estimator = wrapper()
    before = estimator.get_params()
    with pytest.raises(ValueError, match=f"{wrapper.__name__}.*{match}"):
        estimator.set_params(model__units=3, **parameters)
    assert estimator.get_params() == before
    assert clone(estimator).get_params() == before


@each_wrapper
@pytest.mark.parametrize("name", ["model", "build_fn"])
def test_builders_raise(wrapper, name):
    X = np.zeros((8, 3, 1))
    estimator = wrapper(**{name: build_rnn})
    with pytest.raises(ValueError, match=f"{name}=.* the network of {wrapper.__name__} is that"):
        estimator.fit(X, np.arange(8) % 2)


@each_wrapper
def test_routed_parameters_are_accepted(wrapper):
    parameters = {
        "model__recurrent_dropout": 0.1,
        "optimizer__learning_rate": 0.1,
        "loss__delta": 2.0,
        "fit__batch_size": 8,
        "fit__shuffle": False,
        "predict__batch_size": 64,
        "compile__run_eagerly": False,
        "callbacks": [keras.callbacks.EarlyStopping],
        "callbacks__0__patience": 3,
        "metrics": [keras.metrics.MeanSquaredError],
        "metrics__0__name": "error",
        "validation_split": 0.1,
        "validation_freq": 2,
        "warm_start": True,
        "run_eagerly": False,
        "loss_weights": None,
    }
    estimator = clone(wrapper(**parameters))
    assert estimator.get_params().items() >= parameters.items()
    other = clone(wrapper().set_params(**parameters))
    assert other.get_params() == estimator.get_params()


def test_tags():
    assert is_regressor(SciKerasRNNRegressor())
    assert is_classifier(SciKerasRNNClassifier())
    assert is_classifier(make_pipeline(WindowTransformer(5), SciKerasRNNClassifier()))
    for model in (SciKerasRNNRegressor(), SciKerasRNNClassifier()):
        tags = get_tags(model)
        assert tags.input_tags.three_d_array
        assert tags.target_tags.required == is_classifier(model)
    cv = check_cv(3, LABELS, classifier=is_classifier(SciKerasRNNClassifier()))
    assert isinstance(cv, StratifiedKFold)


@pytest.mark.slow
def test_stratified_folds_and_probability_scorers():
    # The labels are sorted: folds that are not stratified would contain only one of them.
    X, y = np.random.default_rng(0).normal(size=(20, 4)), np.repeat([0, 1], 10)
    scores = cross_val_score(classifier(), X, y, cv=2, scoring="roc_auc", error_score="raise")
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("make", [regressor, pytest.param(classifier, marks=pytest.mark.slow)])
def test_incomplete_windows_are_not_trained_on(make):
    windows = sliding_windows(SERIES, 5)
    y = SERIES[:, 0].copy() if make is regressor else (LABELS == "up").astype(float)
    weights = np.linspace(1.0, 2.0, len(y))
    expected = make().fit(np.asarray(windows)[5:], y[5:], sample_weight=weights[5:])
    y[:5], weights[:5] = np.nan, 1e9
    model = make().fit(windows, y, sample_weight=weights)
    np.testing.assert_array_equal(model.predict(windows), expected.predict(windows))
    np.testing.assert_array_equal(model.model_.get_weights()[0], expected.model_.get_weights()[0])
    assert model.n_features_in_ == 1


def test_y_none_is_the_series(fitted):
    model = clone(fitted["regressor"]).fit(SERIES[:50])
    expected = fitted["regressor"].predict(SERIES[50:])
    np.testing.assert_array_equal(model.predict(SERIES[50:]), expected)
    assert model.score(SERIES[50:]) == pytest.approx(
        fitted["regressor"].score(SERIES[50:], SERIES[50:])
    )
    with pytest.raises(ValueError, match="SciKerasRNNRegressor requires y to be passed"):
        regressor().fit(np.zeros((9, 5, 1)))
    with pytest.raises(ValueError, match="SciKerasRNNClassifier requires y to be passed"):
        classifier().fit(sliding_windows(SERIES, 5), None)


def test_samples_of_weight_zero_are_left_out_and_weights_are_normalized():
    X = np.random.default_rng(0).normal(size=(16, 4))
    y = X[:, 0]
    rows = np.arange(16) < 8
    expected = regressor().fit(X[rows], y[rows]).predict(X)
    np.testing.assert_array_equal(regressor().fit(X, y, 7.0 * rows).predict(X), expected)


@pytest.mark.parametrize("make", [regressor, classifier])
def test_too_few_rows(make):
    windows = sliding_windows(SERIES[:20], 24, 6)
    model = make()
    with pytest.raises(
        ValueError, match="window_length=24 and horizon=6 need at least 30 rows to fit, got 20"
    ):
        model.fit(windows, LABELS[:20] if make is classifier else SERIES[:20])
    assert not model.initialized_
    with pytest.raises(NotFittedError):
        model.predict(sliding_windows(SERIES, 24, 6))


def test_invalid_input(fitted):
    windows = sliding_windows(SERIES, 5)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier().fit(windows, LABELS[:-1])
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier().fit(windows, SERIES[:, 0])
    with pytest.raises(ValueError, match="cell='gur' is not known"):
        regressor(model__cell="gur").fit(windows)
    with pytest.raises(ValueError, match="windows of 6 time steps and 1 features"):
        fitted["regressor"][-1].predict(sliding_windows(SERIES, 6))


def test_failed_fit_leaves_the_estimator_unchanged(fitted):
    model = fitted["classifier"][-1]
    before = model.__dict__.copy()
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit(sliding_windows(SERIES, 7), SERIES[:, 0])
    with pytest.raises(ValueError, match="Sample weights"):
        model.fit(sliding_windows(SERIES, 7), LABELS, sample_weight=np.zeros(60))
    assert model.__dict__ == before


@pytest.mark.parametrize(("n_outputs", "expected"), [(1, [[0.75]]), (3, [[0.1, 0.3, 0.6]])])
def test_with_probabilities(n_outputs, expected):
    model = with_probabilities(build_rnn((2, 1), n_outputs, units=2))
    head = model.layers[-2]
    head.set_weights([np.zeros((2, n_outputs)), np.log([3.0] if n_outputs == 1 else [1, 3, 6])])
    np.testing.assert_allclose(model(np.zeros((1, 2, 1))), expected, rtol=1e-6)


@pytest.mark.slow
def test_transformed_target():
    series = 500 + 100 * SERIES
    model = TransformedTargetRegressor(
        make_pipeline(MinMaxScaler(), WindowTransformer(5), regressor()),
        transformer=MinMaxScaler(),
    ).fit(series[:50], series[:50])
    predicted = model.predict(series[50:])
    assert predicted.shape == (10, 1)
    assert 200 < predicted.mean() < 800


def test_classifier_labels_and_probabilities(fitted):
    model = fitted["classifier"]
    assert model.classes_.tolist() == ["down", "up"]
    probabilities = model.predict_proba(SERIES[50:])
    assert (probabilities > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    likeliest = model.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(SERIES[50:]), likeliest)
    assert model.predict_proba(SERIES[50:51]).shape == (1, 2)
    assert model.score(SERIES[50:], LABELS[50:]) == np.mean(likeliest == LABELS[50:])


def test_partial_fit_and_warm_start():
    X, y = np.random.default_rng(0).normal(size=(12, 4)), np.repeat([3, 1], 6)
    model = classifier().partial_fit(X, y, classes=[5, 3, 1]).partial_fit(X, y)
    assert model.predict_proba(X).shape == (12, 3)
    assert model.classes_.tolist() == [1, 3, 5]
    assert len(model.history_["loss"]) == 2
    with pytest.raises(ValueError, match="unknown categories"):
        model.partial_fit(X, y + 1)
    weights = np.ones(12)
    model = classifier(warm_start=True, class_weight="balanced").fit(X, y, weights).fit(X, y)
    assert model.classes_.tolist() == [1, 3]
    np.testing.assert_array_equal(weights, 1)


@keras_saves
def test_pickle_predicts_the_same_bits(fitted):
    for model, method in (
        (fitted["regressor"], "predict"),
        (fitted["classifier"], "predict_proba"),
    ):
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(
            getattr(again, method)(SERIES), getattr(model, method)(SERIES)
        )


def test_random_state(fitted):
    X = sliding_windows(SERIES[:50], 5)

    def kernel(random_state):
        model = regressor(model__cell="gru", random_state=random_state)
        return model.initialize(np.asarray(X), SERIES[:50]).model_.get_weights()[0]

    state = np.random.get_state()[1].copy()  # noqa: NPY002
    trained = regressor(model__cell="gru", random_state=np.int64(0)).fit(X).model_.get_weights()
    expected = fitted["regressor"][-1].model_.get_weights()
    for weights, expected_weights in zip(trained, expected, strict=True):
        np.testing.assert_array_equal(weights, expected_weights)
    seeds = [0, None, *map(np.random.RandomState, (1, 2))]
    assert len({kernel(random_state).tobytes() for random_state in seeds}) == 4
    np.testing.assert_array_equal(
        kernel(np.random.RandomState(1)), kernel(np.random.RandomState(1))
    )
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_optimizer_objects_can_be_used_for_several_fits():
    optimizer = keras.optimizers.SGD(0.5)
    model = regressor(optimizer=optimizer)
    X = sliding_windows(SERIES, 5)
    first = model.fit(X).predict(X)
    np.testing.assert_array_equal(model.fit(X).predict(X), first)
    assert not optimizer.built
    assert float(model.model_.optimizer.learning_rate) == 0.5


def test_error_without_scikeras(monkeypatch):
    for name in ("scikeras", "scikeras.utils", "scikeras.wrappers"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "skrnn.scikeras")
    with pytest.raises(ImportError, match=r"requires scikeras.*pip install skrnn\[scikeras\]$"):
        importlib.import_module("skrnn.scikeras")


def run_in_new_process(code):
    completed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr


@pytest.mark.slow
def test_other_estimators_do_not_import_scikeras():
    run_in_new_process(
        """
        import pickle, sys
        import keras
        classes = keras.Model, keras.losses.Loss, keras.Optimizer
        reducers = [keras_class.__reduce__ for keras_class in classes]
        import numpy as np
        from skrnn import RNNRegressor, WindowTransformer
        from sklearn.pipeline import make_pipeline
        series = np.arange(20.0)[:, None]
        model = make_pipeline(WindowTransformer(3), RNNRegressor(units=2, epochs=1)).fit(series)
        loaded = pickle.loads(pickle.dumps(model))
        assert np.array_equal(loaded.predict(series), model.predict(series))
        assert not [name for name in sys.modules if name.split(".")[0] == "scikeras"]
        assert "skrnn.scikeras" not in sys.modules
        assert [keras_class.__reduce__ for keras_class in classes] == reducers
        """
    )


@pytest.mark.slow
def test_seeded_fit_does_not_enable_op_determinism():
    # Training without a seed is an error while TensorFlow's op determinism is enabled.
    run_in_new_process(
        """
        import numpy as np
        from skrnn.scikeras import SciKerasRNNRegressor
        X, y = np.zeros((4, 3)), np.zeros(4)
        for random_state in (0, None):
            SciKerasRNNRegressor(model__units=2, epochs=1, random_state=random_state).fit(X, y)
        """
    )
