"""Text generation speed of a language model, compared with a loop over Keras' `predict`.

    python benchmarks/generation.py [--repeat 5]

Both implementations generate text with the same LSTM, with a vocabulary of 65 characters and the
same temperature, in one process. For each generated character, the loop over `predict` passes the
last 40 characters to the model, as in many tutorials.
"""

import time

import numpy as np
from _common import (
    TARGET_HEADER,
    Parser,
    describe_environment,
    format_median,
    markdown_table,
    median,
    report,
    run_in_new_process,
    run_interleaved,
    target_cells,
)

WINDOW = 40


def generate(units, n_loop, n_compiled):
    """Return the number of generated characters per second of both implementations."""
    from skrnn import CharLSTMClassifier

    rng = np.random.default_rng(0)
    alphabet = np.array([chr(48 + i) for i in range(65)])
    text = "".join(rng.permutation(alphabet)) + "".join(rng.choice(alphabet, 2000))
    model = CharLSTMClassifier(units=units, epochs=1, random_state=0).fit(text)
    keras_model = model.model_

    def loop(n):
        codes = list(rng.integers(1, 66, WINDOW))
        for _ in range(n):
            p = keras_model.predict(np.array([codes[-WINDOW:]]), verbose=0)[0, -1]
            codes.append(1 + int(np.argmax(np.log(p) + rng.gumbel(size=65))))

    def compiled(n):
        model.generate("0", n, random_state=0)

    speeds = {}
    for name, run, n in [("loop", loop, n_loop), ("skrnn", compiled, n_compiled)]:
        run(200 if name == "skrnn" else 3)  # warm up
        start = time.perf_counter()
        run(n)
        speeds[name] = n / (time.perf_counter() - start)
    return speeds


def main():
    arguments = Parser(__doc__).parse_args()
    sizes = [128] if arguments.quick else [128, 256, 512]
    n_loop, n_compiled = (5, 500) if arguments.quick else (50, 10_000)
    candidates = {
        f"LSTM({n})": lambda n=n: run_in_new_process(generate, n, n_loop, n_compiled) for n in sizes
    }
    rows = []
    for name, results in run_interleaved(candidates, arguments.repeat, "generate").items():
        speedup = median(results, "skrnn") / median(results, "loop")
        speeds = [format_median(results, name) for name in ("loop", "skrnn")]
        fast_enough = "yes" if median(results, "skrnn") >= 5000 else "**no**"
        rows.append([name, *speeds, fast_enough, *target_cells(speedup, 100, 100)])
    report(
        arguments,
        "**Text generation**, characters per second",
        markdown_table(
            ["network", "loop over `predict`", "skrnn", "at least 5,000", *TARGET_HEADER], rows
        ),
        describe_environment(arguments),
    )


if __name__ == "__main__":
    main()
