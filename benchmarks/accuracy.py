"""Accuracy of RNNRegressor and RNNForecaster with default settings, and of other models.

    python benchmarks/accuracy.py [--data FOLDER] [--only NAME ...] [--seeds 5] [--output FILE]

All models have their default parameters, except for the window length, the seasonal period and the
segments of a season. Networks are trained with several seeds; the table contains the median, the
minimum and the maximum. The other models are deterministic. The parts are:

- regressors: the next row of 12 series of different kinds, with windows of 10 to 52 rows. The last
  fifth of the rows is predicted.
- stocks: the next day of the stock prices of the tutorials (with --data), or of Google.
- temperatures: the next day of the minimum temperatures in Melbourne (with --data).
- ett: the oil temperature of a transformer 24 hours ahead, without gradient boosting (with --data).
- long: the seven series of ETTh1, each by itself, 96 to 720 hours ahead (with --data).
- m4: the hourly series of the M4 competition with odd numbers, 48 hours ahead (with --data).
- origins: airline passengers and solar power, one season ahead, from about 30 forecast origins.

Naive forecasts are the last value, the value one season earlier, and the value one season earlier
plus the change of the last season. The most accurate one on the test rows is in the tables. For
stocks they are the last prices of all columns. Series of statsmodels are omitted if it is not
installed.
"""

import os
import statistics
import time
import warnings
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pandas as pd
from _common import Parser, best_naive, describe_environment, log, markdown_table, report, rmse
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import RNNForecaster, RNNRegressor, WindowTransformer, datasets, steps_ahead
from skrnn.windows import sliding_windows


def load_series(data):
    """Return series of different kinds, the target in the first column, windows and seasons."""
    rng = np.random.default_rng(0)
    series = {
        "airline: trend, seasonal": (datasets.load_airline()["Passengers"], 24, 12),
        "Google: random walk": (datasets.load_google()["Close"], 30, 1),
        "AR(2): mean-reverting": (datasets.make_ar(1500, (1.2, -0.4), random_state=0), 20, 1),
        "4 random walks": (np.cumsum(rng.normal(size=(1500, 4)), axis=0), 30, 1),
    }
    level = datasets.make_ar(1500, (0.9,), random_state=1)[:, 0]
    series["counts: bursty"] = rng.poisson(np.exp(0.8 * level / level.std())).astype(float), 30, 1
    from sktime.datasets import load_lynx, load_solar

    series["lynx: cycles"] = load_lynx(), 20, 1
    series["solar: seasonal, flat nights"] = load_solar(api_version=None), 48, 48
    try:
        from statsmodels import datasets as others
    except ImportError:
        log("Omitting the series of statsmodels, which is not installed.")
    else:
        sunspots = others.sunspots.load_pandas().data["SUNACTIVITY"]
        elnino = others.elnino.load_pandas().data.iloc[:, 1:].to_numpy(dtype=float).ravel()
        carbon_dioxide = others.co2.load_pandas().data["co2"].interpolate()
        nile = others.nile.load_pandas().data["volume"]
        series["sunspots: cycles"] = sunspots, 24, 1
        series["El Niño: seasonal"] = elnino, 24, 12
        series["CO2: trend, seasonal"] = carbon_dioxide, 52, 52
        series["Nile: noisy level"] = nile, 10, 1
    if data is not None:
        frame = pd.read_csv(data / "ett" / "ETTh1.csv")
        columns = ["OT", *frame.columns.drop(["date", "OT"])]
        series["ETTh1: multivariate"] = frame[columns][:6000], 24, 24
    return {name: (to_matrix(values), *sizes) for name, (values, *sizes) in series.items()}


def to_matrix(values):
    return np.asarray(values, dtype=float).reshape(len(values), -1)


def peers():
    """Return regressors on windows relative to their last row, which predict changes."""
    return {
        "Ridge": RidgeCV(np.logspace(-4, 4, 17)),
        "gradient boosting": MultiOutputRegressor(HistGradientBoostingRegressor(random_state=0)),
    }


