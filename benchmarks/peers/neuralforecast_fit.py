"""Fit neuralforecast's LSTM or GRU.

In neuralforecast, the length of training is given by a number of steps instead of epochs, and the
windows of each step (128 by default) are sampled from the series. The numbers of steps and of
windows per step are set to those of the other libraries. All other settings are the defaults: the
loss is MAE, two dense layers decode the last state, and each window is scaled separately.
"""

import logging
import math
import time
import warnings

import pandas as pd
from _job import print_result, read_job
from neuralforecast import NeuralForecast
from neuralforecast.models import GRU, LSTM


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    job = read_job()
    length, (units,) = job["window_length"], job["units"]
    n_rows = len(job["series"])
    frame = pd.DataFrame({"unique_id": "series", "ds": range(n_rows), "y": job["series"]})
    steps_per_epoch = math.ceil((n_rows - length) / job["batch_size"])

    start = time.perf_counter()
    model = {"lstm": LSTM, "gru": GRU}[job["cell"]](
        h=1,
        input_size=length,
        encoder_hidden_size=units,
        encoder_n_layers=1,
        max_steps=job["epochs"] * steps_per_epoch,
        windows_batch_size=job["batch_size"],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    NeuralForecast(models=[model], freq=1).fit(frame)
    print_result("neuralforecast", "torch", fit_s=time.perf_counter() - start)


if __name__ == "__main__":
    main()
