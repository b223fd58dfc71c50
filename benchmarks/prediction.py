"""Time to predict one window, compared with Keras' `predict` and with calling the model.

    python benchmarks/prediction.py [--repeat 5]

All three implementations use the same fitted network. They are measured alternately in one process,
after warm-up. Each repetition runs in a new process.
"""

import statistics
import time

import numpy as np
from _common import (
    TARGET_HEADER,
    Parser,
    describe_environment,
    format_median,
    import_training_modules,
    markdown_table,
    median,
    report,
    run_in_new_process,
    run_interleaved,
    target_cells,
)

NETWORKS = {"GRU(32)": ("gru", 32), "LSTM(125)": ("lstm", 125), "GRU(125)": ("gru", 125)}


def predict(cell, units, n_rounds, n_calls):
    """Return the median time per call of each implementation, in seconds."""
    import_training_modules()
    from skrnn import RNNRegressor

    rng = np.random.default_rng(0)
    windows = rng.random((64, 60, 1), dtype=np.float32)
    rnn = RNNRegressor(cell, units, epochs=1, random_state=0).fit(windows, windows[:, -1, 0])
    model, x = rnn.model_, windows[:1]
    candidates = {
        "skrnn": lambda: rnn.predict(x),
        "Keras' `predict`": lambda: model.predict(x, verbose=0)[:, 0],
        "calling the model": lambda: model(x).numpy()[:, 0],
    }
    expected = model(x).numpy()[:, 0]
    for name, run in candidates.items():
        np.testing.assert_allclose(run(), expected, rtol=1e-4, atol=1e-5, err_msg=name)
    seconds = {name: [] for name in candidates}
    for _ in range(n_rounds):
        for name, run in candidates.items():
            run()  # refill the processor caches after the other implementations
            for _ in range(n_calls):
                start = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main():
    arguments = Parser(__doc__).parse_args()
    n_rounds, n_calls = (2, 3) if arguments.quick else (10, 20)
    networks = dict(list(NETWORKS.items())[:1]) if arguments.quick else NETWORKS

    candidates = {
        name: lambda network=network: run_in_new_process(predict, *network, n_rounds, n_calls)
        for name, network in networks.items()
    }
    rows = []
    for name, results in run_interleaved(candidates, arguments.repeat, "predict").items():
        skrnn_time = median(results, "skrnn")
        for baseline in ("Keras' `predict`", "calling the model"):
            speedup = median(results, baseline) / skrnn_time
            cells = [f"{speedup:.2f}×", "", "", ""]
            if baseline.startswith("Keras"):
                cells = target_cells(speedup, 20, 50)
            times = [format_median(results, name, 1e3) for name in (baseline, "skrnn")]
            rows.append([name, baseline, *times, *cells])
    report(
        arguments,
        "**Time to predict one window of 60 rows**, after warm-up",
        markdown_table(
            ["network", "compared with", "time (ms)", "skrnn (ms)", *TARGET_HEADER], rows
        ),
        describe_environment(arguments),
    )


if __name__ == "__main__":
    main()
