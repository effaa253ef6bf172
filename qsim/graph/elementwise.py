"""Operators that compute each element of their result from the same element of their operands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes

if TYPE_CHECKING:
    from torch.fx import Node

# Functions of their first operand; what else they take are numbers.
_FUNCTIONS: Final = """
abs acos acosh asin asinh atan atanh ceil celu cos cosh deg2rad digamma elu erf erfc erfinv exp
exp2 expm1 floor frac gelu hardshrink hardsigmoid hardswish i0 leaky_relu lgamma log log10 log1p
log2 log_sigmoid logit mish nan_to_num neg pow.Tensor_Scalar rad2deg reciprocal round
round.decimals rsqrt selu sgn sign silu sin sinc sinh softplus softshrink special_entr special_i0e
special_ndtr sqrt square tan threshold trunc
"""
FUNCTIONS: Final = tuple(name if "." in name else f"{name}.default" for name in _FUNCTIONS.split())
# Where these jump, a curve through a few of their values is wrong in between.
_JUMPS: Final = frozenset(
    {"ceil", "floor", "floor_divide", "fmod", "frac", "hardshrink", "heaviside", "masked_fill"}
    | {"remainder", "round", "sgn", "sign", "threshold", "trunc", "where", "copysign"}
)
_LOGICAL: Final = frozenset(
    {"eq", "ge", "gt", "le", "lt", "ne", "isfinite", "isinf", "isnan", "signbit"}
    | {"logical_and", "logical_not", "logical_or", "logical_xor", "bitwise_and", "bitwise_not"}
    | {"bitwise_or", "bitwise_xor", "__and__", "__or__", "__xor__"}
)
_OTHERS: Final = frozenset(
    {"add", "addcdiv", "addcmul", "atan2", "clamp", "clamp_max", "clamp_min", "copysign", "div"}
    | {
        "floor_divide",
        "fmax",
        "fmin",
        "fmod",
        "hardtanh",
        "heaviside",
        "hypot",
        "lerp",
    }
    | {
        "logaddexp",
        "masked_fill",
        "maximum",
        "minimum",
        "mul",
        "pow",
        "prelu",
        "relu",
        "relu6",
    }
    | {"remainder", "sigmoid", "sub", "tanh", "where", "xlogy"}
)
# Of their operand these take the shape alone.
CONSTANTS: Final = frozenset({"full_like", "ones_like", "zeros_like"})
_SEVERAL: Final = "qsim_several"
_CASTS: Final = frozenset({"aten.to.dtype", "aten._to_copy.default"})
_NAMES: Final = _OTHERS | CONSTANTS | _LOGICAL | {name.partition(".")[0] for name in FUNCTIONS}


def is_elementwise(node: object) -> bool:
    """Return whether a node is such an operator, whatever its operands are."""
    if getattr(node, "op", None) != "call_function":
        return False
    found: Any = node
    return nodes.operator_name(found) in _NAMES or str(found.target) in _CASTS


def jumps(node: Node) -> bool:
    """Return whether an operator's function may jump."""
    name = nodes.operator_name(node)
    return name in _JUMPS or name in _LOGICAL


def is_single(node: object) -> bool:
    """Return whether a tensor has one element: it is one number for all elements of another."""
    dimensions = nodes.shape(node)
    several = getattr(node, "meta", {}).get(_SEVERAL, False)
    return not several and dimensions is not None and all(size == 1 for size in dimensions)


def mark_several(node: Node) -> None:
    """Let a constant not count as one number: for another length of a sequence it is several."""
    node.meta[_SEVERAL] = True
