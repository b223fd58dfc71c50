"""
Classifying city names by region
================================

This example predicts the region of a city from the letters of its name. The names are taken from
the time zones of the standard library and differ in length. A recurrent network is compared with
logistic regression on character n-grams, a common classifier for strings.
"""

# %%
# Data
# ----
# The dataset contains a few hundred cities in nine regions. The number of cities varies widely
# between regions.

import argparse

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from skrnn import CharLSTMClassifier
from skrnn.datasets import load_cities

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=50)
options = parser.parse_args()

cities, regions = load_cities()
print(pd.Series(regions).value_counts().to_string())

# %%
# Three classifiers
# -----------------
# All models take strings as input. Each name is predicted by a model that was not trained on this
# name.

models = {
    "baseline: most frequent region": DummyClassifier(),
    "logistic regression on n-grams": make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True),
        LogisticRegression(C=10),
    ),
    "CharLSTMClassifier": CharLSTMClassifier(epochs=options.epochs, random_state=0),
}
folds = StratifiedKFold(5, shuffle=True, random_state=0)
scores = {}
for name, model in models.items():
    y_pred = cross_val_predict(model, cities, regions, cv=folds)
    scores[name] = accuracy_score(regions, y_pred)
    print(f"accuracy {scores[name]:.3f}  {name}")
_, n_grams, network = scores.values()
print(f"accuracy of the network minus that of logistic regression: {network - n_grams:+.3f}")

# %%
# The network has to learn its features from a few hundred names, whereas the n-grams are given. On
# thousands of strings, both are about equally accurate, as ``benchmarks/strings.py`` shows. The
# confusion matrix shows which regions the network confuses.

ConfusionMatrixDisplay.from_predictions(regions, y_pred, xticks_rotation="vertical")
plt.show()
