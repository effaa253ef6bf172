"""Families of aten operators: what the quantizer annotates and what the lowering matches.

A family says what an operator means to the datapath, whatever its overload. ``family(node)`` looks
at the arguments too: a mean over the batch or an adaptive pool with unequal windows computes
something that no primitive does, so it has no family.

| family     | operators                                           | primitives                    |
|------------|-----------------------------------------------------|-------------------------------|
| `conv`     | conv1d, conv2d (also `.padding`), convolution       | correlation, bias*, requantize|
| `linear`   | linear                                              | correlation, bias*, requantize|
| `addmm`    | addmm with a 1-D constant bias, alpha = beta = 1    | correlation, bias*, requantize|
| `matmul`   | mm, bmm, matmul                                     | matmul, requantize            |
| `add`      | add, add_ of two equal shapes                       | add                           |
| `relu`     | relu, relu6, hardtanh, clamp, clamp_min, clamp_max  | clamp                         |
| `max_pool` | max_pool1d, max_pool2d                              | max_pool                      |
| `avg_pool` | avg_pool1d/2d, adaptive_avg_pool1d/2d, spatial mean | avg_pool                      |
| `reshape`  | flatten, view, reshape, squeeze, unsqueeze          | reshape                       |
| `permute`  | permute, transpose, t                               | permute                       |
| `identity` | contiguous, clone, detach, alias, dropout in eval   | none                          |

torch is imported inside the functions, so that importing this module costs nothing.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch.fx import Node

FAMILIES: Final[tuple[str, ...]] = (
    "conv",
    "linear",
    "addmm",
    "matmul",
    "add",
    "relu",
    "max_pool",
    "avg_pool",
    "reshape",
    "permute",
    "identity",
)
# Operators whose output codes are input codes (chosen, moved or averaged): they share its qparams.
SHARING: Final[frozenset[str]] = frozenset(
    {"relu", "max_pool", "avg_pool", "reshape", "permute", "identity"}
)
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
# What torch.export writes where a node comes from no module.
_NO_MODULE: Final = "_empty_nn_module_stack"
_OVERLOADS: Final[Mapping[str, tuple[str, ...]]] = {
    "conv": (
        "conv1d.default",
        "conv1d.padding",
        "conv2d.default",
        "conv2d.padding",
        "convolution.default",
    ),
    "linear": ("linear.default",),
    "addmm": ("addmm.default",),
    "matmul": ("mm.default", "bmm.default", "matmul.default"),
    "add": ("add.Tensor", "add_.Tensor"),
    "relu": (
        "relu.default",
        "relu_.default",
        "relu6.default",
        "relu6_.default",
        "hardtanh.default",
        "hardtanh_.default",
        "clamp.default",
        "clamp_.default",
        "clamp_min.default",
        "clamp_min_.default",
        "clamp_max.default",
        "clamp_max_.default",
    ),
    "max_pool": ("max_pool1d.default", "max_pool2d.default"),
    "avg_pool": (
        "avg_pool1d.default",
        "avg_pool2d.default",
        "adaptive_avg_pool1d.default",
        "adaptive_avg_pool2d.default",
        "_adaptive_avg_pool2d.default",
        "mean.dim",
    ),
    "reshape": (
        "flatten.using_ints",
        "view.default",
        "_unsafe_view.default",
        "reshape.default",
        "squeeze.dim",
        "squeeze.dims",
        "unsqueeze.default",
    ),
    "permute": ("permute.default", "transpose.int", "t.default"),
    "identity": (
        "contiguous.default",
        "clone.default",
        "detach.default",
        "detach_.default",
        "alias.default",
        "lift_fresh_copy.default",
        "dropout.default",
    ),
}


@functools.cache
def table() -> Mapping[Any, str]:
    """Return the family of every aten overload that has one, before its arguments are looked at."""
    import torch

    found = {}
    for name, overloads in _OVERLOADS.items():
        for overload in overloads:
            packet, _, variant = overload.partition(".")
            found[getattr(getattr(torch.ops.aten, packet), variant)] = name
    return found


@functools.cache
def overloads(family_name: str) -> frozenset[Any]:
    """Return the aten overloads of one family."""
    return frozenset(op for op, name in table().items() if name == family_name)


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


def kind(value: object) -> str:
    """Return what a node is, in words: `a constant`, `float64`, `a size`."""
    if is_parameter(value):
        return "a constant"
    dtype = getattr(getattr(value, "meta", {}).get("val"), "dtype", None)
    return "a number" if dtype is None else str(dtype).removeprefix("torch.")


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


def layer(node: Node) -> str:
    """Return the module path that a node came from, `layer1.0.conv1`; its own name at the root."""
    paths = module_paths(node)
    return paths[-1] if paths else node.name


def module_paths(node: Node) -> tuple[str, ...]:
    """Return the paths of the modules that a node is in, outermost first, without the root."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = (str(path) for path, _ in stack.values())
    return tuple(path for path in paths if path and not path.startswith(_NO_MODULE))


