"""RNNForecaster: recurrent networks as an sktime forecaster, and as an sktime regressor."""

import copy
from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from .._checks import check_name
from .._sklearn_compat import Interval
from ._panel_model import PanelModel
from ._series import PanelSeries, check_labels, indexer_of, split_panel

# How much of its epochs a network goes on training for at an update.
_UPDATE = 0.2


# What is known of the last y: the forecaster's own, and what sktime sets before an update.
_SKTIME_STATE = (
    "_columns",
    "_index",
    "_cutoff",
    "_y_metadata",
    "_y_mtype_last_seen",
    "_converter_store_y",
)


class RNNForecaster(BaseForecaster):
    """Recurrent networks that forecast series, single ones and panels, as an sktime forecaster.

    Season and drift are taken out of each series, which is then cut into windows. A network sees a
    window around its last row and learns what comes after it, likewise around that row. Of a panel
    all series train one network; no window crosses from one series to another, and each series has
    its own season, drift and size. Before it trains on all rows, the forecaster trains on all but
    the last ones, and learns there how long to train, how much of what the network says to believe,
    and how far forecasts are off.

    Parameters
    ----------
    window_length : int, default=None
        Rows that the network sees. None is 12 without a season, and a season of 8 to 48 rows
        otherwise; half of that, and so on, where a series is too short for a dozen windows.
    cell : str, class or callable, default="gru"
        As in `RNNRegressor`.
    units : int or tuple of int, default=16
        Units of the recurrent layer; a tuple stacks layers.
    sp : int, default=1
        Rows in a season, such as 12 for monthly series; 1 for none.
    strategy : {"multioutput", "recursive", "direct"}, default="multioutput"
        "multioutput" has one network for all steps ahead, "recursive" one for the next step,
        which then sees its own forecasts, and "direct" one for each step [1]_. "direct" needs fh
        in `fit`; the others forecast any steps, and "multioutput" learns as many as fh in `fit`
        asks for (without one a season; a third of the rows at most).
    decoder : {"dense", "recurrent"}, default="dense"
        What turns the state at the end of a window into the steps ahead: a dense layer, or
        another recurrent layer, step by step [2]_.
    residual : bool, default=True
        Whether windows are taken around their last row, and the network learns what comes beside
        the naive forecast from it. Training starts at that.
    seasonal : {"indices", "difference", None}, default="indices"
        How a season is taken out: by the mean of each of its places around the trend, or by the
        row a season earlier. The means of a panel's series are drawn to a shape that all of them
        have in common, as far as they do [3]_.
    log : {"auto"} or bool, default="auto"
        Whether the logarithm is taken first. "auto" takes it of positive columns whose spread
        grows with their level (by Guerrero's criterion [4]_), unless there is a transformer.
    scaler : {"series"}, scikit-learn transformer or None, default="series"
        "series" divides each series by the size of its changes within a window. A transformer of
        yours is fitted to each series, after the logarithm; None leaves the values as they are.
    transformer : sktime or scikit-learn transformer, default=None
        Fitted to each series before all else, such as `BoxCoxTransformer`. It must keep the rows
        and have an `inverse_transform` that turns each row back without those before it.
    n_networks : int, default=1
        Networks, of different seeds, whose forecasts are averaged.
    dropout : float in [0, 1), default=0.0
    loss : str or keras.losses.Loss or callable, default="mse"
    optimizer : str or keras.optimizers.Optimizer, default="adam"
    learning_rate : float, default=0.005
        None is the optimizer's own.
    epochs : int, default=None
        Passes over the windows. None makes about 500 gradient steps of them, in 5 to 200 epochs.
    batch_size : int, default=32
    early_stopping : bool, default=True
        Whether to train only for that part of the epochs after which the network did best on the
        last rows.
    validation_fraction : float in (0, 0.5], default=0.2
        Share of the rows, the last of each series, that are held out first; enough for all steps,
        a third of the rows at most.
    random_state : int, RandomState instance or None, default=None
        Seeds the networks. The same int gives the same bits.
    verbose : int, default=0
        Keras' verbosity.

    Attributes
    ----------
    model_ : PanelModel
        What was learnt: ``model_.strategy.networks`` are the networks, each a `RNNRegressor`,
        with ``model_.strategy.weights``, and ``model_.errors`` is the size of the error of each
        step, in the units of the networks.

    See Also
    --------
    RNNRegressor : The network alone, for scikit-learn.
    RNNTimeSeriesRegressor : The network as an sktime regressor, for `make_reduction`.

    Notes
    -----
    **What is taken out.** The drift is the mean change from row to row, less two standard errors.
    What the network says is added to a naive forecast, ``weight * network + memory**step * last``,
    with a weight from 0 to 1 that fits the rows held out best, times the positive part of James and
    Stein's factor. Without season and drift, and around the mean, the last row is carried on with a
    memory that is 1 for a random walk, whose forecast is the last value, and less for a series that
    returns to its mean [7]_: as much less as fits all steps of a window best, times James and
    Stein's factor of Dickey and Fuller's test for a random walk, so that chance does not pass for
    returning. As far as a series returns to a line, its drift is the line's slope.

    **Intervals** are split conformal ones [5]_ for each step ahead [6]_: what the first network
    missed in the rows held out, over the typical error of its step, is pooled over steps and
    series, and the quantile of its size, with the correction for few rows, is put around the
    forecast. Typical errors do not fall with the steps, and grow like those of a random walk
    beyond the steps that could be measured. Errors of several steps overlap, so that a short series
    says little of their size: intervals are wider by Student's t over the normal quantile, its
    degrees of freedom being the number of rows held out over that overlap, and 3 at least. This
    holds coverage roughly, not by a theorem, as rows of a series cannot be exchanged. Of series too
    short to hold rows out, the errors are those of training, and too small.

    **In sample**, each row is predicted from the rows before it. The first windows reach before the
    series and repeat its first row; the first row itself is answered from itself alone.

    **X** of the past is part of the window, and X of the steps ahead is known to the network, so
    `predict` needs X for every step up to the last, gaps included. A network of "multioutput" sees
    X of all its steps, also where fewer are asked for: rows that X does not reach repeat its last.
    sktime's `evaluate` passes X at the steps of fh alone, so fh must have no gaps there.

    **Updates.** With ``update_params=False`` only the rows move on: a series keeps its season,
    drift and size, and a new series gets its own, so that it can be forecast by a network that
    never saw it. With True these are found anew from all rows, and training goes on for a fifth
    of the epochs.

    **Unseen series.** ``pretrain(panel)`` (sktime ≥ 1.2), then ``fit(series)`` forecasts the series
    with the network of the panel; ``fit(panel).update(others, update_params=False)`` does it
    elsewhere.

    **What it does not see.** A series that has stopped, such as one that is zero from some row on,
    is forecast by its whole past all the same. Fit it on the rows that still say something.

    A forecast is the median where logarithms are taken, not the mean. sktime's own memory of the
    data is off (``remember_data``), as the forecaster keeps the rows itself.

    References
    ----------
    .. [1] S. Ben Taieb, G. Bontempi, A. Atiya, A. Sorjamaa (2012). A review and comparison of
       strategies for multi-step ahead time series forecasting. Expert Systems with Applications
       39(8). Window normalisation, deseasonalisation and multiple outputs are what H. Hewamalage,
       C. Bergmeir, K. Bandara (2021) recommend: Recurrent neural networks for time series
       forecasting. International Journal of Forecasting 37(1).
    .. [2] I. Sutskever, O. Vinyals, Q. V. Le (2014). Sequence to sequence learning with neural
       networks. Advances in neural information processing systems 27.
    .. [3] D. Miller, D. Williams (2003). Shrinkage estimators of time series seasonal factors and
       their effect on forecasting accuracy. International Journal of Forecasting 19(4).
    .. [4] V. M. Guerrero (1993). Time-series analysis supported by power transformations. Journal
       of Forecasting 12(1).
    .. [5] J. Lei, M. G'Sell, A. Rinaldo, R. Tibshirani, L. Wasserman (2018). Distribution-free
       predictive inference for regression. Journal of the American Statistical Association 113.
    .. [6] K. Stankevičiūtė, A. Alaa, M. van der Schaar (2021). Conformal time-series forecasting.
       Advances in neural information processing systems 34.
    .. [7] B. E. Hansen (2010). Averaging estimators for autoregressions with a near unit root.
       Journal of Econometrics 158(1).

    Examples
    --------
    >>> from skrnn import RNNForecaster
    >>> from skrnn.datasets import load_airline
    >>> passengers = load_airline()["Passengers"]
    >>> forecaster = RNNForecaster(sp=12, random_state=0)
    >>> forecaster.fit(passengers[:-12], fh=range(1, 13))
    RNNForecaster(random_state=0, sp=12)
    >>> forecast = forecaster.predict()
    >>> forecast.index[0], bool(abs(forecast - passengers[-12:]).mean() < 30)
    (Period('1960-01', 'M'), True)
    >>> forecaster.predict_interval(coverage=0.9).shape
    (12, 2)
    """

    _tags = {
        "authors": ["the skrnn developers"],
        "python_dependencies": ["tensorflow", "keras"],
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:categorical_in_X": False,
        "capability:non_contiguous_X": False,
        "capability:insample": True,
        "capability:pred_int": True,
        "capability:pred_int:insample": True,
        "capability:missing_values": False,
        "capability:update": True,
        "capability:pretrain": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "pretrain:fitted_params": ["model_"],
        "requires-fh-in-fit": False,
        "X-y-must-have-same-index": True,
    }
    _config = {"remember_data": False}

    def __init__(
        self,
        window_length=None,
        cell="gru",
        units=16,
        *,
        sp=1,
        strategy="multioutput",
        decoder="dense",
        residual=True,
        seasonal="indices",
        log="auto",
        scaler="series",
        transformer=None,
        n_networks=1,
        dropout=0.0,
        loss="mse",
        optimizer="adam",
        learning_rate=0.005,
        epochs=None,
        batch_size=32,
        early_stopping=True,
        validation_fraction=0.2,
        random_state=None,
        verbose=0,
    ):
        self.window_length = window_length
        self.cell = cell
        self.units = units
        self.sp = sp
        self.strategy = strategy
        self.decoder = decoder
        self.residual = residual
        self.seasonal = seasonal
        self.log = log
        self.scaler = scaler
        self.transformer = transformer
        self.n_networks = n_networks
        self.dropout = dropout
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose
        super().__init__()
        self._y = self._X = None  # sktime's own memory, off by default; ours holds a series once
        if strategy == "direct":
            self.set_tags(**{"requires-fh-in-fit": True})

    def _fit(self, y, X, fh):
        self._check_parameters()
        model = getattr(self, "model_", None)  # of `pretrain`
        y = y if model is None else _in_order(y, model.columns)
        histories = self._histories_of(y, X, model)
        # With its frequency.
        self._cutoff = histories[0].clock.last(self._cutoff[0])  # type: ignore[has-type]
        if model is None:
            model = self._trained(histories, fh, self._cutoff)
            scales = model.scales
        else:
            scales = [model.scale_of(history) for history in histories]
            for history, scale in zip(histories, scales, strict=True):
                model.check_known(history, scale)
        self.model_ = model
        self._keep(histories, scales)
        return self

    def _pretrain(self, y, X=None, fh=None):
        self._check_parameters()
        histories = self._histories_of(y, X)
        cutoff = histories[0].clock.last(max(history.index[-1] for history in histories))
        self.model_ = self._trained(histories, fh, cutoff)
        return self

    def _pretrain_update(self, y, X=None, fh=None):
        histories = self._histories_of(_in_order(y, self.model_.columns), X, self.model_)
        self.model_ = copy.deepcopy(self.model_)  # clones share what was there before
        self.model_.go_on(histories, _UPDATE)
        return self

    def _trained(self, histories, fh, cutoff):
        options = SimpleNamespace(**self.get_params(deep=False))
        model = PanelModel(options, self._steps(histories, fh, cutoff)).fit(histories)
        model.columns = [*self._columns]
        return model

    def _check_parameters(self):
        check_name("strategy", self.strategy, ["multioutput", "recursive", "direct"])
        check_name("decoder", self.decoder, ["dense", "recurrent"])
        check_name("seasonal", self.seasonal, ["indices", "difference", None])
        for name in ("log", "residual", "early_stopping"):
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_) and (name, value) != ("log", "auto"):
                also = ", or 'auto'" if name == "log" else ""
                raise ValueError(f"{name} must be True or False{also}, got {value!r}.")
        count, share = (
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 0.5, closed="right"),
        )
        limits = {"sp": count, "n_networks": count, "validation_fraction": share}
        limits |= {"batch_size": count}
        if self.window_length is not None:
            limits["window_length"] = count
        if self.epochs is not None:
            limits["epochs"] = count
        for name, limit in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not limit.is_satisfied_by(value):
                raise ValueError(f"{name} must be {limit}, got {value!r}.")
        for name, known in (("scaler", ["series", None]), ("transformer", [None])):
            value = getattr(self, name)
            if isinstance(value, str) or value is None:
                check_name(name, value, known)
            elif not (hasattr(value, "fit_transform") and hasattr(value, "inverse_transform")):
                raise ValueError(
                    f"{name}={value!r} has no fit_transform and inverse_transform: pass a "
                    "transformer whose forecasts can be turned back, or None."
                )
            elif name == "scaler" and hasattr(value, "get_tag"):
                raise ValueError(
                    f"scaler={value!r} is a transformer of sktime's, which needs the index of a "
                    "series: pass it as transformer=, or take one of scikit-learn's."
                )

    def _steps(self, histories, fh, cutoff):
        """Return the steps ahead that forecasts are wanted of, ascending."""
        if fh is None:
            return [*range(1, max(self.sp, 2) + 1)]
        relative = _relative(fh, cutoff)
        late = {history.rows_until(cutoff[0])[1] for history in histories}
        wanted = {max(step + more, 1) for step in relative.tolist() for more in late}
        return sorted(wanted) if self.strategy == "direct" else [*range(1, max(wanted) + 1)]

    def _histories_of(self, y, X, model=None, clock=None):
        """Return what is known of each series, in the form that a model was trained on."""
        exog, histories = self._exog_of(X, model, y.index), []
        clock = indexer_of(y) if clock is None else clock
        for key, rows in split_panel(y):
            values = rows.to_numpy(dtype=float)
            _check_finite("y", rows, values)
            histories.append(PanelSeries(key, rows.index, values, exog.get(key), clock))
            if X is not None and key not in exog:
                raise ValueError(f"X has no rows for {histories[-1].name}: pass X of all series.")
        if model is not None:
            model.check_alike(histories)
        self._columns = y.columns
        self._index = y.index[:1]
        return histories

    def _exog_of(self, X, model, index):
        """Return the exogenous rows by the keys of their series, with the columns of fit."""
        if X is None:
            return {}
        check_labels("X", X, index)
        known = [*X.columns] if model is None else model.exog_columns
        if set(known) != set(X.columns):
            had = f"columns {known}" if known else "no X"
            raise ValueError(
                f"X has the columns {[*X.columns]}, but the forecaster was fitted with {had}. "
                "Pass the same columns, or fit it anew."
            )
        _check_finite("X", X, X.to_numpy(dtype=float))
        return dict(split_panel(X[known]))

    def _keep(self, histories, scales):
        # What sktime labels forecasts by is that of the last y.
        self._y_metadata: dict = self._y_metadata | {"feature_names": [*self._columns]}
        self._kept = {name: copy.copy(vars(self)[name]) for name in _SKTIME_STATE}
        self._histories = {history.key: history for history in histories}
        self._scales = dict(zip(self._histories, scales, strict=True))

    def _update(self, y, X=None, update_params=True):
        # Not sktime's own, which warns, and fits anew with what it remembers.
        try:
            self._take_over(y, X, update_params)
        except Exception:
            for name, value in self._kept.items():  # sktime has changed some already
                setattr(self, name, value)
            raise
        return self

    def _take_over(self, y, X, update_params):
        if y is not None:
            y = self._as_in_fit(y)
        histories = dict(self._histories)
        clock = next(iter(histories.values())).clock
        self._cutoff = clock.last(self._cutoff[0])
        for history in self._histories_of(y, X, self.model_, clock):
            known = histories.get(history.key)
            histories[history.key] = history if known is None else known.extended(history)
        everything = [histories[key] for key in sorted(histories)]
        if update_params:
            model = copy.deepcopy(self.model_)
            model.go_on(everything, _UPDATE)
            self.model_ = model
            self._keep(everything, model.scales)
        else:
            scales = [self._scale_of(history) for history in everything]
            for history, scale in zip(everything, scales, strict=True):
                self.model_.check_known(history, scale)
            self._keep(everything, scales)

    def _as_in_fit(self, y):
        """Return y with its columns in the order of fit, or raise an error if it is unlike y."""
        check_labels("y", y, self._index)
        y = _in_order(y, self._columns)
        if set(y.columns) != set(self._columns):
            if len(y.columns) == len(self._columns) == 1:  # a series by another name
                return y.set_axis(self._columns, axis=1)
            raise ValueError(
                f"y has the columns {[*y.columns]}, but the forecaster was fitted on "
                f"{[*self._columns]}. Update with the same columns."
            )
        return y

    def _scale_of(self, history):
        """Return the scale that a series has already, or a new one."""
        scale = self._scales.get(history.key)
        if scale is None or scale.first_place != history.first_place:
            return self.model_.scale_of(history)
        return scale

    def _predict(self, fh, X):
        return self._frame(fh, X, [lambda levels, scale, steps: levels])[0]

    def _predict_quantiles(self, fh, X, alpha):
        def quantile(share):
            def shifted(levels, scale, steps):
                width = self.model_.width(abs(2 * share - 1), steps) * scale.size
                return levels + np.sign(share - 0.5) * width

            return shifted

        # A transformer may turn large into small: of both ends, the one on the side asked for.
        ends = [quantile(share) for one in alpha for share in (one, 1 - one)]
        frames = self._frame(fh, X, ends)
        found = [frame.to_numpy() for frame in frames]
        values = np.stack(
            [
                (np.minimum if share < 0.5 else np.maximum)(*found[2 * i : 2 * i + 2])
                for i, share in enumerate(alpha)
            ],
            axis=2,
        )
        columns = pd.MultiIndex.from_product([self._columns, alpha])
        return pd.DataFrame(values.reshape(len(values), -1), index=frames[0].index, columns=columns)

    def _frame(self, fh, X, changes):
        """Return a frame of forecasts for each of some changes to their levels."""
        relative = _relative(fh, self._cutoff)
        labels = pd.Index(fh.to_absolute_index(self._cutoff), name=self._index.names[-1])
        exog = self._exog_of(X, self.model_, self._index)
        known, rows = [], []
        for history in self._histories.values():
            n_known, late = history.rows_until(self._cutoff[0])
            known.append(history.cut(n_known))
            rows.append(n_known - 1 + late + relative)
            if n_known == 0 or rows[-1][0] < 0:
                raise ValueError(
                    f"{history.name} begins at {history.index[0]}, and fh asks for {labels[0]}: "
                    "ask for rows from the first one on."
                )
        scales = [*self._scales.values()]
        levels = self._levels(known, scales, rows, [exog.get(history.key) for history in known])
        index = labels
        if [*self._histories] != [()]:
            index = pd.MultiIndex.from_tuples(
                [(*key, label) for key in self._histories for label in labels],
                names=self._index.names,
            )
        frames = []
        for change in changes:
            values = [
                scale.values(change(level, scale, np.maximum(wanted - len(history) + 1, 1)), labels)
                for history, scale, wanted, level in zip(known, scales, rows, levels, strict=True)
            ]
            frames.append(pd.DataFrame(np.concatenate(values), index=index, columns=self._columns))
        return frames

    def _levels(self, histories, scales, rows, exog):
        """Return the levels of some rows of each series, known or not."""
        model = self.model_
        within = [wanted[wanted < len(h)] - 1 for wanted, h in zip(rows, histories, strict=True)]
        ahead = [int(wanted[-1]) - len(h) + 1 for wanted, h in zip(rows, histories, strict=True)]
        n_ahead = max(ahead)
        levels = [np.empty((len(wanted), model.n_columns)) for wanted in rows]
        if any(map(len, within)):
            found = model.forecast(histories, scales, within, 1)
            for level, one in zip(levels, found, strict=True):
                level[: len(one)] = one[:, 0]
        if n_ahead > 0:
            ends = [np.array([len(history) - 1]) for history in histories]
            found = model.forecast(histories, scales, ends, n_ahead, exog, ahead)
            for level, wanted, history, one in zip(levels, rows, histories, found, strict=True):
                later = wanted >= len(history)
                level[later] = one[0, wanted[later] - len(history)]
                if np.isnan(level).any():
                    steps = wanted[later][np.isnan(level[later]).any(axis=1)] - len(history) + 1
                    raise ValueError(
                        f"strategy='direct' has no network for {[*map(int, steps)]} steps after "
                        f"the end of {history.name}. Name the steps in fh of fit, or take "
                        "strategy='multioutput'."
                    )
        return levels

    @classmethod
    def get_test_params(cls, parameter_set="default"):
        """Return settings for sktime's own tests: small networks that train in an instant.

        Parameters
        ----------
        parameter_set : str, default="default"

        Returns
        -------
        params : list of dict
        """
        small = {"cell": "rnn", "units": 2, "epochs": 1, "random_state": 0, "early_stopping": False}
        return [
            small,
            small | {"window_length": 3, "strategy": "recursive", "sp": 2, "log": False},
        ]


def _relative(fh, cutoff):
    """Return fh as steps from the cutoff, 0 and below in sample."""
    if isinstance(cutoff, pd.DatetimeIndex) and cutoff.freq is None:
        raise ValueError(
            f"The dates up to {cutoff[0]} are not evenly apart, so there are no steps after them "
            "to forecast. Give the series dates with a frequency, for instance by `asfreq`, or a "
            "PeriodIndex."
        )
    if not fh.is_relative:
        fh = fh.to_relative(cutoff)
    return np.asarray(fh.to_pandas(), dtype=int)


def _in_order(y, columns):
    """Return y with its columns in a known order, where they are the same."""
    same = len(y.columns) == len(columns) and set(y.columns) == set(columns)
    return y[[*columns]] if same else y


def _check_finite(name, frame, values):
    """Raise a ValueError that names the first number that is none, or has no square."""
    fine = np.abs(values) < 1e150  # NaN is not
    if fine.all():
        return
    row, column = np.argwhere(~fine)[0]
    raise ValueError(
        f"{name} holds {values[row, column]} at {frame.index[row]} in column "
        f"{frame.columns[column]!r}, but windows need finite numbers below 1e150: replace it first."
    )
