"""Reading a node of an exported graph: where it comes from, what it makes, its arguments.

Arguments are read by what they mean (operand, bias, window, clamp range), so that no reader needs
to know at which position which overload keeps them.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch.fx import GraphModule, Node

# The relu family: operators whose result is their operand, kept within bounds.
_CLAMPS: Final = frozenset({"relu", "relu6", "hardtanh", "clamp", "clamp_min", "clamp_max"})
# What torch.export writes where a node comes from no module.
_NO_MODULE: Final = "_empty_nn_module_stack"


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


def has_rank(node: object, rank: int) -> bool:
    """Return whether a tensor has so many dimensions, as far as export recorded its shape."""
    dimensions = shape(node)
    return dimensions is None or len(dimensions) == rank


def kind(value: object) -> str:
    """Return what a node is, in words: `a constant`, `float64`, `a size`."""
    if is_parameter(value):
        return "a constant"
    dtype = getattr(getattr(value, "meta", {}).get("val"), "dtype", None)
    return "a number" if dtype is None else str(dtype).removeprefix("torch.")


def is_float(node: object) -> bool:
    """Return whether the node is an fp32 tensor, which is what quantize takes and gives back."""
    value = getattr(node, "meta", {}).get("val")
    if isinstance(value, tuple):  # of values and positions
        value = value[0]
    return str(getattr(value, "dtype", "")) == "torch.float32"


def only_value(node: Node) -> Node | None:
    """Return the part of a (values, positions) result that is read, if it is the values alone."""
    read = [part for part in node.users if part.users]
    picked = len(read) == 1 and read[0].target is operator.getitem and read[0].args[1] == 0
    return read[0] if picked else None


def is_parameter(node: object) -> bool:
    """Return whether the node is a weight, a buffer or a constant of the graph."""
    return getattr(node, "op", None) == "get_attr"


def is_constant(node: object) -> bool:
    """Return whether the node is a constant, in codes (a dequantize of a buffer) or in float."""
    name = str(getattr(node, "target", ""))
    if name.startswith("quantized_decomposed.dequantize_per"):
        return is_parameter(getattr(node, "args", (None,))[0])
    return is_parameter(node)


def is_size(node: Node) -> bool:
    """Return whether a node is a size of a tensor."""
    return operator_name(node) == "sym_size"


def attribute(graph: GraphModule, node: Node) -> torch.Tensor:
    """Return the parameter or buffer that a get_attr node reads."""
    import torch

    path = str(node.target)
    value: Any = graph
    for name in path.split("."):
        value = getattr(value, name)
    if not isinstance(value, torch.Tensor):
        raise ModelError(f"{path!r} is not a tensor", accepted="tensors as parameters and buffers")
    return value.detach()


def operator_name(node: Node) -> str:
    """Return the name of the operator that a node calls, without its overload: ``max_pool2d``."""
    return str(node.target).removeprefix("aten.").partition(".")[0]


def schema(node: Node) -> Any:
    """Return the schema of the operator that a node calls, or None."""
    return getattr(node.target, "_schema", None) if node.op == "call_function" else None


def parts(node: Node) -> list[Node]:
    """Return the results of an operator with several, the last first: a later one may be read."""
    found = [user for user in node.users if user.target is operator.getitem]
    return sorted(found, key=lambda part: -int(part.args[1]))  # type: ignore[arg-type]


def argument(node: Node, position: int, name: str, default: Any = None) -> Any:
    """Return an argument given by position or by name."""
    if len(node.args) > position:
        return node.args[position]
    return node.kwargs.get(name, default)


def clamp_range(node: Node) -> tuple[float, float] | None:
    """Return the real range that a relu-family operator clamps to, infinite where open.

    None for any other operator, or where a bound is not a literal.
    """
    name = operator_name(node).rstrip("_")
    if node.op != "call_function" or name not in _CLAMPS:
        return None
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
