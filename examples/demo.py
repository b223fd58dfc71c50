"""Scale, window, fit, search and predict Google's stock, and compare with the naive forecast.

Run by ``make demo``. It takes a minute, and needs no network: the prices ship with matplotlib.
"""

import argparse
import contextlib
import os
import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import ForecastDisplay, NaiveRegressor, RNNRegressor, WindowTransformer, skill_score
from skrnn.datasets import load_google


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--epochs", type=int, default=60, help="of the final fits (default: 60)")
    parser.add_argument("--output", default="skrnn_demo.png", help="default: %(default)s")
    options = parser.parse_args()
    quieten_tensorflow()

    prices = load_google()
    train, test = prices[:-200], prices[-200:]
    print("Google's opening price on the next day")
    print(f"  learnt from {len(train)} days, {train.index[0].date()} to {train.index[-1].date()}")
    print(f"  tested on   {len(test)} days, {test.index[0].date()} to {test.index[-1].date()}\n")

    # A stock pipeline: every row is predicted from the rows before it, so y is the series itself.
    rnn = RNNRegressor("lstm", units=32, learning_rate=0.01, epochs=options.epochs, random_state=0)
    lstm = TransformedTargetRegressor(
        regressor=make_pipeline(StandardScaler(), WindowTransformer(60), rnn),
        transformer=StandardScaler(),
    ).fit(train[["Open"]], train["Open"])
    naive = make_pipeline(WindowTransformer(1), NaiveRegressor())
    naive.fit(train[["Open"]], train["Open"])

    # Any parameter can be searched over, the windows' length like the network's cell. With
    # residual=True networks start at the naive forecast, and learn the change.
    search = GridSearchCV(
        clone(lstm).set_params(
            regressor__rnnregressor__residual=True,
            regressor__rnnregressor__epochs=max(1, options.epochs // 6),
        ),
        {
            "regressor__windowtransformer__window_length": [5, 10],
            "regressor__rnnregressor__cell": ["lstm", "gru"],
        },
        cv=TimeSeriesSplit(3),
        scoring="neg_root_mean_squared_error",
    )
    show_progress(search).fit(train[["Open"]], train["Open"])
    cell = search.best_params_["regressor__rnnregressor__cell"].upper()
    length = search.best_params_["regressor__windowtransformer__window_length"]

    # Several features a day: more columns in X, and nothing else.
    features = ["Open", "High", "Low", "Volume"]
    several = clone(search.best_estimator_)
    several.set_params(regressor__rnnregressor__epochs=options.epochs)
    several.fit(train[features], train["Open"])

    y_naive = naive.predict(test[["Open"]])
    forecasts = {
        "naive: tomorrow opens where today did": y_naive,
        "LSTM, 60 days": lstm.predict(test[["Open"]]),
        f"{cell}, {length} days, residual (found by the search)": search.predict(test[["Open"]]),
        f"{cell}, {length} days, residual, with {', '.join(features[1:])}": several.predict(
            test[features]
        ),
    }
    print(f"\n{'model':54} {'RMSE':>6} {'skill':>7}")
    print("-" * 69)
    for name, y_pred in forecasts.items():
        rmse = root_mean_squared_error(test["Open"], y_pred)
        print(f"{name:54} {rmse:6.2f} {skill_score(test['Open'], y_pred, y_naive):+7.3f}")
    print(
        "\nSkill is 1 - RMSE / RMSE of the naive forecast. From its own past an opening price can"
        "\nhardly be told better than by the last one: a skill near 0 is the honest result, and a"
        "\nplain network falls short of it. A day's high and low say where the price went after"
        "\nthe open, and that is something to learn."
    )

    figure, axes = plt.subplots(2, figsize=(9, 8), sharex=True, layout="constrained")
    ForecastDisplay.from_estimator(search, test[["Open"]], test["Open"], ax=axes[0])
    ForecastDisplay.from_estimator(several, test[features], test["Open"], ax=axes[1])
    axes[0].set_title("From the opening prices alone")
    axes[1].set_title(f"With {', '.join(features[1:])}")
    axes[0].label_outer()
    figure.savefig(options.output, dpi=120)
    print(f"\nThe plot is in {options.output}.")


def show_progress(search):
    """Have `search` show a progress bar, or lines where scikit-learn (< 1.9) or rich lacks it."""
    try:
        from sklearn.callback import ProgressBar

        # TransformedTargetRegressor passes no callbacks on: the bar counts fits, not epochs.
        warnings.filterwarnings("ignore", ".*The callbacks .* will not be propagated")
        return search.set_callbacks(ProgressBar())
    except ImportError:
        return search.set_params(verbose=2)


def quieten_tensorflow():
    """Start TensorFlow without its notices about the machine, which no setting silences."""
    with contextlib.ExitStack() as stack:
        stderr = os.dup(2)
        stack.callback(os.close, stderr)
        stack.callback(os.dup2, stderr, 2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, nowhere)
        os.dup2(nowhere, 2)
        import tensorflow

        tensorflow.constant(0)


if __name__ == "__main__":
    main()
