"""Builders of recurrent networks.

A builder is a function that returns an uncompiled `keras.Model` for given shapes and sizes.
"""

from .._checks import MASKED
from .._process import check_backend

check_backend()  # before any module imports Keras

from .builders import build_rnn, build_rnn_classifier, build_text_rnn  # noqa: E402
from .custom_cells import CELLS  # noqa: E402
from .encoders import build_cnn_rnn, build_encoder_decoder  # noqa: E402

__all__ = [
    "CELLS",
    "MASKED",
    "build_cnn_rnn",
    "build_encoder_decoder",
    "build_rnn",
    "build_rnn_classifier",
    "build_text_rnn",
]
