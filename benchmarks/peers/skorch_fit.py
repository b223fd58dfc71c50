"""Fit skorch's NeuralNetRegressor on windows, with Adam and shuffled batches.

By default, skorch holds out a fifth of the rows. This is disabled, so that the number of gradient
steps is the same as in the other libraries.
"""

import time

import numpy as np
import torch
from _job import print_result, read_job
from skorch import NeuralNetRegressor
from torch_loop import Net


def main():
    job = read_job()
    length = job["window_length"]
    series = np.array(job["series"], dtype=np.float32)
    X = np.array([series[i - length : i, None] for i in range(length, len(series))])
    y = series[length:, None]

    start = time.perf_counter()
    NeuralNetRegressor(
        Net,
        module__cell=job["cell"],
        module__units=job["units"],
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=job["epochs"],
        batch_size=job["batch_size"],
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).fit(X, y)
    print_result("skorch", "torch", fit_s=time.perf_counter() - start)


if __name__ == "__main__":
    main()
