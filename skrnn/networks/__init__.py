"""Builders of recurrent networks.

A builder is a function that returns an uncompiled `keras.Model` for given shapes and sizes.
"""

from .._checks import MASKED
from .builders import build_rnn, build_rnn_classifier, build_text_rnn
from .custom_cells import CELLS
from .encoders import build_cnn_rnn, build_encoder_decoder

__all__ = [
    "CELLS",
    "MASKED",
    "build_cnn_rnn",
    "build_encoder_decoder",
    "build_rnn",
    "build_rnn_classifier",
    "build_text_rnn",
]
