"""What the recurrent estimators share: parameters, training, and fitted attributes."""

from numbers import Integral, Real

import numpy as np

from ._checks import check_not_bool
from ._sklearn_compat import HasMethods, Interval

# Of the network itself, as the builders take them.
NETWORK: dict = {
    "cell": [str, callable],
    "units": [Interval(Integral, 1, None, closed="left"), tuple, list],
    "activation": [str, callable],
    "bidirectional": ["boolean"],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "recurrent_dropout": [Interval(Real, 0, 1, closed="left")],
    "recurrent_initializer": [str],
    "l1": [Interval(Real, 0, None, closed="left")],
    "l2": [Interval(Real, 0, None, closed="left")],
    "recurrent_l2": [Interval(Real, 0, None, closed="left")],
}


# Of its training.
TRAINING: dict = {
    "optimizer": [str, HasMethods(["apply_gradients", "get_config"])],
    "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
    "clipnorm": [Interval(Real, 0, None, closed="neither"), None],
    "clipvalue": [Interval(Real, 0, None, closed="neither"), None],
    "epochs": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "callbacks": [list, tuple, None],
    "verbose": ["verbose"],
}


_CURVES = {
    "loss_curve_": "losses",
    "validation_loss_curve_": "validation_losses",
    "validation_scores_": "validation_scores",
}


def draw_seed(random_state):
    """Return an int from a `random_state`; None is fresh entropy, and no global state is read."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    if not isinstance(random_state, np.random.RandomState):
        random_state = np.random.RandomState(random_state)
    return int(random_state.randint(2**31 - 1))


def as_type(array, dtype):
    """Return an array, or None, cast to a dtype."""
    return None if array is None else array.astype(dtype, copy=False)


def check_callbacks(callbacks):
    """Raise a ValueError if a callback is not one of Keras'."""
    import keras

    for callback in callbacks or ():
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(
                f"callbacks takes Keras callbacks, got {callback!r}. Those of scikit-learn go "
                "to set_callbacks(...)."
            )


def check_chunk_length(estimator):
    """Raise a ValueError if there is a chunk_length, and a state that goes backwards."""
    check_not_bool("chunk_length", estimator.chunk_length)
    if estimator.chunk_length is not None and estimator.bidirectional:
        raise ValueError(
            f"chunk_length={estimator.chunk_length} carries the state forwards from step to step, "
            "but with bidirectional=True layers also read from the end. Set bidirectional=False, "
            "or chunk_length=None."
        )


def build_shape(estimator):
    """Return the input_shape of a new network: of any number of steps if chunks go through it."""
    n_timesteps, n_features = estimator.input_shape_
    in_chunks = estimator.chunk_length is not None and estimator.output == "sequence"
    return (None if in_chunks else n_timesteps, n_features)


def check_same_settings(network, settings):
    """Raise a ValueError if a network that goes on training was built with other settings."""
    for name, value in network.settings.items():
        if not _same(settings[name], value):
            raise ValueError(
                f"The network was fitted with {name}={value!r} and cannot go on with "
                f"{name}={settings[name]!r}: set it back, or fit anew with warm_start=False."
            )


def _same(one, other):
    """Whether two parameters mean the same; Keras objects do if their settings are equal."""
    if isinstance(one, type) or isinstance(other, type):
        return one is other
    if hasattr(one, "get_config") and type(one) is type(other):
        return one is other or one.get_config() == other.get_config()
    return one is other or np.array_equal(one, other)


def fitted_state(network):
    """Return the fitted attributes that a network stands for."""
    return {
        "_network": network,
        "n_iter_": network.epochs_done,
        "n_outputs_": network.n_outputs,
    }


def train(estimator, network, data, *, rows, validation, epochs, progress, go_on, **options):
    """Train a network, and have `estimator` take it over with its record, also when interrupted.

    Parameters
    ----------
    estimator : estimator
        Its parameters say how to train; its curves go on if `go_on`.
    network : Network
    data : tuple (X, y, sample_weight)
        As `fit_network` takes them.
    rows : range
        The rows to train on.
    validation : callable or None
        As `fit_network` takes it.
    epochs : int
    progress : FitProgress
    go_on : bool
        Whether `estimator` was fitted before and goes on.
    **options
        More of what `fit_network` takes.
    """
    from ._engine.fit import fit_network

    for name in () if go_on else _CURVES:
        vars(estimator).pop(name, None)
    n_before = len(estimator.loss_curve_) if go_on else 0
    curves = {
        name: part
        for name, part in _CURVES.items()
        if part == "losses" or estimator.early_stopping or (go_on and hasattr(estimator, name))
    }
    before = {name: getattr(estimator, name, []) if go_on else [] for name in curves}

    def state(record):
        # Epochs without a validation part have NaN there, so that all curves align.
        return fitted_state(network) | {
            name: _padded(before[name], n_before)
            + _padded(getattr(record, part), len(record.losses))
            for name, part in curves.items()
        }

    try:
        record = fit_network(
            network,
            *data,
            rows=rows,
            epochs=epochs,
            batch_size=estimator.batch_size,
            validation=validation,
            patience=estimator.n_iter_no_change,
            callbacks=estimator.callbacks,
            verbose=estimator.verbose,
            begin_epoch=progress.begin_epoch,
            end_epoch=lambda record: progress.end_epoch(lambda: state(record)),
            **options,
        )
    except KeyboardInterrupt as interrupt:
        if (record := getattr(interrupt, "record", None)) is not None:
            vars(estimator).update(state(record))
        raise
    vars(estimator).update(state(record))


def _padded(curve, length):
    return curve + [float("nan")] * (length - len(curve))
