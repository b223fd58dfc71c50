"""CharLSTMClassifier: a recurrent network for characters and words."""

from ._classifier import CharLSTMClassifier, CrossEntropy

__all__ = ["CharLSTMClassifier", "CrossEntropy"]
