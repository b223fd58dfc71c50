"""Characters a second that a language model writes: beside a loop over Keras' `predict`.

    python benchmarks/generation.py [--repeat 5]

Both sides write with the same LSTM of 65 symbols and the same temperature, in one process, in
turns. The loop over `predict` is the tutorials': it passes the last 40 symbols to the model for
each symbol it writes.
"""

import time

import numpy as np
from _common import (
    JUDGED,
    Parser,
    fresh,
    interleaved,
    judged,
    machine,
    median,
    report,
    spread,
    table,
)

WINDOW = 40


def write(units, n_loop, n_compiled):
    """Return the symbols a second of each side."""
    from skrnn import CharLSTMClassifier

    rng = np.random.default_rng(0)
    alphabet = np.array([chr(48 + i) for i in range(65)])
    text = "".join(rng.permutation(alphabet)) + "".join(rng.choice(alphabet, 2000))
    model = CharLSTMClassifier(units=units, epochs=1, random_state=0).fit(text)
    keras_model = model.model_

    def loop(n):
        numbers = list(rng.integers(1, 66, WINDOW))
        for _ in range(n):
            p = keras_model.predict(np.array([numbers[-WINDOW:]]), verbose=0)[0, -1]
            numbers.append(1 + int(np.argmax(np.log(p) + rng.gumbel(size=65))))

    def compiled(n):
        model.generate("0", n, random_state=0)

    speeds = {}
    for name, run, n in [("loop", loop, n_loop), ("skrnn", compiled, n_compiled)]:
        run(200 if name == "skrnn" else 3)  # warm
        start = time.perf_counter()
        run(n)
        speeds[name] = n / (time.perf_counter() - start)
    return speeds


def main():
    arguments = Parser(__doc__).parse_args()
    sizes = [128] if arguments.quick else [128, 256, 512]
    n_loop, n_compiled = (5, 500) if arguments.quick else (50, 10_000)
    sides = {f"LSTM({n})": lambda n=n: fresh(write, n, n_loop, n_compiled) for n in sizes}
    rows = []
    for name, results in interleaved(sides, arguments.repeat, "write").items():
        ratio = median(results, "skrnn") / median(results, "loop")
        speeds = [spread(results, side) for side in ("loop", "skrnn")]
        enough = "yes" if median(results, "skrnn") >= 5000 else "**no**"
        rows.append([name, *speeds, enough, *judged(ratio, 100, 100)])
    report(
        arguments,
        "**Writing, symbols a second**",
        table(["network", "loop over `predict`", "skrnn", "5,000 a second", *JUDGED], rows),
        machine(arguments),
    )


if __name__ == "__main__":
    main()
