"""Forecast Google's stock price and compare the forecasts with the naive forecast.

``make demo`` runs this script, which takes about a minute. No network connection is required,
because the prices ship with matplotlib.
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
    parser.add_argument("--epochs", type=int, default=60, help="default: %(default)s")
    parser.add_argument("--output", default="skrnn_demo.png", help="default: %(default)s")
    options = parser.parse_args()
    silence_tensorflow()

    prices = load_google()
    train, test = prices[:-200], prices[-200:]
    print("Forecasts of Google's opening price on the next day")
    print(f"  training: {len(train)} days, {train.index[0].date()} to {train.index[-1].date()}")
    print(f"  test:     {len(test):4} days, {test.index[0].date()} to {test.index[-1].date()}\n")

    # Each row is predicted from the rows before it, so y is the series itself.
    settings = {"learning_rate": 0.01, "epochs": options.epochs, "random_state": 0}
    rnn = RNNRegressor("lstm", units=32, residual=False, early_stopping=False, **settings)
    steps = make_pipeline(StandardScaler(), WindowTransformer(60), rnn)
    steps.set_output(transform="pandas")  # keeps the dates, by which gaps and overlaps are detected
    lstm = TransformedTargetRegressor(regressor=steps, transformer=StandardScaler())
    lstm.fit(train[["Open"]], train["Open"])
    # The closing price is the last one before the next opening price: the best naive forecast.
    naive = {
        column: make_pipeline(WindowTransformer(1), NaiveRegressor())
        .fit(train[[column]])
        .predict(test[[column]])[:, 0]
        for column in ("Open", "Close")
    }

    # All parameters can be tuned, including the window length and the cell of the network. With
    # residual=True, training starts at the naive forecast, and the network learns the change.
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

    # Additional features only require additional columns in X.
    features = ["Open", "High", "Low", "Close"]
    multivariate = clone(search.best_estimator_)
    multivariate.set_params(regressor__rnnregressor__epochs=options.epochs)
    multivariate.fit(train[features], train["Open"])

    y_naive = naive["Close"]
    forecasts = {
        "naive forecast: the last closing price": y_naive,
        "naive forecast: the last opening price": naive["Open"],
        "LSTM, 60 days": lstm.predict(test[["Open"]]),
        f"{cell}, {length} days, residual (selected by the search)": search.predict(test[["Open"]]),
        f"{cell}, {length} days, residual, with {', '.join(features[1:])}": multivariate.predict(
            test[features]
        ),
    }
    print(f"\n{'model':54} {'RMSE':>6} {'skill':>7}")
    print("-" * 69)
    for name, y_pred in forecasts.items():
        rmse = root_mean_squared_error(test["Open"], y_pred)
        print(f"{name:54} {rmse:6.2f} {skill_score(test['Open'], y_pred, y_naive):+7.3f}")
    print(
        "\nSkill is 1 - RMSE / RMSE of the best naive forecast: the last closing price, the latest"
        "\nprice before the next open. Models of opening prices alone are not expected to exceed"
        "\nthe last opening price, and without residual=True they are less accurate. With all"
        "\nprices of a day, the network comes close to the last closing price, but is not more"
        "\naccurate: past prices contain almost no information about the next change."
    )

    figure, axes = plt.subplots(2, figsize=(9, 8), sharex=True, layout="constrained")
    y_true, (y_search, y_multivariate) = test["Open"], [*forecasts.values()][-2:]
    for ax, y_pred, y_reference in [
        (axes[0], y_search, naive["Open"]),
        (axes[1], y_multivariate, y_naive),
    ]:
        ForecastDisplay.from_predictions(
            y_true, y_pred, y_naive=y_reference, index=test.index, ax=ax
        )
    axes[0].set_title("Opening prices only")
    axes[1].set_title(f"Opening prices, {', '.join(features[1:])}")
    axes[0].label_outer()
    figure.savefig(options.output, dpi=120)
    print(f"\nThe plot was saved to {options.output}.")


def show_progress(search):
    """Show a progress bar, or verbose output without scikit-learn >= 1.9 or rich."""
    try:
        from sklearn.callback import ProgressBar

        # TransformedTargetRegressor does not propagate callbacks: the bar counts fits, not epochs.
        warnings.filterwarnings("ignore", ".*The callbacks .* will not be propagated")
        return search.set_callbacks(ProgressBar())
    except ImportError:
        return search.set_params(verbose=2)


def silence_tensorflow():
    """Start TensorFlow with stderr discarded, because no setting disables its startup messages."""
    with contextlib.ExitStack() as stack:
        stderr = os.dup(2)
        stack.callback(os.close, stderr)
        stack.callback(os.dup2, stderr, 2)
        null = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, null)
        os.dup2(null, 2)
        import tensorflow

        tensorflow.constant(0)


if __name__ == "__main__":
    main()
