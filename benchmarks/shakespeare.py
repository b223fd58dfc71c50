"""Cross entropy of tiny Shakespeare's last 10 %, against the seconds of training.

    python benchmarks/shakespeare.py --data FOLDER [--seconds 180]

One `CharLSTMClassifier` learns from the first 90 %. Its learning rate falls as the seconds run out.
Seconds are those of training alone, compilation included; reading the last 10 % after each epoch
is not part of them. Beside the network stand character frequencies and n-grams, counted on the
same 90 %.
"""

import time
from collections import Counter, defaultdict

import numpy as np
from _common import Parser, hush, machine, progress, report, table

LEAST, AIM = 1.60, 1.50


def n_gram_cost(train, test, n):
    """Return the nats a character of a model that counts what follows n characters.

    Orders are interpolated as Witten and Bell (1991) do: what a context has not seen is left to
    the context one character shorter.
    """
    alphabet = set(train)
    counts = [defaultdict(Counter) for _ in range(n + 1)]
    for order, table_of in enumerate(counts):
        for i in range(order, len(train)):
            table_of[train[i - order : i]][train[i]] += 1
    total = 0.0
    for i, character in enumerate(test):
        probability = 1 / len(alphabet)
        for order in range(min(n, i) + 1):
            seen = counts[order].get(test[i - order : i])
            if seen is None:
                break
            n_seen, n_kinds = seen.total(), len(seen)
            probability = (seen[character] + n_kinds * probability) / (n_seen + n_kinds)
        total -= np.log(probability)
    return total / len(test)


def main():
    parser = Parser(__doc__)
    parser.add_argument("--data", required=True, help="folder with the tutorials' texts")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--embedding", type=int)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--chunk-length", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.004)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    seconds = 20 if arguments.quick else arguments.seconds
    hush()
    from skrnn import CharLSTMClassifier
    from skrnn.datasets import load_text

    text = load_text(arguments.data, "shakespeare")
    train, test = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
    model = CharLSTMClassifier(
        cell=arguments.cell,
        units=arguments.units,
        embedding=arguments.embedding,
        dropout=arguments.dropout,
        batch_size=arguments.batch_size,
        chunk_length=arguments.chunk_length,
        random_state=arguments.seed,
    )
    spent, n_epochs, rows = 0.0, 0, []
    while spent * (n_epochs + 1) / max(1, n_epochs) <= seconds:
        left = 1 - spent / seconds
        model.set_params(learning_rate=arguments.learning_rate * (0.02 + 0.98 * left))
        start = time.perf_counter()
        model.partial_fit(train)
        spent += time.perf_counter() - start
        n_epochs += 1
        nats = model.cross_entropy(test).nats
        rows.append([n_epochs, f"{spent:.1f}", f"{model.loss_curve_[-1]:.3f}", f"{nats:.3f}"])
        progress(f"{spent:6.1f} s: training {model.loss_curve_[-1]:.3f}, last 10 % {nats:.3f}")

    start = time.perf_counter()
    costs = [n_gram_cost(train, test, n) for n in (0, 1, 5)]
    progress(f"n-grams: {time.perf_counter() - start:.1f} s")
    names = ["character frequencies", "what follows a character", "what follows 5 characters"]
    beside = [[name, f"{cost:.3f}"] for name, cost in zip(names, costs, strict=True)]
    name = f"{arguments.cell.upper()}({arguments.units}), {spent:.0f} s of training"
    reached = "aim" if nats <= AIM else "yes" if nats <= LEAST else "**no**"
    settings = (
        f"Chunks of {arguments.chunk_length}, batches of {arguments.batch_size}, "
        f"embedding={arguments.embedding}, dropout={arguments.dropout}, learning rate "
        f"{arguments.learning_rate} falling to 2 % of it."
    )
    report(
        arguments,
        "**Tiny Shakespeare, nats a character of the last 10 %**",
        table(["model", "nats"], [*beside, [name, f"{nats:.3f}"]]),
        f"At most {LEAST} was asked, {AIM} the aim; reached: {reached}.",
        "**Loss against time**",
        table(["epoch", "seconds", "training", "last 10 %"], rows),
        settings,
        machine(arguments),
    )


if __name__ == "__main__":
    main()