def predict_peer(model, series, targets, n_train, window_length):
    """Fit a regressor to the windows and changes of the training rows, and predict all rows."""
    windows = np.asarray(sliding_windows(series, window_length))
    last = windows[:, -1, :1]
    X = (windows - windows[:, -1:]).reshape(len(windows), -1)
    train = slice(window_length, n_train - targets.shape[1] + 1)
    model.fit(X[train], (targets - last)[train])
    return model.predict(X).reshape(targets.shape) + last


def predict_rnn(series, targets, n_train, window_length, seed, **settings):
    """Fit RNNRegressor to the training rows as a newcomer would, and predict all rows."""
    network = RNNRegressor(random_state=seed, **settings)
    model = make_pipeline(MinMaxScaler(), WindowTransformer(window_length), network)
    if targets.shape[1] == 1:
        model = TransformedTargetRegressor(regressor=model, transformer=MinMaxScaler())
    model.fit(
        series[:n_train], targets[:n_train] if targets.shape[1] == 1 else cut(targets, n_train)
    )
    return model.predict(series).reshape(targets.shape)


def cut(targets, n_train):
    """Return the targets of the training rows, with NaN for steps after the last of them."""
    targets = targets[:n_train].copy()
    rows, steps = np.indices(targets.shape)
    targets[rows + steps >= n_train] = np.nan
    return targets


def describe(scores, digits):
    """Return the median of the scores of several seeds, and their range."""
    low, middle, high = min(scores), statistics.median(scores), max(scores)
    text = f"{middle:.{digits}f}"
    return text if len(scores) == 1 else f"{text} ({low:.{digits}f} to {high:.{digits}f})"


def compare(series, targets, n_train, window_length, rows, score, seeds, variants, digits=3):
    """Return a row of scores of the variants of RNNRegressor and of the peers."""
    cells = []
    for name, settings in variants.items():
        start = time.perf_counter()
        predict = partial(predict_rnn, series, targets, n_train, window_length, **settings)
        scores = [score(predict(seed)[rows] - targets[rows]) for seed in range(seeds)]
        log(f"  {name}: {describe(scores, digits)}, {time.perf_counter() - start:.0f} s")
        cells.append(describe(scores, digits))
    models = peers()
    if targets.shape[1] > 1:  # a model for each step would take minutes
        del models["gradient boosting"]
    for model in models.values():
        predictions = predict_peer(model, series, targets, n_train, window_length)
        cells.append(describe([score(predictions[rows] - targets[rows])], digits))
    return cells


OLD = {"residual": False, "early_stopping": False}
VARIANTS = {
    "RNNRegressor": {},
    "residual=True": {"residual": True},
    "residual=False, early_stopping=False": OLD,
}


def run_regressors(arguments):
    header = ["series", "windows", "best naive forecast", *VARIANTS, *peers()]
    table = []
    for name, (series, length, season) in load_series(arguments.data).items():
        log(name)
        n_train = len(series) - len(series) // 5
        rows = slice(n_train, None)
        origins = np.arange(n_train, len(series))
        naive, naive_rmse = best_naive(series[:, 0], origins, 1, season, rmse)
        score = partial(relative_rmse, naive=naive_rmse)
        cells = compare(
            series, series[:, :1], n_train, length, rows, score, arguments.seeds, VARIANTS
        )
        table.append([name, length, naive, *cells])
    title = "**Next row**: RMSE / RMSE of the best naive forecast, default settings"
    return [title, markdown_table(header, table)]


def relative_rmse(errors, naive):
    return rmse(errors) / naive


