"""Validation of X, y and weights: one clear error for each fault."""
