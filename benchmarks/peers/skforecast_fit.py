"""Fit skforecast's ForecasterRnn with the Keras backend given by `backend` in the job.

All other settings are the defaults: a dense layer of 64 units follows the recurrent layer.
"""

import importlib
import os
import time
import warnings

from _job import print_result, read_job

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def main():
    warnings.simplefilter("ignore")
    job = read_job()
    os.environ["KERAS_BACKEND"] = job["backend"]  # Keras reads it when it is imported
    # Keras and torch's optimizer import these modules late; exclude them from the time.
    importlib.import_module("tensorflow")
    if job["backend"] == "torch":
        importlib.import_module("torch._dynamo")
    import pandas as pd
    from skforecast.deep_learning import ForecasterRnn, create_and_compile_model

    (units,) = job["units"]
    frame = pd.DataFrame({"series": job["series"]})

    start = time.perf_counter()
    model = create_and_compile_model(
        frame,
        lags=job["window_length"],
        steps=1,
        levels="series",
        recurrent_layer=job["cell"].upper(),
        recurrent_units=units,
    )
    forecaster = ForecasterRnn(
        model,
        levels="series",
        lags=job["window_length"],
        fit_kwargs={"epochs": job["epochs"], "batch_size": job["batch_size"], "verbose": 0},
    )
    forecaster.fit(frame)
    fit_s = time.perf_counter() - start
    print_result("skforecast", "keras", job["backend"], fit_s=fit_s)


if __name__ == "__main__":
    main()
