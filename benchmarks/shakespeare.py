"""Cross-entropy of a language model on tiny Shakespeare as a function of training time.

    python benchmarks/shakespeare.py --data FOLDER [--seconds 180]

A `CharLSTMClassifier` is trained on the first 90% of the text and evaluated on the last 10% after
each epoch. The learning rate decreases with the elapsed time, which includes compilation and
excludes evaluation. The network is compared with character frequencies and n-gram models, which are
estimated from the same 90% of the text.
"""

import time
from collections import Counter, defaultdict

import numpy as np
from _common import (
    Parser,
    describe_environment,
    log,
    markdown_table,
    report,
    silence_native_logging,
)

REQUIRED, TARGET = 1.60, 1.50


def n_gram_cross_entropy(train, test, n):
    """Return the cross-entropy of an n-gram model with contexts of n characters.

    In nats per character, with the interpolation of Witten and Bell (1991): the probability of
    characters that were not observed in a context is estimated from the next shorter context.
    """
    alphabet = set(train)
    counts = [defaultdict(Counter) for _ in range(n + 1)]
    for order, table in enumerate(counts):
        for i in range(order, len(train)):
            table[train[i - order : i]][train[i]] += 1
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
    parser.add_argument("--data", required=True, help="folder that contains the text")
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
    max_seconds = 20 if arguments.quick else arguments.seconds
    silence_native_logging()
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
    while spent * (n_epochs + 1) / max(1, n_epochs) <= max_seconds:
        remaining = 1 - spent / max_seconds
        model.set_params(learning_rate=arguments.learning_rate * (0.02 + 0.98 * remaining))
        start = time.perf_counter()
        model.partial_fit(train)
        spent += time.perf_counter() - start
        n_epochs += 1
        nats = model.cross_entropy(test).nats
        rows.append([n_epochs, f"{spent:.1f}", f"{model.loss_curve_[-1]:.3f}", f"{nats:.3f}"])
        log(f"{spent:6.1f} s: training {model.loss_curve_[-1]:.3f}, last 10% {nats:.3f}")

    start = time.perf_counter()
    entropies = [n_gram_cross_entropy(train, test, n) for n in (0, 1, 5)]
    log(f"n-grams: {time.perf_counter() - start:.1f} s")
    names = ["character frequencies", "2-gram model", "6-gram model"]
    baselines = [[name, f"{entropy:.3f}"] for name, entropy in zip(names, entropies, strict=True)]
    name = f"{arguments.cell.upper()}({arguments.units}), trained for {spent:.0f} s"
    result = "requirement met" if nats <= REQUIRED else "**not met**"
    if nats <= TARGET:
        result = "target met"
    settings = (
        f"Chunk length {arguments.chunk_length}, batch size {arguments.batch_size}, "
        f"embedding={arguments.embedding}, dropout={arguments.dropout}, learning rate decreasing "
        f"from {arguments.learning_rate} to 2% of this value."
    )
    report(
        arguments,
        "**Tiny Shakespeare**, cross-entropy of the last 10% of the text",
        markdown_table(["model", "nats per character"], [*baselines, [name, f"{nats:.3f}"]]),
        f"Required: at most {REQUIRED}. Target: {TARGET}. Result: {result}.",
        "**Loss by training time**",
        markdown_table(["epoch", "time (s)", "training loss", "test loss (last 10%)"], rows),
        settings,
        describe_environment(arguments),
    )


if __name__ == "__main__":
    main()
