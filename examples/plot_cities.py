"""
From a city's name to its region
================================

Names of any length, each with a label: which region does a city lie in, by its letters alone? The
names are those of the standard library's time zones. A recurrent network stands here beside the
usual classifier of strings, character n-grams and a logistic regression.
"""

# %%
# The names
# ---------
# A few hundred cities, in nine regions of very different sizes.

import argparse

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from skrnn import CharLSTMClassifier
from skrnn.datasets import load_cities

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=30)
options = parser.parse_args()

cities, regions = load_cities()
print(pd.Series(regions).value_counts().to_string())

# %%
# Three classifiers
# -----------------
# All take the strings as they are. Each name is classified by a model that has not seen it.

models = {
    "baseline: the largest region": DummyClassifier(),
    "n-grams, logistic regression": make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True),
        LogisticRegression(C=10),
    ),
    "CharLSTMClassifier": CharLSTMClassifier(
        cell="gru",
        units=64,
        bidirectional=True,
        embedding=16,
        dropout=0.5,
        learning_rate=0.005,
        epochs=options.epochs,
        random_state=0,
    ),
}
folds = StratifiedKFold(5, shuffle=True, random_state=0)
for name, model in models.items():
    y_pred = cross_val_predict(model, cities, regions, cv=folds)
    print(f"accuracy {(pd.Series(regions) == y_pred).mean():.3f}  {name}")

# %%
# Which regions are taken for which:

ConfusionMatrixDisplay.from_predictions(regions, y_pred, xticks_rotation="vertical")
plt.show()
