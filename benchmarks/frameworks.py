"""Time to train the networks of the MasterCard tutorial for 50 epochs with other libraries.

    python benchmarks/frameworks.py [--data FOLDER] [--repeat 5] [--peers torch,darts]

LSTM(125) and GRU(125) are trained on windows of 60 rows with a batch size of 32. Each fit runs in a
new process, in the environment of the library, with default thread settings. The time of imports is
excluded. The docstrings of the scripts in `peers` describe how the defaults of the libraries
differ, and which settings ensure the same number of gradient steps.
"""

from _common import (
    CASES,
    TARGET_HEADER,
    Parser,
    describe_environment,
    format_median,
    has_peer,
    markdown_table,
    median,
    report,
    run_in_new_process,
    run_interleaved,
    run_peer,
    target_cells,
)
from training import fit_skrnn

# Name: environment, script, additional job entries, whether it uses torch's nn.LSTM.
PEERS = {
    "torch, plain loop": ("torch", "torch_loop.py", {}, True),
    "skorch": ("skorch", "skorch_fit.py", {}, True),
    "darts BlockRNNModel": ("darts", "darts_fit.py", {}, True),
    "neuralforecast": ("neuralforecast", "neuralforecast_fit.py", {}, True),
    "skforecast on TensorFlow": (
        "skforecast",
        "skforecast_fit.py",
        {"backend": "tensorflow"},
        False,
    ),
    "skforecast on torch": ("skforecast", "skforecast_fit.py", {"backend": "torch"}, False),
}


def main():
    options = Parser(__doc__)
    options.add_data()
    options.add_argument("--peers", help="environments, separated by commas (default: all)")
    arguments = options.parse_args()
    epochs = 2 if arguments.quick else 50
    environments = {environment for environment, *_ in PEERS.values()}
    if arguments.peers:
        environments &= set(arguments.peers.split(","))
    environments = {environment for environment in environments if has_peer(environment)}
    peers = {name: peer for name, peer in PEERS.items() if peer[0] in environments}

    rows, versions = [], {}
    for case in CASES[2:]:
        job = case.job(arguments.data, epochs=epochs)
        candidates = {"skrnn": lambda job=job: run_in_new_process(fit_skrnn, job)}
        for name, (environment, script, options, _) in peers.items():
            candidates[name] = lambda e=environment, s=script, j=job | options: run_peer(e, s, j)
        results = run_interleaved(candidates, arguments.repeat, case.name)
        for name, (*_, uses_torch_lstm) in peers.items():
            peer_results, skrnn_results = results[name], results["skrnn"]
            versions |= peer_results[0]["versions"]
            minimum = 0.6 if case.cell == "lstm" and uses_torch_lstm else 1
            speedup = median(peer_results, "fit_s") / median(skrnn_results, "fit_s")
            cells = [
                case.name,
                name,
                format_median(peer_results, "fit_s"),
                format_median(skrnn_results, "fit_s"),
            ]
            rows.append([*cells, *target_cells(speedup, minimum, 2)])

    report(
        arguments,
        f"**Time to train the networks of the MasterCard tutorial for {epochs} epochs**, using "
        "the standard API of each library",
        markdown_table(["network", "compared with", "time (s)", "skrnn (s)", *TARGET_HEADER], rows),
        describe_environment(arguments, versions),
    )


if __name__ == "__main__":
    main()
