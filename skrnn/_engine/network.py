"""The network of an estimator: the configuration and the arrays of a Keras model."""

import contextlib
import json
import numbers
from inspect import signature
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .._checks import MASKED, raises_as_value_error
from .._keras_compat import all_layers, default_seeds, model_lock
from .._process import check_not_forked
from ..networks.checks import check_keras_name, check_network
from ..networks.custom_cells import custom_objects_of
from ..networks.initialize import reseed
from ..networks.residual import (
    BASE,
    LINEAR,
    WEIGHT,
    add_residual_baseline,
    frozen_layer,
    remove_residual_baseline,
    set_residual_baseline,
)
from .cache import (
    architecture_key,
    global_settings,
    predictor_for,
    templates,
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

# Maximum size of a batch that Keras predicts: values in its windows (64 MiB of float32), and rows,
# as the outputs of layers that return sequences are larger. Larger batches are not faster.
_PREDICT_VALUES = 2**24


_PREDICT_ROWS = 2**12


class Network:
    """A Keras model as its configuration and the values of its variables.

    Networks of the same architecture train in one shared compiled model: the values of a network
    are loaded into it at the beginning of a fit, and copied back at the end. After `model` has been
    accessed, or if the configuration does not determine the computation, as with custom code, a
    network has a separate model, which contains the values. A pickle contains the configuration and
    the values.

    Parameters
    ----------
    model : keras.Model
        The initial model. If it is compiled, it keeps its loss and optimizer.
    seed : int
        Seed of the order of the rows.
    settings : dict
        The parameters of the estimator that the network was built with.
    input_dtype : str
        The dtype of its windows.
    baseline : tuple or None
        The columns, scales, shifts and coefficients of `add_residual_baseline`.

    Attributes
    ----------
    epochs_done : int
    n_outputs : int
    n_timesteps : int or None
        Number of time steps of the inputs. None if it is not fixed.
    output_dtype : str
    is_precompiled : bool
        Whether the initial model was compiled.
    has_masking : bool
        Whether it has a layer that masks time steps.
    """

    def __init__(self, model, seed, settings, input_dtype, baseline=None):
        self.seed = seed
        self.settings = settings
        self.input_dtype = input_dtype
        self.baseline = baseline
        self._frozen_indices = {
            name: [i for i, v in enumerate(variables_of(model)) if any(v is w for w in variables)]
            for name, variables in _frozen_variables(model).items()
        }
        self.epochs_done = 0
        self.n_outputs = int(model.output_shape[-1])
        self.n_timesteps = model.inputs[0].shape[1] if len(model.inputs[0].shape) > 1 else None
        self.output_dtype = model.outputs[0].dtype
        self.is_precompiled = model.compiled
        masking = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.Masking)]
        self.has_masking = bool(masking)
        has_output_steps = len(model.output_shape) > 2
        self._output_mask_values = {layer.mask_value for layer in masking if has_output_steps}
        self._custom_objects = custom_objects_of([*all_layers(model)])
        config = keras.saving.serialize_keras_object(model)
        compile_config = config.pop("compile_config", None)
        self._config = json.dumps(config)
        self._compile_config = json.dumps(compile_config)
        self._values = values_of(variables_of(model))
        self._optimizer_values: list = []  # empty before it is trained
        self._supports_fused_engine = supports_fused_engine(model)
        self._architecture = architecture_key(model) if self._supports_fused_engine else None
        self._drop_runtime_state()
        self._model: Any = model if self._architecture is None else None

    def _drop_runtime_state(self):
        """Reset the attributes that are not pickled."""
        self._optimizer: Any = None
        self._loss: Any = None
        self._learning_rate: float | None = None
        self._model = None  # its own model
        self._shared_model: Any = None  # the model in which it is trained at the moment
        self._trainer: Any = None  # of its own model
        self._tensors: list | None = None  # the values as tensors
        self._programs: dict = {}

    def __getstate__(self):
        state = object.__new__(type(self))
        vars(state).update(vars(self))
        state._values, state._optimizer_values = self.values(), self._current_optimizer_values()
        state._drop_runtime_state()
        return vars(state)

    def __setstate__(self, state):
        if state["baseline"] is not None and "_frozen_indices" not in state:
            raise ValueError(
                "This pickle contains a network with a base forecast (residual=True) of an earlier "
                "version of skrnn, which cannot be loaded: fit the estimator again, or load it "
                "with the version that it was fitted with."
            )
        vars(self).update(state)

    # The model and its values

    @property
    def model(self):
        """The separate model of the network, which contains its values after the first access."""
        if self._shared_model is not None:
            return self._new_model()
        if self._model is None:
            with model_lock:  # several threads get the same model
                if self._model is None:
                    self._model = self._new_model()
                    self._tensors = None
        return self._model

    def _new_model(self):
        check_not_forked()
        # Layers without a seed would sample one from the global state.
        with default_seeds(0), keras.saving.custom_object_scope(self._custom_objects):
            model = keras.saving.deserialize_keras_object(json.loads(self._config), safe_mode=False)
        assign(variables_of(model), self.values())
        self._compile_model(model)
        return model

    def _current_model(self):
        return self._model if self._shared_model is None else self._shared_model

    def values(self):
        """Return the values of all variables, in the order of `variables_of`."""
        model = self._current_model()
        return self._values if model is None else values_of(variables_of(model))

    def forecast_weights(self) -> np.ndarray:
        """Return the weight of the network in each output of a model with a base forecast."""
        (index,) = self._frozen_indices[WEIGHT]
        return np.diagonal(self.values()[index]).astype(np.float64)

    def set_forecast_weights(self, weights: np.ndarray) -> None:
        """Set the weight of the network in each output of a model with a base forecast."""
        self._set_frozen(WEIGHT, [np.diag(weights)])

    def set_coefficients(self, coefficients: np.ndarray) -> None:
        """Set the coefficients and intercepts of the linear base forecast."""
        self._set_frozen(LINEAR, [coefficients[:-1], coefficients[-1]])

    def coefficients(self) -> np.ndarray | None:
        """Return the coefficients and intercepts of the linear base forecast, if there is one."""
        if LINEAR not in self._frozen_indices:
            return None
        values = self.values()
        return np.vstack([values[index] for index in self._frozen_indices[LINEAR]])

    def _set_frozen(self, name, arrays):
        """Set the variables of a frozen layer of the base forecast."""
        values = [*self.values()]
        for index, array in zip(self._frozen_indices[name], arrays, strict=True):
            values[index] = np.asarray(array, values[index].dtype)
        if self._current_model() is None:
            self._values, self._tensors = values, None
        else:
            assign(variables_of(self._current_model()), values)

    def _current_optimizer_values(self):
        optimizer = getattr(self._current_model(), "optimizer", None)
        if optimizer is None or not optimizer.built:
            return self._optimizer_values
        return values_of(optimizer.variables)

    # Training

    def compile(self, *, optimizer, loss, **optimizer_settings):
        """Set the optimizer and the loss. The variables of a trained optimizer keep their values.

        Parameters
        ----------
        optimizer : str or keras.optimizers.Optimizer
            It is copied.
        loss : str, keras.losses.Loss or callable
        **optimizer_settings
            Settings of Keras' optimizers, such as ``learning_rate`` and ``clipnorm``. If None, the
            setting of `optimizer` is used.

        Raises
        ------
        ValueError
            If a name is unknown, or both ``clipnorm`` and ``clipvalue`` are set.
        """
        optimizer = check_keras_name("optimizer", optimizer, keras.optimizers)
        check_keras_name("loss", loss, keras.losses)
        settings = {k: v for k, v in optimizer_settings.items() if v is not None}
        if {"clipnorm", "clipvalue"} <= set(settings):
            raise ValueError(
                f"clipnorm={settings['clipnorm']} and clipvalue={settings['clipvalue']} cannot be "
                "combined. Set one of them to None."
            )
        optimizer = copy_optimizer(optimizer, **settings)
        self._check_schedule(optimizer)
        self._optimizer, self._loss = optimizer, loss
        self._learning_rate = settings.get("learning_rate")
        if self._model is not None:
            self._compile_model(self._model)

    def _check_schedule(self, optimizer):
        """Raise a ValueError if a trained network gets or loses a schedule of the learning rate."""
        has_schedule = isinstance(optimizer.get_config().get("learning_rate"), dict)
        had_schedule = getattr(self, "_has_schedule", has_schedule)
        if had_schedule != has_schedule and self._current_optimizer_values():
            kinds = {True: "a schedule of the learning rate", False: "a constant learning rate"}
            raise ValueError(
                f"The network was trained with {kinds[had_schedule]}, and training cannot be "
                f"resumed with {kinds[has_schedule]}, which its optimizer has no variables for. "
                "Set learning_rate back, or fit with warm_start=False."
            )
        self._has_schedule = has_schedule

    def _compile_model(self, model):
        """Compile a model that is not compiled, and set the variables of its optimizer."""
        is_new = not model.compiled
        if is_new and self.is_precompiled:
            model.compile_from_config(json.loads(self._compile_config))
        elif self._optimizer is None:
            return
        elif is_new:
            # The compilation by XLA would take longer than the training of networks of this size.
            model.compile(copy_optimizer(self._optimizer), self._loss, jit_compile=False)
        if is_new and self._optimizer_values:
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
            assign(model.optimizer.variables, self._optimizer_values)
        if not self.is_precompiled and self._learning_rate is not None:
            model.optimizer.learning_rate = float(self._learning_rate)

    def loss(self):
        """Return the loss as an argument of `keras.Model.compile`."""
        return self.model.loss if self.is_precompiled else self._loss

    @contextlib.contextmanager
    def trainer(self, callbacks, trainer_class=Trainer):
        """Provide a trainer of the network, or None if it is trained by `keras.Model.fit`.

        Within the context, the network has the values of the trainer's model. After an error other
        than a KeyboardInterrupt, its previous values are restored. Callbacks that may retain the
        model are passed the separate model of the network.
        """
        fused = self._can_train_fused(callbacks)
        key = None
        # Custom callbacks may use the model after the fit.
        if fused and self._architecture and all(map(is_keras_builtin, callbacks)):
            key = training_key(self._optimizer, self._loss)
        if key is not None:
            with self._shared_trainer((trainer_class, self._architecture, key)) as trainer:
                yield trainer
            return
        with self._unchanged_on_error(self.model):
            if not (fused or trainer_class.replaces_model_fit):
                yield None
                return
            if type(self._trainer) is not trainer_class or self._trainer.fused != fused:
                self._trainer = trainer_class(self.model, fused)
            yield self._trainer

    def _can_train_fused(self, callbacks):
        return (
            self._supports_fused_engine
            and not self.is_precompiled
            and not any(map(has_batch_hooks, callbacks))
            and per_sample_loss(self._loss) is not None
            and self.masking_matches_loss()
            and not uses_loss_scaling(self._optimizer)
        )

    def masking_matches_loss(self):
        """Return whether the time steps without a class are those whose losses Keras would mask."""
        has_ignored_class = ignored_class(self._loss) is not None
        masks = self._output_mask_values
        return not masks or (masks == {MASKED} and has_ignored_class)

    @contextlib.contextmanager
    def _shared_trainer(self, key):
        """Provide the trainer of a key, with the values of the network."""
        trainer_class, *_ = key
        own_model = self._model
        self._values, self._optimizer_values = self.values(), self._current_optimizer_values()
        self._model = None
        try:
            with trainer_for(key, lambda: trainer_class(self._new_model())) as trainer:
                trainer.load(self._values, self._optimizer_values, self._initial_learning_rate())
                self._shared_model, self._tensors = trainer.model, None
                try:
                    with self._unchanged_on_error(trainer.model):
                        yield trainer
                finally:
                    self._values = self.values()
                    self._optimizer_values = self._current_optimizer_values()
                    self._shared_model = None
        finally:
            if own_model is not None:
                self._compile_model(own_model)
                own_model.optimizer.build(own_model.trainable_variables)
                assign(variables_of(own_model), self._values)
                assign(own_model.optimizer.variables, self._optimizer_values)
                self._model = own_model

    def _initial_learning_rate(self):
        """Return the learning rate at the beginning of a fit. If None, it is not changed."""
        if self._learning_rate is None and self._optimizer_values:
            return None
        rate = self._optimizer.get_config().get("learning_rate")
        return rate if isinstance(rate, float) else None

    @contextlib.contextmanager
    def _unchanged_on_error(self, model):
        epochs_done, optimizer_values = self.epochs_done, self._current_optimizer_values()
        values = self.values() if epochs_done else None
        try:
            yield
        except Exception:
            self.epochs_done = epochs_done
            if values is not None:
                assign(variables_of(model), values)
                if optimizer_values:
                    assign(model.optimizer.variables, optimizer_values)
            raise

    # Prediction

    def predict(self, X, *, without_baseline=False):
        """Return the outputs for all rows of X, batch by batch.

        Parameters
        ----------
        X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)
        without_baseline : bool, default=False
            Whether to return the change from the last value alone.

        Returns
        -------
        outputs : ndarray of shape (n_samples, n_outputs) or (n_samples, n_timesteps, n_outputs)
            Outputs in the dtype of the network.
        """
        if not self._supports_fused_engine:
            check_not_forked()
            return self._predict_with_keras(np.asarray(X), without_baseline)
        predictor, values = self.compiled_program(Predictor)
        if without_baseline:
            values = [
                tf.zeros_like(value) if i in self._frozen_indices[BASE] else value
                for i, value in enumerate(values)
            ]
        return predictor(values, X)

    def compiled_program(self, program_class):
        """Return a compiled program of the model, and the values of the variables to pass to it.

        Parameters
        ----------
        program_class : class
            A class such as `Predictor`, which creates graphs of a model that are functions of its
            variables.
        """
        check_not_forked()
        model = self._current_model()
        if model is not None:
            values = [tf.convert_to_tensor(variable) for variable in variables_of(model)]
        else:
            values = self._tensors or [tf.constant(value) for value in self._values]
            self._tensors = values

        def make():
            if self._architecture is None:
                return program_class(self.model)
            key = program_class, self._architecture
            return predictor_for(key, lambda: program_class(self._new_model()))

        return self._program(program_class, make), values

    def _program(self, key, make):
        """Return a program of the network, which is made once, also for several threads."""
        if key not in self._programs:
            with model_lock:
                if key not in self._programs:
                    self._programs[key] = make()
        return self._programs[key]

    def _predict_with_keras(self, windows, without_baseline):
        model = remove_residual_baseline(self.model) if without_baseline else self.model

        def make():
            # One graph for any number of rows: another graph might round differently.
            spec = tf.TensorSpec((None, *windows.shape[1:]), windows.dtype)
            function = tf.function(lambda x: model(x, training=False), autograph=False)
            return function.get_concrete_function(spec)

        program = self._program(without_baseline, make)
        size = min(_PREDICT_ROWS, max(1, _PREDICT_VALUES // max(1, windows[:1].size)))
        outputs = [
            program(tf.constant(windows[start : start + size])).numpy()
            for start in range(0, len(windows), size)
        ]
        return np.concatenate(outputs)


def _frozen_variables(model):
    """Return the variables of the frozen layers of a base forecast, by name."""
    layers = {name: frozen_layer(model, name) for name in (BASE, LINEAR, WEIGHT)}
    return {name: layer.variables for name, layer in layers.items() if layer is not None}


def copy_optimizer(optimizer, **settings):
    """Return a copy of an optimizer with some settings replaced."""
    config = optimizer.get_config()
    config.pop("name", None)
    for name, value in settings.items():
        is_count = isinstance(value, numbers.Integral) and not isinstance(config.get(name), float)
        config[name] = int(value) if is_count else float(value)
    return type(optimizer).from_config(config)


def build_network(
    builder,
    build,
    baseline,
    seed,
    settings,
    input_dtype,
    *,
    sequence=False,
    probabilities=False,
    **options,
):
    """Return a new network, built by the custom builder if there is one.

    Models of the builders in `networks` are reused with new values, because TensorFlow does not
    free the memory of variables.

    Parameters
    ----------
    builder : callable or None
        Called with those of the options and `seed` that are in its signature.
    build : callable
        A builder in `networks`, called with all options and `seed` if `builder` is None.
    baseline : tuple or None
        Columns, scales, shifts and coefficients of the base forecast, as in
        `add_residual_baseline`.
    seed, settings, input_dtype
        As in `Network`.
    sequence : bool, default=False
        Whether the custom network must have outputs at each time step.
    probabilities : bool, default=False
        Whether the outputs of the custom network must be probabilities of classes.
    **options
        With a `builder`, they include `input_shape` and `n_outputs`.
    """
    key = None
    if builder is None and _is_plain(options):
        has_coefficients = baseline is not None and baseline[3] is not None
        key = build, repr(options), baseline is not None, has_coefficients, global_settings()
    model = None if key is None else templates.take(key)
    if model is None:
        with default_seeds(seed):  # of layers without a seed
            if builder is None:
                model = build(**options, seed=seed)
            else:
                model = _call_builder(builder, options | {"seed": seed})
                shape, n_outputs = options["input_shape"], options["n_outputs"]
                model = check_network(model, shape, n_outputs, sequence, probabilities)
            if baseline is not None:
                scale_windows = bool(options.get("scale_windows"))
                model = add_residual_baseline(model, *baseline, scale_windows=scale_windows)
    else:
        reseed(model, seed)
        if baseline is not None:
            set_residual_baseline(model, *baseline)
    network = Network(model, seed, settings, input_dtype, baseline)
    if key is not None and network._model is not model:
        templates.put(key, model)
    return network


def _call_builder(builder, options):
    """Call a user's builder with the options that its signature names."""
    if isinstance(builder, keras.Model):
        raise ValueError(
            f"network={builder!r} is a model, but each fit needs a new one. Pass a function that "
            "builds and returns it."
        )
    with contextlib.suppress(ValueError):  # of functions in C, which have no signature
        parameters = signature(builder).parameters.values()
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            names = {p.name for p in parameters}
            options = {name: value for name, value in options.items() if name in names}
    need = "It must return a new keras.Model for the keyword arguments that its signature names."
    action = f"was called with {', '.join(options) or 'no arguments'}"
    with raises_as_value_error(f"network={builder!r}", action, need):
        return builder(**options)


def _is_plain(value):
    """Return whether a value contains only numbers, strings and None, so that its repr is a key."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, bool, np.generic, numbers.Number))


def has_batch_hooks(callback):
    """Return whether a Keras callback has batch hooks."""
    hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
    base = keras.callbacks.Callback
    return any(getattr(type(callback), hook) is not getattr(base, hook) for hook in hooks) or (
        isinstance(callback, keras.callbacks.LambdaCallback)
        and any(hook in vars(callback) for hook in hooks)
    )
