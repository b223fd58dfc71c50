"""Validation of X, y and sample weights."""
