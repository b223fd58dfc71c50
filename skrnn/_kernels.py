"""Fast forward passes and gradients of Keras' recurrent layers, over those layers' own variables.

`in_place_of_keras` puts them, while a graph is traced, in the place of the inner loops of
`keras.layers.LSTM`, `GRU` and `SimpleRNN`, and of `keras.layers.Dense` and `Embedding`. The model
stays what it is; what a kernel cannot do, Keras' layer does.

Each kernel is one loop over time for the states and one for their gradients. All that needs no
state is done for all steps at once: the products with the inputs before the loop, and those that
give the gradients of the weights after it. They are written for XLA, which fuses the element-wise
operations; without it they give the same numbers, slowly.

Arrays are time-major. Symbols are those of the papers that `build_rnn` names: x the inputs, h the
hidden state, c the cell state; W the input and U the recurrent weights; i, f, o the input, forget
and output gates and g the candidate of an LSTM; z, r the update and reset gates of a GRU; a what
goes into an activation. dh is the gradient with respect to h, and so on. `mask` is empty, or holds
one array of bool, of shape (n_timesteps, n_samples, 1): where it is False, states stay. `heard` is
empty, or holds what h is multiplied by in h U, the same in all steps: one array of shape
(n_samples, units) for all of U, or one for each gate.
"""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from .networks import all_layers

__all__ = ["in_place_of_keras", "kernel_of"]

# Threads that share a product share its rows or columns, which leaves each number as it is, but a
# long sum too: then the last bits would depend on the number of cores. So no sum is longer than
# this, unless the product is too small to share.
_LONGEST_SUM = 64
_TOO_SMALL_TO_SHARE = 2**19

_SIGMOID_AND_TANH = {keras.activations.sigmoid, keras.activations.tanh}

# Symbols up to which the gradient of an embedding is a product, and not a sum for each symbol.
_MOST_ONE_HOT = 512

# Activations, with their derivative as a function of their value.
_ACTIVATIONS = {
    keras.activations.tanh: (tf.tanh, lambda a: 1 - a * a),
    keras.activations.sigmoid: (tf.sigmoid, lambda a: a * (1 - a)),
    keras.activations.relu: (tf.nn.relu, lambda a: tf.cast(a > 0, a.dtype)),
    keras.activations.linear: (tf.identity, tf.ones_like),
}


