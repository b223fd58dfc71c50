"""Cache keys of networks, and the caches of compiled programs."""

import collections
import contextlib
import json
import threading
import types

import keras

from .eligibility import is_keras_builtin, is_keras_function


def architecture_key(model):
    """Return what models that compute the same have in common, as a string, or None for never.

    It is the layers' settings without names and seeds, if all that they name is Keras' or ours.
    """
    config = keras.saving.serialize_keras_object(model)["config"]
    config.pop("name", None)
    numbers = {name: number for number, name in enumerate(_layer_names(config))}
    text = json.dumps(canonicalize_config(config, numbers))
    return text if _names_known_code(config) and _runs_known_code(model) else None


# What Keras calls settings that name no class.
_VALUE_CLASSES = {"__tuple__", "__tensor__", "__numpy__", "__keras_tensor__"}


def _is_known_module(module):
    """Whether a module, by its name, is Keras' or ours: there a name stands for one thing alone."""
    return isinstance(module, str) and module.partition(".")[0] in ("keras", "skrnn")


def _names_known_code(settings):
    """Whether all classes and functions that some settings name are Keras' or ours."""
    if isinstance(settings, (list, tuple)):
        return all(map(_names_known_code, settings))
    if not isinstance(settings, dict):
        return True
    name = settings.get("class_name")
    is_known = name is None or name in _VALUE_CLASSES or _is_known_module(settings.get("module"))
    return is_known and all(map(_names_known_code, settings.values()))


def _runs_known_code(model):
    """Whether all layers and cells of a model, and the functions in them, are Keras' or ours.

    Settings may name a function of the user's that is called `relu` as they name Keras'.
    """
    return all(
        _is_known_module(type(layer).__module__)
        and all(
            _is_known_module(part.__module__)
            for part in vars(layer).values()
            if isinstance(part, types.FunctionType)
        )
        for layer in model._flatten_layers()
    )


# What tells the settings of a layer, or of another operation, from others with a name.
_LAYER_KEYS = {"trainable", "batch_shape", "inbound_nodes"}


def _layer_names(config):
    """Yield the names of the layers in a model's settings."""
    parts = config.values() if isinstance(config, dict) else config
    if isinstance(config, dict) and "name" in config and _LAYER_KEYS & set(config):
        yield config["name"]
    for part in parts:
        if isinstance(part, (dict, list, tuple)):
            yield from _layer_names(part)


def canonicalize_config(config, numbers):
    """Return a model's settings with numbers for the layers' names, and no seeds."""
    if isinstance(config, (list, tuple)):
        return [canonicalize_config(part, numbers) for part in config]
    if not isinstance(config, dict):
        return config
    anonymous = {
        key: canonicalize_config(part, numbers) for key, part in config.items() if key != "seed"
    }
    places = {"keras_history", "input_layers", "output_layers"}
    if (_LAYER_KEYS | {"class_name"}) & set(config):
        places.add("name")
    if set(config) == {"name"}:  # the settings of an operation that is not a layer
        places.add("name")
    for key in places & set(config):
        anonymous[key] = _numbered(config[key], numbers)
    return anonymous


def _numbered(names, numbers):
    if isinstance(names, (list, tuple)):
        return [_numbered(name, numbers) for name in names]
    return numbers.get(names, names)


def training_key(optimizer, loss, clipnorm, clipvalue=None):
    """Return what fits that train alike have in common, as a string, or None for never.

    The learning rate is not part of it, as it is a variable, unless it follows a schedule.
    """
    if not (is_keras_builtin(optimizer) and (isinstance(loss, str) or is_keras_builtin(loss))):
        return None
    settings = optimizer.get_config()
    settings.pop("name", None)
    if isinstance(settings.get("learning_rate"), (int, float)):
        del settings["learning_rate"]
    is_known = isinstance(loss, str) or is_keras_function(getattr(loss, "fn", loss))
    loss = loss if isinstance(loss, str) else keras.saving.serialize_keras_object(loss)
    parts = [type(optimizer).__name__, settings, loss, clipnorm, clipvalue]
    if not (is_known and _names_known_code(parts)):
        return None
    return json.dumps(parts, default=str)


# Programs kept for fits to come, of each sort; the least recently used goes first.
CACHE_SIZE = 16


class LRUCache(collections.OrderedDict):
    """The last used of some programs by their key; safe in threads."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def take(self, key):
        with self.lock:
            return self.pop(key, None)

    def put(self, key, program):
        with self.lock:
            self[key] = program
            self.move_to_end(key)
            while len(self) > CACHE_SIZE:
                self.popitem(last=False)


_templates, _trainers, _predictors = LRUCache(), LRUCache(), LRUCache()


# Models of `build_rnn`'s that nobody holds, by what they were built with.
take_template, keep_template = _templates.take, _templates.put


@contextlib.contextmanager
def trainer_for(key, make):
    """Lend the trainer that is kept under `key`, or a new one if there is none that is free."""
    trainer = _trainers.take(key) or make()
    try:
        yield trainer
    finally:  # after an error too, as `load` leaves nothing of what was before
        _trainers.put(key, trainer)


def predictor_for(key, make):
    """Return the predictor that is kept under `key`, or a new one."""
    with _predictors.lock:
        found = _predictors.get(key)
    if found is None:
        found = make()
    _predictors.put(key, found)
    return found


def clear_compiled():
    """Forget the compiled networks that are kept for the fits and predictions to come.

    Within a process, fits of networks of the same architecture, shapes, loss and optimizer share
    one compiled network, as do their predictions. The last 16 architectures used are kept. Those
    that hold code of your own, such as a cell, are compiled for each fit. A fitted estimator shares
    none of its state, and works on without: it is compiled anew when needed.

    Examples
    --------
    >>> from skrnn import clear_compiled
    >>> clear_compiled()
    """
    for kept in (_templates, _trainers, _predictors):
        kept.clear()
