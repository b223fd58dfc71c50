"""RNNForecaster beside sktime's forecasters, on expanding windows and on a panel.

    python benchmarks/forecasting.py [--quick] [--jobs 2] [--output FILE]

Every forecaster has its default settings apart from the season's length, is fitted anew on each
expanding window and forecasts a season, whose first step is also scored alone. MASE is the mean
absolute error over that of the seasonal naive forecast in training, RMSE is in the series' units,
and the skill is 1 - RMSE / RMSE of the seasonal naive forecast (without a season: of the last
value). Coverage is the share of values inside of the 90 % interval. Theta and AutoETS need
statsmodels, AutoARIMA pmdarima: without them their rows are left out, and named below the tables.
"""

import logging
import os
import pickle
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Each job has one thread: they run side by side, and networks of this size gain nothing from more.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from _common import Parser, machine, progress, report, table
from joblib import Parallel, delayed

# Rows of the table; the last two are not in the panel.
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
# A search over seasonal ARIMA models of this length of season takes hours.
LONGEST_ARIMA = 12


def make(name, season):
    """Return a forecaster with default settings apart from the season's length."""
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
    """Return a series that ships with sktime or matplotlib, its season and its horizon."""
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
    """Draw monthly series of one seasonal shape, and random level, amplitude and noise."""
    rng = np.random.default_rng(seed)
    shape = rng.normal(size=12)
    shape = (shape - shape.mean()) / np.abs(shape - shape.mean()).max()
    months = pd.period_range("2020-01", periods=n_rows, freq="M")
    series = {}
    for i in range(n_series):
        level, amplitude = rng.uniform(100, 500), rng.uniform(5, 50)
        noise = 0.2 * amplitude * rng.normal(size=n_rows)
        values = level + amplitude * shape[np.arange(n_rows) % 12] + noise
        series[f"series {i:03d}"] = pd.Series(values, index=months)
    return pd.concat(series, names=["series", "month"]).to_frame("value")


