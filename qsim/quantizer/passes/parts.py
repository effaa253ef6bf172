"""A pass over operators that are several others at once: gated units, scaled sums, extremes."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import torch

from qsim.graph import is_single, nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.passes.masks import stay
from qsim.quantizer.rewriting import insert, replace
from qsim.registry import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.fx import GraphModule, Node

    from qsim.target import Target

_aten = torch.ops.aten


def plain_parts(graph: GraphModule, target: Target) -> None:
    """Write glu, addcmul, lerp, sums with a factor, amax, amin and prelu as what they are."""
    made: Node | None
    for node in list(graph.graph.nodes):
        if node.op != "call_function" or not nodes.is_float(_first(node)):
            continue
        rule = _RULES.get(node.target)
        if node.target is _aten.prelu.default:
            made = None if target.has("prelu") else _prelu(graph, node, target)
        elif node.target in _EXTREMES:
            made = _extreme(graph, node, target)
        else:
            made = None if rule is None else rule(graph, node)
        if made is not None:
            replace(graph, node, made)


def _first(node: Node) -> Any:
    return node.args[0] if node.args else None


def _glu(graph: GraphModule, node: Node) -> Node | None:
    dim, sizes = nodes.argument(node, 1, "dim", -1), nodes.shape(node.args[0])
    if sizes is None or not isinstance(sizes[dim], int):
        return None
    half = sizes[dim] // 2
    value = insert(graph, node, _aten.slice.Tensor, node.args[0], dim, 0, half)
    gate = insert(graph, node, _aten.slice.Tensor, node.args[0], dim, half, 2 * half)
    gate = insert(graph, node, _aten.sigmoid.default, gate)
    return insert(graph, node, _aten.mul.Tensor, value, gate)


def _scaled(graph: GraphModule, node: Node, x: Any, factor: Any) -> Any:
    return x if factor == 1 else insert(graph, node, _aten.mul.Tensor, x, factor)


def _addcmul(graph: GraphModule, node: Node) -> Node:
    base, a, b = node.args[:3]
    product = insert(graph, node, _aten.mul.Tensor, a, b)
    product = _scaled(graph, node, product, node.kwargs.get("value", 1))
    return insert(graph, node, _aten.add.Tensor, base, product)


def _lerp(graph: GraphModule, node: Node) -> Node:
    start, end, weight = node.args[:3]
    step = insert(graph, node, _aten.sub.Tensor, end, start)
    step = insert(graph, node, _aten.mul.Tensor, step, weight)
    return insert(graph, node, _aten.add.Tensor, start, step)


def _with_factor(graph: GraphModule, node: Node) -> Node | None:
    """Write the factor of an operand of add or sub as a product."""
    factor, other = node.kwargs.get("alpha", 1), node.args[1]
    if factor == 1 or not isinstance(node.args[0], torch.fx.Node):
        return None
    if isinstance(other, torch.fx.Node):
        other = insert(graph, node, _aten.mul.Tensor, other, factor)
    else:
        other = other * factor  # type: ignore[operator]  # a number, as the schema says
    return insert(graph, node, node.target, node.args[0], other)


def _prelu(graph: GraphModule, node: Node, target: Target) -> Node | None:
    """Write a relu with a slope for each channel as a sum of its two sides, where there is one."""
    x, slopes = node.args[:2]
    sizes = nodes.shape(x)
    several = nodes.is_parameter(slopes) and not is_single(slopes)
    if not several or not sizes or not all(map(target.has, ("clamp", "mul", "add"))):
        return None
    held = nodes.attribute(graph, slopes).reshape(-1, *(1,) * (len(sizes) - 2))  # type: ignore[arg-type]
    steep = add_constant(graph, node, f"{node.name}_slopes", held)
    above = insert(graph, node, _aten.clamp_min.default, x, 0.0)
    below = insert(graph, node, _aten.clamp_max.default, x, 0.0)
    product = insert(graph, node, _aten.mul.Tensor, below, steep)
    return insert(graph, node, _aten.add.Tensor, above, product)


_RULES: dict[Any, Callable[[GraphModule, Node], Node | None]] = {
    _aten.glu.default: _glu,
    _aten.addcmul.default: _addcmul,
    _aten.lerp.Scalar: _lerp,
    _aten.lerp.Tensor: _lerp,
    _aten.add.Tensor: _with_factor,
    _aten.sub.Tensor: _with_factor,
}
_BOTH = Reason("arguments", "its positions are read too; a pool makes values alone")
_BATCH = Reason("batch", "it searches the batch; samples are computed apart")
_OPEN = Reason("arguments", "how many elements it searches depends on the input")
_EXTREMES: dict[Any, bool] = {
    _aten.amax.default: False,
    _aten.amin.default: True,
    _aten.max.dim: False,
    _aten.min.dim: True,
}


def _extreme(graph: GraphModule, node: Node, target: Target) -> Node | None:
    """Write the largest element along dimensions as a pool of one window.

    The smallest is the largest of the negated elements, negated.
    """
    x, sizes = node.args[0], nodes.shape(node.args[0])
    if node.target in (_aten.max.dim, _aten.min.dim):
        parts = list(node.users)
        if any(
            part.target is operator.getitem and part.args[1] == 1 and part.users for part in parts
        ):
            stay(node, _BOTH)
            return None
    dims = nodes.argument(node, 1, "dim", [])
    dims = [dims] if isinstance(dims, int) else list(dims)
    if not sizes or not dims:
        return None
    dims = sorted(dim % len(sizes) for dim in dims)
    if not target.has("max_pool"):
        stay(node, Reason.lacking(target.name, "max_pool"))
        return None
    if dims[0] == 0 or not all(isinstance(size, int) for size in sizes[1:]):
        stay(node, _BATCH if dims[0] == 0 else _OPEN)
        return None
    smallest = _EXTREMES[node.target]
    if smallest:
        x = insert(graph, node, _aten.neg.default, x)
    keep = bool(nodes.argument(node, 2, "keepdim", False))
    result = _pooled(graph, node, x, sizes, dims, keep=keep)
    if smallest:
        result = insert(graph, node, _aten.neg.default, result)
    if node.target in (_aten.max.dim, _aten.min.dim):
        for part in list(node.users):
            replace(graph, part, result)
        graph.graph.erase_node(node)
        return None
    return result


def _pooled(
    graph: GraphModule, node: Node, x: Any, sizes: Any, dims: list[int], *, keep: bool
) -> Node:
    rank, window = len(sizes), [sizes[dim] for dim in dims]
    kept = [1 if dim in dims else sizes[dim] for dim in range(1, rank)]
    left = [sizes[dim] for dim in range(1, rank) if dim not in dims]
    if rank == 4 and dims == [2, 3]:
        pool = insert(graph, node, _aten.max_pool2d.default, x, window)
        result = [-1, *kept]
    else:
        if dims != list(range(rank - len(dims), rank)):
            order = [dim for dim in range(rank) if dim not in dims] + dims
            x = insert(graph, node, _aten.permute.default, x, order)
        flat = [-1, math.prod(left), math.prod(window)]
        if [size if isinstance(size, int) else -1 for size in x.meta["val"].shape] != flat:
            x = insert(graph, node, _aten.reshape.default, x, flat)
        pool = insert(graph, node, _aten.max_pool1d.default, x, flat[-1:])
        result = [-1, *kept]
    shape = result if keep else [-1, *left]
    same = [size if isinstance(size, int) else -1 for size in pool.meta["val"].shape] == shape
    return pool if same else insert(graph, node, _aten.reshape.default, pool, shape)
