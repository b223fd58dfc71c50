"""ForecastDisplay: plot forecasts with the observed values and naive forecasts."""

import datetime
import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import root_mean_squared_error

from .._sklearn_compat import check_is_fitted, safe_indexing
from ..baselines import skill_score
from ._estimators import inner_target, inner_windows, naive_forecast
from ._matplotlib import LINE_STYLES, Display, add_legend, check_axes, format_ticks, line_style
from ._validation import as_floats, check_equal_counts, check_equal_labels, check_equal_lengths


class ForecastDisplay(Display):
    """Plot of forecasts, the observed values, and the naive forecasts as a baseline.

    The legend contains the RMSE of both forecasts and the skill, ``1 - RMSE / RMSE_naive``. They
    are computed from the rows whose observed value and both forecasts are known. It is recommended
    to use `from_estimator` or `from_predictions` to create a display. All parameters are stored as
    attributes.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Observed values. NaN if not observed yet.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Forecasts. NaN if there is no forecast.
    y_naive : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Naive forecasts. NaN if there is no forecast.
    y_interval : array-like of shape (n_samples, 2) or (n_samples, 2 * n_outputs), default=None
        Lower and upper bounds of the prediction intervals of each output, in the format of
        sktime's ``predict_interval`` with a single coverage.
    index : array-like of shape (n_samples,), default=None
        Positions on the x axis, such as dates. If None, the rows are numbered from 0.
    name : str, default=None
        Label of the forecasts. If None, "Predicted" is used.
    output_names : sequence of str, default=None
        Labels of the y axes, one per output.

    Attributes
    ----------
    rmse, rmse_naive, skill : float, or ndarray of shape (n_outputs,) for multiple outputs
        RMSE of the forecasts and of the naive forecasts in the units of y, and the skill. NaN if
        there is no row with known values.
    coverage : float, or ndarray of shape (n_outputs,) for multiple outputs
        Fraction of the observed values inside the prediction intervals. NaN without intervals.
    ax_ : matplotlib Axes, or ndarray of Axes for multiple outputs
        The axes with the lines.
    figure_ : matplotlib Figure
        The figure that contains the axes.
    lines_ : list of matplotlib Line2D, or list of such lists for multiple outputs
        Lines of the observed values, forecasts and naive forecasts, without those that have no
        values.
    bands_ : list of matplotlib collections
        Prediction intervals, one per output. Empty without intervals.

    See Also
    --------
    backtest : Computes forecasts for all splits of a cross-validation splitter.
    skill_score : Computes the skill.

    Examples
    --------
    >>> from skrnn import ForecastDisplay
    >>> display = ForecastDisplay([1.0, 2.0, 3.0], [1.0, 2.0, 2.5], y_naive=[0.0, 1.0, 2.0])
    >>> round(display.rmse, 3), display.rmse_naive, round(display.skill, 3)
    (0.289, 1.0, 0.711)
    >>> [line.get_label() for line in display.plot().lines_]
    ['Real', 'Predicted (RMSE 0.2887, skill 0.711)', 'Naive (RMSE 1)']
    """

    rmse: Any
    rmse_naive: Any
    skill: Any
    coverage: Any
    lines_: list[Any]
    bands_: list[Any]

    def __init__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        y_naive: ArrayLike | None = None,
        *,
        y_interval: ArrayLike | None = None,
        index: Any = None,
        name: str | None = None,
        output_names: Sequence[str] | None = None,
    ) -> None:
        self.y_true = as_floats("y_true", y_true)
        self.y_pred = as_floats("y_pred", y_pred)
        self.y_naive = None if y_naive is None else as_floats("y_naive", y_naive)
        self.y_interval = None if y_interval is None else as_floats("y_interval", y_interval)
        self.index = index
        self.name = name
        self.output_names = output_names
        given = {"y_true": y_true, "y_pred": y_pred, "y_naive": y_naive, "y_interval": y_interval}
        check_equal_lengths(**given, index=index)
        check_equal_labels(**given)
        n_outputs = {name: values.shape[1] for name, values in self._values().items()}
        check_equal_counts("outputs", n_outputs)
        self._n_outputs = n_outputs["y_true"]
        if output_names is not None and len(output_names) != self._n_outputs:
            raise ValueError(
                f"output_names has {len(output_names)} names, but y has {self._n_outputs} outputs."
            )
        n_bounds = 0 if self.y_interval is None else self.y_interval[:1].size
        if n_bounds not in (0, 2 * self._n_outputs):
            raise ValueError(
                f"y_interval has {n_bounds} columns, but {self._n_outputs} outputs have one lower "
                f"and one upper bound each. Pass the {2 * self._n_outputs} columns of one coverage."
            )
        self._scores = [self._score_output(output) for output in range(self._n_outputs)]
        self.rmse, self.rmse_naive, self.skill, self.coverage = (
            np.array(score) if self._n_outputs > 1 else score[0]
            for score in zip(*self._scores, strict=True)
        )

    def _values(self):
        """Return the values that are not None, as arrays of shape (n_samples, n_outputs)."""
        values = {"y_true": self.y_true, "y_pred": self.y_pred, "y_naive": self.y_naive}
        return {name: y.reshape(len(y), -1) for name, y in values.items() if y is not None}

    def _bounds(self, output):
        """Return the lower and upper bounds of the prediction intervals of an output."""
        return np.asarray(self.y_interval)[:, 2 * output : 2 * output + 2].T

    def _score_output(self, output):
        """Return the RMSE, naive RMSE, skill and coverage of an output."""
        values = {name: y[:, output] for name, y in self._values().items()}
        scores = _forecast_scores(**values)
        if self.y_interval is None:
            return *scores, np.nan
        return *scores, _interval_coverage(values["y_true"], *self._bounds(output))

    def plot(
        self,
        ax: Any = None,
        *,
        output: int | None = None,
        name: str | None = None,
        true_kwargs: dict[str, Any] | None = None,
        pred_kwargs: dict[str, Any] | None = None,
        naive_kwargs: dict[str, Any] | None = None,
        interval_kwargs: dict[str, Any] | None = None,
    ) -> "ForecastDisplay":
        """Plot the forecasts.

        Parameters
        ----------
        ax : matplotlib Axes, or array-like of Axes, default=None
            Axes to plot on, one per output. If None, a figure is created, in which the plots of
            multiple outputs are stacked vertically.
        output : int, default=None
            The output to plot. If None, all outputs are plotted.
        name : str, default=None
            Label of the forecasts. If None, the `name` of the display is used.
        true_kwargs, pred_kwargs, naive_kwargs : dict, default=None
            Keyword arguments of `Axes.plot` for the observed values, the forecasts and the naive
            forecasts.
        interval_kwargs : dict, default=None
            Keyword arguments of `Axes.fill_between` for the prediction intervals. By default, the
            intervals have the color of the forecasts.

        Returns
        -------
        display : ForecastDisplay
            The display, with the attributes `ax_`, `figure_`, `lines_` and `bands_`.

        Raises
        ------
        ValueError
            If y does not have the output, or the number of axes differs from that of outputs.
        ImportError
            If matplotlib is not installed.
        """
        last = self._n_outputs - 1
        if output is not None and not (isinstance(output, Integral) and 0 <= output <= last):
            raise ValueError(f"output={output!r}, but y has the outputs 0 to {last}.")
        outputs = range(self._n_outputs) if output is None else [output]
        axes = check_axes(ax, len(outputs), type(self).__name__)
        styles = {"y_true": true_kwargs, "y_pred": pred_kwargs, "y_naive": naive_kwargs}
        label = name or self.name or "Predicted"
        x, row_labels = _x_positions(self.index, len(self.y_true))
        self.bands_ = []
        lines = [
            self._plot_output(axis, x, output, label, styles, interval_kwargs)
            for axis, output in zip(axes, outputs, strict=True)
        ]
        is_count = row_labels is None and x.dtype.kind in "iu"
        axes[-1].set_xlabel(getattr(self.index, "name", None) or ("Row" if is_count else ""))
        format_ticks(axes[-1].xaxis, row_labels, is_count)
        self.ax_, self.lines_ = (axes, lines) if len(axes) > 1 else (axes[0], lines[0])
        self.figure_ = axes[0].figure
        return self

    def _plot_output(self, ax, x, output, label, styles, interval_kwargs):
        """Plot an output and return its lines."""
        rmse, rmse_naive, skill, coverage = self._scores[output]
        labels = {
            "y_true": "Real",
            "y_pred": _label_with_scores(label, RMSE=f"{rmse:.4g}", skill=f"{skill:z.3f}"),
            "y_naive": _label_with_scores("Naive", RMSE=f"{rmse_naive:.4g}"),
        }
        lines = {}
        for name, values in self._values().items():
            if not np.isnan(values[:, output]).all():
                default = LINE_STYLES[name] | {"label": labels[name]}
                style = line_style(styles[name], len(x), **default)
                (lines[name],) = ax.plot(x, values[:, output], **style)
        if self.y_interval is not None and "y_pred" in lines:
            style = {"color": lines["y_pred"].get_color(), "alpha": 0.2, "linewidth": 0}
            style["label"] = _label_with_scores("Interval", covers=f"{coverage:.0%}")
            band = ax.fill_between(x, *self._bounds(output), **style | (interval_kwargs or {}))
            self.bands_.append(band)
        if self.output_names is not None:
            ax.set_ylabel(self.output_names[output])
        elif self._n_outputs > 1:
            ax.set_ylabel(f"Output {output}")
        add_legend(ax)
        return list(lines.values())

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        y_naive: ArrayLike | None = None,
        y_past: ArrayLike | None = None,
        y_interval: ArrayLike | None = None,
        horizon: int = 1,
        index: Any = None,
        name: str | None = None,
        output_names: Sequence[str] | None = None,
        ax: Any = None,
        **style: Any,
    ) -> "ForecastDisplay":
        """Plot given forecasts.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Observed values, oldest first. Values that are not observed yet are NaN. They are
            neither plotted nor scored.
        y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Forecasts.
        y_naive : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Naive forecasts. If None, the observed values `horizon` rows earlier are used.
        y_past : array-like of shape (n_past,) or (n_past, n_outputs), default=None
            The observed values directly before `y_true`, which the first naive forecasts repeat.
            Without them, the first `horizon` rows have no naive forecast and are not scored.
        y_interval : array-like of shape (n_samples, 2) or (n_samples, 2 * n_outputs), default=None
            Lower and upper bounds of the prediction intervals of each output.
        horizon : int, default=1
            Number of steps ahead of the forecasts.
        index : array-like of shape (n_samples,), default=None
            Positions on the x axis. If None, the pandas index of `y_true` or `y_pred` is used, or
            the rows are numbered from 0.
        name : str, default=None
            Label of the forecasts. If None, "Predicted" is used.
        output_names : sequence of str, default=None
            Labels of the y axes. If None, the column names of a pandas `y_true` are used.
        ax : matplotlib Axes, or array-like of Axes, default=None
            Axes to plot on, one per output. If None, a figure is created, in which the plots of
            multiple outputs are stacked vertically.
        **style : dict
            `output`, `true_kwargs`, `pred_kwargs`, `naive_kwargs` and `interval_kwargs` of `plot`.

        Returns
        -------
        display : ForecastDisplay

        Raises
        ------
        ValueError
            If the arrays differ in length or number of outputs, are empty or contain infinity, or
            if the horizon is less than 1.

        Examples
        --------
        >>> from skrnn import ForecastDisplay
        >>> display = ForecastDisplay.from_predictions([4.0, 6.0], [3.5, 6.0], y_past=[3.0])
        >>> display.y_naive
        array([3., 4.])
        """
        if y_naive is None:
            y_naive = _shift(as_floats("y_true", y_true), y_past, horizon)
        display = cls(
            y_true,
            y_pred,
            y_naive,
            y_interval=y_interval,
            index=_pandas_index(y_true, y_pred) if index is None else index,
            name=name,
            output_names=_column_names(y_true) if output_names is None else output_names,
        )
        return display.plot(ax, **style)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        index: Any = None,
        name: str | None = None,
        output_names: Sequence[str] | None = None,
        ax: Any = None,
        **style: Any,
    ) -> "ForecastDisplay":
        """Plot the forecasts of a fitted regressor.

        The naive forecast is the last value of the target in each window, so it is known for all
        rows. If the estimator has no windows, or the windows do not contain the target, the naive
        forecast is the value of y `horizon` rows earlier, which is not known for the first rows.
        The target is matched to the columns of the windows up to scale and shift, which requires at
        least three known rows.

        Parameters
        ----------
        estimator : estimator
            A fitted regressor, such as a pipeline with a `WindowTransformer`. It may contain, or be
            contained in, a `TransformedTargetRegressor` or a search.
        X : array-like of shape (n_samples, n_features)
            Rows to predict, oldest first. Rows whose windows are incomplete are excluded.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Observed values. NaN if not observed yet. If None, the target of a pipeline that was
            fitted without y is used, which is the series that is passed to the `WindowTransformer`.
        index : array-like of shape (n_samples,), default=None
            Positions on the x axis. If None, the pandas index of X or y is used, or the rows of X
            are numbered from 0.
        name : str, default=None
            Label of the forecasts. If None, "Predicted" is used.
        output_names : sequence of str, default=None
            Labels of the y axes. If None, the column names of a pandas y are used, or those of X if
            y is None.
        ax : matplotlib Axes, or array-like of Axes, default=None
            Axes to plot on, one per output. If None, a figure is created, in which the plots of
            multiple outputs are stacked vertically.
        **style : dict
            `output`, `true_kwargs`, `pred_kwargs` and `naive_kwargs` of `plot`.

        Returns
        -------
        display : ForecastDisplay

        Raises
        ------
        ValueError
            If X and y differ in length, if no window is complete, or if y is None but the target
            cannot be determined from X.
        NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.linear_model import Ridge
        >>> from sklearn.pipeline import make_pipeline
        >>> from skrnn import ForecastDisplay, WindowTransformer
        >>> series = np.sin(np.arange(100.0))[:, None]
        >>> model = make_pipeline(WindowTransformer(3, flatten=True), Ridge(1e-3))
        >>> model.fit(series[:80], series[:80])
        Pipeline(...)
        >>> display = ForecastDisplay.from_estimator(model, series[80:], series[80:])
        >>> display.skill > 0.9, bool(display.y_naive[0] == series[79])
        (True, True)
        """
        check_is_fitted(estimator)
        y_pred = np.asarray(estimator.predict(X))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `predict` has issued the same warnings
            windows = inner_windows(estimator, X)
        names = _column_names(X if y is None else y)
        if y is None:
            n_outputs = y_pred.size // len(y_pred)
            y = inner_target(estimator, windows, n_outputs)
            names = names if names is not None and len(names) == n_outputs else None
        if index is None:
            index = _pandas_index(X, y, default=np.arange(len(y_pred)))
        y_true = as_floats("y", y)
        check_equal_lengths(y=y_true, predictions=y_pred, index=index)
        y_naive = naive_forecast(windows, y_true)
        if y_naive is None:
            y_naive = _shift(y_true, None, 1 if windows is None else max(1, windows.horizon))
        skip = 0 if windows is None else windows.n_incomplete
        if skip == len(y_pred):
            raise ValueError(
                f"None of the {len(y_pred)} windows is complete, so there are no forecasts to "
                "plot. Pass more rows, or rows that follow the fitted rows."
            )
        return cls.from_predictions(
            y_true[skip:],
            y_pred[skip:],
            y_naive=y_naive[skip:],
            index=safe_indexing(index, slice(skip, None)),
            name=name,
            output_names=names if output_names is None else output_names,
            ax=ax,
            **style,
        )


