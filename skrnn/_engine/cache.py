"""Cache keys of models and of their training, and caches of compiled programs."""

import collections
import contextlib
import json
import threading
import types

import keras

from .._keras_compat import flatten_layers
from .eligibility import is_keras_function


def architecture_key(model):
    """Return a string that is equal for models with the same computation, or None if unknown.

    It is the whole configuration of the model without seeds, which only affect the values of its
    variables, and with numbers instead of the layers' names. A configuration contains names of
    classes and functions. If any of them is custom, the key is None, because two custom classes may
    have the same name.
    """
    config = keras.saving.serialize_keras_object(model)["config"]
    if not (_refers_to_known_code(config) and _runs_known_code(model)):
        return None
    return json.dumps(canonicalize_config(config, {}))


# Class names by which Keras serializes plain values.
_VALUE_CLASSES = {"__tuple__", "__tensor__", "__numpy__", "__keras_tensor__"}


def _is_known_module(module):
    """Return whether a module belongs to Keras or skrnn, where names are unique."""
    return isinstance(module, str) and module.partition(".")[0] in ("keras", "skrnn")


def _refers_to_known_code(config):
    """Return whether all classes and functions in a configuration are those of Keras or skrnn."""
    if isinstance(config, (list, tuple)):
        return all(map(_refers_to_known_code, config))
    if not isinstance(config, dict):
        return True
    name = config.get("class_name")
    is_known = name is None or name in _VALUE_CLASSES or _is_known_module(config.get("module"))
    return is_known and all(map(_refers_to_known_code, config.values()))


def _runs_known_code(model):
    """Return whether the layers, cells and functions of a model are those of Keras or skrnn.

    The configuration alone does not determine this: a custom function `relu` has the same name in
    it.
    """
    return all(
        _is_known_module(type(layer).__module__)
        and all(
            _is_known_module(value.__module__)
            for value in vars(layer).values()
            if isinstance(value, types.FunctionType)
        )
        for layer in flatten_layers(model)
    )


def canonicalize_config(config, numbers):
    """Return the configuration of a model without seeds, and with numbers for names of layers.

    Parameters
    ----------
    config : dict, list or plain value
    numbers : dict
        The numbers of the names so far; new names are added.
    """
    if isinstance(config, (list, tuple)):
        return [canonicalize_config(value, numbers) for value in config]
    if not isinstance(config, dict):
        return config
    canonical = {}
    for key, value in config.items():
        if key in ("name", "keras_history", "input_layers", "output_layers"):
            canonical[key] = _number_names(value, numbers)
        elif key == "dtype":  # a policy, whose name is not that of a layer
            canonical[key] = value
        elif key != "seed":
            canonical[key] = canonicalize_config(value, numbers)
    return canonical


def _number_names(names, numbers):
    if isinstance(names, (list, tuple)):
        return [_number_names(name, numbers) for name in names]
    return numbers.setdefault(names, len(numbers)) if isinstance(names, str) else names


def training_key(optimizer, loss):
    """Return a string that is equal for fits with the same compiled program, or None if unknown.

    It is the whole configuration of the optimizer and all attributes of the loss (Keras excludes
    the delta of `Huber` from its configuration), without their names and without a constant
    learning rate, which is a variable of the program.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        With all settings that it trains with.
    loss : str, keras.losses.Loss or callable
    """
    config = keras.saving.serialize_keras_object(optimizer)
    settings = {name: value for name, value in config["config"].items() if name != "name"}
    if isinstance(settings.get("learning_rate"), (int, float)):
        del settings["learning_rate"]
    config["config"] = settings
    loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        loss = vars(loss) | {"name": loss.__class__}
    if not _refers_to_known_code(config):
        return None
    try:
        return json.dumps([config, loss], default=_qualified_name)
    except TypeError:  # custom code
        return None


def _qualified_name(value):
    """Return a string for a class, function or dtype policy of Keras."""
    if isinstance(value, (type, types.FunctionType)) and is_keras_function(value):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, keras.DTypePolicy):
        return value.name
    raise TypeError(f"{value!r} is not defined in Keras.")


def global_settings():
    """Return the global settings of Keras that are constants in a traced graph."""
    return keras.config.floatx(), keras.config.epsilon(), keras.config.dtype_policy().name


# Number of programs of each kind that are cached. The least recently used is discarded first.
CACHE_SIZE = 16


class LRUCache:
    """Least recently used (LRU) cache of compiled programs. Thread-safe."""

    def __init__(self):
        self._programs = collections.OrderedDict()
        self._lock = threading.Lock()

    def __len__(self):
        return len(self._programs)

    def take(self, key):
        """Remove and return a program, or return None."""
        with self._lock:
            return self._programs.pop(key, None)

    def get(self, key):
        """Return a program or None."""
        with self._lock:
            return self._programs.get(key)

    def put(self, key, program):
        with self._lock:
            self._programs[key] = program
            self._programs.move_to_end(key)
            while len(self) > CACHE_SIZE:
                self._programs.popitem(last=False)

    def clear(self):
        with self._lock:
            self._programs.clear()


_trainers, _predictors = LRUCache(), LRUCache()


# Models of the builders in `networks` that no network uses, by the arguments of the builder.
templates = LRUCache()


@contextlib.contextmanager
def trainer_for(key, make):
    """Provide the cached trainer of a key, or a new trainer if it is missing or in use."""
    key = key, global_settings()
    trainer = _trainers.take(key) or make()
    try:
        yield trainer
    finally:  # also after an error: `Trainer.load` overwrites all of its state
        _trainers.put(key, trainer)


def predictor_for(key, make):
    """Return the cached predictor of a key, or a new predictor."""
    key = key, global_settings()
    predictor = _predictors.get(key) or make()
    _predictors.put(key, predictor)
    return predictor


def clear_compiled() -> None:
    """Discard the compiled networks that are cached for later fits and predictions.

    Within a process, fits of networks with the same architecture, shapes, loss and optimizer share
    a compiled network, and so do their predictions. The 16 most recently used networks are cached.
    Networks with custom code, such as a custom cell, are compiled for each fit. Fitted estimators
    are not affected: their networks are compiled again when needed.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNRegressor, clear_compiled
    >>> X = np.zeros((8, 3, 1))
    >>> rnn = RNNRegressor("rnn", 1, epochs=1).fit(X, X[:, 0, 0])
    >>> clear_compiled()
    >>> rnn.predict(X).shape
    (8,)
    """
    for cache in (templates, _trainers, _predictors):
        cache.clear()
