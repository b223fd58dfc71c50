"""Plots of forecasts beside the naive one, and of training, in scikit-learn's Display grammar."""

import warnings
from copy import copy
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import Pipeline

from .._sklearn_compat import check_is_fitted, safe_indexing
from .._target import fit_affine_target, window_value
from ..baselines import skill_score
from ..windows._transformer import WindowTransformer
from ._matplotlib import LOOKS, add_legend, check_axes, legend_label, positions, styled, thin_ticks


class ForecastDisplay:
    """Real values, their forecast, and the naive forecast that it has to beat.

    The legend carries the RMSE of both forecasts and the skill, ``1 - RMSE / RMSE_naive``, over
    the rows where the real value and both forecasts are known. Make one with `from_estimator` or
    `from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Real values; NaN where not yet observed.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Forecasts; NaN where there is none.
    y_naive : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Naive forecasts; NaN where there is none.
    y_interval : array-like of shape (n_samples, 2) or (n_samples, 2 * n_outputs), default=None
        Lower and upper bounds of the forecasts, output by output, as sktime's
        ``predict_interval(coverage=...)`` gives them for one coverage.
    index : array-like of shape (n_samples,), default=None
        What the x axis shows, such as dates. None counts the rows from 0.
    name : str, default=None
        Label of the forecast; None is "Predicted".
    output_names : sequence of str, default=None
        Labels of the y axes, one for each output.

    Attributes
    ----------
    rmse, rmse_naive, skill : float, or ndarray of shape (n_outputs,) for several outputs
        RMSE of the forecast and of the naive one, in the units of y, and the skill of the one
        against the other. NaN where no row has what they need.
    coverage : float, or ndarray of shape (n_outputs,) for several outputs
        Share of the real values inside of the intervals; NaN without any.
    ax_ : matplotlib Axes, or ndarray of them
        Where the lines are; several for several outputs.
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D, or list of such lists for several outputs
        The real, the predicted and the naive line, without those that have nothing to show.
    bands_ : list of matplotlib collections
        The intervals, one for each output drawn; empty without any.

    See Also
    --------
    backtest : Forecasts of all folds of a splitter, which `from_predictions` takes.
    skill_score : The skill alone.

    Examples
    --------
    >>> from skrnn import ForecastDisplay
    >>> display = ForecastDisplay([1.0, 2.0, 3.0], [1.0, 2.0, 2.5], y_naive=[0.0, 1.0, 2.0])
    >>> round(display.rmse, 3), display.rmse_naive, round(display.skill, 3)
    (0.289, 1.0, 0.711)
    >>> [line.get_label() for line in display.plot().lines_]
    ['Real', 'Predicted (RMSE 0.2887, skill 0.711)', 'Naive (RMSE 1)']
    """

    def __init__(
        self,
        y_true,
        y_pred,
        y_naive=None,
        *,
        y_interval=None,
        index=None,
        name=None,
        output_names=None,
    ):
        self.y_true = _numbers("y_true", y_true)
        self.y_pred = _numbers("y_pred", y_pred)
        self.y_naive = None if y_naive is None else _numbers("y_naive", y_naive)
        self.y_interval: Any = y_interval
        if y_interval is not None:
            self.y_interval = _numbers("y_interval", y_interval)
        self.index = index
        self.name = name
        self.output_names = output_names
        _check_lengths(
            y_true=y_true, y_pred=y_pred, y_naive=y_naive, y_interval=y_interval, index=index
        )
        _check_labels(y_true=y_true, y_pred=y_pred, y_naive=y_naive, y_interval=y_interval)
        n_outputs = {part: values.shape[1] for part, values in self._values().items()}
        _check_equal("outputs", n_outputs)
        self._n_outputs = n_outputs["y_true"]
        if output_names is not None and len(output_names) != self._n_outputs:
            raise ValueError(
                f"output_names has {len(output_names)} names, but y has {self._n_outputs} outputs."
            )
        scores = [
            _scores(**{part: values[:, output] for part, values in self._values().items()})
            for output in range(self._n_outputs)
        ]
        self.rmse, self.rmse_naive, self.skill = (
            scores[0] if self._n_outputs == 1 else np.transpose(scores)
        )
        n_bounds = 0 if y_interval is None else np.size(self.y_interval) // len(self.y_interval)
        if n_bounds not in (0, 2 * self._n_outputs):
            raise ValueError(
                f"y_interval has {n_bounds} columns, but {self._n_outputs} outputs have a lower "
                f"and an upper bound each: pass {2 * self._n_outputs}, those of one coverage."
            )
        for output in range(n_bounds // 2):
            _check_bounds(*self._bounds(output))
        covered = [self._covered(output) for output in range(self._n_outputs)]
        self.coverage = covered[0] if self._n_outputs == 1 else np.array(covered)

    def _bounds(self, output):
        """Return the lower and the upper bounds of an output."""
        return self.y_interval[:, 2 * output], self.y_interval[:, 2 * output + 1]

    def _covered(self, output):
        """Return the share of the real values of an output that its intervals hold."""
        if self.y_interval is None:
            return np.nan
        lower, upper = self._bounds(output)
        y_true = self._values()["y_true"][:, output]
        known = ~(np.isnan(y_true) | np.isnan(lower) | np.isnan(upper))
        inside = (lower <= y_true) & (y_true <= upper)
        return float(inside[known].mean()) if known.any() else np.nan

    def _values(self):
        """Return what is known, as arrays of shape (n_samples, n_outputs)."""
        parts = {"y_true": self.y_true, "y_pred": self.y_pred, "y_naive": self.y_naive}
        return {
            part: values.reshape(len(values), -1)
            for part, values in parts.items()
            if values is not None
        }

    def plot(
        self,
        ax=None,
        *,
        output=None,
        name=None,
        true_kwargs=None,
        pred_kwargs=None,
        naive_kwargs=None,
        interval_kwargs=None,
    ):
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, or array-like of them, default=None
            Where to draw, one for each output drawn. None makes a figure; several outputs stand
            one below the other.
        output : int, default=None
            The output to draw; None draws all.
        name : str, default=None
            Label of the forecast; None is the display's `name`.
        true_kwargs, pred_kwargs, naive_kwargs : dict, default=None
            Style of the real, the predicted and the naive line: keywords of `Axes.plot`.
        interval_kwargs : dict, default=None
            Style of the intervals: keywords of `Axes.fill_between`. They have the colour of the
            predicted line.

        Returns
        -------
        display : ForecastDisplay
            The object itself, with `ax_`, `figure_`, `lines_` and `bands_`.

        Raises
        ------
        ValueError
            If y has no such output, or there are not as many axes as outputs.
        ImportError
            If matplotlib is not installed.
        """
        last = self._n_outputs - 1
        known = output is None or (isinstance(output, Integral) and 0 <= int(output) <= last)
        if not known:
            raise ValueError(f"output={output!r}, but y has the outputs 0 to {last}.")
        outputs = range(self._n_outputs) if output is None else [output]
        axes = check_axes(ax, len(outputs), type(self).__name__)
        styles = {"y_true": true_kwargs, "y_pred": pred_kwargs, "y_naive": naive_kwargs}
        styles["y_interval"] = interval_kwargs
        self.bands_: list = []
        label = name or self.name or "Predicted"
        x, row_labels = positions(self.index, len(self.y_true))
        lines = [
            self._draw(axis, x, output, label, styles)
            for axis, output in zip(axes, outputs, strict=True)
        ]
        counts_rows = row_labels is None and x.dtype.kind in "iu"
        axes[-1].set_xlabel(getattr(self.index, "name", None) or ("Row" if counts_rows else ""))
        thin_ticks(axes[-1].xaxis, row_labels, counts_rows)
        several = len(axes) > 1
        self.ax_ = axes if several else axes[0]
        self.lines_: list = lines if several else lines[0]
        self.figure_ = axes[0].figure
        return self

    def _draw(self, ax, x, output, name, styles):
        rmse, rmse_naive, skill = (
            np.atleast_1d(score)[output] for score in (self.rmse, self.rmse_naive, self.skill)
        )
        labels = {
            "y_true": "Real",
            "y_pred": legend_label(name, RMSE=f"{rmse:.4g}", skill=f"{skill:z.3f}"),
            "y_naive": legend_label("Naive", RMSE=f"{rmse_naive:.4g}"),
        }
        lines = []
        for part, values in self._values().items():
            if not np.isnan(values[:, output]).all():
                style = LOOKS[part] | {"label": labels[part]}
                if len(x) <= 60:  # also shows points that have no neighbour
                    style |= {"marker": "."}
                lines += ax.plot(x, values[:, output], **styled(style, styles[part]))
                if part == "y_pred" and self.y_interval is not None:
                    style = {"color": lines[-1].get_color(), "alpha": 0.2, "linewidth": 0}
                    covered = np.atleast_1d(self.coverage)[output]
                    text = f"{covered:.0%}" if covered == covered else "nan"
                    style["label"] = legend_label("Interval", covers=text)
                    band = style | (styles["y_interval"] or {})
                    self.bands_.append(ax.fill_between(x, *self._bounds(output), **band))
        if self.output_names is not None:
            ax.set_ylabel(self.output_names[output])
        elif self._n_outputs > 1:
            ax.set_ylabel(f"Output {output}")
        add_legend(ax)
        return lines

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_pred,
        *,
        y_naive=None,
        y_past=None,
        y_interval=None,
        horizon=1,
        index=None,
        name=None,
        output_names=None,
        ax=None,
        **style,
    ):
        """Plot given forecasts, beside given naive ones or the value `horizon` rows earlier.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Real values, oldest first. NaN, for rows not yet observed, leaves a gap and is not
            scored.
        y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Forecasts.
        y_naive : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Naive forecasts; None repeats the real value `horizon` rows earlier.
        y_past : array-like of shape (n_past,) or (n_past, n_outputs), default=None
            The real values right before `y_true`, which the first naive forecasts repeat.
            Without it the first `horizon` rows have none, and are not scored.
        y_interval : array-like of shape (n_samples, 2) or (n_samples, 2 * n_outputs), default=None
            Lower and upper bounds, output by output.
        horizon : int, default=1
            How many rows ahead the forecasts were made.
        index : array-like of shape (n_samples,), default=None
            What the x axis shows; None is the pandas index of `y_true` or `y_pred`, or else
            counts the rows from 0.
        name : str, default=None
            Label of the forecast; None is "Predicted".
        output_names : sequence of str, default=None
            Labels of the y axes; None is the column names of a pandas `y_true`.
        ax : matplotlib Axes, or array-like of them, default=None
            Where to draw, one for each output drawn. None makes a figure; several outputs stand
            one below the other.
        **style : dict
            `output`, `true_kwargs`, `pred_kwargs`, `naive_kwargs` and `interval_kwargs`, as in
            `plot`.

        Returns
        -------
        display : ForecastDisplay

        Raises
        ------
        ValueError
            If lengths or numbers of outputs differ, there are no rows, a value is infinite, or
            horizon is below 1.

        Examples
        --------
        >>> from skrnn import ForecastDisplay
        >>> display = ForecastDisplay.from_predictions([4.0, 6.0], [3.5, 6.0], y_past=[3.0])
        >>> display.y_naive
        array([3., 4.])
        """
        index = _index_of(y_true, y_pred) if index is None else index
        output_names = _names_of(y_true) if output_names is None else output_names
        if y_naive is None:
            y_naive = _shifted(_numbers("y_true", y_true), y_past, horizon)
        display = cls(
            y_true,
            y_pred,
            y_naive,
            y_interval=y_interval,
            index=index,
            name=name,
            output_names=output_names,
        )
        return display.plot(ax, **style)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        index=None,
        name=None,
        output_names=None,
        ax=None,
        **style,
    ):
        """Plot the forecasts of a fitted regressor of rows beside the naive ones.

        The naive forecast repeats the last value that each window holds of y's column, so it is
        known from the first row on. Where there is no window, or y is none of its columns up to
        scale and shift (three known rows tell), it repeats y `horizon` rows earlier, and the
        first rows have none.

        Parameters
        ----------
        estimator : estimator
            A fitted pipeline with a `WindowTransformer`, a `TransformedTargetRegressor` around or
            inside it, a search over it, or any other regressor.
        X : array-like of shape (n_samples, n_features)
            Rows as `predict` takes them, oldest first. Rows whose windows are incomplete are no
            forecasts, and are left out.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Real values; NaN where not yet observed. None is the series as it reaches the
            windows, which a pipeline fitted without y has learnt to predict.
        index : array-like of shape (n_samples,), default=None
            What the x axis shows; None is the pandas index of X or y, or else counts the rows of
            X from 0.
        name : str, default=None
            Label of the forecast; None is "Predicted".
        output_names : sequence of str, default=None
            Labels of the y axes; None is the column names of a pandas y, or of X without y.
        ax : matplotlib Axes, or array-like of them, default=None
            Where to draw, one for each output drawn. None makes a figure; several outputs stand
            one below the other.
        **style : dict
            `output`, `true_kwargs`, `pred_kwargs` and `naive_kwargs`, as in `plot`.

        Returns
        -------
        display : ForecastDisplay

        Raises
        ------
        ValueError
            If lengths differ, no window is complete, or y is left out but cannot be told from X.
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
            warnings.simplefilter("ignore")  # of the index: `predict` has just given them
            windows = inner_windows(estimator, X)
        names = _names_of(y)
        if y is None:
            y = _series(estimator, windows, y_pred)
            names = _names_of(X)
            names = names if names is not None and len(names) == y.shape[1] else None
        if index is None:
            index = _index_of(X, y)
            index = np.arange(len(y_pred)) if index is None else index
        y_true = _numbers("y", y)
        _check_lengths(y=y_true, predictions=y_pred, index=index)
        y_naive = naive_forecast(windows, y_true)
        if y_naive is None:
            horizon = windows.horizon if windows is not None else 1
            y_naive = _shifted(y_true, None, max(1, horizon))
        skip = 0 if windows is None else windows.n_incomplete
        if skip == len(y_pred):
            raise ValueError(
                f"None of the {len(y_pred)} windows is complete, so there is no forecast to "
                "show. Pass more rows, or rows that follow the fitted ones."
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


def _numbers(name, y):
    """Return y as floats, of shape (n,) or (n, n_outputs)."""
    y = np.asarray(y, dtype=np.float64)
    if y.ndim not in (1, 2) or y.size == 0:
        raise ValueError(
            f"{name} must be of shape (n,) or (n, n_outputs) and hold values, got {y.shape}."
        )
    if np.isinf(y).any():
        row = int(np.argwhere(np.isinf(y))[0, 0])
        raise ValueError(f"{name} is infinite in row {row}, which cannot be drawn or scored.")
    return y


def _check_labels(**parts):
    """Raise a ValueError if rows are labelled, and by other labels of the same kind."""
    labels = {name: values.index for name, values in parts.items() if hasattr(values, "iloc")}
    labels = {  # rows that are only counted have no labels
        name: index for name, index in labels.items() if not index.equals(pd.RangeIndex(len(index)))
    }
    for name, index in list(labels.items())[1:]:
        first, other = next(iter(labels.items()))
        if index.dtype == other.dtype and not index.equals(other):
            row = int(np.flatnonzero(np.asarray(index != other))[0])
            raise ValueError(
                f"Row {row} of {name} is {index[row]}, and of {first} {other[row]}: rows are "
                f"compared one by one, so reindex {name} like {first} first."
            )


def _check_bounds(lower, upper):
    """Raise a ValueError if a lower bound lies above its upper one."""
    crossed = np.flatnonzero(lower > upper)
    if len(crossed):
        row = int(crossed[0])
        raise ValueError(
            f"y_interval has {lower[row]:g} and {upper[row]:g} in row {row}: pass the lower bound "
            "before the upper one."
        )


def _check_equal(what, counts):
    if len({*counts.values()}) > 1:
        found = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise ValueError(f"Each needs as many {what} as the others, but {found}.")


def _check_lengths(**parts):
    lengths = {name: len(values) for name, values in parts.items() if values is not None}
    _check_equal("rows", lengths)


def _scores(y_true, y_pred, y_naive=None):
    """RMSE, naive RMSE and skill of one output, on the rows where all of them are known."""
    known = ~(np.isnan(y_true) | np.isnan(y_pred))
    with_naive = known & ~np.isnan(y_true if y_naive is None else y_naive)
    if y_naive is None or not with_naive.any():
        rmse = root_mean_squared_error(y_true[known], y_pred[known]) if known.any() else np.nan
        return float(rmse), np.nan, np.nan
    y_true, y_pred, y_naive = (values[with_naive] for values in (y_true, y_pred, y_naive))
    rmse, rmse_naive = (float(root_mean_squared_error(y_true, y)) for y in (y_pred, y_naive))
    return rmse, rmse_naive, skill_score(y_true, y_pred, y_naive)


def _shifted(y, y_past, horizon):
    """Return y `horizon` rows earlier, whose first rows come from `y_past`, or are NaN."""
    if not (isinstance(horizon, Integral) and int(horizon) >= 1):
        raise ValueError(f"horizon must be an int of at least 1, got {horizon!r}.")
    past = y[:0] if y_past is None else _numbers("y_past", y_past)
    if past.size // max(1, len(past)) != y.size // len(y) and len(past):
        raise ValueError(f"y_past has shape {past.shape} and y_true {y.shape}: other outputs.")
    past = past.reshape(len(past), *y.shape[1:])[-horizon:]
    unknown = np.full((horizon - len(past), *y.shape[1:]), np.nan)
    return np.concatenate([unknown, past, y])[: len(y)]


def _index_of(*arrays):
    """Return the pandas index of the first array that has one."""
    return next((values.index for values in arrays if hasattr(values, "iloc")), None)


def _names_of(y):
    """Return the names of the columns of pandas data, None where there are none."""
    names = [*y.columns] if hasattr(y, "columns") else [getattr(y, "name", None)]
    return None if None in names else [str(name) for name in names]


def iter_inner_estimators(estimator):
    """Yield a fitted estimator and those inside it, outermost first."""
    yield estimator
    for name in ("best_estimator_", "regressor_"):
        if hasattr(estimator, name):
            yield from iter_inner_estimators(getattr(estimator, name))
    for _, step in getattr(estimator, "steps", []):
        if step not in (None, "passthrough"):
            yield from iter_inner_estimators(step)


def inner_windows(estimator, X):
    """Return the windows, 3-D, that X becomes inside a fitted estimator; None without any."""
    if isinstance(estimator, WindowTransformer):
        return copy(estimator).set_params(flatten=False).transform(X)
    for name in ("best_estimator_", "regressor_"):
        if hasattr(estimator, name):
            return inner_windows(getattr(estimator, name), X)
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            if step in (None, "passthrough"):
                continue
            windows = inner_windows(step, X)
            if windows is not None or not hasattr(step, "transform"):
                return windows
            X = step.transform(X)
    return None


def _series(estimator, windows, y_pred):
    """Return the series that a pipeline fitted without y predicts."""
    problem = None
    if windows is None:
        problem = "there is no WindowTransformer inside the estimator"
    elif windows.horizon == 0:
        problem = "with horizon=0 the windows hold the rows of the series themselves"
    elif any(
        isinstance(inner, TransformedTargetRegressor) for inner in iter_inner_estimators(estimator)
    ):
        problem = "a TransformedTargetRegressor was fitted with a y"
    elif windows.shape[2] != y_pred.size // len(y_pred):
        problem = (
            f"the series has {windows.shape[2]} columns and the predictions "
            f"{y_pred.size // len(y_pred)}"
        )
    if problem:
        raise ValueError(f"y cannot be left out: {problem}. Pass y.")
    return windows.target


def naive_forecast(windows, y):
    """Return what each window last knew of y, in y's units; None where y is not in it."""
    if windows is None or windows.horizon == 0:
        return None
    target, rows = windows.target, y.reshape(len(y), -1)
    known = np.isfinite(rows).all(axis=1) & np.isfinite(target).all(axis=1)
    if known.sum() < 3:  # a line goes through any two points
        return None
    try:
        columns, scales, shifts = fit_affine_target(target, rows)
    except ValueError:
        return None
    return (window_value(windows, columns) * scales + shifts).reshape(y.shape)
