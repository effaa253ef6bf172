"""Operators that compute elements, rows or matrices, of which each sample has some."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.passes.folded.layout import Apart
from qsim.quantizer.passes.folded.moves import slice_rows

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.quantizer.passes.folded.rewriter import Rewriter

_aten = torch.ops.aten
_DIMS: Final = ("dim", "dims")


def _last(graph: Rewriter, node: Node, source: Node, count: int = 1) -> Apart | None:
    """Return a tensor of which the last dimensions, without the batch, are last once apart too."""
    value = graph.read(source)
    if value is None or value.layout.dim >= value.rank - count:
        return None
    return graph.ordered(node, value) if value.fold > value.rank - count else value


def elementwise(graph: Rewriter, node: Node) -> Apart | None:
    """Compute each element; constants and samples broadcast as they did."""
    tensors = [read for read in node.all_input_nodes if nodes.shape(read) is not None]
    found = graph.aligned(node, tensors)
    if found is None:
        return None
    like, given = found
    held = dict(zip(tensors, given, strict=True))
    args, kwargs = torch.fx.node.map_arg(
        (node.args, dict(node.kwargs)), lambda each: held.get(each, each)
    )
    made = graph.insert(node, node.target, *args, **kwargs)
    return replace(like, node=made, moved=like.is_repeated)


def linear(graph: Rewriter, node: Node) -> Apart | None:
    """Multiply each row by a constant matrix, in whatever spelling."""
    name, args = nodes.operator_name(node), node.args
    source: Any = args[1] if name == "addmm" else args[0]
    weight: Any = args[2] if name == "addmm" else args[1]
    bias: Any = args[0] if name == "addmm" else nodes.argument(node, 2, "bias")
    constants = (weight,) if name != "addmm" and bias is None else (weight, bias)
    if not all(map(nodes.is_parameter, constants)) or not nodes.has_rank(weight, 2):
        return matmul(graph, node) if name in ("matmul", "bmm") else None
    if name == "addmm" and (node.kwargs or not nodes.has_rank(bias, 1)):
        return None
    value = _last(graph, node, source)
    if value is None:
        return None
    if name == "addmm":
        held = nodes.attribute(graph.graph, weight).t().contiguous()
        weight = add_constant(graph.graph, node, f"{node.name}_weight", held)
    target = _aten.linear.default if name in ("linear", "addmm") else _aten.matmul.default
    given = (weight,) if bias is None or name in ("mm", "matmul") else (weight, bias)
    return _computed(value, graph.insert(node, target, value.node, *given))


def matmul(graph: Rewriter, node: Node) -> Apart | None:
    """Multiply the matrices of each sample."""
    a, b = node.args[:2]
    ranks = [len(nodes.shape(each) or ()) for each in (a, b)]
    both: Any = [a, b]
    found = graph.aligned(node, both, ordered=True) if min(ranks) >= 2 else None
    if found is None or found[0].layout.dim >= max(ranks) - 2:
        return None
    return _computed(found[0], graph.insert(node, _aten.matmul.default, *found[1]))


def attention(graph: Rewriter, node: Node) -> Apart | None:
    """Attend within each sample."""
    tensors: list[Any] = list(node.args[:3])
    mask = nodes.argument(node, 3, "attn_mask")
    if len({len(nodes.shape(each) or ()) for each in tensors}) != 1:
        return None
    given = tensors if mask is None else [*tensors, mask]
    found = graph.aligned(node, given, ordered=True)
    if found is None or found[0].layout.dim >= found[0].rank - 2:
        return None
    like, held = found
    rest = dict(node.kwargs)
    masks = [held[3]] if mask is not None else [None]
    rest.pop("attn_mask", None)
    args = (*held[:3], *masks, *node.args[4:])
    return _computed(like, graph.insert(node, node.target, *args, **rest))


def along(graph: Rewriter, node: Node) -> Apart | None:
    """Compute along dimensions of each sample, or take some of them away."""
    schema, source, found = nodes.schema(node), graph.read(node.args[0]), graph.batch(node)
    if source is None or found is None:
        return None
    names = [argument.name for argument in schema.arguments]
    position = next((names.index(name) for name in _DIMS if name in names), None)
    if position is None:
        return None
    given = nodes.argument(node, position, names[position])
    dims = [given] if isinstance(given, int) else given
    if not isinstance(dims, (list, tuple)) or not dims:
        return None
    dims = [int(dim) % source.rank for dim in dims]
    if source.layout.dim in dims:
        whole = nodes.operator_name(node) == "slice"
        return slice_rows(graph, node, source) if whole else None
    others = [read for read in node.all_input_nodes if read is not node.args[0]]
    if not all(map(nodes.is_parameter, others)):
        return None
    places: Any = [source.at(dim) for dim in dims]
    gone = places if len(nodes.shape(node) or ()) < source.rank else []
    args, kwargs = list(node.args), dict(node.kwargs)
    if len(args) > position:
        args[position] = places[0] if isinstance(given, int) else places
    else:
        kwargs[names[position]] = places[0] if isinstance(given, int) else places
    made = graph.insert(node, node.target, source.node, *args[1:], **kwargs)
    layout = replace(source.layout, dim=found[0])
    fold = source.fold - sum(place < source.fold for place in gone)
    moved = source.moved and nodes.operator_name(node) in ("select", "slice", "roll", "flip")
    return Apart(made, layout, fold, moved)


def trailing(graph: Rewriter, node: Node) -> Apart | None:
    """Compute blocks of the last dimensions: norms of layers, pixel shuffles."""
    name = nodes.operator_name(node)
    count = 3 if name.startswith("pixel") else len(node.args[1])  # type: ignore[arg-type]
    source: Any = node.args[0]
    value = _last(graph, node, source, count)
    if value is None:
        return None
    made = graph.insert(node, node.target, value.node, *node.args[1:], **node.kwargs)
    return _computed(value, made)


def embedding(graph: Rewriter, node: Node) -> Apart | None:
    """Take rows of a constant table."""
    indices = graph.read(node.args[1])
    if indices is None or not nodes.is_parameter(node.args[0]):
        return None
    made = graph.insert(node, node.target, node.args[0], indices.node, *node.args[2:])
    return _computed(indices, made)


def _computed(like: Apart, made: Node) -> Apart:
    return replace(like, node=made, moved=False)