def _forecast_scores(y_true, y_pred, y_naive=np.nan):
    """Return the RMSE, naive RMSE and skill of an output, for the rows where all are known."""
    known = ~(np.isnan(y_true) | np.isnan(y_pred))
    with_naive = known & ~np.isnan(y_naive)
    if not with_naive.any():
        rmse = root_mean_squared_error(y_true[known], y_pred[known]) if known.any() else np.nan
        return float(rmse), np.nan, np.nan
    y_true, y_pred, y_naive = (values[with_naive] for values in (y_true, y_pred, y_naive))
    rmse, rmse_naive = (float(root_mean_squared_error(y_true, y)) for y in (y_pred, y_naive))
    return rmse, rmse_naive, skill_score(y_true, y_pred, y_naive)


def _interval_coverage(y_true, lower, upper):
    """Return the fraction of known values inside their prediction intervals."""
    crossed = np.flatnonzero(lower > upper)
    if len(crossed):
        row = int(crossed[0])
        raise ValueError(
            f"y_interval has {lower[row]:g} and {upper[row]:g} in row {row}. Pass the lower bound "
            "before the upper bound."
        )
    known = ~(np.isnan(y_true) | np.isnan(lower) | np.isnan(upper))
    inside = (lower <= y_true) & (y_true <= upper)
    return float(inside[known].mean()) if known.any() else np.nan


