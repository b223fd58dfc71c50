"""
Gradients that vanish, explode, and reach their end
===================================================

A network learns from what it read k steps ago only if the gradient reaches back k steps. In a
simple recurrent network each step multiplies it by the recurrent weight: below 1 it vanishes,
above 1 it explodes. The LSTM carries it along its memory, past the weights.
"""

# %%
# One unit
# --------
# With h = w h + x, the output depends on what came k steps earlier by w to the power of k.

import argparse

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrnn import GradientFlowDisplay, RNNRegressor, build_rnn
from skrnn.datasets import make_adding

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=40)
epochs = parser.parse_args().epochs

n_timesteps = 60
noise = np.random.default_rng(0).normal(scale=0.1, size=(100, n_timesteps, 1))
_, (one, cells) = plt.subplots(2, figsize=(7, 9), layout="constrained")
norms, rates = {}, {}


def show(name, network):
    display = GradientFlowDisplay.from_network(network, noise, name=name, ax=one)
    norms[name], rates[name] = display.norms / display.norms[0], display.rate


for w in (0.8, 1.0, 1.2):
    network = build_rnn((n_timesteps, 1), 1, "rnn", units=1, activation="linear", seed=0)
    network.layers[1].cell.recurrent_kernel.assign([[w]])
    show(f"rnn, w = {w}", network)

# %%
# The cure
# --------
# The memory of an LSTM is multiplied by its forget gate, not by its weights: as long as the gate
# is open, every gradient passes. Here its bias is 6, so that it lets pass σ(6) = 0.998, and the
# recurrent weights are 0, so that nothing but the memory carries.

network = build_rnn((n_timesteps, 1), 1, "lstm", units=1, seed=0)
network.layers[1].cell.bias.assign([0, 6, 0, 0])
network.layers[1].cell.recurrent_kernel.assign([[0, 0, 0, 0]])
show("lstm, open", network)
print(pd.DataFrame(norms).iloc[[0, 1, 10, 30, 59]].rename_axis("steps back").map("{:.2g}".format))

# %%
# What training does
# ------------------
# In the adding problem, two marked numbers of a sequence are to be added: the gradient has to
# reach back to both. The simple network's fades on the way, and training does not change that;
# the LSTM learns to keep its gates open. Who answers 1 every time has a mean squared error of
# 0.167.

X, y = make_adding(3000, n_timesteps, random_state=0)
X_test, y_test = make_adding(1000, n_timesteps, random_state=1)
table = []
for cell in ("rnn", "lstm", "gru"):
    rnn = RNNRegressor(
        cell, units=32, learning_rate=0.005, clipnorm=1.0, epochs=epochs, random_state=0
    ).fit(X, y)
    display = GradientFlowDisplay.from_estimator(rnn, X, ax=cells)
    error = np.mean((rnn.predict(X_test) - y_test) ** 2)
    table.append((cell, display.untrained_rate, display.rate, error))

print(pd.DataFrame(table, columns=["cell", "rate before", "rate after", "MSE"]).round(3))
one.set(title="One unit", ylim=(1e-7, 1e7))
cells.set(title="Trained to add, and before")
plt.show()
