"""The variables of a model, and its trainable variables as one vector during training."""

import keras
import tensorflow as tf


def variables_of(model):
    """Return the variables of a model, the trainable ones first."""
    return [*model.trainable_variables, *model.non_trainable_variables]


def values_of(variables):
    """Return the values of variables, as arrays."""
    return [variable.value.numpy() for variable in variables]


def assign(variables, values):
    """Set the values of variables."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def specs_of(values):
    """Return the shapes and dtypes of variables or tensors."""
    return [tf.TensorSpec(value.shape, value.dtype) for value in values]


def stateless_scope(model, values):
    """Return a context in which the variables of a model have other values, in their order."""
    pairs = list(zip(variables_of(model), values, strict=True))
    return keras.StatelessScope(pairs, collect_losses=True)


class ModelParameters:
    """The trainable variables of a model, with the interface of `FlattenedParameters`."""

    def __init__(self, model):
        self._model = model

    def load(self):
        pass

    def store(self):
        pass

    def values(self):
        return [tf.convert_to_tensor(variable) for variable in self._model.trainable_variables]

    def apply(self, gradients):
        self._model.optimizer.apply(gradients, self._model.trainable_variables)


# Optimizers that update each element of a variable independently of the others.
ELEMENTWISE_OPTIMIZERS = {
    keras.optimizers.Adadelta,
    keras.optimizers.Adagrad,
    keras.optimizers.Adam,
    keras.optimizers.Adamax,
    keras.optimizers.Ftrl,
    keras.optimizers.Lion,
    keras.optimizers.RMSprop,
    keras.optimizers.SGD,
}


# Settings with which they treat a variable as a whole, or treat variables differently.
PER_VARIABLE_OPTIONS = ("clipnorm", "weight_decay", "use_ema", "gradient_accumulation_steps")


def supports_flattening(model):
    """Return whether the trainable variables of a compiled model can be trained as one vector."""
    optimizer = model.optimizer
    return (
        type(optimizer) in ELEMENTWISE_OPTIMIZERS
        and not any(getattr(optimizer, name, None) for name in PER_VARIABLE_OPTIONS)
        and len({variable.dtype for variable in model.trainable_variables}) == 1
        and all(variable.constraint is None for variable in model.trainable_variables)
    )


class FlattenedParameters:
    """The trainable variables of a model and the variables of its optimizer, as vectors.

    An update is then a few operations on one vector instead of as many on each variable.

    Parameters
    ----------
    model : keras.Model
        Its optimizer is built.
    """

    def __init__(self, model):
        variables, optimizer = model.trainable_variables, model.optimizer
        self._shapes = [tuple(variable.shape) for variable in variables]
        self._sizes = [tf.TensorShape(shape).num_elements() for shape in self._shapes]
        self._vector = keras.Variable(tf.zeros(sum(self._sizes), variables[0].dtype), name="flat")
        self._optimizer = type(optimizer).from_config(optimizer.get_config())
        self._optimizer.build([self._vector])
        # Each variable used in training, and the variables of the model's that it replaces.
        self._sources = [(self._vector, variables)]
        for variable in self._optimizer.variables:
            if variable.shape == self._vector.shape:  # one element per parameter, like a momentum
                suffix = variable.name.removeprefix("flat")
                sources = [v for v in optimizer.variables if v.name.endswith(suffix)]
            else:
                sources = [v for v in optimizer.variables if v.name == variable.name]
            self._sources.append((variable, sources))

    def load(self):
        """Copy the variables of the model and its optimizer into the vectors."""
        for variable, sources in self._sources:
            flat = tf.concat([tf.reshape(source, [-1]) for source in sources], 0)
            variable.assign(tf.reshape(flat, variable.shape))

    def store(self):
        """Copy the vectors back to the variables of the model and its optimizer."""
        for variable, sources in self._sources:
            sizes = [tf.TensorShape(source.shape).num_elements() for source in sources]
            values = tf.split(tf.reshape(variable, [-1]), sizes)
            for source, value in zip(sources, values, strict=True):
                source.assign(tf.reshape(value, source.shape))

    def values(self):
        """Return the trainable variables as slices of the vector."""
        values = tf.split(tf.convert_to_tensor(self._vector), self._sizes)
        return [tf.reshape(v, shape) for v, shape in zip(values, self._shapes, strict=True)]

    def apply(self, gradients):
        """Update the vector by the gradients of the variables."""
        gradient = tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], 0)
        self._optimizer.apply([gradient], [self._vector])