def shape(node: object) -> tuple[Any, ...] | None:
    """Return the shape that export recorded for a node (symbols where dynamic), if any."""
    value = getattr(node, "meta", {}).get("val")
    found = getattr(value, "shape", None)
    return None if found is None else tuple(found)


def is_float(node: object) -> bool:
    """Return whether the node is an fp32 tensor, which is what quantize takes and gives back."""
    value = getattr(node, "meta", {}).get("val")
    return str(getattr(value, "dtype", "")) == "torch.float32"


def is_parameter(node: object) -> bool:
    """Return whether the node is a weight, a buffer or a constant of the graph."""
    return getattr(node, "op", None) == "get_attr"


def argument(node: Node, position: int, name: str, default: Any = None) -> Any:
    """Return an argument given by position or by name."""
    if len(node.args) > position:
        return node.args[position]
    return node.kwargs.get(name, default)


def operand(node: Node, index: int) -> Any:
    """Return operand 0 (activation) or 1 (weight, second activation) of a product or an add.

    `addmm` is counted as the product in it: operand 0 is the activation, not the bias.
    """
    return node.args[index + 1] if table().get(node.target) == "addmm" else node.args[index]


def bias(node: Node) -> Any:
    """Return the bias node of a conv, linear or addmm, or None."""
    if table().get(node.target) == "addmm":
        return node.args[0]
    return argument(node, 2, "bias")


def weight_axis(node: Node) -> int:
    """Return the axis of the weight that counts output channels (per-channel parameters)."""
    return 0 if table().get(node.target) in ("conv", "linear") else 1


def clamp_range(node: Node) -> tuple[float, float] | None:
    """Return the real range that a relu-family operator clamps to, infinite where open.

    None for any other operator, or where a bound is not a literal.
    """
    if table().get(node.target) != "relu":
        return None
    name = str(node.target).split(".")[1].rstrip("_")
    low: object
    high: object
    if name == "relu":
        low, high = 0.0, math.inf
    elif name == "relu6":
        low, high = 0.0, 6.0
    elif name == "hardtanh":
        low, high = argument(node, 1, "min_val", -1.0), argument(node, 2, "max_val", 1.0)
    elif name == "clamp_min":
        low, high = argument(node, 1, "min"), math.inf
    elif name == "clamp_max":
        low, high = -math.inf, argument(node, 1, "max")
    else:
        low, high = argument(node, 1, "min"), argument(node, 2, "max")
        low = -math.inf if low is None else low
        high = math.inf if high is None else high
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return None
    return float(low), float(high)


def convolution(
    node: Node, kernel: Sequence[int]
) -> tuple[list[int], list[tuple[int, int]], list[int], int]:
    """Return stride, padding (before, after), dilation and groups, one entry per dimension.

    `padding="same"` puts the odd element after, as torch does.
    """
    rank = len(kernel)
    stride = per_dimension(argument(node, 3, "stride", 1), rank)
    dilation = per_dimension(argument(node, 5, "dilation", 1), rank)
    groups_at = 8 if str(node.target).startswith("aten.convolution") else 6
    groups = int(argument(node, groups_at, "groups", 1))
    padding = argument(node, 4, "padding", 0)
    if padding == "valid":
        return stride, [(0, 0)] * rank, dilation, groups
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return stride, [(t // 2, t - t // 2) for t in total], dilation, groups
    return stride, [(p, p) for p in per_dimension(padding, rank)], dilation, groups


def is_transposed(node: Node) -> bool:
    """Return whether a convolution is a transposed one."""
    general = str(node.target).startswith("aten.convolution")
    return general and bool(argument(node, 6, "transposed", False))


def per_dimension(value: int | Sequence[int], rank: int) -> list[int]:
    """Return one value per spatial dimension."""
    values = [value] if isinstance(value, int) else list(value)
    return [int(v) for v in (values * rank if len(values) == 1 else values)]


def is_spatial_mean(node: Node, rank: int) -> bool:
    """Return whether a mean of N, C, *spatial is over all spatial dimensions and keeps its type."""
    wanted = argument(node, 1, "dim")
    if wanted is None or argument(node, 3, "dtype") is not None or rank < 3:
        return False
    return sorted(int(d) % rank for d in wanted) == list(range(2, rank))


def adaptive_window(node: Node, dimensions: Sequence[object]) -> list[int] | None:
    """Return the window (= stride) of an adaptive average pool, or None where windows differ."""
    size = list(argument(node, 1, "output_size"))
    window = []
    if len(dimensions) < len(size):
        return None
    for length, wanted in zip(dimensions[-len(size) :], size, strict=True):
        if not isinstance(wanted, int) or not isinstance(length, int) or length % wanted:
            return None
        window.append(length // wanted)
    return window


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
