"""Passes that write what moves codes as operators of one operand and one result, and joins.

An operator with several results (split, chunk, unbind) becomes the slices that are read; stack
becomes a join; windows that pad with zeros pad first, so that the zeros become zero points.
"""

from __future__ import annotations

import operator
from contextlib import nullcontext
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.rewriting import expand_sizes, insert, replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
_SPLITS: Final = frozenset(
    {"chunk", "split", "split_with_sizes", "tensor_split", "split_copy", "split_with_sizes_copy"}
    | {"unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "hsplit", "vsplit", "dsplit"}
)
_END: Final = 2**63 - 1


def _values(node: Node) -> list[Any]:
    value = node.meta.get("val")
    return list(value) if isinstance(value, (list, tuple)) else [value]


def sliced_parts(graph: GraphModule) -> None:
    """Write the parts that are read of a split or an unbind as slices, of a broadcast as expand."""
    for node in list(graph.graph.nodes):
        name = nodes.operator_name(node)
        parts = [user for user in node.users if user.target is operator.getitem]
        if node.op != "call_function" or len(parts) != len(node.users):
            continue
        if name in _SPLITS:
            _split(graph, node, name, parts)
        elif name in ("unbind", "unbind_copy"):
            dim = nodes.argument(node, 1, "dim", 0)
            for part in parts:
                args = (node.args[0], dim, part.args[1])
                replace(graph, part, insert(graph, part, _aten.select.int, *args))
        elif name == "broadcast_tensors":
            for part in parts:
                source = node.args[0][part.args[1]]
                sizes = expand_sizes(nodes.shape(source) or (), nodes.shape(part) or ())
                if sizes is not None:
                    replace(graph, part, insert(graph, part, _aten.expand.default, source, sizes))


def _split(graph: GraphModule, node: Node, name: str, parts: list[Node]) -> None:
    source = node.args[0]
    rank = len(nodes.shape(source) or ())
    fixed = {"hsplit": int(rank > 1), "vsplit": 0, "dsplit": 2}
    at = 1 if name.startswith("unbind") else 2
    dim = int(fixed.get(name, nodes.argument(node, at, "dim", 0)))
    sizes = [value.shape[dim] for value in _values(node)]
    if not all(isinstance(size, int) for size in sizes):
        return
    ends = list(accumulate(sizes))
    for part in parts:
        index = int(part.args[1])  # type: ignore[arg-type]
        args = (source, dim, ends[index] - sizes[index], ends[index])
        replace(graph, part, insert(graph, part, _aten.slice.Tensor, *args))


def stacked(graph: GraphModule) -> None:
    """Write stack as a join of tensors with one more dimension.

    What has no elements adds none to a join.
    """
    for node in list(graph.graph.nodes):
        if node.target is _aten.cat.default and len(node.args[0]) > 1:
            full = [each for each in node.args[0] if not _is_empty(each)]
            if len(full) == 1:
                replace(graph, node, full[0])
            elif full:
                node.args = (full, *node.args[1:])
        elif node.target is _aten.stack.default:
            tensors: Any = node.args[0]
            rank = len(nodes.shape(tensors[0]) or ()) + 1
            dim = int(nodes.argument(node, 1, "dim", 0)) % rank
            wide = {
                each: insert(graph, node, _aten.unsqueeze.default, each, dim)
                for each in dict.fromkeys(tensors)
            }
            joined = [wide[each] for each in tensors]
            replace(graph, node, insert(graph, node, _aten.cat.default, joined, dim))


def _is_empty(node: Node) -> bool:
    return any(isinstance(size, int) and size == 0 for size in nodes.shape(node) or ())


def _constant(graph: GraphModule, node: Node, values: Sequence[int]) -> Node:
    return add_constant(graph, node, f"{node.name}_positions", torch.tensor(values))


def plain_masks(graph: GraphModule) -> None:
    """Write an index by constant masks, or by constant counts, as one by positions.

    How many there are is known then: sizes that export left open become numbers.
    """
    changed: set[Node] = set()
    for node in list(graph.graph.nodes):
        masked = node.target is _aten.index.Tensor and _unmask(graph, node)
        counted = node.target is _aten.repeat_interleave.self_Tensor and _count(graph, node)
        if masked or counted:
            changed.add(node)
    _renew(graph, changed)


def _unmask(graph: GraphModule, node: Node) -> bool:
    read: list[Any] = []
    given: Any = node.args[1]
    masks = [each for each in given if nodes.is_parameter(each) and _is_mask(each)]
    for each in given:
        if each not in masks:
            read.append(each)
            continue
        places = nodes.attribute(graph, each).nonzero(as_tuple=True)
        read += [_constant(graph, node, place.tolist()) for place in places]
    node.args = (node.args[0], read)
    return bool(masks)


def _count(graph: GraphModule, node: Node) -> bool:
    dim, shape = nodes.argument(node, 2, "dim"), nodes.shape(node.args[0]) or ()
    if not nodes.is_parameter(node.args[1]) or dim is None or not isinstance(shape[dim], int):
        return False
    counts = nodes.attribute(graph, node.args[1])  # type: ignore[arg-type]
    places = torch.arange(shape[dim]).repeat_interleave(counts)
    node.target, node.kwargs = _aten.index_select.default, {}
    node.args = (node.args[0], dim, _constant(graph, node, places.tolist()))
    return True


def _is_mask(node: Node) -> bool:
    return node.meta["val"].dtype in (torch.bool, torch.uint8)


def _renew(graph: GraphModule, changed: set[Node]) -> None:
    """Compute the shapes of some nodes and of what reads them; drop checks of sizes once open."""
    for node in list(graph.graph.nodes):
        if node not in changed and changed.isdisjoint(node.all_input_nodes):
            continue
        if node.target is _aten._assert_scalar.default:  # noqa: SLF001 - its name in aten
            graph.graph.erase_node(node)
        elif node.op == "call_function":
            changed.add(node)
            mode = next((v.fake_mode for v in _inputs(node) if hasattr(v, "fake_mode")), None)
            args, kwargs = torch.fx.node.map_arg(
                (node.args, node.kwargs), lambda source: source.meta.get("val")
            )
            with mode or nullcontext(), torch.no_grad():
                node.meta["val"] = node.target(*args, **kwargs)


def _inputs(node: Node) -> list[Any]:
    return [value for source in node.all_input_nodes for value in _values(source)]


def plain_windows(graph: GraphModule) -> None:
    """Pad before im2col, and crop before a pad of sizes above and below 0."""
    for node in list(graph.graph.nodes):
        if node.target is _aten.im2col.default and len(node.args) == 5:
            x, kernel, dilation, padding, stride = node.args
            high, wide = nodes.per_dimension(padding, 2)
            if high or wide:
                amounts = [wide, wide, high, high]
                padded = insert(graph, node, _aten.constant_pad_nd.default, x, amounts, 0.0)
                node.args = (padded, kernel, dilation, [0, 0], stride)
        elif node.target in (_aten.pad.default, _aten.constant_pad_nd.default):
            _crop(graph, node)


def _crop(graph: GraphModule, node: Node) -> None:
    plain = node.target is _aten.constant_pad_nd.default
    if not plain and nodes.argument(node, 2, "mode", "constant") != "constant":
        return
    amounts: Any = node.args[1]
    if not all(isinstance(amount, int) for amount in amounts) or min(amounts) >= 0:
        return
    rank = len(nodes.shape(node) or ())
    source: Any = node.args[0]
    for back, at in enumerate(range(0, len(amounts), 2), 1):
        before, after = (min(0, amount) for amount in amounts[at : at + 2])
        length = (nodes.shape(source) or ())[rank - back]
        if (before or after) and not isinstance(length, int):
            return
        if before or after:
            args = (source, rank - back, -before, length + after)
            source = insert(graph, node, _aten.slice.Tensor, *args)
    rest = [max(0, amount) for amount in amounts]
    if any(rest):
        node.args = (source, rest, *node.args[2:])
    else:
        replace(graph, node, source)