def _product(a, b):
    """Return a @ b for matrices, the same to the last bit whatever the number of threads."""
    (m, k), n = a.shape, b.shape[1]
    if k == 1:
        return a * b
    if k <= _LONGEST_SUM or m * k * n <= _TOO_SMALL_TO_SHARE:
        return tf.matmul(a, b)
    parts = -(-k // _LONGEST_SUM)
    size = -(-k // parts)
    if parts * size > k:
        a = tf.pad(a, ((0, 0), (0, parts * size - k)))
        b = tf.pad(b, ((0, parts * size - k), (0, 0)))
    a = tf.transpose(tf.reshape(a, (m, parts, size)), (1, 0, 2))
    # Added up one by one: XLA's CPU backend of TensorFlow 2.21 makes one operation of a product
    # and a sum over its parts, and its result is wrong where m == n.
    return tf.add_n(tf.unstack(tf.matmul(a, tf.reshape(b, (parts, size, n)))))


def _rows(x):
    """Put all axes but the last into one."""
    return tf.reshape(x, (-1, x.shape[-1]))


def _weight_gradient(x, dy):
    """Return the gradient with respect to W of ``y = x @ W``."""
    return _product(tf.transpose(_rows(x)), _rows(dy))


@tf.custom_gradient
def _times(x, W):
    """Return x @ W for x of any number of dimensions."""

    def gradient(dy):
        dx = tf.reshape(_product(_rows(dy), tf.transpose(W)), x.shape)
        return dx, _weight_gradient(x, dy)

    return tf.reshape(_product(_rows(x), W), (*x.shape[:-1], W.shape[1])), gradient


def _scan(step, states, inputs, widths, *, backwards=False):
    """Run ``states, outputs = step(states, inputs of one time step)`` over all time steps.

    `inputs` are of shape (n_timesteps, n_samples, ...), the outputs of each step of shape
    (n_samples, width). Returns the last states, and all outputs in the order of the inputs.
    """
    n_timesteps, n_samples = inputs[0].shape[:2]
    if n_timesteps == 1:  # nothing to compile a loop for
        states, outputs = step(states, [part[0] for part in inputs])
        return states, [output[None] for output in outputs]
    dtype = inputs[0].dtype
    arrays = [
        tf.TensorArray(dtype, n_timesteps, element_shape=(n_samples, width)) for width in widths
    ]

    def body(count, states, arrays):
        t = n_timesteps - 1 - count if backwards else count
        states, outputs = step(states, [part[t] for part in inputs])
        return count + 1, states, [a.write(t, o) for a, o in zip(arrays, outputs, strict=True)]

    _, states, arrays = tf.while_loop(
        lambda count, *_: count < n_timesteps,
        body,
        (0, tuple(states), arrays),
        parallel_iterations=1,
        maximum_iterations=n_timesteps,
    )
    return states, [array.stack() for array in arrays]


def _hear(h, U, heard):
    """Return h @ U, of the h that each gate hears."""
    if not heard:
        return _product(h, U)
    parts = zip(heard, tf.split(U, len(heard), axis=1), strict=True)
    return tf.concat([_product(h * mask, part) for mask, part in parts], axis=1)


def _hear_back(da, Ut, heard):
    """Return the gradient with respect to h of ``_hear(h, U, heard)``; Ut is U transposed."""
    if not heard:
        return _product(da, Ut)
    n = len(heard)
    parts = zip(heard, tf.split(da, n, axis=1), tf.split(Ut, n, axis=0), strict=True)
    return tf.add_n([_product(da_k, Ut_k) * mask for mask, da_k, Ut_k in parts])


def _hear_weights(H, dA, heard):
    """Return the gradient with respect to U of ``_hear(h, U, heard)``, from all steps' h and da."""
    if not heard:
        return _weight_gradient(H, dA)
    parts = zip(heard, tf.split(dA, len(heard), axis=2), strict=True)
    return tf.concat([_weight_gradient(H * mask, dA_k) for mask, dA_k in parts], axis=1)


def _before(first, sequence):
    """Return what stood before each step of `sequence`: its first state, then all but its last."""
    return tf.concat([first[None], sequence[:-1]], axis=0)


def _kept(new, old, mask):
    """Return the new state where a step counts, and the old one where it is masked."""
    return tf.where(mask[0], new, old) if mask else new


def _parted(gradient, mask):
    """Part the gradient of a state into that of the new state and that of the old one it kept."""
    if not mask:
        return gradient, tf.zeros_like(gradient)
    zero = tf.zeros_like(gradient)
    return tf.where(mask[0], gradient, zero), tf.where(mask[0], zero, gradient)


def _no_gradient(mask):
    return [None] * len(mask)


def _simple_rnn(cell, heard):
    """Make the kernel of Elman's network: h = act(x W + b + h U)."""
    act, slope = _ACTIVATIONS[cell.activation]

    @tf.custom_gradient
    def recurrence(ax, U, h0, *mask):
        def step(states, inputs):
            (h,), (ax_t, *m) = states, inputs
            h = _kept(act(ax_t + _hear(h, U, heard)), h, m)
            return (h,), (h,)

        _, (H,) = _scan(step, (h0,), (ax, *mask), (cell.units,))

        def gradient(dH):
            Ut = tf.transpose(U)

            def step(states, inputs):
                (dh,), (dh_t, h, *m) = states, inputs
                dh, dh_kept = _parted(dh + dh_t, m)
                da = dh * slope(h)
                return (_hear_back(da, Ut, heard) + dh_kept,), (da,)

            (dh0,), (dA,) = _scan(
                step, (tf.zeros_like(h0),), (dH, H, *mask), (cell.units,), backwards=True
            )
            dU = _hear_weights(_before(h0, H), dA, heard)
            return dA, dU, dh0, *_no_gradient(mask)

        return H, gradient

    def run(x, mask, h0):
        ax = _times(x, _value(cell.kernel))
        if cell.use_bias:
            ax += _value(cell.bias)
        H = recurrence(ax, _value(cell.recurrent_kernel), h0, *mask)
        return H, [H[-1]]

    return run


def _gates_and_candidate(cell, activations):
    """Return a function of what goes into the gates and the candidate, side by side, to them.

    It is one tanh for all of them where they are sigmoids and tanh, as sigmoid(a) = (1 + tanh(a /
    2)) / 2: one loop over what lies side by side is compiled and run faster than one for each.
    """
    if {cell.activation, cell.recurrent_activation} == _SIGMOID_AND_TANH:
        is_gate = np.repeat([activation is tf.sigmoid for activation in activations], cell.units)
        scale, shift = np.where(is_gate, 0.5, 1.0), np.where(is_gate, 0.5, 0.0)

        def together(a):
            factor = tf.constant(scale, a.dtype)
            return tf.tanh(a * factor) * factor + tf.constant(shift, a.dtype)

        return together

    def one_by_one(a):
        parts = tf.split(a, len(activations), axis=1)
        return tf.concat([act(part) for act, part in zip(activations, parts, strict=True)], axis=1)

    return one_by_one


def _lstm(cell, heard):
    """Make the kernel of an LSTM with forget gate, its gates in Keras' order: i, f, g, o.

    c = f c + i g and h = o act(c), with i, f, o = gate(x W + b + h U) and g = act(x W + b + h U).
    """
    act, slope = _ACTIVATIONS[cell.activation]
    gate, gate_slope = _ACTIVATIONS[cell.recurrent_activation]
    u = cell.units
    both = _gates_and_candidate(cell, [gate, gate, act, gate])

    @tf.custom_gradient
    def recurrence(ax, U, h0, c0, *mask):
        def step(states, inputs):
            (h_before, c_before), (ax_t, *m) = states, inputs
            a = ax_t + _hear(h_before, U, heard)
            gates = both(a)
            i, f, g, o = tf.split(gates, 4, axis=1)
            c = f * c_before + i * g
            h = _kept(o * act(c), h_before, m)
            c = _kept(c, c_before, m)
            return (h, c), (h, c, gates)

        (_, c_last), (H, C, gates) = _scan(step, (h0, c0), (ax, *mask), (u, u, 4 * u))

        def gradient(dH, dc_last):
            Ut = tf.transpose(U)

            def step(states, inputs):
                (dh, dc), (dh_t, c_before, c, gates_t, *m) = states, inputs
                i, f, g, o = tf.split(gates_t, 4, axis=1)
                act_c = act(c)
                dh, dh_kept = _parted(dh + dh_t, m)
                dc, dc_kept = _parted(dc, m)
                dc += dh * o * slope(act_c)
                da = tf.concat(
                    [
                        dc * g * gate_slope(i),
                        dc * c_before * gate_slope(f),
                        dc * i * slope(g),
                        dh * act_c * gate_slope(o),
                    ],
                    axis=1,
                )
                return (_hear_back(da, Ut, heard) + dh_kept, dc * f + dc_kept), (da,)

            (dh0, dc0), (dA,) = _scan(
                step,
                (tf.zeros_like(h0), dc_last),
                (dH, _before(c0, C), C, gates, *mask),
                (4 * u,),
                backwards=True,
            )
            dU = _hear_weights(_before(h0, H), dA, heard)
            return dA, dU, dh0, dc0, *_no_gradient(mask)

        return (H, c_last), gradient

    def run(x, mask, h0, c0):
        ax = _times(x, _value(cell.kernel))
        if cell.use_bias:
            ax += _value(cell.bias)
        H, c_last = recurrence(ax, _value(cell.recurrent_kernel), h0, c0, *mask)
        return H, [H[-1], c_last]

    return run


def _gru(cell, heard):
    """Make the kernel of a GRU that resets after the product, its gates in Keras' order: z, r, g.

    h = z h + (1 - z) g, with z, r = gate(x W + b + h U + b') and g = act(x W + b + r (h U + b')).
    """
    act, slope = _ACTIVATIONS[cell.activation]
    gate, gate_slope = _ACTIVATIONS[cell.recurrent_activation]
    u = cell.units

    @tf.custom_gradient
    def recurrence(ax, U, b, h0, *mask):
        def step(states, inputs):
            (h,), (ax_t, *m) = states, inputs
            a = _hear(h, U, heard) + b
            zr = gate(ax_t[:, : 2 * u] + a[:, : 2 * u])
            z, r = zr[:, :u], zr[:, u:]
            g = act(ax_t[:, 2 * u :] + r * a[:, 2 * u :])
            h = _kept(z * h + (1 - z) * g, h, m)
            return (h,), (h, tf.concat([z, r, g, a[:, 2 * u :]], axis=1))

        _, (H, saved) = _scan(step, (h0,), (ax, *mask), (u, 4 * u))
        H_before = _before(h0, H)

        def gradient(dH):
            Ut = tf.transpose(U)

            def step(states, inputs):
                (dh,), (dh_t, h_before, saved_t, *m) = states, inputs
                z, r, g, a_g = tf.split(saved_t, 4, axis=1)
                dh, dh_kept = _parted(dh + dh_t, m)
                dg = dh * (1 - z) * slope(g)
                dz = dh * (h_before - g) * gate_slope(z)
                dr = dg * a_g * gate_slope(r)
                da = tf.concat([dz, dr, dg * r], axis=1)
                dh_before = _hear_back(da, Ut, heard) + dh * z + dh_kept
                return (dh_before,), (tf.concat([da, dg], axis=1),)

            (dh0,), (dA,) = _scan(
                step, (tf.zeros_like(h0),), (dH, H_before, saved, *mask), (4 * u,), backwards=True
            )
            da = dA[..., : 3 * u]
            dax = tf.concat([dA[..., : 2 * u], dA[..., 3 * u :]], axis=2)
            db = tf.reduce_sum(da, axis=(0, 1))
            dU = _hear_weights(H_before, da, heard)
            return dax, dU, db, dh0, *_no_gradient(mask)

        return H, gradient

    def run(x, mask, h0):
        ax = _times(x, _value(cell.kernel))
        b = tf.zeros(3 * u, ax.dtype)
        if cell.use_bias:
            input_bias, b = tf.unstack(_value(cell.bias))
            ax += input_bias
        H = recurrence(ax, _value(cell.recurrent_kernel), b, h0, *mask)
        return H, [H[-1]]

    return run


_KERNELS = {
    keras.layers.SimpleRNN: _simple_rnn,
    keras.layers.LSTM: _lstm,
    keras.layers.GRU: _gru,
}


def _value(variable):
    return tf.convert_to_tensor(variable)


def kernel_of(layer, heard=()):
    """Return the function that computes a recurrent layer in Keras' place, or None.

    It takes x, the mask (in a list that is empty without one), the states and whether it is in
    training, and returns all outputs and the last states. There is one for
    `keras.layers.SimpleRNN`, `LSTM` and `GRU` (not their subclasses) with tanh, sigmoid, relu or
    linear activations, no dropout of their inputs, ``reset_after=True`` and one dtype throughout;
    and what `recurrence_of` has one for.

    Parameters
    ----------
    layer : keras.layers.Layer
    heard : sequence of tensors
        The masks of recurrent dropout.
    """
    from ._recurrence import recurrence_of  # which takes its products from here

    make = _KERNELS.get(type(layer))
    if make is None:
        run = recurrence_of(layer, heard)
        return run and (
            lambda x, mask, *states, training: run(
                x, *states, mask=mask[0] if mask else None, training=training
            )
        )
    cell = layer.cell
    activations = [cell.activation, getattr(cell, "recurrent_activation", keras.activations.tanh)]
    if (
        any(activation not in _ACTIVATIONS for activation in activations)
        or cell.dropout
        or layer.stateful
        or not getattr(cell, "reset_after", True)
        or layer.compute_dtype != layer.variable_dtype
    ):
        return None
    kernel = make(cell, heard)
    return lambda x, mask, *states, training: kernel(x, mask, *states)


def _inner_loop(layer, kernel, heard):
    """Return what stands for ``layer.inner_loop``."""

    def inner_loop(sequences, initial_state, mask, training=False):
        if (
            training and getattr(layer.cell, "recurrent_dropout", 0) and not heard
        ):  # it draws its own masks
            return type(layer).inner_loop(layer, sequences, initial_state, mask, training)
        backwards = layer.go_backwards
        x = tf.transpose(sequences, (1, 0, 2))
        masks = []
        if mask is not None:
            masks = [tf.transpose(tf.cast(mask, tf.bool))[:, :, None]]
        if backwards:
            x, masks = x[::-1], [part[::-1] for part in masks]
        H, states = kernel(x, masks, *initial_state, training=training)
        for part in masks:
            has_output = part
            if not layer.zero_output_for_mask:  # that of the last step that counts, if any did
                has_output = tf.cumsum(tf.cast(part, tf.int32)) > 0
            H = tf.where(has_output, H, tf.zeros_like(H))
        return H[-1], tf.transpose(H, (1, 0, 2)), states

    return inner_loop


def _dense(layer):
    def call(inputs, training=None):
        outputs = _times(inputs, _value(layer.kernel))
        if layer.use_bias:
            outputs += _value(layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    return call


def _embedding(layer):
    n_symbols = layer.input_dim

    def call(inputs):
        symbols = tf.cast(inputs, tf.int32)

        @tf.custom_gradient
        def rows_of(embeddings):
            def gradient(dy):
                ids = tf.reshape(symbols, (-1,))
                if n_symbols > _MOST_ONE_HOT:
                    return tf.math.unsorted_segment_sum(_rows(dy), ids, n_symbols)
                return _weight_gradient(tf.one_hot(ids, n_symbols, dtype=dy.dtype), dy)

            return tf.gather(embeddings, symbols), gradient

        return rows_of(_value(layer.embeddings))

    return call


def _dropout(mask):
    def call(inputs, training=None):
        return inputs * mask

    return call


@contextlib.contextmanager
def in_place_of_keras(model, masks=None):
    """Within the context, calls of `model` run kernels where there are any.

    Parameters
    ----------
    model : keras.Model
        Its layers are changed within the context: keep other threads off it. Batch sizes and
        numbers of time steps must be known while its calls are traced.
    masks : dict, default=None
        From `keras.layers.Dropout` to what they multiply their inputs by, and from recurrent
        layers to the list of what their recurrent dropout multiplies the state by.
    """
    changed, masks = [], masks or {}

    def put(layer, name, function):
        vars(layer)[name] = function
        changed.append((layer, name))

    try:
        for layer in all_layers(model):
            heard = masks.get(layer, ()) if isinstance(layer, keras.layers.RNN) else ()
            if (kernel := kernel_of(layer, heard)) is not None:
                put(layer, "inner_loop", _inner_loop(layer, kernel, heard))
            elif type(layer) is keras.layers.Dense and layer.quantization_mode is None:
                put(layer, "call", _dense(layer))
            elif type(layer) is keras.layers.Embedding and layer.quantization_mode is None:
                put(layer, "call", _embedding(layer))
            elif type(layer) is keras.layers.Dropout and layer in masks:
                put(layer, "call", _dropout(masks[layer]))
        yield
    finally:
        for layer, name in changed:
            del vars(layer)[name]
