"""
Vanishing and exploding gradients
=================================

A network can only learn from an input k steps in the past if the gradient is propagated through k
steps. In a simple recurrent network, each step multiplies the gradient by the recurrent weight. The
gradient vanishes if the weight is below 1 and explodes if the weight is above 1. In an LSTM, the
gradient is also propagated through the cell state, which is not multiplied by the weights.
"""

# %%
# A single unit
# -------------
# With h(t) = w h(t-1) + x(t), the derivative of the output with respect to the input k steps
# earlier is w to the power of k.

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
_, (unit_ax, cells_ax) = plt.subplots(2, figsize=(7, 9), layout="constrained")
norms, rates = {}, {}


def show(name, network):
    display = GradientFlowDisplay.from_network(network, noise, name=name, ax=unit_ax)
    norms[name], rates[name] = display.norms / display.norms[0], display.rate


for w in (0.8, 1.0, 1.2):
    network = build_rnn((n_timesteps, 1), 1, "rnn", units=1, activation="linear", seed=0)
    network.layers[1].cell.recurrent_kernel.assign([[w]])
    show(f"rnn, w = {w}", network)

# %%
# LSTM
# ----
# In each step, the cell state of an LSTM is multiplied by the forget gate, not by the weights. If
# the forget gate is open, the gradient is preserved. In this example, the bias of the forget gate
# is 6, which corresponds to a factor of σ(6) = 0.998 per step, and the recurrent weights are 0, so
# that the gradient is propagated only through the cell state.

network = build_rnn((n_timesteps, 1), 1, "lstm", units=1, seed=0)
network.layers[1].cell.bias.assign([0, 6, 0, 0])
network.layers[1].cell.recurrent_kernel.assign([[0, 0, 0, 0]])
show("lstm, open", network)
print(pd.DataFrame(norms).iloc[[0, 1, 10, 30, 59]].rename_axis("steps back").map("{:.2g}".format))

# %%
# Effect of training
# ------------------
# In the adding problem, the target is the sum of two marked numbers in a sequence, and the gradient
# has to be propagated back to both numbers. In the simple recurrent network, the gradient vanishes
# before and after training. The LSTM learns to keep its gates open. The constant prediction 1 has a
# mean squared error of 0.167.

X, y = make_adding(3000, n_timesteps, random_state=0)
X_test, y_test = make_adding(1000, n_timesteps, random_state=1)
table = []
for cell in ("rnn", "lstm", "gru"):
    rnn = RNNRegressor(
        cell, units=32, learning_rate=0.005, clipnorm=1.0, epochs=epochs, random_state=0
    ).fit(X, y)
    display = GradientFlowDisplay.from_estimator(rnn, X, ax=cells_ax)
    error = np.mean((rnn.predict(X_test) - y_test) ** 2)
    table.append((cell, display.untrained_rate, display.rate, error))

print(pd.DataFrame(table, columns=["cell", "rate before training", "rate after", "MSE"]).round(3))
unit_ax.set(title="A single unit", ylim=(1e-7, 1e7))
cells_ax.set(title="Adding problem, before and after training")
plt.show()
