"""CharLSTMClassifier: classification and language models of characters and words."""

from ._classifier import CharLSTMClassifier, CrossEntropy

__all__ = ["CharLSTMClassifier", "CrossEntropy"]
