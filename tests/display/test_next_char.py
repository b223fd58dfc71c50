"""NextCharDisplay: tokens, cells and errors."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skrnn import CharLSTMClassifier, NextCharDisplay

PROBABILITIES = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])


@pytest.fixture(scope="module")
def model():
    settings = {"cell": "rnn", "units": 6, "learning_rate": 0.05, "random_state": 0}
    return CharLSTMClassifier(**settings).fit("abcabc")


def test_top_tokens_have_decreasing_probability():
    display = NextCharDisplay("aba", PROBABILITIES, list("abc"), top_k=2)
    assert display.top_symbols.tolist() == [["b", "c"], ["a", "b"], ["c", "b"]]
    np.testing.assert_array_equal(display.top_probabilities, [[0.7, 0.2], [0.6, 0.3], [0.5, 0.3]])


def test_top_k_greater_than_the_number_of_classes():
    assert NextCharDisplay("aba", PROBABILITIES, list("abc")).top_symbols.shape == (3, 3)


def test_more_probable_tokens_have_darker_cells():
    display = NextCharDisplay.from_predictions("aba", PROBABILITIES, list("abc"), top_k=2)
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == ["a", "b", "c", "b", "a", "b", "a", "c", "b"]
    darkness = [1 - np.mean(cell.get_facecolor()[:3]) for cell in display.ax_.patches]
    order = np.argsort(display.top_probabilities.ravel())
    assert (np.diff(np.array(darkness)[order]) >= 0).all()
    framed = [cell.get_edgecolor()[:3] == (0, 0, 0) for cell in display.ax_.patches]
    assert framed == [True, False, True, False, False, False]  # the next tokens are b and a


def test_estimator(model):
    display = NextCharDisplay.from_estimator(model, "abca", top_k=1)
    assert display.symbols == list("abca")
    expected = model.predict(["a", "ab", "abc", "abca"])
    assert display.top_symbols[:, 0].tolist() == expected.tolist()
    assert display.figure_ is display.ax_.figure


class UniformPredictor(ClassifierMixin, BaseEstimator):
    """Predicts the same probability for all words, and stores the texts."""

    analyzer = "word"

    def fit(self, X, y=None):
        self.classes_ = np.array(["cat", "sat", "the"])
        return self

    def predict_proba(self, X):
        self.texts = X
        return np.full((len(X), 3), 1 / 3)


def test_words_and_lines():
    estimator = UniformPredictor().fit([])
    display = NextCharDisplay.from_estimator(estimator, "the cat sat", top_k=2, width=2)
    assert estimator.texts == ["the", "the cat", "the cat sat"]
    assert display.symbols == ["the", "cat", "sat"]
    _, top = display.ax_.get_ylim()[::-1]
    assert display.ax_.get_xlim() == (0, 2)
    assert top == 7  # two lines of a word and two predictions, with a blank row between them


def test_plot_on_given_axes():
    _, ax = plt.subplots()
    display = NextCharDisplay("a ", PROBABILITIES[:2], list("ab "))
    assert display.plot(ax=ax).ax_ is ax
    assert "␣" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("ab", PROBABILITIES, "abc"), r"must be of shape \(2, 3\), .* got \(3, 3\)"),
        (("", np.zeros((0, 3)), "abc"), "nothing to plot"),
        (("aba", PROBABILITIES - 0.2, "abc"), "numbers from 0 to 1"),
        (("aba", PROBABILITIES * np.nan, "abc"), "numbers from 0 to 1"),
    ],
)
def test_invalid_arguments_raise(arguments, match):
    with pytest.raises(ValueError, match=match):
        NextCharDisplay(*arguments)


@pytest.mark.parametrize("top_k", [0, 1.5, True])
def test_invalid_top_k_raises(top_k):
    with pytest.raises(ValueError, match="must be an int of at least 1"):
        NextCharDisplay("aba", PROBABILITIES, "abc", top_k=top_k)


def test_invalid_estimators_and_texts_raise(model):
    with pytest.raises(NotFittedError):
        NextCharDisplay.from_estimator(CharLSTMClassifier(), "ab")
    with pytest.raises(TypeError, match=r"got Pipeline\. .*not a pipeline"):
        NextCharDisplay.from_estimator(make_pipeline("passthrough", model), "ab")
    with pytest.raises(TypeError, match="text must be a str"):
        NextCharDisplay.from_estimator(model, ["ab"])
    with pytest.raises(ValueError, match="nothing to plot"):
        NextCharDisplay.from_estimator(model, "")
