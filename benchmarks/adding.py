"""Mean squared error of each cell on the adding problem with sequences of 100 time steps.

    python benchmarks/adding.py [--repeat 3] [--timesteps 100] [--cells rnn,lstm]

The network has to find and add two marked numbers in a sequence (Hochreiter & Schmidhuber 1997).
The constant prediction 1 has a mean squared error of 1/6 = 0.167. The simple recurrent network
(tanh, recurrent weights with Glorot initialization) is not expected to improve on this error, and
the gated cells are expected to reach an error below 0.01. Each network is trained in a new process
with default thread settings, until its validation error is below 0.005 or two minutes have passed.
Each repetition uses a different seed. The reported error is the test error.
"""

import time

import numpy as np
from _common import (
    Parser,
    describe_environment,
    format_median,
    import_training_modules,
    markdown_table,
    median,
    report,
    run_in_new_process,
    run_interleaved,
)

MAX_SECONDS = 120
EXPECTED_ERROR, STOPPING_ERROR = 0.01, 0.005
BASELINE = 1 / 6
CELLS = ["rnn", "lstm", "gru", "peephole", "coupled", "depthgated"]
UNGATED = {"rnn"}
UNITS, BATCH_SIZE, LEARNING_RATE = 64, 50, 0.005


def simple_network(input_shape, n_outputs, units, seed):
    """Build a simple recurrent network with Glorot initialization of the recurrent weights."""
    import keras

    glorot = keras.initializers.GlorotUniform
    x = keras.Input(input_shape)
    h = keras.layers.SimpleRNN(
        units,
        kernel_initializer=glorot(seed),
        recurrent_initializer=glorot(seed + 1),
    )(x)
    return keras.Model(x, keras.layers.Dense(n_outputs, kernel_initializer=glorot(seed + 2))(h))


def train(cell, n_timesteps, max_seconds, seed):
    import_training_modules()
    import keras

    from skrnn import RNNRegressor
    from skrnn.datasets import make_adding

    X, y = make_adding(10_000, n_timesteps, random_state=2 * seed)
    X_test, y_test = make_adding(2_000, n_timesteps, random_state=2 * seed + 1)

    class StopEarly(keras.callbacks.Callback):
        """Stop training before the time limit, or when the validation error is small."""

        def on_train_begin(self, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            elapsed = time.perf_counter() - self.start
            time_is_up = elapsed + 2 * elapsed / (epoch + 1) > max_seconds
            if time_is_up or logs["val_loss"] < STOPPING_ERROR:
                self.model.stop_training = True

    rnn = RNNRegressor(
        cell,
        units=UNITS,
        network=simple_network if cell == "rnn" else None,
        learning_rate=LEARNING_RATE,
        clipnorm=1.0,
        batch_size=BATCH_SIZE,
        epochs=10_000,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=10_000,
        callbacks=[StopEarly()],
        random_state=seed,
    )
    start = time.perf_counter()
    rnn.fit(X, y)
    seconds = time.perf_counter() - start
    error = float(np.mean((rnn.predict(X_test) - y_test) ** 2))
    return {"error": error, "seconds": seconds, "epochs": float(rnn.n_iter_)}


def main():
    options = Parser(__doc__)
    options.add_argument("--timesteps", type=int, default=100, help="length of the sequences")
    options.add_argument("--cells", default=",".join(CELLS), help="cells, separated by commas")
    options.set_defaults(repeat=3)
    arguments = options.parse_args()
    max_seconds = 5 if arguments.quick else MAX_SECONDS
    cells, seeds = arguments.cells.split(","), {}

    def run(cell):
        seeds[cell] = seeds.get(cell, -1) + 1
        return run_in_new_process(train, cell, arguments.timesteps, max_seconds, seeds[cell])

    candidates = {cell: lambda cell=cell: run(cell) for cell in cells}
    results = run_interleaved(candidates, arguments.repeat, "adding")
    rows = []
    for cell in cells:
        error = median(results[cell], "error")
        if cell in UNGATED:
            expected, confirmed = f"about {BASELINE:.3f}", error > 0.9 * BASELINE
        else:
            expected, confirmed = f"below {EXPECTED_ERROR}", error < EXPECTED_ERROR
        values = [format_median(results[cell], key) for key in ("error", "epochs", "seconds")]
        rows.append([cell, *values, expected, "yes" if confirmed else "**no**"])
    report(
        arguments,
        f"**Adding problem**, {arguments.timesteps} time steps, {UNITS} units",
        markdown_table(["cell", "test MSE", "epochs", "time (s)", "expected", "confirmed"], rows),
        describe_environment(arguments),
    )


if __name__ == "__main__":
    main()
