"""What the parameters may be that the estimators have in common."""

from numbers import Integral, Real

from ._validation import HasMethods, Interval

__all__ = ["NETWORK", "TRAINING"]

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
