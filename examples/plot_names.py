"""
Writing from one letter
=======================

One to many: from one letter, a network writes a name. It has read the names of cities, one a
line, and knows no more of them than which letter follows which beginnings.
"""

# %%
# The names, in a new order, one a line.

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
# The model
# ---------
# It stops by itself when the last part of the names, held out, is no longer named better.

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
most = max(set(train), key=train.count)
print(f"accuracy of the network   {model.score(test):.3f}")
print(f"accuracy of the baseline  {test.count(most) / len(test):.3f}")

# %%
# One to many
# -----------
# A name begins after the end of a line; its first letter is given, and `stream` yields the others
# until the line ends.

for letter in "ABKMPT":
    names = []
    for seed in range(4):
        name = letter
        draws = model.stream("\n" + letter, temperature=0.7, random_state=4 * ord(letter) + seed)
        for symbol in draws:
            if symbol == "\n" or len(name) > 20:
                break
            name += symbol
        names.append(name)
    print(*names, sep=", ")

NextCharDisplay.from_estimator(model, "\nAmsterdam\n", top_k=6)
plt.show()