def quiet():
    """Silence other packages, whose models do not always converge."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


def has_intervals(forecaster, season, y):
    """Whether a forecaster gives intervals, which some versions of packages cannot."""
    model = make(forecaster, season)
    if not model.get_tag("capability:pred_int"):
        return False
    try:
        model.fit(y, fh=[1]).predict_interval()
    except TypeError:
        return False
    return True


def run_series(series, forecaster, n_windows):
    """Return a forecaster's scores over expanding windows, of the next step and of all steps."""
    from sktime.forecasting.model_evaluation import evaluate
    from sktime.performance_metrics.forecasting import MeanAbsoluteError
    from sktime.performance_metrics.forecasting.probabilistic import EmpiricalCoverage
    from sktime.split import ExpandingWindowSplitter

    quiet()
    y, season, horizon = load(series)
    # From 60 % of the rows on, and two seasons at the least.
    first = max(round(0.6 * len(y)), 2 * season)
    # Without a season a fit is quick, and what is to be seen is small.
    n_windows = n_windows if season > 1 else 5 * n_windows
    step = max(1, (len(y) - horizon - first) // max(1, n_windows - 1))
    cv = ExpandingWindowSplitter(np.arange(1, horizon + 1), first, step)
    model = make(forecaster, season)
    scores = [MeanAbsoluteError()]
    if has_intervals(forecaster, season, y[:first]):
        scores.append(EmpiricalCoverage(coverage=0.9))
    if forecaster.startswith("RNN"):
        make(forecaster, season).fit(y[:first], fh=cv.get_fh())  # what is compiled once is no fit
    found = evaluate(model, cv, y, scoring=scores, return_data=True, error_score="raise")
    sizes = [np.abs(train.diff(season)).mean() for train in found["y_train"]]
    size, true, predicted = (
        np.array([np.ravel(one) for one in many])
        for many in (sizes, found["y_test"], found["y_pred"])
    )
    inside = None
    if len(scores) > 1:
        bounds = np.array([one.to_numpy() for one in found["y_pred_interval"]])
        inside = (bounds[:, :, 0] <= true) & (true <= bounds[:, :, 1])
    results = {}
    for n_steps in (1, horizon):
        errors = (predicted - true)[:, :n_steps]
        results[n_steps] = {
            "mase": float(np.mean(np.abs(errors) / size)),
            "rmse": float(np.sqrt(np.mean(errors**2))),
            "fit": float(found["fit_time"].mean()),
            "predict": float(found["pred_time"].mean()),
            "coverage": None if inside is None else float(inside[:, :n_steps].mean()),
            "windows": len(found),
        }
    return results


def run_panel(seed, forecaster):
    """Return a forecaster's scores of the last season of a panel, and its seconds in all."""
    import skrnn

    quiet()
    y = make_panel(seed)
    months = y.index.get_level_values("month")
    train, test = y[months < months.max() - 11], y[months >= months.max() - 11]
    model = make(forecaster, 12)
    skrnn.clear_compiled()  # each panel pays for it
    start = time.perf_counter()
    model.fit(train, fh=np.arange(1, 13))
    fit = time.perf_counter() - start
    start = time.perf_counter()
    predicted = model.predict()
    predict = time.perf_counter() - start
    errors = (predicted - test)["value"]
    naive = train["value"].groupby("series").diff(12).abs().groupby("series").mean()
    coverage = None
    if model.get_tag("capability:pred_int"):
        try:
            bounds = model.predict_interval(coverage=0.9).to_numpy()
        except TypeError:  # of some models of statsmodels
            pass
        else:
            inside = (bounds[:, 0] <= test["value"]) & (test["value"] <= bounds[:, 1])
            coverage = float(inside.mean())
    return {
        "mase": float((errors.abs().groupby("series").mean() / naive).mean()),
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "fit": fit,
        "predict": predict,
        "coverage": coverage,
    }


def row(name, score, naive):
    """Return the cells of a forecaster."""
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


def mean(scores):
    """Return the means of the scores of several seeds."""
    return {
        key: None if scores[0][key] is None else float(np.mean([score[key] for score in scores]))
        for key in scores[0]
    }


def verdicts(results, panels):
    """Return the table of what the forecaster is asked to reach."""
    rows = []
    for forecaster in FORECASTERS[:2]:
        for series in SERIES:
            _, season, horizon = load(series)
            if season == 1:
                continue
            ours = results[series, horizon, forecaster]
            ratio = ours["rmse"] / results[series, horizon, "naive, seasonal"]["rmse"]
            text = f"{series}, a season ahead: RMSE / seasonal naive"
            rows.append([forecaster, text, f"{ratio:.3f}", "< 1", ratio < 1])
        for horizon in (1, load("Google")[2]):
            ours = results["Google", horizon, forecaster]["rmse"]
            ratio = ours / results["Google", horizon, "naive, last"]["rmse"]
            text = f"Google, {horizon} ahead: RMSE / last value"
            rows.append([forecaster, text, f"{ratio:.4f}", "≤ 1.01", ratio <= 1.01])
        ets = results.get(("airline", 12, "AutoETS"))
        if ets is not None:
            ratio = results["airline", 12, forecaster]["mase"] / ets["mase"]
            text = "airline, a season ahead: MASE / AutoETS"
            rows.append([forecaster, text, f"{ratio:.3f}", "≤ 1.10", ratio <= 1.1])
        if "AutoETS" in panels:
            ours, ets = mean(panels[forecaster]), mean(panels["AutoETS"])
            for text, ratio in (
                ("panel: MASE / AutoETS", ours["mase"] / ets["mase"]),
                ("panel: RMSE / AutoETS", ours["rmse"] / ets["rmse"]),
                (
                    "panel: seconds / AutoETS",
                    (ours["fit"] + ours["predict"]) / (ets["fit"] + ets["predict"]),
                ),
            ):
                rows.append([forecaster, text, f"{ratio:.3f}", "< 1", ratio < 1])
        covered = [
            results[series, horizon, forecaster]["coverage"]
            for series in SERIES
            for horizon in (1, load(series)[2])
        ]
        share = float(np.mean(covered))
        text = "90 % intervals: mean coverage of all single series"
        rows.append([forecaster, text, f"{share:.1%}", "85 to 95 %", 0.85 <= share <= 0.95])
    header = ["forecaster", "what", "measured", "asked for", "reached"]
    return table(header, [[*row[:-1], "yes" if row[-1] else "**no**"] for row in rows])


def measure(jobs, arguments):
    """Run the jobs (key, function, arguments) that --resume does not hold the results of yet."""
    folder, found = arguments.resume, {}
    paths = {}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        paths = {key: folder / ("-".join(map(str, key)) + ".pickle") for key, *_ in jobs}
        found = {
            key: pickle.loads(path.read_bytes()) for key, path in paths.items() if path.exists()
        }
    jobs = [job for job in jobs if job[0] not in found]
    start = time.perf_counter()
    parallel = Parallel(n_jobs=arguments.jobs, return_as="generator_unordered", batch_size=1)

    def run(key, function, its_arguments):
        return key, function(*its_arguments)

    for done, (key, score) in enumerate(parallel(delayed(run)(*job) for job in jobs), start=1):
        found[key] = score
        if folder is not None:
            paths[key].write_bytes(pickle.dumps(score))
        minutes = (time.perf_counter() - start) / 60
        progress(f"{done:3d} of {len(jobs)}, {minutes:5.1f} min: {key}")
    return found


def has(package):
    import importlib.util

    return importlib.util.find_spec(package) is not None


def main():
    parser = Parser(__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--windows", type=int, default=12, help="expanding windows of a series")
    parser.add_argument("--seeds", type=int, default=5, help="panels")
    parser.add_argument("--resume", type=Path, help="keep runs in this folder, and go on from it")
    parser.add_argument("--only", help="run only these forecasters, parted by semicolons")
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
        and (name, series) != ("theta", "solar")  # multiplies, which zeros forbid
        and not (name == "AutoARIMA" and load(series)[1] > LONGEST_ARIMA)
    ]
    jobs += [
        (("panel", seed, name), run_panel, (seed, name))
        for seed in range(arguments.seeds)
        for name in PANEL
        if name not in missing
    ]
    found = measure(
        [job for job in jobs if not arguments.only or job[0][2] in arguments.only.split(";")],
        arguments,
    )
    if arguments.only:
        return
    panels: dict = {}
    results = {}
    for (series, _, name), score in found.items():
        if series == "panel":
            panels.setdefault(name, []).append(score)
        else:
            results |= {(series, steps, name): one for steps, one in score.items()}
    blocks = ["**What was asked for**", verdicts(results, panels)]
    for series in SERIES:
        y, season, horizon = load(series)
        base = "naive, last" if season == 1 else "naive, seasonal"
        for steps in (1, horizon):
            scores = {
                n: results[series, steps, n] for n in FORECASTERS if (series, steps, n) in results
            }
            length = f"a season of {season}" if season > 1 else "no season"
            ahead = "the next step" if steps == 1 else f"{steps} steps"
            n_windows = scores[base]["windows"]
            title = f"**{series}** ({len(y)} rows, {length}), {ahead}, {n_windows} windows"
            blocks += [title, table(HEADER, [row(n, s, scores[base]) for n, s in scores.items()])]
    means = {name: mean(panels[name]) for name in PANEL if name in panels}
    blocks += [
        "**A panel** of 100 monthly series of 48 rows (one seasonal shape, random level and "
        "amplitude, noise of 20 % of the amplitude), the last season from the 36 rows before; "
        f"means of {arguments.seeds} panels, seconds for all series, compilation included",
        table(HEADER, [row(n, s, means["naive, seasonal"]) for n, s in means.items()]),
    ]
    notes = [f"{arguments.jobs} jobs at a time, a thread each."]
    notes.append("– in the last column: no intervals, or not with these versions of packages.")
    if missing:
        notes.append(f"Left out, as their packages are missing: {', '.join(missing)}.")
    notes.append("Theta is left out where values are zero, and")
    notes.append(f"AutoARIMA where a season is longer than {LONGEST_ARIMA} rows.")
    from importlib.metadata import version

    names = ["sktime", *sorted({PACKAGES[n] for n in PACKAGES if n not in missing})]
    blocks.append(" ".join(notes))
    arguments.repeat = 1
    blocks.append(machine(arguments, {name: version(name) for name in names}))
    report(arguments, *blocks)


if __name__ == "__main__":
    main()
