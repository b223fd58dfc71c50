"""Which cells learn the adding problem: two numbers to be found in 100 steps, and added up.

    python benchmarks/adding.py [--repeat 3] [--timesteps 100] [--cells rnn,lstm]

Who answers 1 every time has a mean squared error of 1/6 = 0.167 (Hochreiter & Schmidhuber 1997).
The simple recurrent network (tanh, Glorot's initial recurrent weights) is to stay there; the LSTM,
the GRU and the LSTM with peepholes are to get below 0.01. Each trains until its validation error is
below 0.005, or for two minutes, in a fresh process with default threads, with a seed of its own in
each repetition; the error is that on sequences that are never trained on.
"""

import time

import numpy as np
from _common import Parser, fresh, interleaved, load_engine, machine, median, report, spread, table

SECONDS = 120
GOAL, ENOUGH = 0.01, 0.005
BASELINE = 1 / 6
CELLS = ["rnn", "lstm", "gru", "peephole", "coupled", "depthgated"]
STAYS = {"rnn"}
UNITS, BATCH_SIZE, LEARNING_RATE = 64, 50, 0.005


def simple_network(input_shape, n_outputs, units, seed):
    """Build a simple recurrent network whose recurrent weights start as Glorot has them."""
    import keras

    glorot = keras.initializers.GlorotUniform
    x = keras.Input(input_shape)
    h = keras.layers.SimpleRNN(
        units,
        kernel_initializer=glorot(seed),
        recurrent_initializer=glorot(seed + 1),
    )(x)
    return keras.Model(x, keras.layers.Dense(n_outputs, kernel_initializer=glorot(seed + 2))(h))


def learn(cell, n_timesteps, seconds, seed):
    load_engine()
    import keras

    from skrnn import RNNRegressor
    from skrnn.datasets import make_adding

    X, y = make_adding(10_000, n_timesteps, random_state=2 * seed)
    X_test, y_test = make_adding(2_000, n_timesteps, random_state=2 * seed + 1)

    class Enough(keras.callbacks.Callback):
        """Ends training in time, or when it has learnt enough."""

        def on_train_begin(self, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            took = (time.perf_counter() - self.start) / (epoch + 1)
            late = time.perf_counter() - self.start + 2 * took > seconds
            if late or logs["val_loss"] < ENOUGH:
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
        n_iter_no_change=10_000,
        callbacks=[Enough()],
        random_state=seed,
    )
    start = time.perf_counter()
    rnn.fit(X, y)
    seconds = time.perf_counter() - start
    error = float(np.mean((rnn.predict(X_test) - y_test) ** 2))
    return {"error": error, "seconds": seconds, "epochs": float(rnn.n_iter_)}


def main():
    options = Parser(__doc__)
    options.add_argument("--timesteps", type=int, default=100, help="length of a sequence")
    options.add_argument("--cells", default=",".join(CELLS), help="the cells to run")
    options.set_defaults(repeat=3)
    arguments = options.parse_args()
    seconds = 5 if arguments.quick else SECONDS
    cells, seeds = arguments.cells.split(","), {}

    def run(cell):
        seeds[cell] = seeds.get(cell, -1) + 1
        return fresh(learn, cell, arguments.timesteps, seconds, seeds[cell])

    sides = {cell: lambda cell=cell: run(cell) for cell in cells}
    results = interleaved(sides, arguments.repeat, "adding")
    rows = []
    for cell in cells:
        error = median(results[cell], "error")
        aim = f"stays at {BASELINE:.3f}" if cell in STAYS else f"below {GOAL}"
        reached = error > 0.9 * BASELINE if cell in STAYS else error < GOAL
        figures = [spread(results[cell], key) for key in ("error", "epochs", "seconds")]
        rows.append([cell, *figures, aim, "yes" if reached else "**no**"])
    report(
        arguments,
        f"**The adding problem**, {arguments.timesteps} steps, {UNITS} units",
        table(["cell", "test MSE", "epochs", "seconds", "aim", "reached"], rows),
        machine(arguments),
    )


if __name__ == "__main__":
    main()
