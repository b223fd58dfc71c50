"""The network of a fitted estimator: a Keras model, or what it takes to make it one."""

import contextlib
import copy
import json
from inspect import signature

import keras
import numpy as np
import tensorflow as tf

from .._checks import MASKED
from .._keras_compat import all_layers
from .._process import check_not_forked
from ..networks.checks import check_keras_name, check_network
from ..networks.custom_cells import custom_objects_of
from ..networks.initialize import reseed, seeded
from ..networks.residual import add_residual_baseline, set_residual_baseline
from .cache import (
    architecture_key,
    keep_template,
    predictor_for,
    take_template,
    trainer_for,
    training_key,
)
from .eligibility import (
    ignored_class,
    is_keras_builtin,
    per_sample_loss,
    supports_fused_engine,
    uses_loss_scaling,
)
from .parameters import assign, values_of, variables_of
from .predictor import Predictor
from .trainer import Trainer

# What one prediction of Keras' may hold: values in windows (64 MiB of float32), and rows, as layers
# that return sequences hold many times as much. More at once would not be faster.
_PREDICT_VALUES = 2**24


_PREDICT_ROWS = 2**12


def compile_network(model, *, optimizer, loss, learning_rate, clipnorm, clipvalue=None):
    """Compile `model`, leaving the caller's optimizer as it is; one compiled already is kept."""
    optimizer = check_keras_name("optimizer", optimizer, keras.optimizers)
    check_keras_name("loss", loss, keras.losses)
    if model.compiled:
        return
    settings = optimizer.get_config()
    settings.pop("name", None)
    if learning_rate is not None:
        settings["learning_rate"] = float(learning_rate)
    if clipnorm is not None:
        settings["clipnorm"] = float(clipnorm)
    if clipvalue is not None:
        settings["clipvalue"] = float(clipvalue)
    # XLA compiles for longer than networks of this size train.
    model.compile(optimizer=type(optimizer).from_config(settings), loss=loss, jit_compile=False)


