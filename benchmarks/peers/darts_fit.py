"""Fit darts' BlockRNNModel, which uses Adam and MSE by default and shuffles the windows."""

import logging
import time
import warnings

import numpy as np
from _job import print_result, read_job
from darts import TimeSeries
from darts.models import BlockRNNModel


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    job = read_job()
    (units,) = job["units"]
    values = np.array(job["series"], dtype=np.float32)  # darts trains with the dtype of the series

    start = time.perf_counter()
    BlockRNNModel(
        model=job["cell"].upper(),
        hidden_dim=units,
        input_chunk_length=job["window_length"],
        output_chunk_length=1,
        n_epochs=job["epochs"],
        batch_size=job["batch_size"],
        pl_trainer_kwargs={"enable_progress_bar": False, "enable_model_summary": False},
    ).fit(TimeSeries.from_values(values))
    print_result("darts", "torch", fit_s=time.perf_counter() - start)


if __name__ == "__main__":
    main()
