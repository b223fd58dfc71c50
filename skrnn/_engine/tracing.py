"""Inspection of the TensorFlow graph of a function.

A step of a custom cell runs in the fused engine if every operation in its graph is stateless
and computes each row of its output from the same row of its inputs, and if it updates no variable
and adds no loss. The graph is traced for an unknown number of rows, and nothing is executed.
"""

import keras
import tensorflow as tf

from .parameters import specs_of

# Operations that compute each element of the output from the corresponding elements of the inputs.
_ELEMENTWISE = frozenset(
    """
    Abs Add AddN AddV2 Atan Atan2 BiasAdd Cast Ceil ClipByValue Cos Cosh Div DivNoNan Elu
    EnsureShape Equal Erf Erfc Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual Identity Inv
    LeakyRelu Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod Mul
    MulNoNan Neg NotEqual OnesLike Pow PreventGradient RealDiv Reciprocal Relu Relu6 Round Rsqrt
    Select SelectV2 Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Square SquaredDifference
    StopGradient Sub Tan Tanh ZerosLike
    """.split()  # noqa: SIM905 (a list would have a line for each name)
)
# Operations along the axes given by the second input, or along the last axis.
_ALONG_AXES = {"All", "Any", "ArgMax", "LogSoftmax", "Max", "Mean", "Min", "Prod", "Softmax", "Sum"}
_MATRIX_PRODUCTS = {"BatchMatMulV2", "MatMul"}
# Operations that only move elements. They do so within rows if these have as many as before.
_REARRANGING = frozenset(
    "ConcatV2 ExpandDims Pack Reshape Split SplitV Squeeze Transpose Unpack".split()  # noqa: SIM905
)


def trace_row_wise(function, variables, inputs, outputs=None):
    """Return the variables that a pure and row-wise function reads, or None for any other function.

    Parameters
    ----------
    function : callable
        Function of the inputs that returns a sequence of tensors.
    variables : list of keras.Variable
        All variables that the function may use.
    inputs : list of tf.TensorSpec
        Of shape (None, ...). The first axis is that of the rows.
    outputs : list of tf.TensorSpec, default=None
        Required outputs of the function. If None, they are not checked.
    """
    is_pure = False

    def traced(inputs, values):
        nonlocal is_pure
        pairs = list(zip(variables, values, strict=True))
        with keras.StatelessScope(pairs, collect_losses=True) as scope:
            results = list(map(tf.convert_to_tensor, function(*inputs)))
        is_updated = any(
            scope.get_current_value(variable) is not value for variable, value in pairs
        )
        is_pure = not is_updated and not scope.losses
        return results

    values = specs_of(variables)
    try:
        concrete = tf.function(traced, autograph=False).get_concrete_function(inputs, values)
    except Exception:  # an error in custom code, which is raised again when Keras runs it
        return None
    graph = concrete.graph
    results = specs_of(concrete.outputs)
    if (
        not is_pure
        or outputs not in (None, results)
        or not all(map(_is_row_wise, graph.get_operations()))
    ):
        return None
    placeholders = graph.inputs[len(inputs) : len(inputs) + len(variables)]
    return [v for v, tensor in zip(variables, placeholders, strict=True) if tensor.consumers()]


def _is_row_wise(operation):
    """Return whether an operation is stateless and computes each row from that of its inputs."""
    kind, inputs, outputs = operation.type, list(operation.inputs), operation.outputs
    rows = [tensor for tensor in inputs if not tensor.shape.is_fully_defined()]
    if kind in ("Placeholder", "IdentityN"):  # an input of the graph, or several identities
        return True
    if not rows:
        is_constant = all(tensor.shape.is_fully_defined() for tensor in outputs)
        return is_constant and not operation.op_def.is_stateful
    shapes = [tensor.shape for tensor in (*rows, *outputs)]
    if not all(s.rank and s[0] is None and s[1:].is_fully_defined() for s in shapes):
        return False
    if kind in _ELEMENTWISE:
        return len({tensor.shape.rank for tensor in rows}) == 1
    if kind in _ALONG_AXES:
        return rows[0].shape.rank > 1 and all(axes.op.type == "Const" for axes in inputs[1:])
    if kind in _MATRIX_PRODUCTS:
        return len(rows) == 1 and rows[0] is inputs[0]
    if kind in _REARRANGING:
        has_constants = kind == "ConcatV2" and len(rows) < len(inputs) - 1  # the last is the axis
        return not has_constants and _row_size(rows) == _row_size(outputs)
    return kind == "StridedSlice" and _takes_all_rows(operation)


def _row_size(tensors):
    """Return the number of elements in a row of some tensors."""
    return sum(tensor.shape[1:].num_elements() for tensor in tensors)


def _takes_all_rows(strided_slice):
    """Return whether a slice takes all rows in order, such as x[:, 1:] and x[..., 1:]."""
    rank, strides = strided_slice.inputs[0].shape.rank, strided_slice.inputs[3]
    strides = tf.get_static_value(strides)
    if strides is None:
        return False
    if strided_slice.get_attr("ellipsis_mask") & 1:
        return len(strides) <= rank
    masks = strided_slice.get_attr("begin_mask") & strided_slice.get_attr("end_mask")
    return bool(masks & 1) and strides[0] == 1
