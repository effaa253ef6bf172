"""Operators that move elements, which fold dimensions into the batch and take them out again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes, rows_of
from qsim.quantizer.passes.folded.layout import Apart, Layout, reshaped

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.quantizer.passes.folded.rewriter import Rewriter

_aten = torch.ops.aten
_END: Final = 2**63 - 1
_SPLITS: Final = frozenset({"chunk", "split", "split_with_sizes", "tensor_split", "unsafe_chunk"})


def reshape(graph: Rewriter, node: Node) -> Apart | None:
    """Reshape each sample: view, flatten, unflatten, squeeze and unsqueeze are that as well."""
    source, found = graph.read(node.args[0]), graph.batch(node)
    if source is None or found is None:
        return None
    before, after = nodes.shape(node.args[0]) or (), nodes.shape(node) or ()
    layout = reshaped(source.layout, before, after, *found)
    if layout is None:
        return None
    held = graph.ordered(node, source).node
    made = graph.reshape(node, held, graph.sizes(node, layout))
    return Apart(made, layout, layout.dim + 1 if layout.count > 1 else 0, source.moved)


def permute(graph: Rewriter, node: Node) -> Apart | None:
    """Permute each sample, whatever the order is called."""
    source = graph.read(node.args[0])
    if source is None:
        return None
    empty = torch.empty(list(range(2, 2 + source.rank)), device="meta")
    made: Any = node.target
    order = [size - 2 for size in made(empty, *node.args[1:], **node.kwargs).shape]
    layout = replace(source.layout, dim=order.index(source.layout.dim))
    places = [source.at(dim) for dim in order if dim != source.layout.dim or source.fold]
    fold = layout.dim + 1 if source.fold else 0
    return Apart(graph.permute(node, source.node, [0, *places]), layout, fold, source.moved)


def cat(graph: Rewriter, node: Node) -> Apart | None:
    """Join each sample; along the batch, rows of the same sample stand beside each other."""
    given: Any = node.args[0]
    read = [graph.read(each) for each in given]
    parts = [each for each in read if each is not None and not each.is_repeated]
    if len(parts) != len(given) or len({(p.layout.dim, p.layout.inner) for p in parts}) != 1:
        return None
    first = parts[0]
    dim = int(nodes.argument(node, 1, "dim", 0)) % first.rank
    moved = all(part.moved for part in parts)
    if dim != first.layout.dim:
        if len({part.layout for part in parts}) != 1:
            return None
        placed = [graph.placed(node, part, first.fold).node for part in parts]
        made = graph.insert(node, _aten.cat.default, placed, first.at(dim))
        return replace(first, node=made, moved=moved)
    layout = replace(first.layout, outer=sum(part.layout.outer for part in parts))
    wide = []
    for part, tensor in zip(parts, given, strict=True):
        held = graph.ordered(node, part).node
        sizes = graph.sizes(tensor, part.layout)
        if not part.fold:
            sizes.insert(dim + 1, 1)
        wide.append(graph.reshape(node, held, sizes))
    return Apart(graph.insert(node, _aten.cat.default, wide, dim + 1), layout, dim + 1, moved)


def part(graph: Rewriter, node: Node) -> Apart | None:
    """Take a part of a split along the batch: of each sample, some of its rows."""
    split: Any = node.args[0]
    value = split.meta.get("val")
    if nodes.operator_name(split) not in _SPLITS or not isinstance(value, (list, tuple)):
        return None
    source, dim = graph.read(split.args[0]), int(nodes.argument(split, 2, "dim", 0))
    if source is None or dim % source.rank != source.layout.dim:
        return None
    ends = [0]
    for each in value:
        count = rows_of(each.shape[source.layout.dim], graph.symbols)
        if count is None:
            return None
        ends.append(ends[-1] + count)
    index: Any = node.args[1]
    return _rows(graph, node, source, ends[index], ends[index + 1])


def slice_rows(graph: Rewriter, node: Node, source: Apart) -> Apart | None:
    """Take a slice along the batch, where its ends are whole blocks of all samples."""
    layout = source.layout
    start, end = nodes.argument(node, 2, "start"), nodes.argument(node, 3, "end")
    step = nodes.argument(node, 4, "step", 1)
    first = 0 if start in (0, None) else rows_of(_value(start), graph.symbols)
    last = layout.count if end in (None, _END) else rows_of(_value(end), graph.symbols)
    if layout.outer == 1 and isinstance(start or 0, int) and end in (None, _END) and step != 1:
        return _every(graph, node, source, start or 0, step)
    if first is None or last is None or step != 1:
        return None
    return _rows(graph, node, source, first, min(last, layout.count))


def _value(size: Any) -> Any:
    return size.meta.get("val") if isinstance(size, torch.fx.Node) else size


def _every(graph: Rewriter, node: Node, source: Apart, start: int, step: int) -> Apart | None:
    """Take every so many rows of each sample: ``x[1::2]``."""
    inner, rest = divmod(source.layout.inner, step)
    if rest or not 0 <= start < step:
        return None
    value = graph.ordered(node, source)
    made = graph.insert(node, _aten.slice.Tensor, value.node, value.fold, start, _END, step)
    return _settled(graph, node, replace(value, node=made), replace(source.layout, inner=inner))


def _rows(graph: Rewriter, node: Node, source: Apart, start: int, end: int) -> Apart | None:
    layout = source.layout
    if start >= end or start % layout.inner or end % layout.inner:
        return None
    left = replace(layout, outer=(end - start) // layout.inner)
    if not source.fold:
        return source
    value = graph.ordered(node, source)
    made = graph.insert(node, _aten.slice.Tensor, value.node, value.fold, start, end)
    return _settled(graph, node, replace(value, node=made), left)


def _settled(graph: Rewriter, node: Node, value: Apart, layout: Layout) -> Apart:
    """Return rows of each sample; one row needs no dimension."""
    if layout.count > 1:
        return replace(value, layout=layout)
    made = graph.reshape(node, value.node, graph.sizes(node, layout))
    return Apart(made, layout, 0, value.moved)


def pad(graph: Rewriter, node: Node) -> Apart | None:
    """Pad each sample with a number."""
    source, amounts = graph.read(node.args[0]), node.args[1]
    if source is None or not isinstance(amounts, (list, tuple)):
        return None
    wanted: dict[int, Any] = {}
    for back in range(len(amounts) // 2):
        dim, pair = source.rank - 1 - back, amounts[2 * back : 2 * back + 2]
        if dim != source.layout.dim:
            wanted[source.at(dim)] = pair
        elif any(pair):
            return None
    first = min((dim for dim, pair in wanted.items() if any(pair)), default=0)
    dims = range(len(nodes.shape(source.node) or ()) - 1, first - 1, -1) if first else ()
    pads = [amount for dim in dims for amount in wanted.get(dim, (0, 0))]
    made = source.node
    if pads:
        made = graph.insert(node, node.target, made, pads, *node.args[2:], **node.kwargs)
    return replace(source, node=made)


def expand(graph: Rewriter, node: Node) -> Apart | None:
    """Repeat each sample along dimensions of 1; a constant stays one that all samples read."""
    found, given = graph.batch(node), node.args[0]
    if found is None or not isinstance(given, torch.fx.Node):
        return None
    rank, source = len(nodes.shape(node) or ()), graph.read(given)
    if source is not None:
        wide = graph.ordered(node, graph.widened(node, source, rank))
        if wide.layout.dim != found[0] or wide.layout.count != found[1]:
            return None
        sizes = graph.sizes(node, wide.layout)
        if wide.is_repeated:
            sizes[0] = 1
        return replace(wide, node=graph.insert(node, _aten.expand.default, wide.node, sizes))
    layout = Layout(found[0], 1, found[1])
    fold = layout.dim + 1 if layout.count > 1 else 0
    shape = [1] * (rank - len(nodes.shape(given) or ())) + list(nodes.shape(given) or ())
    if shape.pop(layout.dim) != 1 or not all(isinstance(size, int) for size in shape):
        return None
    shape[layout.dim : layout.dim] = [1] if fold else []
    held = graph.insert(node, _aten.reshape.default, given, [1, *shape])
    sizes = [1, *graph.sizes(node, layout)[1:]]
    return Apart(graph.insert(node, _aten.expand.default, held, sizes), layout, fold, moved=True)


def repeat(graph: Rewriter, node: Node) -> Apart | None:
    """Repeat each sample; a constant that is repeated for each one stays one that all read."""
    found, given = graph.batch(node), node.args[0]
    times: Any = node.args[1]
    if found is None or not isinstance(given, torch.fx.Node):
        return None
    counts = [_value(each) for each in times]
    source = graph.read(given)
    if source is None:
        shape = nodes.shape(given) or ()
        count = rows_of(counts[found[0]], graph.symbols)
        if not count or not all(isinstance(size, int) for size in shape):
            return None
        counts[found[0]] = count
        layout = Layout(found[0], 1, found[1])
        held = graph.insert(node, _aten.repeat.default, given, counts)
        made = graph.insert(node, _aten.reshape.default, held, [1, *graph.sizes(node, layout)[1:]])
        return Apart(made, layout, layout.dim + 1 if layout.count > 1 else 0, moved=True)
    if len(counts) != source.rank or not all(isinstance(each, int) for each in counts):
        return None
    dim = source.layout.dim
    layout = replace(source.layout, outer=source.layout.outer * counts[dim])
    held = graph.ordered(node, source).node
    if not source.fold and layout.count > 1:
        sizes = graph.sizes(given, source.layout)
        held = graph.reshape(node, held, [*sizes[: dim + 1], 1, *sizes[dim + 1 :]])
    counts = [1, *(each for at, each in enumerate(counts) if at != dim or layout.count > 1)]
    fold = dim + 1 if layout.count > 1 else 0
    return Apart(graph.insert(node, _aten.repeat.default, held, counts), layout, fold, source.moved)
