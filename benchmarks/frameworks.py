"""How long other frameworks take for 50 epochs on MasterCard, as their users call them.

    python benchmarks/frameworks.py [--data FOLDER] [--repeat 5] [--peers torch,darts]

LSTM(125) and GRU(125) on windows of 60 rows, batches of 32; each fit in a fresh process of the
peer's own environment, with default threads, imports not counted. What a peer does otherwise by
default, and what was set to give all the same number of steps, is said at the top of its script
in `peers`.
"""

from _common import (
    CASES,
    JUDGED,
    Parser,
    fresh,
    has_peer,
    interleaved,
    judged,
    machine,
    median,
    report,
    run_peer,
    spread,
    table,
)
from training import fit_skrnn

# Name: environment, script, what else its job holds, whether it runs torch's own nn.LSTM.
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
    options.add_argument("--peers", help="environments to measure: torch,darts; all by default")
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
        sides = {"skrnn": lambda job=job: fresh(fit_skrnn, job)}
        for name, (environment, script, more, _) in peers.items():
            sides[name] = lambda e=environment, s=script, j=job | more: run_peer(e, s, j)
        results = interleaved(sides, arguments.repeat, case.name)
        for name, (*_, own_lstm) in peers.items():
            theirs, ours = results[name], results["skrnn"]
            versions |= theirs[0]["versions"]
            least = 0.6 if case.cell == "lstm" and own_lstm else 1
            ratio = median(theirs, "fit_s") / median(ours, "fit_s")
            cells = [case.name, name, spread(theirs, "fit_s"), spread(ours, "fit_s")]
            rows.append([*cells, *judged(ratio, least, 2)])

    report(
        arguments,
        f"**{epochs} epochs of the MasterCard tutorial's networks**, each library as its users "
        "call it",
        table(["network", "against", "its seconds", "skrnn's seconds", *JUDGED], rows),
        machine(arguments, versions),
    )


if __name__ == "__main__":
    main()