class Network:
    """A fitted `keras.Model` with what it takes to go on training, also after a pickle.

    It is settings and arrays: fits of one architecture train in one compiled model, and take their
    arrays with them. Once its own model was asked for, it is that model.

    Parameters
    ----------
    model : keras.Model
        What the network starts as; compiled if it keeps its own loss and optimizer.
    seed : int
        What the order of the rows is drawn from.
    settings : dict
        The estimator's settings that it was built with.
    input_dtype : str
        What windows are cast to.
    """

    def __init__(self, model, seed, settings, input_dtype):
        self.seed = seed
        self.settings = settings
        self.input_dtype = input_dtype
        self.own_compile = model.compiled
        self.epochs_done = 0
        self.n_outputs = int(model.output_shape[-1])
        self.output_dtype = model.outputs[0].dtype
        # Of the inputs; None where any number will do.
        self.n_timesteps = model.inputs[0].shape[1] if len(model.inputs[0].shape) > 1 else None
        masking = [one for one in all_layers(model) if isinstance(one, keras.layers.Masking)]
        self.masks = bool(masking)
        # What masks outputs, as Keras leaves their losses out: nothing if there is but one output.
        self._masks_outputs = {one.mask_value for one in masking if len(model.output_shape) > 2}
        self._own_classes = custom_objects_of([*all_layers(model)])
        config = keras.saving.serialize_keras_object(model)
        own_config = config.pop("compile_config", None)
        self._config = json.dumps(config)
        self._own_config = json.dumps(own_config) if self.own_compile else None
        self._values = values_of(variables_of(model))
        self._optimizer: list = []  # its variables, once it has trained
        self._compile: dict = {}  # what to train with
        self._is_compilable = supports_fused_engine(model)
        self._architecture = architecture_key(model) if self._is_compilable else None
        self._forget()
        if self._architecture is None:
            self._model = model

    def _forget(self):
        """Leave behind what does not go into a pickle."""
        self._model = None  # its own, once it was asked for
        self._training = None  # the shared one in which it trains at the moment
        self._trainer = self._tensors = None
        self._programs: dict = {}  # its predictors, by what makes them

    def __getstate__(self):
        state = copy.copy(self)
        state._values, state._optimizer = self.values(), self._optimizer_values()
        state._compile = {}
        state._forget()
        return vars(state)

    def __copy__(self):
        copied = object.__new__(type(self))
        vars(copied).update(vars(self))
        copied._programs = dict(self._programs)
        return copied

    @property
    def model(self):
        """The model; from now on the network is what this model is."""
        if self._training is not None:
            return self._new_model()
        if self._model is None:
            self._model = self._new_model()
            self._tensors = None
        return self._model

    def holds(self, model):
        """Whether the network is this model, and not only like it."""
        return self._model is model

    def _new_model(self):
        check_not_forked()
        # Layers without a seed would draw one.
        with seeded(0), keras.saving.custom_object_scope(self._own_classes):
            model = keras.saving.deserialize_keras_object(json.loads(self._config), safe_mode=False)
        assign(variables_of(model), self.values())
        self._compile_model(model)
        return model

    def _current_model(self):
        return self._training if self._training is not None else self._model

    def values(self):
        """Return the values of all variables, in the order of `variables_of`."""
        model = self._current_model()
        return self._values if model is None else values_of(variables_of(model))

    def _optimizer_values(self):
        optimizer = getattr(self._current_model(), "optimizer", None)
        if optimizer is None or not optimizer.built:
            return self._optimizer
        return values_of(optimizer.variables)

    def compile(self, **settings):
        """Take what to train with; an optimizer that has trained goes on from where it stood."""
        settings["optimizer"] = check_keras_name(
            "optimizer", settings["optimizer"], keras.optimizers
        )
        check_keras_name("loss", settings["loss"], keras.losses)
        clipnorm, clipvalue = settings["clipnorm"], settings.get("clipvalue")
        if clipnorm is not None and clipvalue is not None:
            raise ValueError(
                f"clipnorm={clipnorm} and clipvalue={clipvalue} exclude each other: gradients are "
                "clipped in one way. Set one of them to None."
            )
        self._compile = settings
        if self._model is not None:
            self._compile_model(self._model)

    def _compile_model(self, model):
        """Compile a model; if it was not, put its optimizer where the network's stood."""
        is_new = not model.compiled
        if self._own_config is not None and is_new:
            model.compile_from_config(json.loads(self._own_config))
        elif not self._compile:
            return
        else:
            compile_network(model, **self._compile)
        if is_new and self._optimizer:
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
            assign(model.optimizer.variables, self._optimizer)
        if self._own_config is None and self._compile["learning_rate"] is not None:
            model.optimizer.learning_rate = float(self._compile["learning_rate"])

    def loss(self):
        """Return the loss, as Keras takes it."""
        return self.model.loss if self.own_compile else self._compile["loss"]

    @contextlib.contextmanager
    def trainer(self, callbacks, make=Trainer):
        """Lend what trains the network: what `make` makes or, where XLA cannot, its `by_keras`.

        That is None where `keras.Model.fit` is to train.

        The network takes over what was learnt, also on Ctrl-C; after any other error it is what
        it was. Callbacks of the user's may keep the model that they get: it is the network's own.
        """
        compilable = (
            self._is_compilable
            and not self.own_compile
            and not any(has_batch_hooks(callback) for callback in callbacks)
            and per_sample_loss(self._compile["loss"]) is not None
            and self._leaves_out_as_keras()
            and not uses_loss_scaling(self._compile["optimizer"])
        )
        if not compilable:
            make = make.by_keras
        compilation = training_key(
            *(self._compile.get(k) for k in ("optimizer", "loss", "clipnorm", "clipvalue"))
        )
        may_be_kept = not all(map(is_keras_builtin, callbacks))
        if not compilable or may_be_kept or self._architecture is None or compilation is None:
            if type(self._trainer) is not (make or type(None)):
                self._trainer = make and make(self.model)
            with self._unchanged_on_error(self.model):
                yield self._trainer
            return
        own, self._values, self._optimizer = self._model, self.values(), self._optimizer_values()
        self._model = None
        try:
            key = (make.__name__, self._architecture, compilation)
            with trainer_for(key, lambda: make(self._new_model())) as trainer:
                trainer.load(self._values, self._optimizer, self._learning_rate())
                self._training, self._tensors = trainer.model, None
                try:
                    with self._unchanged_on_error(trainer.model):
                        yield trainer
                finally:
                    self._values, self._optimizer = self.values(), self._optimizer_values()
                    self._training = None
        finally:
            if own is not None:
                self._compile_model(own)
                own.optimizer.build(own.trainable_variables)
                assign(variables_of(own), self._values)
                assign(own.optimizer.variables, self._optimizer)
                self._model = own

    def _leaves_out_as_keras(self):
        """Whether the steps whose losses Keras leaves out, as masked, are those of no class."""
        ignored = ignored_class(self._compile["loss"])
        return not self._masks_outputs or (self._masks_outputs == {MASKED} and ignored is not None)

    def _learning_rate(self):
        """Return the number to set the learning rate to, or None to leave it."""
        rate = self._compile["learning_rate"]
        if rate is None and not self._optimizer:
            rate = self._compile["optimizer"].get_config().get("learning_rate")
        return float(rate) if isinstance(rate, (int, float)) else None

    @contextlib.contextmanager
    def _unchanged_on_error(self, model):
        epochs_done, optimizer = self.epochs_done, self._optimizer_values()
        values = self.values() if epochs_done else None
        try:
            yield
        except Exception:
            self.epochs_done = epochs_done
            if values is not None:
                assign(variables_of(model), values)
                if optimizer:
                    assign(model.optimizer.variables, optimizer)
            raise

    def predict(self, X):
        """Return the outputs for all rows of X, a WindowArray or an array of windows."""
        if not self._is_compilable:
            check_not_forked()
            return self._predict_by_keras(np.asarray(X))
        predictor, values = self.program(Predictor)
        return predictor(values, X)

    def program(self, make):
        """Return the graphs that `make` makes of a model, and the values to call them with.

        Parameters
        ----------
        make : class
            Such as `Predictor`: of a model, it makes graphs that are functions of its weights.
        """
        check_not_forked()
        model = self._current_model()
        if model is not None:
            values = [tf.convert_to_tensor(variable) for variable in variables_of(model)]
        else:
            if self._tensors is None:
                self._tensors = [tf.constant(value) for value in self._values]
            values = self._tensors
        if make not in self._programs:
            self._programs[make] = (
                make(self.model)
                if self._architecture is None
                else predictor_for(
                    (make.__name__, self._architecture), lambda: make(self._new_model())
                )
            )
        return self._programs[make], values

    def _predict_by_keras(self, windows):
        model = self.model
        if None not in self._programs:
            # One trace for every number of rows: another one could round the last bit otherwise.
            shape = tf.TensorSpec((None, *windows.shape[1:]), windows.dtype)
            self._programs[None] = tf.function(
                lambda x: model(x, training=False), autograph=False
            ).get_concrete_function(shape)
        size = min(_PREDICT_ROWS, max(1, _PREDICT_VALUES // max(1, windows[:1].size)))
        outputs = [
            self._programs[None](tf.constant(windows[start : start + size])).numpy()
            for start in range(0, len(windows), size)
        ]
        return np.concatenate(outputs)


def new_network(build, base, seed, settings, input_dtype, **options):
    """Return a network that was not trained yet, of a builder in `networks`.

    Its model is made once for all seeds: variables take memory that TensorFlow does not give back.
    """

    def make_model():
        with seeded(seed):  # Bidirectional draws a seed for its copy of a simple RNN
            model = build(**options, seed=seed)
        return model if base is None else add_residual_baseline(model, *base)

    if not all(isinstance(options[name], str) for name in ("activation", "cell")):
        return Network(make_model(), seed, settings, input_dtype)
    dtypes = keras.config.floatx(), keras.config.dtype_policy().name
    key = repr((build.__name__, options, base is not None, *dtypes))
    model = take_template(key)
    if model is None:
        model = make_model()
    else:
        reseed(model, seed)
        if base is not None:
            set_residual_baseline(model, *base)
    network = Network(model, seed, settings, input_dtype)
    if not network.holds(model):
        keep_template(key, model)
    return network


def build_network(
    builder,
    build,
    base,
    seed,
    settings,
    input_dtype,
    *,
    sequence=False,
    probabilities=False,
    **options,
):
    """Return a network that was not trained yet, of the user's own builder if there is one.

    Parameters
    ----------
    builder : callable or None
        Called with those of the options, and `seed`, that its signature names.
    build : callable
        A builder in `networks`, called with all of them if `builder` is None.
    base : tuple or None
        What `add_residual_baseline` takes.
    seed, settings, input_dtype
        As `Network` takes them.
    sequence : bool, default=False
        Whether there are outputs after each step.
    probabilities : bool, default=False
        Whether the outputs are to be those of classes.
    **options
        Among them `input_shape` and `n_outputs`.
    """
    if builder is None:
        return new_network(build, base, seed, settings, input_dtype, **options)
    named = signature(builder).parameters.values()
    takes_all = any(p.kind is p.VAR_KEYWORD for p in named)
    names = {p.name for p in named}
    available = options | {"seed": seed}
    with seeded(seed):
        model = builder(**{k: v for k, v in available.items() if takes_all or k in names})
        shapes = options["input_shape"], options["n_outputs"]
        model = check_network(model, *shapes, sequence, probabilities)
        if base is not None:
            model = add_residual_baseline(model, *base)
    return Network(model, seed, settings, input_dtype)


def has_batch_hooks(callback):
    """Whether a Keras callback wants to be told of every batch."""
    hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
    base = keras.callbacks.Callback
    return any(getattr(type(callback), hook) is not getattr(base, hook) for hook in hooks) or (
        isinstance(callback, keras.callbacks.LambdaCallback)
        and any(hook in vars(callback) for hook in hooks)
    )