def run_stocks(arguments):
    stocks = [("google", "Open", 60), ("facebook", "Open", 40), ("mastercard", "High", 60)]
    stocks = stocks if arguments.data else [("google", "Open", 60)]
    table = []
    for stock, column, length in stocks:
        log(stock)
        train, test = datasets.load_stock(arguments.data, stock)
        values = to_matrix(pd.concat([train[column], test[column]]))
        n_train = len(train)
        rows = slice(n_train, None)
        prices = [name for name in ("Open", "High", "Low", "Close") if name in train]
        naives = {}
        for price in prices:
            last = pd.concat([train[price][-1:], test[price][:-1]]).to_numpy(dtype=float)
            naives[f"last {price}"] = rmse(values[n_train:, 0] - last)
        score = partial(relative_rmse, naive=naives[f"last {column}"])
        best = min(naives, key=naives.get)
        ratio = f"{naives[best] / naives[f'last {column}']:.4f} ({best})"
        cells = compare(values, values, n_train, length, rows, score, arguments.seeds, VARIANTS, 4)
        table.append([f"{stock}, {column}", length, ratio, *cells])
    title = "**Stocks**, next day, from one column: RMSE / RMSE of its last value, default settings"
    header = ["stock", "windows", "best naive forecast of all columns", *VARIANTS, *peers()]
    return [title, markdown_table(header, table)]


def run_temperatures(arguments):
    path = arguments.data / "min_temperatures" / "daily-min-temperatures.csv"
    values = to_matrix(pd.read_csv(path).iloc[:, 1])
    n_train = len(values) - 730
    rows = slice(n_train, None)
    name, naive = best_naive(values[:, 0], np.arange(n_train, len(values)), 1, 365, rmse)
    cells = compare(values, values, n_train, 30, rows, rmse, arguments.seeds, VARIANTS)
    title = "**Minimum temperatures**, next day: RMSE in degrees Celsius, windows of 30 days"
    return [title, markdown_table([name, *VARIANTS, *peers()], [[f"{naive:.3f}", *cells]])]


def load_ett(data):
    """Return the series of ETTh1, scaled by the training rows, and the rows of the test set."""
    frame = pd.read_csv(data / "ett" / "ETTh1.csv").drop(columns="date")[:14400]
    return (frame - frame[:8640].mean()) / frame[:8640].std(ddof=0), 8640, 11520


def mse(errors):
    return float(np.mean(np.square(errors)))


def run_ett(arguments):
    frame, n_train, n_before = load_ett(arguments.data)
    series = to_matrix(frame["OT"])
    targets = steps_ahead(series, 24)
    rows, table = slice(n_before, len(series) - 23), []
    origins = np.arange(rows.start, rows.stop)
    name, naive = best_naive(series[:, 0], origins, 24, 24, mse)
    table.append([f"best naive forecast: {name}", "", f"{naive:.4f}"])
    variants = {
        "RNNRegressor(segment_length=24)": {"segment_length": 24},
        "the same, residual=True": {"segment_length": 24, "residual": True},
    }
    for length in (96, 192):
        names = [*variants, "Ridge"]
        cells = compare(
            series, targets, n_train, length, rows, mse, arguments.seeds, variants, digits=4
        )
        table += [[name, length, cell] for name, cell in zip(names, cells, strict=True)]
    scores = []
    for seed in range(arguments.seeds):
        forecaster = RNNForecaster(sp=24, random_state=seed)
        forecaster.fit(pd.Series(series[:n_train, 0]), fh=range(1, 25))
        forecasts = forecaster.predict_origins(pd.Series(series[:, 0]), origins - 1, range(1, 25))
        scores.append(mse(forecasts[:, :, 0] - targets[rows]))
        log(f"RNNForecaster: {scores[-1]:.4f}")
    table.append(["RNNForecaster(sp=24)", "", describe(scores, 4)])
    title = (
        f"**ETTh1**, oil temperature, 1 to 24 hours ahead, {rows.stop - rows.start} origins: MSE"
    )
    return [title, markdown_table(["model", "windows", "test MSE"], table)]


# Published test MSE of SegRNN (Lin et al. 2023) and iTransformer (Liu et al. 2024).
PUBLISHED = {96: (0.368, 0.386), 192: (0.408, 0.441), 336: (0.444, 0.487), 720: (0.446, 0.503)}


