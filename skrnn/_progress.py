"""The epochs of a fit as tasks of scikit-learn's callback API."""


class FitProgress:
    """The epochs of a fit as tasks of scikit-learn's callback API (a no-op where there is none).

    Parameters
    ----------
    estimator : estimator with `CallbackSupportMixin`
    epochs : int
        Number of subtasks of the fit.
    """

    def __init__(self, estimator, epochs):
        self.estimator = estimator
        self.data = {}
        init = getattr(estimator, "_init_callback_context", None)
        self.context = init(max_subtasks=epochs) if init is not None else None
        self.epoch = None

    def begin(self, X, y, sample_weight=None):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.data = {"X": X, "y": y, "metadata": metadata}
        if self.context is not None:
            self.context.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def begin_epoch(self):
        if self.context is not None:
            self.epoch = self.context.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end_epoch(self, attributes):
        """Return True if a callback asks for the end of training."""
        return self._end(self.epoch, attributes)

    def end(self, attributes):
        return self._end(self.context, attributes)

    def _end(self, context, attributes):
        if context is None:
            return False
        return bool(
            context.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=attributes, **self.data
            )
        )
