"""The trainable variables of a model during training, as they are or as one vector."""

import keras
import tensorflow as tf


def variables_of(model):
    return [*model.trainable_variables, *model.non_trainable_variables]


def values_of(variables):
    return [variable.value.numpy() for variable in variables]


def assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class ModelParameters:
    """The trainable variables of a model as they are; `FlattenedParameters` has the same methods."""

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


# Optimizers that treat each number by itself.
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


# Settings with which they look at a variable as a whole, or leave some variables out.
PER_VARIABLE_OPTIONS = ("clipnorm", "weight_decay", "use_ema", "gradient_accumulation_steps")


def supports_flattening(model):
    """Whether the weights of a compiled model can be trained as one vector."""
    optimizer = model.optimizer
    return (
        type(optimizer) in ELEMENTWISE_OPTIMIZERS
        and not any(getattr(optimizer, name, None) for name in PER_VARIABLE_OPTIONS)
        and len({variable.dtype for variable in model.trainable_variables}) == 1
        and all(variable.constraint is None for variable in model.trainable_variables)
    )


class FlattenedParameters:
    """The trainable variables of a model, and its optimizer's, as vectors.

    Parameters
    ----------
    model : keras.Model
        Its optimizer is built.
    """

    def __init__(self, model):
        self._variables = model.trainable_variables
        self._shapes = [tuple(variable.shape) for variable in self._variables]
        self._sizes = [tf.TensorShape(shape).num_elements() for shape in self._shapes]
        self._vector = keras.Variable(
            tf.zeros(sum(self._sizes), self._variables[0].dtype), name="flat"
        )
        optimizer = model.optimizer
        self._optimizer = type(optimizer).from_config(optimizer.get_config())
        self._optimizer.build([self._vector])
        # Which of the optimizer's variables each of the vectors holds, or is one with.
        self._parts = [(self._vector, self._variables)]
        for own in self._optimizer.variables:
            is_vector = own.shape == self._vector.shape  # one for each number, like a momentum
            ending = own.name.removeprefix("flat")
            theirs = [
                variable
                for variable in optimizer.variables
                if (variable.name.endswith(ending) if is_vector else variable.name == own.name)
            ]
            self._parts.append((own, theirs))

    def load(self):
        """Lay the variables end to end."""
        for own, theirs in self._parts:
            own.assign(tf.reshape(tf.concat([tf.reshape(v, [-1]) for v in theirs], 0), own.shape))

    def store(self):
        """Put the vectors back where they came from."""
        for own, theirs in self._parts:
            sizes = [tf.TensorShape(v.shape).num_elements() for v in theirs]
            parts = tf.split(tf.reshape(own, [-1]), sizes)
            for variable, part in zip(theirs, parts, strict=True):
                variable.assign(tf.reshape(part, variable.shape))

    def values(self):
        """Return the trainable variables, cut from the vector."""
        parts = tf.split(tf.convert_to_tensor(self._vector), self._sizes)
        return [tf.reshape(part, s) for part, s in zip(parts, self._shapes, strict=True)]

    def apply(self, gradients):
        """Take the optimizer's step."""
        gradient = tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], 0)
        self._optimizer.apply([gradient], [self._vector])