def run_long(arguments):
    frame, n_train, n_before = load_ett(arguments.data)
    table = []
    for n_steps, published in PUBLISHED.items():
        scores = {"RNNRegressor(segment_length=24)": [], "Ridge": []}
        naives = []
        for column in frame:
            series = to_matrix(frame[column])
            targets = steps_ahead(series, n_steps)
            rows = slice(n_before, len(series) - n_steps + 1)
            origins = np.arange(rows.start, rows.stop)
            naives.append(best_naive(series[:, 0], origins, n_steps, 24, mse)[1])
            predictions = predict_rnn(series, targets, n_train, 96, 0, segment_length=24)
            scores["RNNRegressor(segment_length=24)"].append(mse((predictions - targets)[rows]))
            predictions = predict_peer(peers()["Ridge"], series, targets, n_train, 96)
            scores["Ridge"].append(mse((predictions - targets)[rows]))
            log(f"{n_steps} {column} {scores}")
        means = [f"{np.mean(values):.3f}" for values in scores.values()]
        table.append([n_steps, *means, f"{np.mean(naives):.3f}", *published])
    header = [
        "steps ahead",
        *scores,
        "best naive forecast of each series",
        "SegRNN (published)",
        "iTransformer (published)",
    ]
    title = "**ETTh1**, seven series, each by itself, windows of 96 hours: mean MSE"
    return [title, markdown_table(header, table)]


def load_m4(data):
    """Return the training and test rows of each series."""
    frame = pd.read_csv(data / "m4_hourly" / "hourly_odd.csv")
    return {
        name: [rows.loc[rows["part"] == part, "value"].to_numpy(dtype=float) for part in PARTS]
        for name, rows in frame.groupby("series")
    }


PARTS = "train", "test"


def m4_scores(train, test, forecast):
    """Return MASE with the seasonal naive forecast of 24 hours, and sMAPE in percent."""
    scale = np.mean(np.abs(train[24:] - train[:-24]))
    error = np.abs(test - forecast)
    smape = 200 * np.mean(error / (np.abs(test) + np.abs(forecast)))
    return np.mean(error) / scale, smape


def ridge_forecast(train, n_steps=48, window_length=192):
    """Return the forecast of a ridge regression on the windows of one series, divided by spread."""
    targets = steps_ahead(train, n_steps)
    windows = sliding_windows(train, window_length)[:, :, 0]
    windows = np.concatenate([windows, train[None, -window_length:]])
    center = windows[:, -24:].mean(axis=1, keepdims=True)
    spread = np.sqrt(np.mean((windows - center) ** 2, axis=1, keepdims=True))
    spread = np.where(spread > 1e-9 * (1 + np.abs(center)), spread, 1.0)
    naive = np.tile(windows[:, -24:], 2)
    rows = slice(window_length, len(train) - n_steps + 1)
    X = (windows - center) / spread
    model = RidgeCV(np.logspace(-2, 4, 13))
    model.fit(X[rows], ((targets - naive[:-1]) / spread[:-1])[rows])
    return naive[-1] + spread[-1] * model.predict(X[-1:])[0]


def run_m4(arguments):
    series = load_m4(arguments.data)
    if arguments.quick:
        series = dict([*series.items()][:10])
    table, trains = [], {key: train for key, (train, _) in series.items()}

    def add(name, forecasts, seconds):
        scores = [m4_scores(*series[key], forecast) for key, forecast in forecasts.items()]
        mase, smape = np.mean(scores, axis=0)
        log(f"{name}: {mase:.3f} {smape:.2f}")
        table.append([name, f"{mase:.3f}", f"{smape:.2f}", f"{seconds:.0f}"])

    start = time.perf_counter()
    for season in (24, 168):
        rows = np.arange(48) % season - season
        naive = {key: train[rows] for key, (train, _) in series.items()}
        add(f"value {season} hours earlier", naive, time.perf_counter() - start)
        changed = {k: v + trains[k][-1] - trains[k][-1 - season] for k, v in naive.items()}
        add(f"value {season} hours earlier plus change", changed, time.perf_counter() - start)
    start = time.perf_counter()
    ridge = {key: ridge_forecast(train) for key, (train, _) in series.items()}
    add("ridge regression, each series", ridge, time.perf_counter() - start)
    y = pd.concat({key: pd.DataFrame({"value": train}) for key, (train, _) in series.items()})
    y.index.names = "series", "hour"
    for seed in range(arguments.seeds):
        start = time.perf_counter()
        forecaster = RNNForecaster(sp=24, random_state=seed).fit(y, fh=range(1, 49))
        ends = {key: len(train) - 1 for key, (train, _) in series.items()}
        forecasts = {
            key: forecaster.predict_origins(y.loc[[key]], [end], range(1, 49))[0, :, 0]
            for key, end in ends.items()
        }
        add(f"RNNForecaster(sp=24), seed {seed}", forecasts, time.perf_counter() - start)
    title = f"**M4 hourly**, {len(series)} series with odd numbers, 48 hours ahead"
    header = ["model", "MASE", "sMAPE (%)", "seconds"]
    published = "Published, all 414 series: ES-RNN (the winner) MASE 0.893, sMAPE 9.33."
    return [title, markdown_table(header, table), published]


