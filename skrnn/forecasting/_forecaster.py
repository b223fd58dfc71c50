"""RNNForecaster: recurrent neural networks as an sktime forecaster."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from .._checks import check_numeric
from .._parameters import POSITIVE_INT, RANDOM_STATE, Cell, Units
from .._sklearn_compat import HasMethods, Interval, StrOptions
from ._panel_model import MultiScaledSeries, PanelModel
from ._series import (
    ADVICE_ON_GAPS,
    PanelSeries,
    TimeIndexer,
    check_index_type,
    check_no_duplicates,
    check_rows,
    split_panel,
)

if TYPE_CHECKING:
    import keras

# Fraction of the epochs for which an update resumes training.
_UPDATE_FRACTION = 0.2

# Maximum number of steps ahead. More would exceed the memory.
_MAX_STEPS = 100_000

# Attributes of the last y, set by sktime and by `_read_panel`, to restore after a failed update.
_STATE = "_columns", "_index", "_cutoff", "_y_metadata", "_y_mtype_last_seen", "_converter_store_y"

_INVERTIBLE = HasMethods(["fit_transform", "inverse_transform"])
# `RNNRegressor` validates the other parameters.
_CONSTRAINTS: dict[str, list] = {
    "window_length": [POSITIVE_INT, None],
    "sp": [POSITIVE_INT],
    "strategy": [StrOptions({"multioutput", "recursive", "direct"})],
    "decoder": [StrOptions({"dense", "recurrent"})],
    "residual": [bool],
    "seasonal": [StrOptions({"auto", "indices", "difference", "window"}), None],
    "units": [POSITIVE_INT, tuple, list, None],
    "loss": [str, Callable, None],
    "learning_rate": [StrOptions({"auto"}), Real, None],
    "log": [StrOptions({"auto"}), bool],
    "scaler": [StrOptions({"series"}), _INVERTIBLE, None],
    "transformer": [_INVERTIBLE, None],
    "n_networks": [POSITIVE_INT],
    "epochs": [POSITIVE_INT, None],
    "batch_size": [POSITIVE_INT, None],
    "early_stopping": [bool],
    "validation_fraction": [Interval(Real, 0, 0.5, closed="right")],
    "random_state": RANDOM_STATE,
}


class RNNForecaster(BaseForecaster):
    """Forecast single series and panels with recurrent neural networks.

    Several models remove seasonality in different ways: by seasonal indices, by the difference to
    the season before, or window by window. Each model has a base forecast without a network, and
    a network that predicts the deviations from the base forecast. One network is trained on all
    series of a panel. The number of epochs, the weights of the base forecasts, the networks and the
    naive forecasts in the average of all forecasts, and the width of the prediction intervals are
    estimated on a holdout at the end of the series. Networks with a positive weight are then
    trained again on all rows.

    Parameters
    ----------
    window_length : int, default=None
        Number of rows in a window. If None, it is 12 without seasonality, and otherwise `sp`, but
        at least 8 and at most 48, halved until there are at least 12 windows. With
        ``seasonal="window"``, it is 2 to 8 seasons, or 24 rows without seasonality.
    cell : str, class or callable, default="gru"
        Recurrent cell, as in `RNNRegressor`.
    units : int or sequence of int, default=None
        Number of units of each recurrent layer. If None, it is 16, and with ``seasonal="window"``
        32 to 128, depending on the number of windows.
    sp : int, default=1
        Seasonal periodicity in rows, such as 12 for monthly series. If 1, there is no seasonality.
    strategy : {"multioutput", "recursive", "direct"}, default="multioutput"
        How to forecast several steps ahead [1]_. "multioutput" trains one network for all steps up
        to the last step in the `fh` of `fit` (without `fh`, one season; at most a third of the
        rows), and applies it recursively for further steps. "recursive" trains one network for the
        next step and applies it recursively. "direct" trains one network for each step in `fh`,
        which `fit` then requires.
    decoder : {"dense", "recurrent"}, default="dense"
        Layer that maps the state after a window to the steps ahead: a dense layer, or a second
        recurrent layer that outputs step by step [2]_.
    residual : bool, default=True
        Whether to subtract the last row from each window, and to predict the residuals of the naive
        forecast. Training starts at the naive forecast.
    seasonal : {"auto", "indices", "difference", "window", None}, default="auto"
        How to remove seasonality: "indices" subtracts seasonal indices, and "difference" subtracts
        the value one season earlier. If None, seasonality is not removed. The seasonal indices of a
        panel are shrunk towards a shared shape [3]_. With "window", each window is divided by its
        spread around the mean of its last season [8]_, and split into seasons, each of which is a
        time step of the network [9]_. "auto" averages the forecasts of "indices", "difference",
        "window", the last value and the value one season earlier, with weights that are estimated
        on the holdout. "window" is omitted with another `strategy` than "multioutput" or another
        `decoder` than "dense", and models that need more rows than there are.
    log : {"auto"} or bool, default="auto"
        Whether to take the logarithm. "auto" takes the logarithm of positive columns whose spread
        grows with their level (criterion of Guerrero [4]_), unless there is a `transformer`.
    scaler : {"series"}, scikit-learn transformer or None, default="series"
        "series" divides each series by the root mean square of its changes within windows. A
        transformer is fitted to each series after the logarithm. If None, the series are not
        scaled.
    transformer : sktime or scikit-learn transformer, default=None
        Transformer that is fitted to each series before all other steps, such as
        `BoxCoxTransformer`. It must not change the number of rows, and its `inverse_transform` must
        not depend on previous rows.
    n_networks : int, default=1
        Number of networks with different seeds whose forecasts are averaged.
    dropout : float in [0, 1), default=0.0
        Fraction of the outputs of each recurrent layer to drop during training.
    loss : str, keras.losses.Loss or callable, default=None
        Training loss. If None, it is "mse", and "mae" with ``seasonal="window"``.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        The optimizer. An instance is copied and not modified.
    learning_rate : float or "auto", default="auto"
        Learning rate. If None, the default of the optimizer is used. "auto" is 0.005. With
        ``seasonal="window"``, it rises to 0.005 and falls again during training.
    epochs : int, default=None
        Maximum number of epochs. If None, it is the number of epochs with about 500 gradient steps,
        at least 5 and at most 200. With ``seasonal="window"``, it is at least 10.
    batch_size : int, default=None
        Number of windows per gradient step. If None, it is 32, and with ``seasonal="window"`` 32 to
        256, depending on the number of windows.
    early_stopping : bool, default=True
        Whether to select the number of epochs by the loss on the holdout. Not with
        ``seasonal="window"``, whose learning rate falls until the last epoch.
    validation_fraction : float in (0, 0.5], default=0.2
        Fraction of the rows to hold out. The holdout is at least as long as the horizon and
        contains at most a third of the rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the networks. Pass an int for identical results across calls. If None, NumPy's
        global random state is used.
    verbose : int, default=0
        Verbosity of training: 0 is silent, 1 shows a progress bar, 2 prints one line per epoch.

    Attributes
    ----------
    model_ : PanelModel
        The fitted model. ``model_.scores`` is a DataFrame with the error of each naive forecast,
        base forecast and network on the holdout, and its weight in the average.
        ``model_.models`` contains the models with a positive weight, and ``model_.weights`` their
        weights, followed by those of the naive forecasts. For each model,
        ``model.strategy.networks`` contains the networks, each an `RNNRegressor`, and
        ``model.strategy.weights`` their weights. ``model_.errors`` is the typical error of each
        step, in the units of the networks.

    See Also
    --------
    RNNRegressor : The network as a scikit-learn estimator.
    RNNTimeSeriesRegressor : The network as an sktime regressor, for `make_reduction`.

    Notes
    -----
    **Forecasts.** With "indices" and "difference", the drift is the mean change per row. It is
    shrunk by its standard error, to zero if it is within two standard errors of zero. After
    seasonality and drift are removed, the forecast h steps ahead is ``weight * network + rho**h *
    last``. The weight of the network is between zero and one, and zero on a random walk. It is the
    least squares weight on the holdout, multiplied by the positive part of a James-Stein factor.
    The naive forecast decays from the last value to the mean with the AR(1) coefficient ``rho``.
    The coefficient is 1 for a random walk, whose forecast is the last value, and smaller for a
    mean-reverting series. Because estimates of ``rho`` are biased towards mean reversion, the
    estimate is averaged with 1. Its weight is the positive part of the James-Stein factor of a
    Dickey-Fuller test [7]_. The slope of the least squares line is averaged with the drift, with
    the same weight.

    With "window", the base forecast is the average of the last value and the value one season
    earlier, with the least squares weight of each step, plus a ridge regression on the window
    [10]_. The weight of the network is the same as above.

    The weight of a forecast in the average is proportional to the likelihood of its errors on the
    holdout, as an Akaike weight, with an effective number of errors that accounts for the overlap
    of forecasts of several steps. If this number is small, the weights are inversely proportional
    to the square of the mean squared error. Forecasts of the first model, named "indices"
    also without seasonality, have four times this weight. Forecasts with a weight below a tenth are
    dropped.

    **Prediction intervals** are computed by split conformal prediction [5]_ for each step ahead
    [6]_. The absolute errors of the forecasts on the holdout are divided by the typical error of
    their step. The half-width of the intervals is the quantile of these ratios over all steps and
    series, with the finite-sample correction, times the typical error. Typical errors do not
    decrease with the steps. Beyond the last step in the holdout, they grow like those of a random
    walk. Because errors of several steps overlap, intervals are widened by the ratio of the
    quantiles of Student's t distribution and the normal distribution. The degrees of freedom are
    the effective number of independent errors, at least 3. The coverage is approximate, because the
    rows of a time series are not exchangeable. If the series are too short for a holdout, errors
    are measured on the training data, and intervals are too narrow.

    **In-sample forecasts** predict each row from the rows before it. Windows that extend before the
    first row are padded with copies of it, and the first row is predicted from itself.

    **Exogenous variables.** The input of the network contains the rows of X in the window and at
    all steps ahead. `predict` therefore requires X for every step up to the last step in `fh`,
    without gaps. With "multioutput", the input contains X for all steps of the network, even if
    `fh` has fewer steps. Rows after the end of X repeat its last row. sktime's `evaluate` passes X
    only for the steps in `fh`, so `fh` must not have gaps in this case.

    **Updates.** With ``update_params=False``, `update` appends the rows. The seasonal indices,
    drift and scale of known series are not changed, and new series are forecast with the fitted
    networks. With ``update_params=True``, seasonal indices, drift and scale are estimated again,
    and training is resumed for a fifth of the epochs.

    **Unseen series.** ``pretrain(panel)`` followed by ``fit(series)`` forecasts the series with the
    networks of the panel (sktime ≥ 1.2). ``fit(panel).update(others, update_params=False)`` does
    the same in all versions.

    **Limitations.** If a series becomes constant, for example zero after a product is discontinued,
    its forecast still depends on all of its rows. Drop rows that are no longer relevant before
    fitting. If logarithms are taken, forecasts are medians rather than means. The forecaster stores
    the data itself, so sktime's config ``remember_data`` is False.

    References
    ----------
    .. [1] S. Ben Taieb, G. Bontempi, A. Atiya, A. Sorjamaa (2012). A review and comparison of
       strategies for multi-step ahead time series forecasting. Expert Systems with Applications
       39(8). Window normalization, deseasonalization and multiple outputs follow H. Hewamalage,
       C. Bergmeir, K. Bandara (2021). Recurrent neural networks for time series forecasting:
       Current status and future directions. International Journal of Forecasting 37(1).
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
    .. [8] T. Kim et al. (2022). Reversible instance normalization for accurate time-series
       forecasting against distribution shift. International Conference on Learning
       Representations.
    .. [9] S. Lin et al. (2023). SegRNN: Segment recurrent neural network for long-term time series
       forecasting. arXiv:2308.11200.
    .. [10] A. Zeng, M. Chen, L. Zhang, Q. Xu (2023). Are transformers effective for time series
       forecasting? AAAI Conference on Artificial Intelligence.

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

    model_: PanelModel

    _tags = {
        "authors": ["the skrnn developers"],
        "python_dependencies": ["tensorflow", "keras"],
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "capability:multivariate": True,
        "capability:categorical_in_X": False,
        "capability:non_contiguous_X": False,
        "capability:pred_int": True,
        "capability:update": True,
        "capability:pretrain": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "pretrain:fitted_params": ["model_"],
        "requires-fh-in-fit": False,
    }
    _config = {"remember_data": False}

    def __init__(
        self,
        window_length: int | None = None,
        cell: Cell = "gru",
        units: Units | None = None,
        *,
        sp: int = 1,
        strategy: str = "multioutput",
        decoder: str = "dense",
        residual: bool = True,
        seasonal: str | None = "auto",
        log: str | bool = "auto",
        scaler: Any = "series",
        transformer: Any = None,
        n_networks: int = 1,
        dropout: float = 0.0,
        loss: "str | keras.losses.Loss | Callable[..., Any] | None" = None,
        optimizer: "str | keras.optimizers.Optimizer" = "adam",
        learning_rate: float | str | None = "auto",
        epochs: int | None = None,
        batch_size: int | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
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
        self._y = self._X = None  # sktime reads them, but sets them only with remember_data
        if strategy == "direct":
            self.set_tags(**{"requires-fh-in-fit": True})

    def _options(self):
        """Return an unfitted forecaster with the same parameters, or raise if one is invalid."""
        for name, constraints in _CONSTRAINTS.items():
            value = getattr(self, name)
            if not any(_is_satisfied(constraint, value) for constraint in constraints):
                names = [f"a {c.__name__}" if isinstance(c, type) else str(c) for c in constraints]
                need = " or ".join(names)
                raise ValueError(f"{name} must be {need}, got {value!r}.")
        if hasattr(self.scaler, "get_tag"):
            raise ValueError(
                f"scaler={self.scaler!r} is an sktime transformer, which needs the index of a "
                "series. Pass it as transformer=, or pass a scikit-learn transformer."
            )
        return type(self)(**self.get_params(deep=False))

    def _check_X_y(self, X=None, y=None, *args, **kwargs):
        """Check X and y before sktime converts them, and label the rows of an array X."""
        for name, data in (("y", y), ("X", X)):
            if hasattr(data, "iloc"):
                check_rows(name, data)
                # sktime raises an error for strings and categories.
                columns = pd.DataFrame(data).select_dtypes(exclude=["category", "object", "string"])
                if columns.size:
                    check_numeric(columns, name)
            elif isinstance(data, list) and not data:
                raise ValueError(f"{name} is an empty list. Pass a series or a panel.")
        if isinstance(y, np.ndarray) and hasattr(self, "_panel"):
            raise ValueError(
                f"y is an array of shape {y.shape}, whose rows have no labels. Update with a "
                f"Series or DataFrame whose index continues after {self._cutoff[0]}."
            )
        if isinstance(X, np.ndarray) and X.ndim in (1, 2):
            X = self._label_rows(X.reshape(len(X), -1), y)
        try:
            return super()._check_X_y(X, y, *args, **kwargs)
        except Exception:
            self._restore_state()
            raise

    def _restore_state(self):
        """Restore the attributes of the last y, some of which sktime has set before an error."""
        for name, value in getattr(self, "_sktime_state", {}).items():
            setattr(self, name, copy.copy(value))

    def _label_rows(self, X, y):
        """Return an array X as a DataFrame: its rows are those of y, or follow the cutoff."""
        model = getattr(self, "model_", None)
        if y is not None:
            index = getattr(y, "index", pd.RangeIndex(len(y)))
        elif () in getattr(self, "_panel", {}):
            index = self._panel[()].series.indexer.labels_after(self._cutoff[0], len(X))
        else:
            index = None
        if index is None or getattr(index, "nlevels", 1) > 1:
            raise ValueError(
                f"X is an array of shape {X.shape}, whose rows have no labels. Pass a DataFrame "
                "with the index of the rows."
            )
        if len(index) != len(X):
            raise ValueError(
                f"X is an array of {len(X)} rows, but y has {len(index)}. Pass one row of X for "
                "each row of y, or a DataFrame."
            )
        columns = [] if model is None else model.exog_columns
        return pd.DataFrame(X, index, columns if len(columns) == X.shape[1] else None)

    def _check_fh(self, fh, *args, **kwargs):
        labels = [fh] if isinstance(fh, str) else fh
        if isinstance(labels, list | tuple) and any(isinstance(label, str) for label in labels):
            raise ValueError(
                f"fh={fh!r} contains strings. Pass the number of steps ahead, or dates, such as "
                "pd.DatetimeIndex(fh)."
            )
        self._former_fh = getattr(self, "_fh", None)  # sktime stores fh before it is used
        return super()._check_fh(fh, *args, **kwargs)

    def _fit(self, y, X, fh):
        options = self._options()
        model = getattr(self, "model_", None)  # set by `pretrain`
        y = y if model is None else _reorder(y, model.columns)
        panel = self._read_panel(y, X, model)
        self._cutoff = panel[0].indexer.with_freq(self._cutoff[0])  # type: ignore[has-type]
        if model is None:
            model = self._make_model(options, panel, fh, self._cutoff)
            scaled = model.fit(panel)
        else:
            scaled = [model.scale(series) for series in panel]
        self.model_ = model
        self._store_state(scaled)
        return self

    def _pretrain(self, y, X=None, fh=None):
        options = self._options()
        panel = self._read_panel(y, X)
        cutoff = panel[0].indexer.with_freq(max(series.index[-1] for series in panel))
        model = self._make_model(options, panel, fh, cutoff)
        model.fit(panel)
        self.model_ = model
        return self

    def _pretrain_update(self, y, X=None, fh=None):
        panel = self._read_panel(_reorder(y, self.model_.columns), X, self.model_)
        self.model_ = copy.deepcopy(self.model_)  # clones share the former model
        self.model_.resume(panel, _UPDATE_FRACTION)
        return self

    def _make_model(self, options, panel, fh, cutoff):
        """Return an unfitted model for the steps in fh, counted from the end of each series."""
        steps = {max(self.sp, 2)}
        if fh is not None:
            relative = _steps_from_cutoff(fh, cutoff, panel[0].indexer).tolist()
            delays = {series.count_until(cutoff[0])[1] for series in panel}
            steps = {max(step + delay, 1) for step in relative for delay in delays}
        if self.strategy != "direct":
            steps = {*range(1, max(steps) + 1)}
        return PanelModel(options, sorted(steps), [*self._columns])

    def _read_panel(self, y, X, model=None, indexer=None):
        """Return all series with their exogenous variables, and set the columns and index of y.

        They are checked against the model if it is fitted.
        """
        exog, panel = self._read_exog(X, model, y.index), []
        frames = dict(split_panel(y))
        if indexer is None:
            indexer = TimeIndexer(max((rows.index for rows in frames.values()), key=len))
        for key, rows in frames.items():
            values = _finite_values("y", rows)
            panel.append(PanelSeries(key, rows.index, values, exog.get(key), indexer))
            if X is not None and key not in exog:
                raise ValueError(f"X has no rows for {panel[-1].name}. Pass X of all series.")
        if model is not None:
            model.check_compatible(panel)
        self._columns = y.columns
        self._index = y.index[:1]
        return panel

    def _read_exog(self, X, model, index):
        """Return the exogenous variables by series key, with the columns in the order of fit."""
        if X is None:
            return {}
        check_index_type("X", X, index)
        columns = [*X.columns] if model is None else model.exog_columns
        if set(columns) != set(X.columns):
            fitted = f"columns {columns}" if columns else "no X"
            raise ValueError(
                f"X has the columns {[*X.columns]}, but the forecaster was fitted with {fitted}. "
                "Pass the same columns, or fit the forecaster again."
            )
        _finite_values("X", X)
        exog = dict(split_panel(X[columns]))
        for rows in exog.values():
            check_no_duplicates("X", rows.index)
        return exog

    def _store_state(self, scaled):
        # sktime names the columns of forecasts by the metadata of the last y.
        self._y_metadata: dict = self._y_metadata | {"feature_names": [*self._columns]}
        self._sktime_state = {name: copy.copy(vars(self)[name]) for name in _STATE}
        self._panel = {s.series.key: s for s in scaled}
        self._former_fh = self._fh

    def _update(self, y, X=None, update_params=True):
        # Replaces the method of sktime, which warns, and refits on remembered data.
        try:
            self._append(y, X, update_params)
        except Exception:
            self._restore_state()
            raise
        return self

    def _append(self, y, X, update_params):
        """Append rows to the series, and update or fit the scalers of all series."""
        y = self._match_columns(y)
        stored = {key: scaled.series for key, scaled in self._panel.items()}
        indexer, model = next(iter(stored.values())).indexer, self.model_
        self._cutoff = indexer.with_freq(self._cutoff[0])
        for series in self._read_panel(y, X, model, indexer):
            old = stored.get(series.key)
            stored[series.key] = series if old is None else old.append(series)
        panel = [stored[key] for key in sorted(stored)]
        if update_params:
            model = copy.deepcopy(model)
            scaled = model.resume(panel, _UPDATE_FRACTION)
        else:
            scaled = [model.scale(series, self._panel.get(series.key)) for series in panel]
        self.model_ = model
        self._store_state(scaled)

    def _match_columns(self, y):
        """Return y with the columns in the order of fit, or raise a ValueError if they differ."""
        check_index_type("y", y, self._index)
        y = _reorder(y, self._columns)
        if set(y.columns) != set(self._columns):
            if len(y.columns) == len(self._columns) == 1:  # a renamed series
                return y.set_axis(self._columns, axis=1)
            raise ValueError(
                f"y has the columns {[*y.columns]}, but the forecaster was fitted on "
                f"{[*self._columns]}. Update with the same columns."
            )
        return y

    def predict_origins(
        self,
        y: pd.Series | pd.DataFrame,
        origins: Sequence[int],
        fh: Sequence[int],
        X: pd.DataFrame | None = None,
    ) -> np.ndarray:
        """Forecast a series from several rows, as after an update with the rows up to each of them.

        Networks, seasonal indices, drift and scale are those of `fit`. For a series that was not in
        `fit`, or that begins at another row, they are estimated on the rows up to the first origin.

        Parameters
        ----------
        y : Series, DataFrame or panel with one series
            The series, with the columns and the type of index of `fit`.
        origins : sequence of int
            Positions of the last observed rows.
        fh : sequence of int
            Steps ahead, from 1.
        X : DataFrame, default=None
            Exogenous variables, if there were any in `fit`, up to the last step after the last
            origin.

        Returns
        -------
        forecasts : ndarray of shape (n_origins, len(fh), n_columns)

        Raises
        ------
        ValueError
            If an origin is not a row of y, a step is not positive, or y is a panel of several
            series.
        NotFittedError
            If the forecaster is not fitted.

        Examples
        --------
        >>> from skrnn import RNNForecaster
        >>> from skrnn.datasets import load_airline
        >>> passengers = load_airline()["Passengers"]
        >>> forecaster = RNNForecaster(sp=12, random_state=0).fit(passengers[:100], fh=[1, 2])
        >>> forecaster.predict_origins(passengers, origins=range(99, 142), fh=[1, 2]).shape
        (43, 2, 1)
        """
        self.check_is_fitted()
        frame = self._match_columns(y.to_frame() if isinstance(y, pd.Series) else y)
        ends, steps = np.asarray(origins, dtype=int), np.asarray(fh, dtype=int)
        ((key, rows), *others) = split_panel(frame)
        if others:
            raise ValueError(f"y has {1 + len(others)} series. Pass one series at a time.")
        if not len(ends) or ends.min() < 0 or ends.max() >= len(rows):
            raise ValueError(
                f"origins must contain positions of the {len(rows)} rows of y, from 0 to "
                f"{len(rows) - 1}, got {ends.tolist()}."
            )
        if not len(steps) or steps.min() < 1:
            raise ValueError(f"fh must contain steps ahead, from 1, got {steps.tolist()}.")
        exog = self._read_exog(X, self.model_, self._index)
        indexer = next(iter(self._panel.values())).series.indexer
        series = PanelSeries(key, rows.index, _finite_values("y", rows), exog.get(key), indexer)
        self.model_.check_compatible([series])
        fitted = self._panel.get(key)
        if fitted is None or fitted.series.first_ordinal != series.first_ordinal:
            fitted = self.model_.scale(series.head(int(ends.min()) + 1))
        scaled = MultiScaledSeries(series, tuple(replace(p, series=series) for p in fitted.parts))
        n_steps = int(steps.max())
        n_after = n_steps - (len(rows) - 1 - int(ends.max()))
        (forecasts,) = self.model_.forecast([scaled], [ends], n_steps, n_required=[n_after])
        labels = pd.RangeIndex(len(steps))
        return np.array([scaled.scaler.inverse_transform(f[steps - 1], labels) for f in forecasts])

    def _predict(self, fh, X):
        forecasts, labels, index = self._forecast(fh, X)
        values = [scaler.inverse_transform(values, labels) for scaler, values, _ in forecasts]
        return pd.DataFrame(np.concatenate(values), index=index, columns=self._columns)

    def _predict_quantiles(self, fh, X, alpha):
        forecasts, labels, index = self._forecast(fh, X)

        def quantile(level, scaler, values, steps):
            steps = np.maximum(steps, 1)  # in-sample forecasts are one step ahead
            half_width = self.model_.interval_half_width(abs(2 * level - 1), steps) * scaler.scale
            return scaler.inverse_transform(values + np.sign(level - 0.5) * half_width, labels)

        def quantiles(level):
            # Lower and upper quantiles are swapped by a decreasing transformer.
            select = np.minimum if level < 0.5 else np.maximum
            return np.concatenate(
                [select(quantile(level, *f), quantile(1 - level, *f)) for f in forecasts]
            )

        values = np.stack([quantiles(level) for level in alpha], axis=2)
        columns = pd.MultiIndex.from_product([self._columns, alpha])
        return pd.DataFrame(values.reshape(len(values), -1), index=index, columns=columns)

    def _forecast(self, fh, X):
        """Forecast the transformed series; see `_forecast_labels`."""
        try:
            return self._forecast_labels(fh, X)
        except Exception:
            self._fh = self._former_fh
            raise

    def _forecast_labels(self, fh, X):
        """Forecast the transformed series.

        Returns
        -------
        forecasts : list of tuples (scaler, values, steps)
            For each series its scaler, forecasts of shape (n_rows, n_columns), and the steps from
            its last row to each forecast, 0 or negative in sample.
        labels : pandas.Index of length n_rows
        index : pandas.Index
            Labels of the forecasts of all series.
        """
        indexer = next(iter(self._panel.values())).series.indexer
        relative = _steps_from_cutoff(fh, self._cutoff, indexer)
        if indexer.kind == "int":
            labels = pd.Index(self._cutoff[0] + relative * indexer.step)
        else:
            labels = pd.Index(fh.to_absolute_index(self._cutoff))
            _check_on_grid(labels, relative, self._cutoff[0], indexer)
        labels = labels.rename(self._index.names[-1])
        exog = self._read_exog(X, self.model_, self._index)
        panel, steps = [], []
        for scaled in self._panel.values():
            series = scaled.series
            n_rows, delay = series.count_until(self._cutoff[0])
            panel.append(scaled.head(n_rows))
            steps.append(delay + relative)
            if n_rows == 0 or n_rows + steps[-1][0] <= 0:
                raise ValueError(
                    f"{series.name} begins at {series.index[0]}, but fh contains {labels[0]}. "
                    "The earliest row that can be forecast is the first row."
                )
        values = self._forecast_steps(panel, steps, [exog.get(key) for key in self._panel])
        forecasts = [*zip([scaled.scaler for scaled in panel], values, steps, strict=True)]
        if () in self._panel:  # a single series
            return forecasts, labels, labels
        tuples = [(*key, label) for key in self._panel for label in labels]
        return forecasts, labels, pd.MultiIndex.from_tuples(tuples, names=self._index.names)

    def _forecast_steps(self, panel, steps, exog):
        """Return transformed forecasts of given steps of each series, in or out of sample."""
        model = self.model_
        values = [np.empty((len(ahead), model.n_columns)) for ahead in steps]
        ends = [np.array([len(scaled) - 1]) for scaled in panel]
        in_sample = [end - 1 + s[s <= 0] for end, s in zip(ends, steps, strict=True)]
        if any(map(len, in_sample)):
            for array, forecast in zip(values, model.forecast(panel, in_sample, 1), strict=True):
                array[: len(forecast)] = forecast[:, 0]
        n_ahead = [int(ahead[-1]) for ahead in steps]
        if max(n_ahead) > 0:
            forecasts = model.forecast(panel, ends, max(n_ahead), exog, n_ahead)
            for array, scaled, ahead, forecast in zip(values, panel, steps, forecasts, strict=True):
                array[ahead > 0] = forecast[0, ahead[ahead > 0] - 1]
                missing = ahead[np.isnan(array).any(axis=1)]
                if len(missing):
                    raise ValueError(
                        f"strategy='direct' has no network for {missing.tolist()} steps after the "
                        f"end of {scaled.series.name}. Pass these steps in fh to fit, or set "
                        "strategy='multioutput'."
                    )
        return values

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Return parameters of small networks for the conformance tests of sktime.

        Parameters
        ----------
        parameter_set : str, default="default"
            Ignored.

        Returns
        -------
        params : list of dict
        """
        small = {"window_length": 3, "cell": "rnn", "units": 2, "epochs": 1, "random_state": 0}
        small["early_stopping"] = False
        recursive = {"strategy": "recursive", "sp": 2, "log": False, "seasonal": "indices"}
        return [small, small | recursive]


def _steps_from_cutoff(fh, cutoff, indexer):
    """Return fh as steps from the cutoff; 0 and negative steps are in sample."""
    if isinstance(cutoff, pd.DatetimeIndex) and cutoff.freq is None:
        raise ValueError(
            f"The dates up to {cutoff[0]} are not evenly spaced, so the dates after them are "
            f"unknown. {ADVICE_ON_GAPS}"
        )
    if indexer.kind == "int" and not fh.is_relative:
        labels = pd.Index(fh.to_pandas()).append(cutoff)
        ordinals = indexer.ordinals(labels)
        steps = ordinals[:-1] - ordinals[-1]
    else:
        fh = fh if fh.is_relative else fh.to_relative(cutoff)
        steps = np.asarray(fh.to_pandas(), dtype=int)
    if steps.max() > _MAX_STEPS:
        raise ValueError(
            f"fh contains {steps.max()} steps after the cutoff {cutoff[0]}, more than "
            f"{_MAX_STEPS}. Pass steps of the index of y, as ints, or labels of that index."
        )
    return steps


def _check_on_grid(labels, steps, cutoff, indexer):
    """Raise a ValueError if a label after the cutoff lies between the labels of the series."""
    future = steps > 0
    following = indexer.labels_after(cutoff, max(steps.max(), 1))
    if future.any() and following is not None:
        expected = following[steps[future] - 1]
        wrong = np.flatnonzero(labels[future] != expected)
        if len(wrong):
            raise ValueError(
                f"fh contains {labels[future][wrong[0]]}, which lies between the labels of the "
                f"series, such as {expected[wrong[0]]}. Pass labels of the series."
            )


def _is_satisfied(constraint, value):
    if constraint is None:
        return value is None
    if constraint is bool or isinstance(value, bool | np.bool_):  # True is not the number 1
        return constraint is bool and isinstance(value, bool | np.bool_)
    if isinstance(constraint, type):
        return isinstance(value, constraint)
    return constraint.is_satisfied_by(value)


def _reorder(y, columns):
    """Return y with its columns in the given order if it has the same columns."""
    is_same = len(y.columns) == len(columns) and set(y.columns) == set(columns)
    return y[[*columns]] if is_same else y


def _finite_values(name, frame):
    """Return the values, or raise a ValueError if any is not finite or too large to be squared."""
    values = frame.to_numpy(dtype=float)
    is_valid = np.abs(values) < 1e150  # False for NaN
    if is_valid.all():
        return values
    row, column = np.argwhere(~is_valid)[0]
    raise ValueError(
        f"{name} contains {values[row, column]} at {frame.index[row]} in column "
        f"{frame.columns[column]!r}, but values must be finite and below 1e150. Replace it first."
    )
