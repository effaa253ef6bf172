"""Passes over what functionalising leaves: scatters into slices are slices, joined anew.

``slice_scatter`` puts a tensor into a part of another. In terms of moves, which datapaths have, the
parts before, of and behind it are joined; where they alternate, both are joined and picked from. A
number that is put there is a border of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.rewriting import expand_sizes, insert, replace

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
_END = 2**63 - 1
_HANDED_ON: Final = frozenset(
    {"lift_fresh_copy", "clone", "detach", "alias", "to", "expand", "unsqueeze", "contiguous"}
)


def plain_scatters(graph: GraphModule) -> None:
    """Write ``copy``, ``slice_scatter`` and ``select_scatter`` as moves, where sizes are known."""
    rules = {
        _aten.copy.default: _copied,
        _aten.slice_scatter.default: _sliced,
        _aten.select_scatter.default: _selected,
    }
    for node in list(graph.graph.nodes):
        rule = rules.get(node.target)
        made = None if rule is None else rule(graph, node)
        if made is not None:
            replace(graph, node, made)


def _copied(graph: GraphModule, node: Node) -> Any:
    """Return what ``copy`` writes: its source, in type and shape of what it is written to."""
    written, source = node.args[:2]
    before, after = (item.meta["val"] for item in (written, source))  # type: ignore[union-attr]
    made: Any = source
    if before.dtype != after.dtype:
        made = insert(graph, node, _aten.to.dtype, made, before.dtype)
    if nodes.shape(written) != nodes.shape(source):
        sizes = expand_sizes(nodes.shape(source) or (), nodes.shape(written) or ())
        if sizes is None:
            return None
        made = insert(graph, node, _aten.expand.default, made, sizes)
    return made


def _sliced(graph: GraphModule, node: Node) -> Any:
    dim = nodes.argument(node, 2, "dim", 0)
    start, end = nodes.argument(node, 3, "start"), nodes.argument(node, 4, "end")
    return _join(
        graph, node, node.args[1], dim, slice(start, end, nodes.argument(node, 5, "step", 1))
    )


def _selected(graph: GraphModule, node: Node) -> Any:
    whole, source, dim, index = node.args[:4]
    dims = nodes.shape(whole) or ()
    if not isinstance(index, int) or not isinstance(dim, int) or not isinstance(dims[dim], int):
        return None
    dim, index = dim % len(dims), index % dims[dim]
    part = insert(graph, node, _aten.unsqueeze.default, source, dim)
    return _join(graph, node, part, dim, slice(index, index + 1, 1))


def _join(graph: GraphModule, node: Node, part: Any, dim: int, taken: slice) -> Any:
    """Return ``node``'s first operand with ``part`` where it is taken along ``dim``."""
    whole = node.args[0]
    size = (nodes.shape(whole) or ())[dim]
    open_end = taken.stop is None or taken.stop == _END
    if taken.start in (0, None) and open_end and taken.step == 1:
        return part
    ends = (taken.start, taken.stop, taken.step)
    if not isinstance(size, int) or not all(end is None or isinstance(end, int) for end in ends):
        return None
    places = range(size)[taken]
    if len(places) in (0, size):
        return part if places else whole
    number = _number(graph, part) if nodes.is_float(node) else None
    if number is not None:
        return _filled(graph, node, dim, places, number)
    if places.step == 1:
        pieces = [part]
        for at, (first, last) in enumerate(((0, places[0]), (places[-1] + 1, size))):
            if first < last:
                piece = insert(graph, node, _aten.slice.Tensor, whole, dim, first, last)
                pieces.insert(len(pieces) if at else 0, piece)
        return insert(graph, node, _aten.cat.default, pieces, dim)
    both = insert(graph, node, _aten.cat.default, [whole, part], dim)
    found = [places.index(at) + size if at in places else at for at in range(size)]
    held = add_constant(graph, node, f"{node.name}_places", torch.tensor(found))
    return insert(graph, node, _aten.index_select.default, both, dim, held)


def _filled(graph: GraphModule, node: Node, dim: int, places: range, number: float) -> Node:
    """Return ``node``'s first operand with a number at some places: a border, or picked."""
    whole: Any = node.args[0]
    shape = nodes.shape(whole) or ()
    size, behind = int(shape[dim]), [0, 0] * (len(shape) - 1 - dim % len(shape))
    first, last = min(places), max(places)
    if abs(places.step) == 1 and 0 in (first, size - 1 - last):
        rest = (last + 1, size) if first == 0 else (0, first)
        whole = insert(graph, node, _aten.slice.Tensor, whole, dim, *rest)
        amounts = [len(places), 0] if first == 0 else [0, len(places)]
        return insert(graph, node, _aten.constant_pad_nd.default, whole, behind + amounts, number)
    padded = insert(graph, node, _aten.constant_pad_nd.default, whole, [*behind, 0, 1], number)
    found = torch.tensor([size if at in places else at for at in range(size)])
    held = add_constant(graph, node, f"{node.name}_places", found)
    return insert(graph, node, _aten.index_select.default, padded, dim, held)


def _number(graph: GraphModule, part: Any) -> float | None:
    """Return the number that every element of a tensor is, if it is made of one."""
    while part.op == "call_function" and nodes.operator_name(part) in _HANDED_ON:
        part = part.args[0]
    name = nodes.operator_name(part)
    if name in ("zero", "zeros_like"):
        return 0.0
    if name == "fill":
        part = part.args[1]
    if isinstance(part, (int, float)):
        return float(part)
    while part.op == "call_function" and nodes.operator_name(part) in _HANDED_ON:
        part = part.args[0]
    held = nodes.attribute(graph, part) if nodes.is_parameter(part) else None
    return None if held is None or held.numel() != 1 else float(held)