def run_origins(arguments):
    from sktime.datasets import load_solar

    airline = datasets.load_airline()["Passengers"].to_numpy(dtype=float)
    solar = load_solar(api_version=None).to_numpy(dtype=float).ravel()
    cases = {
        "airline, 12 ahead": (airline, 12, range(72, 133, 2)),
        "solar, 48 ahead": (solar, 48, range(125, 242, 4)),
    }
    table = []
    for name, (series, season, origins) in cases.items():
        origins = origins[:2] if arguments.quick else origins
        future = np.array([series[o : o + season] for o in origins])
        naive, naive_rmse = best_naive(series, origins, season, season, rmse)
        seasonal = rmse(np.array([series[o - season : o] for o in origins]) - future)
        scores, start = [], time.perf_counter()
        for seed in range(arguments.seeds):
            forecasts = [
                RNNForecaster(sp=season, random_state=seed)
                .fit(pd.Series(series[:o]), fh=range(1, season + 1))
                .predict()
                .to_numpy()
                .ravel()
                for o in origins
            ]
            scores.append(rmse(np.array(forecasts) - future))
            log(f"{name}: {scores[-1]:.4g}")
        seconds = (time.perf_counter() - start) / len(origins) / arguments.seeds
        theta = theta_rmse(series, season, origins, future)
        scores = describe(scores, 1 if seasonal > 1 else 4)
        cells = [f"{seasonal:.3g}", f"{naive_rmse:.3g} ({naive})", theta, scores]
        table.append([name, len(origins), *cells, f"{seconds:.1f}"])
    header = ["series", "origins", "one season earlier", "best naive forecast", "theta"]
    header.append("RNNForecaster")
    title = "**Forecasts from many origins**, refitted at each origin: RMSE"
    return [title, markdown_table([*header, "seconds per fit"], table)]


def theta_rmse(series, season, origins, future):
    """Return the RMSE of the theta method, or a dash if statsmodels is not installed."""
    from sktime.forecasting.theta import ThetaForecaster

    if (series <= 0).any():
        return "–"
    try:
        forecasts = [
            ThetaForecaster(sp=season)
            .fit(pd.Series(series[:o]), fh=range(1, season + 1))
            .predict()
            .to_numpy()
            for o in origins
        ]
    except ModuleNotFoundError:
        return "–"
    return f"{rmse(np.array(forecasts) - future):.3g}"


RUNS = {
    "regressors": run_regressors,
    "stocks": run_stocks,
    "temperatures": run_temperatures,
    "ett": run_ett,
    "long": run_long,
    "m4": run_m4,
    "origins": run_origins,
}
NEEDS_DATA = {"temperatures", "ett", "long", "m4"}


def main():
    parser = Parser(__doc__)
    parser.add_data()
    parser.add_argument("--only", nargs="+", choices=RUNS, help="parts to run (default: all)")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of each network")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seeds = 1
    warnings.simplefilter("ignore", FutureWarning)
    blocks = []
    for name in arguments.only or RUNS:
        if name in NEEDS_DATA and arguments.data is None:
            log(f"Skipping {name}, which needs --data.")
            continue
        blocks += RUNS[name](arguments)
    arguments.repeat = arguments.seeds
    report(arguments, *blocks, describe_environment(arguments))


if __name__ == "__main__":
    main()
