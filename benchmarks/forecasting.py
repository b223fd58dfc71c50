"""Accuracy of RNNForecaster and of sktime's forecasters with expanding windows and on a panel.

    python benchmarks/forecasting.py [--quick] [--jobs 2] [--output FILE]

All forecasters have their default parameters except for the seasonal period. Each forecaster is
refitted on each expanding window and forecasts one season (or 10 steps for series that are not
seasonal). The scores are computed for the first step and for all steps. MASE is the mean absolute
error divided by the mean absolute error of the seasonal naive forecast on the training data. RMSE
is in units of the series. The skill is 1 - RMSE / RMSE of the naive forecast, which is the seasonal
naive forecast, or the last value for series that are not seasonal. Coverage is the fraction of
values inside the 90% prediction interval. Theta and AutoETS require statsmodels, and AutoARIMA
requires pmdarima. Forecasters whose packages are missing are omitted from the tables and listed
below them.
"""

import logging
import os
import pickle
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Jobs run in parallel with one thread each. Small networks do not benefit from more threads.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from _common import Parser, describe_environment, log, markdown_table, report
from joblib import Parallel, delayed

# Rows of the tables.
FORECASTERS = [
    "RNNForecaster, GRU",
    "RNNForecaster, LSTM",
    "reduced RNNRegressor",
    "reduced gradient boosting",
    "naive, seasonal",
    "naive, last",
    "naive, drift",
    "theta",
    "AutoETS",
    "AutoARIMA",
]
PANEL = [name for name in FORECASTERS if not name.startswith("reduced") and name != "AutoARIMA"]
PACKAGES = {"theta": "statsmodels", "AutoETS": "statsmodels", "AutoARIMA": "pmdarima"}
# The search of AutoARIMA takes hours for longer seasonal periods.
MAX_ARIMA_PERIOD = 12


def make_forecaster(name, season):
    """Return a forecaster with default parameters except for the seasonal period."""
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.preprocessing import StandardScaler
    from sktime.forecasting.arima import AutoARIMA
    from sktime.forecasting.compose import TransformedTargetForecaster, make_reduction
    from sktime.forecasting.ets import AutoETS
    from sktime.forecasting.naive import NaiveForecaster
    from sktime.forecasting.theta import ThetaForecaster
    from sktime.transformations.series.adapt import TabularToSeriesAdaptor

    from skrnn import RNNForecaster, RNNRegressor

    window_length = max(season, 12) if season <= 12 else 24
    rnn = RNNRegressor("gru", units=16, learning_rate=0.005, random_state=0)
    builders = {
        "RNNForecaster, GRU": lambda: RNNForecaster(sp=season, random_state=0),
        "RNNForecaster, LSTM": lambda: RNNForecaster(cell="lstm", sp=season, random_state=0),
        "reduced RNNRegressor": lambda: TransformedTargetForecaster(
            [
                ("scale", TabularToSeriesAdaptor(StandardScaler())),
                ("reduce", make_reduction(rnn, window_length=window_length)),
            ]
        ),
        "reduced gradient boosting": lambda: make_reduction(
            GradientBoostingRegressor(random_state=0), window_length=window_length
        ),
        "naive, seasonal": lambda: NaiveForecaster("last", sp=season),
        "naive, last": lambda: NaiveForecaster("last"),
        "naive, drift": lambda: NaiveForecaster("drift"),
        "theta": lambda: ThetaForecaster(sp=season),
        "AutoETS": lambda: AutoETS(auto=True, sp=season),
        "AutoARIMA": lambda: AutoARIMA(sp=season, suppress_warnings=True),
    }
    return builders[name]()


def load(name):
    """Return a series that ships with sktime or matplotlib, its seasonal period and horizon."""
    import sktime.datasets
    from sktime.datasets import load_lynx, load_shampoo_sales, load_solar

    from skrnn.datasets import load_airline, load_google

    if name == "airline":
        return load_airline()["Passengers"], 12, 12
    if name == "shampoo":
        return load_shampoo_sales().astype(float), 12, 12
    if name == "seatbelts":
        path = Path(sktime.datasets.__file__).parent / "data" / "seatbelts" / "seatbelts.csv"
        rows = pd.read_csv(path, parse_dates=[0], index_col=0)["KSI"].astype(float)
        return rows.set_axis(rows.index.to_period("M")), 12, 12
    if name == "solar":
        return load_solar(api_version=None).reset_index(drop=True), 48, 48
    if name == "lynx":
        return load_lynx().astype(float), 1, 10
    return load_google()["Close"].reset_index(drop=True), 1, 10


