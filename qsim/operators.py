"""Which primitives compute an operator: what the quantizer annotates, or why it leaves it in float.

``family(node)`` looks at the arguments too, not at the overload alone: a mean over the batch or an
adaptive pool with unequal windows computes something that no primitive does, so it has no family.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.families import table
from qsim.nodes import (
    adaptive_window,
    argument,
    bias,
    clamp_range,
    is_float,
    is_parameter,
    is_spatial_mean,
    is_transposed,
    kind,
    operand,
    shape,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.fx import Node

# What the target must offer before an operator of the family leaves the host. `matmul` with a
# constant second operand is a correlation without kernel; see `primitives`.
_PRIMITIVES: Final[Mapping[str, tuple[str, ...]]] = {
    "conv": ("correlation", "requantize"),
    "linear": ("correlation", "requantize"),
    "addmm": ("correlation", "bias_add", "requantize"),
    "matmul": ("matmul", "requantize"),
    "add": ("add",),
    "relu": ("clamp",),
    "max_pool": ("max_pool",),
    "avg_pool": ("avg_pool",),
    "reshape": ("reshape",),
    "permute": ("permute",),
    "identity": (),
}


def family(node: Node) -> str | None:
    """Return the family of a graph node, or None where no primitive computes what it computes."""
    if node.op != "call_function":
        return None
    name = table().get(node.target)
    check = _CHECKS.get(name or "")
    return name if name is not None and (check is None or check(node)) else None


def primitives(node: Node) -> tuple[str, ...]:
    """Return the primitives that the operator needs; a relu that is fused into it needs no more."""
    name = family(node)
    if name is None:
        return ()
    if name == "matmul":
        first = "correlation" if is_parameter(operand(node, 1)) else "matmul"
        return (first, "requantize")
    needed = _PRIMITIVES[name]
    has_bias = name in ("conv", "linear") and bias(node) is not None
    return (*needed, "bias_add") if has_bias else needed


def why_none(node: Node) -> str:
    """Return why an operator that no family takes has no primitive, in words for the report."""
    name = table().get(node.target)
    if name is None:
        return "no primitive computes it"
    if not is_float(node):
        return f"it computes {kind(node)}; the primitives replace float32"
    if name == "add":
        return _why_no_add(node)
    if name == "avg_pool":
        return _why_no_avg_pool(node)
    return _WHY_NONE[name]


def _why_no_add(node: Node) -> str:
    a, b = node.args[:2]
    if argument(node, 2, "alpha", 1) != 1:
        return "it scales an operand; add takes alpha = 1"
    if any(is_parameter(operand) or shape(operand) is None for operand in (a, b)):
        return "one operand is a constant; add takes two activations"
    return "its operands have unequal shapes; add does not broadcast"


def _why_no_avg_pool(node: Node) -> str:
    name = str(node.target)
    if "mean" in name:
        return "it is a mean over other than all spatial dimensions"
    if not _batched(node, 3 if "pool1d" in name else 4):
        return "its input has no batch dimension"
    return "its windows differ in size" if "adaptive" in name else "its divisor is overridden"


def _batched(node: Node, rank: int) -> bool:
    dimensions = shape(node.args[0])
    return dimensions is None or len(dimensions) == rank


def _check_conv(node: Node) -> bool:
    weight = shape(operand(node, 1))
    if weight is None or len(weight) not in (3, 4) or not _batched(node, len(weight)):
        return False
    if is_transposed(node):
        return False
    return is_parameter(operand(node, 1)) and (bias(node) is None or is_parameter(bias(node)))


def _check_linear(node: Node) -> bool:
    known = is_parameter(operand(node, 1))
    return known and (bias(node) is None or is_parameter(bias(node)))


def _check_addmm(node: Node) -> bool:
    if node.kwargs.get("alpha", 1) != 1 or node.kwargs.get("beta", 1) != 1:
        return False
    vector = len(shape(node.args[0]) or ()) == 1
    return vector and is_parameter(node.args[0]) and is_parameter(node.args[2])


def _check_matmul(node: Node) -> bool:
    a, b = shape(node.args[0]), shape(node.args[1])
    if is_parameter(node.args[0]):
        return False
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return False
    return len(b) == 2 or not is_parameter(node.args[1])


def _check_add(node: Node) -> bool:
    a, b = node.args[:2]
    if argument(node, 2, "alpha", 1) != 1 or is_parameter(a) or is_parameter(b):
        return False
    left, right = shape(a), shape(b)
    return left is not None and right is not None and _same(left, right) and is_float(node)


def _same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    # Symbols are compared by their text: `==` on them would add guards to the exported program.
    return [str(d) for d in a] == [str(d) for d in b]


def _check_relu(node: Node) -> bool:
    bounds = clamp_range(node)
    return bounds is not None and bounds[0] <= bounds[1] and is_float(node)


def _check_max_pool(node: Node) -> bool:
    return _batched(node, 3 if "max_pool1d" in str(node.target) else 4)


def _check_avg_pool(node: Node) -> bool:
    name = str(node.target)
    if "mean" in name:
        return is_spatial_mean(node, len(shape(node.args[0]) or ()))
    if not _batched(node, 3 if "pool1d" in name else 4):
        return False
    if "adaptive" not in name:
        return argument(node, 6, "divisor_override") is None
    return adaptive_window(node, shape(node.args[0]) or ()) is not None


def _check_shape(node: Node) -> bool:
    return is_float(node)


def _check_identity(node: Node) -> bool:
    if "dropout" in str(node.target) and argument(node, 2, "train", False):
        return False
    return is_float(node)


_CHECKS: Final[Mapping[str, Any]] = {
    "conv": _check_conv,
    "linear": _check_linear,
    "addmm": _check_addmm,
    "matmul": _check_matmul,
    "add": _check_add,
    "relu": _check_relu,
    "max_pool": _check_max_pool,
    "avg_pool": _check_avg_pool,
    "reshape": _check_shape,
    "permute": _check_shape,
    "identity": _check_identity,
}
_WHY_NONE: Final[Mapping[str, str]] = {
    "conv": "correlation takes a batch in 1 or 2 dimensions and constant weights, not transposed",
    "linear": "its weight or bias is computed at run time",
    "addmm": "only an activation times a constant matrix plus a constant vector is a linear layer",
    "matmul": "matmul takes two activations, or one and a constant matrix, of 2 dimensions or more",
    "relu": "its bounds are not constants in order",
    "max_pool": "its input has no batch dimension",
    "identity": "it is random: dropout in training mode",
}
