"""A pass over constants whose size is the batch's: they are made from a tensor that has it.

A host operator takes a tensor, and where no tensor is read there is none to take the size from.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Final

import torch

from qsim.quantizer.rewriting import insert, replace

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
_FACTORIES: Final = {
    _aten.zeros.default: _aten.new_zeros.default,
    _aten.ones.default: _aten.new_ones.default,
    _aten.full.default: _aten.new_full.default,
}
_ARITHMETIC: Final = (operator.add, operator.sub, operator.mul, operator.floordiv)
_RANGES: Final = (_aten.arange.default, _aten.arange.start, _aten.arange.start_step)


def plain_factories(graph: GraphModule) -> None:
    """Make zeros, ones, full and arange of a symbolic size from the tensor that has the size."""
    for node in list(graph.graph.nodes):
        if node.target not in _FACTORIES and node.target not in _RANGES:
            continue
        size = _size(node)
        if size is None:
            continue
        new = _FACTORIES.get(node.target)
        if new is None:
            _count(graph, node, size)
        else:
            dtype = node.meta["val"].dtype
            node.target, node.args = new, (size.args[0], *node.args)
            node.kwargs = {"dtype": dtype}


def _size(node: Node) -> Node | None:
    """Return a size that a node's symbolic arguments are computed from."""
    found = list(node.all_input_nodes)
    while found:
        each = found.pop()
        if each.target is _aten.sym_size.int:
            return each
        if each.target in _ARITHMETIC:
            found += each.all_input_nodes
    return None


def _count(graph: GraphModule, node: Node, size: Node) -> None:
    """Write ``arange`` up to a size as a running sum of ones, in steps from its start."""
    args = list(node.args)
    start, end, step = args if len(args) == 3 else [*([0] if len(args) == 1 else []), *args, 1]
    if not (isinstance(start, int) and isinstance(step, int) and isinstance(end, torch.fx.Node)):
        return
    if step < 1:
        return
    many = end
    for function, by in ((operator.add, step - 1 - start), (operator.floordiv, step)):
        if by != (function is operator.floordiv):
            many = insert(graph, node, function, many, by)
    ones = insert(graph, node, _aten.new_ones.default, size.args[0], [many], dtype=torch.int64)
    counted = insert(graph, node, _aten.cumsum.default, ones, 0)
    if step != 1:
        counted = insert(graph, node, _aten.mul.Tensor, counted, step)
    if start != step:
        counted = insert(graph, node, _aten.sub.Tensor, counted, step - start)
    if node.meta["val"].dtype != torch.int64:
        counted = insert(graph, node, _aten.to.dtype, counted, node.meta["val"].dtype)
    replace(graph, node, counted)
