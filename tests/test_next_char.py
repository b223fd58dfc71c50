"""NextCharDisplay: which symbols it shows, and where."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skrnn import CharLSTMClassifier, NextCharDisplay

PROBABILITIES = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])


@pytest.fixture(autouse=True)
def no_windows():
    with mpl.rc_context({"backend": "Agg"}):
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    settings = {"cell": "rnn", "units": 6, "learning_rate": 0.05, "random_state": 0}
    return CharLSTMClassifier(**settings).fit("abcabc")


def test_the_most_probable_symbols_come_first():
    display = NextCharDisplay("aba", PROBABILITIES, list("abc"), top_k=2)
    assert display.top_symbols.tolist() == [["b", "c"], ["a", "b"], ["c", "b"]]
    np.testing.assert_array_equal(display.top_probabilities, [[0.7, 0.2], [0.6, 0.3], [0.5, 0.3]])


def test_more_symbols_than_there_are():
    assert NextCharDisplay("aba", PROBABILITIES, list("abc")).top_symbols.shape == (3, 3)


def test_it_is_drawn_with_darker_cells_where_more_probable():
    display = NextCharDisplay.from_predictions("aba", PROBABILITIES, list("abc"), top_k=2)
    written = [text.get_text() for text in display.ax_.texts]
    assert written == ["a", "b", "c", "b", "a", "b", "a", "c", "b"]
    darkness = [1 - np.mean(cell.get_facecolor()[:3]) for cell in display.ax_.patches]
    order = np.argsort(display.top_probabilities.ravel())
    assert (np.diff(np.array(darkness)[order]) >= 0).all()
    framed = [cell.get_edgecolor()[:3] == (0, 0, 0) for cell in display.ax_.patches]
    assert framed == [True, False, True, False, False, False]  # the b and the a did come


def test_from_an_estimator(model):
    display = NextCharDisplay.from_estimator(model, "abca", top_k=1)
    assert display.symbols == list("abca")
    expected = model.predict(["a", "ab", "abc", "abca"])
    assert display.top_symbols[:, 0].tolist() == expected.tolist()
    assert display.figure_ is display.ax_.figure


def test_words_and_lines(model):
    text = "the cat sat on the mat. " * 5
    words = CharLSTMClassifier("word", cell="rnn", units=4, epochs=2, random_state=0).fit(text)
    display = NextCharDisplay.from_estimator(words, "the cat sat", top_k=2, width=2)
    assert display.symbols == ["the", "cat", "sat"]
    _, top = display.ax_.get_ylim()[::-1]
    assert display.ax_.get_xlim() == (0, 2)
    assert top == 7  # two lines of a word, two guesses and a blank line, but for the last


def test_an_axes_of_ones_own():
    _, ax = plt.subplots()
    display = NextCharDisplay("a ", PROBABILITIES[:2], list("ab "))
    assert display.plot(ax=ax).ax_ is ax
    assert "␣" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("ab", PROBABILITIES, "abc"), r"must be of shape \(2, 3\), .* got \(3, 3\)"),
        (("", np.zeros((0, 3)), "abc"), "nothing to show"),
        (("aba", PROBABILITIES - 0.2, "abc"), "numbers from 0 to 1"),
        (("aba", PROBABILITIES * np.nan, "abc"), "numbers from 0 to 1"),
    ],
)
def test_what_cannot_be_shown(arguments, match):
    with pytest.raises(ValueError, match=match):
        NextCharDisplay(*arguments)


@pytest.mark.parametrize("top_k", [0, 1.5, True])
def test_how_many_symbols_cannot_be_shown(top_k):
    with pytest.raises(ValueError, match="must be an int of at least 1"):
        NextCharDisplay("aba", PROBABILITIES, "abc", top_k=top_k)


def test_which_estimators_it_takes(model):
    with pytest.raises(NotFittedError):
        NextCharDisplay.from_estimator(CharLSTMClassifier(), "ab")
    with pytest.raises(TypeError, match=r"got Pipeline\. Of a pipeline"):
        NextCharDisplay.from_estimator(make_pipeline("passthrough", model), "ab")
    with pytest.raises(TypeError, match="text must be a str"):
        NextCharDisplay.from_estimator(model, ["ab"])
    with pytest.raises(ValueError, match="nothing to show"):
        NextCharDisplay.from_estimator(model, "")