def _shift(y, y_past, horizon):
    """Return y shifted by `horizon` rows, preceded by the values of `y_past` or NaN."""
    if not (isinstance(horizon, Integral) and int(horizon) >= 1):
        raise ValueError(f"horizon must be an int of at least 1, got {horizon!r}.")
    past = y[:0] if y_past is None else as_floats("y_past", y_past)
    if past.size // max(1, len(past)) != y.size // len(y) and len(past):
        raise ValueError(
            f"y_past has shape {past.shape} and y_true {y.shape}, but both need the same outputs."
        )
    past = past.reshape(len(past), *y.shape[1:])[-horizon:]
    unknown = np.full((horizon - len(past), *y.shape[1:]), np.nan)
    return np.concatenate([unknown, past, y])[: len(y)]


def _pandas_index(*arrays, default=None):
    """Return the index of the first array that is a pandas object."""
    return next((array.index for array in arrays if hasattr(array, "iloc")), default)


def _column_names(y):
    """Return the column names of a pandas object, or None if they are not known."""
    names = [*y.columns] if hasattr(y, "columns") else [getattr(y, "name", None)]
    return None if None in names else [str(name) for name in names]


def _label_with_scores(name, **scores):
    """Return a legend label that contains the scores that are known."""
    known = ", ".join(f"{score} {value}" for score, value in scores.items() if "nan" not in value)
    return f"{name} ({known})" if known else name


def _x_positions(index, n_samples):
    """Return the x positions of the rows, and their labels if these are not numbers or dates."""
    if index is None:
        return np.arange(n_samples), None
    if hasattr(index, "to_timestamp"):  # a PeriodIndex
        index = index.to_timestamp()
    x = np.asarray(index)
    is_date = x.dtype.kind == "M" or (x.ndim == 1 and isinstance(x[0], datetime.date))
    if is_date or x.dtype.kind in "iuf":
        return x, None
    return np.arange(n_samples), [str(label) for label in index]
