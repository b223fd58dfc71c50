"""Layout of the package: what is imported where, and what an import of it does."""

import ast
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skrnn

PACKAGE = Path(skrnn.__file__).parent
SOURCES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}
PUBLIC_MODULES = [
    "baselines",
    "classification",
    "datasets",
    "display",
    "forecasting",
    "layers",
    "networks",
    "regression",
    "reservoir",
    "scikeras",
    "tabular",
    "text",
    "windows",
]


def imported_names(source):
    """Yield the full names of everything that a source imports from other packages."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_private(name):
    """Return whether a dotted name has a private part."""
    return any(re.match(r"_[a-z]", part) for part in name.split("."))


def private_attributes(*objects):
    """Return the names of the private attributes of classes and of instances."""
    return {name for value in objects for name in dir(value) if re.match(r"_[a-z]", name)}


def accessed_attributes(source):
    """Return the names of the attributes that a source accesses but does not define."""
    nodes = list(ast.walk(ast.parse(source)))
    accessed = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    calls = [node for node in nodes if isinstance(node, ast.Call) and len(node.args) > 1]
    accessed |= {
        call.args[1].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id in ("getattr", "hasattr", "setattr")
        and isinstance(call.args[1], ast.Constant)
    }
    defined = {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    defined |= {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    return accessed - defined


@pytest.fixture(scope="module")
def keras_attributes():
    """Return the private attributes of the models, layers and optimizers of Keras."""
    import keras

    layers = [keras.Input((3, 1)), keras.layers.Bidirectional(keras.layers.GRU(2))]
    model = keras.Sequential([*layers, keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    objects = [model, model.optimizer, keras.Model(model.inputs, model.outputs), *model.layers]
    objects += [model.layers[0].forward_layer.cell, model.weights[0], keras.losses.Huber()]
    names = private_attributes(*objects, keras.callbacks.Callback(), keras.KerasTensor)
    assert {"_functional", "_nodes_by_depth", "_flatten_layers"} <= names
    return names


def find_private_names(source, package, attributes):
    """Return the private names of a package that a source imports or accesses."""
    names = {name for name in imported_names(source) if name.split(".")[0] == package}
    names = {name for name in names if is_private(name) or name.startswith("keras.src")}
    names |= set(re.findall(rf"\b{package}\.(?:\w+\.)*(?:_[a-z]\w*|src\b)", source))
    return names | accessed_attributes(source) & attributes


def test_private_names_of_keras_are_in_one_module(keras_attributes):
    names = {
        path: find_private_names(source, "keras", keras_attributes)
        for path, source in SOURCES.items()
    }
    assert {path for path, private in names.items() if private} == {"_keras_compat.py"}, names


def sklearn_attributes():
    """Return the private attributes of the estimators of scikit-learn."""
    from sklearn.preprocessing import MinMaxScaler

    names = private_attributes(MinMaxScaler().set_output(transform="default"))
    assert "_sklearn_output_config" in names
    names |= {"_init_callback_context"}  # of scikit-learn >= 1.9
    return names - {"_parameter_constraints"}  # which all estimators define


def test_private_names_of_scikit_learn_are_in_one_module():
    attributes = sklearn_attributes()
    names = {
        path: find_private_names(source, "sklearn", attributes) for path, source in SOURCES.items()
    }
    assert {path for path, private in names.items() if private} == {"_sklearn_compat.py"}, names


# `skrnn/scikeras.py` imports a private module of TensorFlow, which scikeras needs, and
# `_process.py` imports TensorFlow to limit its threads.
TENSORFLOW_MODULES = re.compile(
    r"_engine/\w+\.py|display/_gradient_flow\.py|text/_language_model\.py|scikeras\.py|_process\.py"
)


def test_tensorflow_is_imported_by_the_engine_only():
    importing = {
        path
        for path, source in SOURCES.items()
        if "tensorflow" in {name.split(".")[0] for name in imported_names(source)}
    }
    assert importing
    assert not {path for path in importing if not TENSORFLOW_MODULES.fullmatch(path)}


def run_in_new_process(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]


def test_importing_skrnn_is_cheap_and_has_no_side_effects():
    code = (
        "import logging, random, sys, warnings\n"
        "import numpy as np\n"
        "import pandas, sklearn.model_selection\n"  # which uses the random module itself
        "def state():\n"
        "    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]\n"
        "    handlers = [tuple(getattr(logger, 'handlers', ())) for logger in loggers]\n"
        "    handlers = [present for present in handlers if present]\n"
        "    numpy_state = np.random.get_state()[1].tolist()\n"
        "    return random.getstate(), numpy_state, handlers, warnings.filters[:]\n"
        "before = state()\n"
        "import skrnn\n"
        "skrnn.RNNRegressor, skrnn.RNNClassifier, skrnn.CharLSTMClassifier\n"
        "skrnn.WindowTransformer, skrnn.NaiveRegressor\n"
        "skrnn.RNNRegressor('gru', units=3).get_params()\n"
        "assert state() == before\n"
        "heavy = {'tensorflow', 'keras', 'sktime', 'matplotlib', 'scikeras'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    run_in_new_process(code)


def test_dir_lists_every_public_name():
    names = set(dir(skrnn))
    assert set(skrnn.__all__) <= names
    assert set(PUBLIC_MODULES) <= names
    assert "__version__" in names


def test_the_public_modules_are_those_of_the_package():
    modules = {path.split("/")[0].removesuffix(".py") for path in SOURCES}
    assert {module for module in modules if not module.startswith("_")} == set(PUBLIC_MODULES)


@pytest.mark.parametrize("name", [*skrnn.__all__, *PUBLIC_MODULES])
def test_every_public_name_can_be_imported(name):
    value = getattr(skrnn, name)
    assert value is getattr(__import__("skrnn", fromlist=[name]), name)


def test_an_unknown_name_raises():
    with pytest.raises(AttributeError, match="module 'skrnn' has no attribute 'RNNRegresor'"):
        _ = skrnn.RNNRegresor


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("_network", "Network"),
        ("_panel_model", "PanelModel"),
        ("_panels", "Clock"),
        ("_scales", "Scale"),
        ("_strategies", "Windows"),
    ],
)
def test_pickles_of_an_earlier_version_raise_a_clear_error(module, name):
    match = f"skrnn.{module} is a module of an earlier version .* fit the estimator again"
    with pytest.raises(ImportError, match=match):
        pickle.loads(f"cskrnn.{module}\n{name}\n.".encode())
