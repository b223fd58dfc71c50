"""Tasks of scikit-learn's callback API for the epochs of a fit."""

from collections.abc import Callable
from typing import Any

from ._sklearn_compat import init_callback_context


class FitProgress:
    """Report a fit and its epochs to scikit-learn's callbacks.

    It has no effect if scikit-learn has no callback API.

    Parameters
    ----------
    estimator : estimator with `CallbackSupportMixin`
    epochs : int
        Number of subtasks of the fit.
    """

    def __init__(self, estimator: Any, epochs: int) -> None:
        self.estimator = estimator
        self.data: dict[str, Any] = {}
        self.fit_task = init_callback_context(estimator, epochs)
        self.epoch_task: Any = None

    def begin(self, X: Any, y: Any, sample_weight: Any = None) -> None:
        """Begin the task of the fit."""
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.data = {"X": X, "y": y, "metadata": metadata}
        if self.fit_task is not None:
            self.fit_task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def begin_epoch(self) -> None:
        """Begin the task of an epoch."""
        if self.fit_task is not None:
            self.epoch_task = self.fit_task.subcontext(task_name="epoch")
            self.epoch_task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end_epoch(self, attributes: Callable[[], dict]) -> bool:
        """End the task of an epoch, and return whether a callback requests to stop training."""
        return self._end(self.epoch_task, attributes)

    def end(self, attributes: dict) -> bool:
        """End the task of the fit."""
        return self._end(self.fit_task, attributes)

    def _end(self, task, attributes):
        if task is None:
            return False
        return bool(
            task.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=attributes, **self.data
            )
        )