SERIES = ["airline", "seatbelts", "shampoo", "solar", "lynx", "Google"]


def make_panel(seed, n_series=100, n_rows=48):
    """Generate monthly series with a common seasonal pattern and random level and amplitude."""
    rng = np.random.default_rng(seed)
    pattern = rng.normal(size=12)
    pattern = (pattern - pattern.mean()) / np.abs(pattern - pattern.mean()).max()
    months = pd.period_range("2020-01", periods=n_rows, freq="M")
    series = {}
    for i in range(n_series):
        level, amplitude = rng.uniform(100, 500), rng.uniform(5, 50)
        noise = 0.2 * amplitude * rng.normal(size=n_rows)
        values = level + amplitude * pattern[np.arange(n_rows) % 12] + noise
        series[f"series {i:03d}"] = pd.Series(values, index=months)
    return pd.concat(series, names=["series", "month"]).to_frame("value")


def silence_warnings():
    """Silence the convergence warnings of other packages."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


def has_intervals(forecaster, season, y):
    """Return whether a forecaster supports intervals with the installed package versions."""
    model = make_forecaster(forecaster, season)
    if not model.get_tag("capability:pred_int"):
        return False
    try:
        model.fit(y, fh=[1]).predict_interval()
    except TypeError:
        return False
    return True


def run_series(series, forecaster, n_windows):
    """Return the scores of a forecaster over expanding windows, for one step and for all steps."""
    from sktime.forecasting.model_evaluation import evaluate
    from sktime.performance_metrics.forecasting import MeanAbsoluteError
    from sktime.performance_metrics.forecasting.probabilistic import EmpiricalCoverage
    from sktime.split import ExpandingWindowSplitter

    silence_warnings()
    y, season, horizon = load(series)
    # The first window has 60% of the rows, and at least two seasons.
    initial_window = max(round(0.6 * len(y)), 2 * season)
    # Fits on series that are not seasonal are fast, and the differences are small.
    n_windows = n_windows if season > 1 else 5 * n_windows
    step = max(1, (len(y) - horizon - initial_window) // max(1, n_windows - 1))
    cv = ExpandingWindowSplitter(np.arange(1, horizon + 1), initial_window, step)
    model = make_forecaster(forecaster, season)
    scores = [MeanAbsoluteError()]
    if has_intervals(forecaster, season, y[:initial_window]):
        scores.append(EmpiricalCoverage(coverage=0.9))
    if forecaster.startswith("RNN"):
        # Compile the network once, to exclude the compilation from the fit time.
        make_forecaster(forecaster, season).fit(y[:initial_window], fh=cv.get_fh())
    evaluation = evaluate(model, cv, y, scoring=scores, return_data=True, error_score="raise")
    naive_errors = [np.abs(train.diff(season)).mean() for train in evaluation["y_train"]]
    naive_error, y_true, y_pred = (
        np.array([np.ravel(values) for values in windows])
        for windows in (naive_errors, evaluation["y_test"], evaluation["y_pred"])
    )
    inside = None
    if len(scores) > 1:
        bounds = np.array([interval.to_numpy() for interval in evaluation["y_pred_interval"]])
        inside = (bounds[:, :, 0] <= y_true) & (y_true <= bounds[:, :, 1])
    results = {}
    for n_steps in (1, horizon):
        errors = (y_pred - y_true)[:, :n_steps]
        results[n_steps] = {
            "mase": float(np.mean(np.abs(errors) / naive_error)),
            "rmse": float(np.sqrt(np.mean(errors**2))),
            "fit": float(evaluation["fit_time"].mean()),
            "predict": float(evaluation["pred_time"].mean()),
            "coverage": None if inside is None else float(inside[:, :n_steps].mean()),
            "windows": len(evaluation),
        }
    return results


def run_panel(seed, forecaster):
    """Return the scores of a forecaster for the last season of a panel, and the times."""
    import skrnn

    silence_warnings()
    y = make_panel(seed)
    months = y.index.get_level_values("month")
    train, test = y[months < months.max() - 11], y[months >= months.max() - 11]
    model = make_forecaster(forecaster, 12)
    skrnn.clear_compiled()  # include compilation in the time
    start = time.perf_counter()
    model.fit(train, fh=np.arange(1, 13))
    fit = time.perf_counter() - start
    start = time.perf_counter()
    y_pred = model.predict()
    predict = time.perf_counter() - start
    errors = (y_pred - test)["value"]
    naive_error = train["value"].groupby("series").diff(12).abs().groupby("series").mean()
    coverage = None
    if model.get_tag("capability:pred_int"):
        try:
            bounds = model.predict_interval(coverage=0.9).to_numpy()
        except TypeError:  # not supported by some models of statsmodels
            pass
        else:
            inside = (bounds[:, 0] <= test["value"]) & (test["value"] <= bounds[:, 1])
            coverage = float(inside.mean())
    return {
        "mase": float((errors.abs().groupby("series").mean() / naive_error).mean()),
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "fit": fit,
        "predict": predict,
        "coverage": coverage,
    }


def format_row(name, score, naive):
    """Return the table cells of a forecaster."""
    coverage = "–" if score["coverage"] is None else f"{score['coverage']:.0%}"
    skill = 1 - score["rmse"] / naive["rmse"]
    return [
        name,
        f"{score['mase']:.3f}",
        f"{score['rmse']:.4g}",
        f"{skill:+.3f}",
        f"{score['fit']:.3g}",
        f"{score['predict']:.3g}",
        coverage,
    ]


HEADER = ["forecaster", "MASE", "RMSE", "skill", "fit (s)", "predict (s)", "coverage"]


def mean_scores(scores):
    """Return the mean of each score over several seeds."""
    return {
        key: None if scores[0][key] is None else float(np.mean([score[key] for score in scores]))
        for key in scores[0]
    }


def requirements_table(results, panels):
    """Return the table of the required and the measured values."""
    rows = []
    for forecaster in FORECASTERS[:2]:
        for series in SERIES:
            _, season, horizon = load(series)
            if season == 1:
                continue
            rnn = results[series, horizon, forecaster]
            ratio = rnn["rmse"] / results[series, horizon, "naive, seasonal"]["rmse"]
            text = f"{series}, one season ahead: RMSE / RMSE of the seasonal naive forecast"
            rows.append([forecaster, text, f"{ratio:.3f}", "< 1", ratio < 1])
        for horizon in (1, load("Google")[2]):
            rnn = results["Google", horizon, forecaster]["rmse"]
            ratio = rnn / results["Google", horizon, "naive, last"]["rmse"]
            ahead = "1 step" if horizon == 1 else f"{horizon} steps"
            text = f"Google, {ahead} ahead: RMSE / RMSE of the last value"
            rows.append([forecaster, text, f"{ratio:.4f}", "≤ 1.01", ratio <= 1.01])
        ets = results.get(("airline", 12, "AutoETS"))
        if ets is not None:
            ratio = results["airline", 12, forecaster]["mase"] / ets["mase"]
            text = "airline, one season ahead: MASE / MASE of AutoETS"
            rows.append([forecaster, text, f"{ratio:.3f}", "≤ 1.10", ratio <= 1.1])
        if "AutoETS" in panels:
            rnn, ets = mean_scores(panels[forecaster]), mean_scores(panels["AutoETS"])
            for text, ratio in (
                ("panel: MASE / MASE of AutoETS", rnn["mase"] / ets["mase"]),
                ("panel: RMSE / RMSE of AutoETS", rnn["rmse"] / ets["rmse"]),
                (
                    "panel: time / time of AutoETS",
                    (rnn["fit"] + rnn["predict"]) / (ets["fit"] + ets["predict"]),
                ),
            ):
                rows.append([forecaster, text, f"{ratio:.3f}", "< 1", ratio < 1])
        coverages = [
            results[series, horizon, forecaster]["coverage"]
            for series in SERIES
            for horizon in (1, load(series)[2])
        ]
        coverage = float(np.mean(coverages))
        text = "mean coverage of the 90% intervals over all single series"
        rows.append([forecaster, text, f"{coverage:.1%}", "85% to 95%", 0.85 <= coverage <= 0.95])
    header = ["forecaster", "quantity", "measured", "required", "met"]
    return markdown_table(header, [[*row[:-1], "yes" if row[-1] else "**no**"] for row in rows])


def measure(jobs, arguments):
    """Run the jobs (key, function, arguments) whose results are not stored in --resume yet."""
    folder, results = arguments.resume, {}
    paths = {}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        paths = {key: folder / ("-".join(map(str, key)) + ".pickle") for key, *_ in jobs}
        results = {
            key: pickle.loads(path.read_bytes()) for key, path in paths.items() if path.exists()
        }
    jobs = [job for job in jobs if job[0] not in results]
    start = time.perf_counter()
    parallel = Parallel(n_jobs=arguments.jobs, return_as="generator_unordered", batch_size=1)

    def run(key, function, function_arguments):
        return key, function(*function_arguments)

    for done, (key, score) in enumerate(parallel(delayed(run)(*job) for job in jobs), start=1):
        results[key] = score
        if folder is not None:
            paths[key].write_bytes(pickle.dumps(score))
        minutes = (time.perf_counter() - start) / 60
        log(f"{done:3d} of {len(jobs)}, {minutes:5.1f} min: {key}")
    return results


def has(package):
    import importlib.util

    return importlib.util.find_spec(package) is not None


def main():
    parser = Parser(__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="number of parallel jobs")
    parser.add_argument("--windows", type=int, default=12, help="number of expanding windows")
    parser.add_argument("--seeds", type=int, default=5, help="number of panels")
    parser.add_argument("--resume", type=Path, help="folder to store results in and to resume from")
    parser.add_argument("--only", help="forecasters to run, separated by semicolons")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.windows, arguments.seeds = 2, 1
    missing = [name for name in FORECASTERS if name in PACKAGES and not has(PACKAGES[name])]
    jobs = [
        ((series, None, name), run_series, (series, name, arguments.windows))
        for series in SERIES
        for name in FORECASTERS
        if name not in missing
        and not (name == "naive, seasonal" and load(series)[1] == 1)
        and (name, series) != ("theta", "solar")  # multiplicative, requires nonzero values
        and not (name == "AutoARIMA" and load(series)[1] > MAX_ARIMA_PERIOD)
    ]
    jobs += [
        (("panel", seed, name), run_panel, (seed, name))
        for seed in range(arguments.seeds)
        for name in PANEL
        if name not in missing
    ]
    scores_by_key = measure(
        [job for job in jobs if not arguments.only or job[0][2] in arguments.only.split(";")],
        arguments,
    )
    if arguments.only:
        return
    panels: dict = {}
    results = {}
    for (series, _, name), score in scores_by_key.items():
        if series == "panel":
            panels.setdefault(name, []).append(score)
        else:
            results |= {(series, steps, name): scores for steps, scores in score.items()}
    blocks = ["**Requirements**", requirements_table(results, panels)]
    for series in SERIES:
        y, season, horizon = load(series)
        baseline = "naive, last" if season == 1 else "naive, seasonal"
        for steps in (1, horizon):
            scores = {
                n: results[series, steps, n] for n in FORECASTERS if (series, steps, n) in results
            }
            length = f"seasonal period {season}" if season > 1 else "not seasonal"
            ahead = "1 step ahead" if steps == 1 else f"{steps} steps ahead"
            n_windows = scores[baseline]["windows"]
            windows = f"{n_windows} window" + "s" * (n_windows != 1)
            title = f"**{series}** ({len(y)} rows, {length}), {ahead}, {windows}"
            blocks += [
                title,
                markdown_table(
                    HEADER, [format_row(n, s, scores[baseline]) for n, s in scores.items()]
                ),
            ]
    means = {name: mean_scores(panels[name]) for name in PANEL if name in panels}
    blocks += [
        "**Panel** of 100 monthly series of 48 rows (common seasonal pattern, random level and "
        "amplitude, noise of 20% of the amplitude); the last 12 rows are predicted from the "
        f"preceding 36 rows; means of {arguments.seeds} panels; the times are for all series and "
        "include compilation",
        markdown_table(
            HEADER, [format_row(n, s, means["naive, seasonal"]) for n, s in means.items()]
        ),
    ]
    notes = [f"All forecasters were run in {arguments.jobs} parallel jobs with one thread each."]
    notes.append("A dash in the last column means that prediction intervals are not available")
    notes.append("with these package versions.")
    if missing:
        notes.append(f"Omitted because their packages are missing: {', '.join(missing)}.")
    notes.append("Theta is omitted for series with zeros, and AutoARIMA for seasonal periods of")
    notes.append(f"more than {MAX_ARIMA_PERIOD} rows.")
    from importlib.metadata import version

    names = ["sktime", *sorted({PACKAGES[n] for n in PACKAGES if n not in missing})]
    blocks.append(" ".join(notes))
    arguments.repeat = 1
    blocks.append(describe_environment(arguments, {name: version(name) for name in names}))
    report(arguments, *blocks)


if __name__ == "__main__":
    main()
