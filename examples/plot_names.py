"""
Generating names
================

In this example, a network generates a name from its first letter (one-to-many). The network is a
character-level language model that is trained on the names of cities.
"""

# %%
# The names are shuffled and joined into one text, with one name per line.

import argparse

import matplotlib.pyplot as plt
import numpy as np

from skrnn import CharLSTMClassifier, NextCharDisplay
from skrnn.datasets import load_cities

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=40)
options = parser.parse_args()

cities = np.random.default_rng(0).permutation(load_cities()[0])
lines = "\n".join(cities) + "\n"
train, test = lines[: len(lines) * 9 // 10], lines[len(lines) * 9 // 10 :]

# %%
# Model
# -----
# Training stops when the loss on the last part of the training text, which is held out, no longer
# decreases.

model = CharLSTMClassifier(
    cell="gru",
    units=96,
    dropout=0.3,
    learning_rate=0.005,
    epochs=options.epochs,
    batch_size=8,
    early_stopping=True,
    random_state=0,
)
model.fit(train)
most_frequent = max(set(train), key=train.count)
print(f"accuracy of the network   {model.score(test):.3f}")
print(f"accuracy of the baseline  {test.count(most_frequent) / len(test):.3f}")

# %%
# Generation
# ----------
# The prompt is the end of a line and the first letter of a name. `stream` yields the following
# letters until the end of the line.

for letter in "ABKMPT":
    names = []
    for seed in range(4):
        name = letter
        tokens = model.stream("\n" + letter, temperature=0.7, random_state=4 * ord(letter) + seed)
        for token in tokens:
            if token == "\n" or len(name) > 20:
                break
            name += token
        names.append(name)
    print(*names, sep=", ")

NextCharDisplay.from_estimator(model, "\nAmsterdam\n", top_k=6)
plt.show()
