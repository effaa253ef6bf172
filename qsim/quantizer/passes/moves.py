"""Passes that write what moves codes as operators of one operand and one result, and joins.

An operator with several results (split, chunk, unbind) becomes the slices that are read; stack and
the writes into a part (slice_scatter, select_scatter) become joins; windows that pad with zeros pad
first, so that the zeros become zero points.
"""

from __future__ import annotations

import operator
from contextlib import nullcontext
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
_SPLITS: Final = frozenset(
    {"chunk", "split", "split_with_sizes", "tensor_split", "split_copy", "split_with_sizes_copy"}
    | {"unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "hsplit", "vsplit", "dsplit"}
)
_END: Final = 2**63 - 1


def add_node(graph: GraphModule, like: Node, target: Any, args: tuple[Any, ...]) -> Node:
    """Add a node of the layer that another comes from, in front of it."""
    with graph.graph.inserting_before(like):
        made = graph.graph.call_function(target, args)
    made.meta = dict(like.meta)
    given = torch.fx.node.map_arg(args, lambda node: node.meta["val"])
    with _values(like)[0].fake_mode, torch.no_grad():
        made.meta["val"] = target(*given)
    return made


def _values(node: Node) -> list[Any]:
    value = node.meta.get("val")
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _replace(graph: GraphModule, node: Node, made: Node) -> None:
    node.replace_all_uses_with(made)
    graph.graph.erase_node(node)


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
                _replace(graph, part, add_node(graph, part, _aten.select.int, args))
        elif name == "broadcast_tensors":
            for part in parts:
                source = node.args[0][part.args[1]]
                _expand(graph, part, source)


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
        _replace(graph, part, add_node(graph, part, _aten.slice.Tensor, args))


def _expand(graph: GraphModule, node: Node, source: Node) -> None:
    """Put an expand of a tensor in a node's place, if it keeps its open dimensions."""
    before, after = nodes.shape(source) or (), nodes.shape(node) or ()
    sizes: list[int] = []
    for back, size in enumerate(reversed(after), 1):
        # Symbols are compared by their text: `==` on them would guard on the answer.
        same = back <= len(before) and str(before[-back]) == str(size)
        if not same and not isinstance(size, int):
            return
        sizes.insert(0, -1 if same else size)
    _replace(graph, node, add_node(graph, node, _aten.expand.default, (source, sizes)))


def stacked(graph: GraphModule) -> None:
    """Write stack as a join of tensors with one more dimension, expand_as as expand.

    What has no elements adds none to a join.
    """
    for node in list(graph.graph.nodes):
        if node.target is _aten.cat.default and len(node.args[0]) > 1:
            full = [each for each in node.args[0] if not _is_empty(each)]
            if len(full) == 1:
                _replace(graph, node, full[0])
            elif full:
                node.args = (full, *node.args[1:])
        elif node.target is _aten.stack.default:
            tensors: Any = node.args[0]
            rank = len(nodes.shape(tensors[0]) or ()) + 1
            dim = int(nodes.argument(node, 1, "dim", 0)) % rank
            wide = {
                each: add_node(graph, node, _aten.unsqueeze.default, (each, dim))
                for each in dict.fromkeys(tensors)
            }
            joined = [wide[each] for each in tensors]
            _replace(graph, node, add_node(graph, node, _aten.cat.default, (joined, dim)))
        elif node.target is _aten.expand_as.default and not node.kwargs:
            _expand(graph, node, node.args[0])


def _is_empty(node: Node) -> bool:
    return any(isinstance(size, int) and size == 0 for size in nodes.shape(node) or ())


def plain_writes(graph: GraphModule) -> None:
    """Write slice_scatter and select_scatter as a join: the new part between the rest."""
    for node in list(graph.graph.nodes):
        if node.target is _aten.slice_scatter.default:
            dim = int(nodes.argument(node, 2, "dim", 0))
            start, end = nodes.argument(node, 3, "start"), nodes.argument(node, 4, "end")
            step = nodes.argument(node, 5, "step", 1)
            _write(graph, node, dim, slice(start, end, step), node.args[1])
        elif node.target is _aten.select_scatter.default:
            dim, index = int(node.args[2]), node.args[3]
            length = (nodes.shape(node) or ())[dim]
            if isinstance(length, int) and isinstance(index, int):
                dim %= len(nodes.shape(node) or ())
                new = add_node(graph, node, _aten.unsqueeze.default, (node.args[1], dim))
                index %= length
                _write(graph, node, dim, slice(index, index + 1), new)


def _write(graph: GraphModule, node: Node, dim: int, where: slice, new: Any) -> None:
    """Put the join of a tensor's rest and a new part in the place of a write into the part."""
    shape = nodes.shape(node) or ()
    dim %= len(shape)
    length, rest = shape[dim], node.args[0]
    ends = [end for end in (where.start, where.stop) if end is not None]
    if not isinstance(length, int) or not all(isinstance(end, int) for end in ends):
        return
    start, end, step = where.indices(length)
    if (nodes.shape(new) or ())[dim] != len(range(start, end, step)) or end <= start:
        return
    if step != 1:
        taken = range(start, end, step)
        read = list(range(length))
        for index, place in enumerate(taken):
            read[place] = length + index
        joined = add_node(graph, node, _aten.cat.default, ([rest, new], dim))
        picked = _constant(graph, node, read)
        args = (joined, dim, picked)
        _replace(graph, node, add_node(graph, node, _aten.index_select.default, args))
        return
    pieces = [new]
    if start > 0:
        pieces.insert(0, add_node(graph, node, _aten.slice.Tensor, (rest, dim, 0, start)))
    if end < length:
        pieces.append(add_node(graph, node, _aten.slice.Tensor, (rest, dim, end, _END)))
    joined = add_node(graph, node, _aten.cat.default, (pieces, dim)) if pieces[1:] else new
    _replace(graph, node, joined)


def _constant(graph: GraphModule, node: Node, values: Sequence[int]) -> Node:
    from qsim.quantizer.passes.constants import add_constant

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
                padded = add_node(graph, node, _aten.constant_pad_nd.default, (x, amounts, 0.0))
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
            source = add_node(graph, node, _aten.slice.Tensor, args)
    rest = [max(0, amount) for amount in amounts]
    if any(rest):
        node.args = (source, rest, *node.args[2:])
    else:
        _replace(graph, node, source)
