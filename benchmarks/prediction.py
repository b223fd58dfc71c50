"""How long it takes to predict one window, warm: beside Keras' `predict` and a call of the model.

    python benchmarks/prediction.py [--repeat 5]

All three ask the same fitted network, in one process for each repetition, in turns.
"""

import statistics
import time

import numpy as np
from _common import (
    JUDGED,
    Parser,
    fresh,
    interleaved,
    judged,
    load_engine,
    machine,
    median,
    report,
    spread,
    table,
)

NETWORKS = {"GRU(32)": ("gru", 32), "LSTM(125)": ("lstm", 125), "GRU(125)": ("gru", 125)}


def predict(cell, units, n_rounds, n_calls):
    """Return the median seconds of a call on each side."""
    load_engine()
    from skrnn import RNNRegressor

    rng = np.random.default_rng(0)
    windows = rng.random((64, 60, 1), dtype=np.float32)
    rnn = RNNRegressor(cell, units, epochs=1, random_state=0).fit(windows, windows[:, -1, 0])
    model, x = rnn.model_, windows[:1]
    sides = {
        "skrnn": lambda: rnn.predict(x),
        "Keras' `predict`": lambda: model.predict(x, verbose=0)[:, 0],
        "a call of the model": lambda: model(x).numpy()[:, 0],
    }
    expected = model(x).numpy()[:, 0]
    for name, run in sides.items():
        np.testing.assert_allclose(run(), expected, rtol=1e-4, atol=1e-5, err_msg=name)
    seconds = {name: [] for name in sides}
    for _ in range(n_rounds):
        for name, run in sides.items():
            run()  # back in the caches, after the others
            for _ in range(n_calls):
                start = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main():
    arguments = Parser(__doc__).parse_args()
    n_rounds, n_calls = (2, 3) if arguments.quick else (10, 20)
    networks = dict(list(NETWORKS.items())[:1]) if arguments.quick else NETWORKS

    sides = {
        name: lambda network=network: fresh(predict, *network, n_rounds, n_calls)
        for name, network in networks.items()
    }
    rows = []
    for name, results in interleaved(sides, arguments.repeat, "predict").items():
        ours = median(results, "skrnn")
        for opponent in ("Keras' `predict`", "a call of the model"):
            ratio = median(results, opponent) / ours
            cells = [f"{ratio:.2f}×", "", "", ""]
            if opponent.startswith("Keras"):
                cells = judged(ratio, 20, 50)
            times = [spread(results, side, 1e3) for side in (opponent, "skrnn")]
            rows.append([name, opponent, *times, *cells])
    report(
        arguments,
        "**Predicting one window of 60 rows, warm**",
        table(["network", "against", "its ms", "skrnn's ms", *JUDGED], rows),
        machine(arguments),
    )


if __name__ == "__main__":
    main()
