"""A pass over constants whose size is the batch's: they are made from a tensor that has it.

A host operator takes a tensor, and where no tensor is read there is none to take the size from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
_FACTORIES: Final = {
    _aten.zeros.default: _aten.new_zeros.default,
    _aten.ones.default: _aten.new_ones.default,
    _aten.full.default: _aten.new_full.default,
}
_RANGES: Final = (_aten.arange.default, _aten.arange.start, _aten.arange.start_step)


def plain_factories(graph: GraphModule) -> None:
    """Make zeros, ones, full and arange of a symbolic size from the tensor that has the size."""
    for node in list(graph.graph.nodes):
        sizes = [n for n in node.all_input_nodes if n.target is _aten.sym_size.int]
        if not sizes:
            continue
        new = _FACTORIES.get(node.target)
        if new is not None:
            dtype = node.meta["val"].dtype
            node.target, node.args = new, (sizes[0].args[0], *node.args)
            node.kwargs = {"dtype": dtype}
        elif node.target in _RANGES:
            _count(graph, node, sizes[0])


def _count(graph: GraphModule, node: Node, size: Node) -> None:
    """Write ``arange`` up to a size as a running sum of ones, from 0 to the size less 1."""
    args = list(node.args)
    start, end, step = args if len(args) == 3 else [*([0] if len(args) == 1 else []), *args, 1]
    if (start, step) != (0, 1) or end is not size:
        return
    with graph.graph.inserting_before(node):
        ones = _add(graph, node, _aten.new_ones.default, (size.args[0], [size]), torch.int64)
        summed = _add(graph, node, _aten.cumsum.default, (ones, 0))
        counted = _add(graph, node, _aten.sub.Tensor, (summed, 1))
        if node.meta["val"].dtype != torch.int64:
            counted = _add(graph, node, _aten.to.dtype, (counted, node.meta["val"].dtype))
    node.replace_all_uses_with(counted)
    graph.graph.erase_node(node)


def _add(
    graph: GraphModule, like: Node, target: Any, args: tuple[Any, ...], dtype: Any = None
) -> Node:
    """Add a node of the layer that another comes from."""
    made = graph.graph.create_node(
        "call_function", target, args, {} if dtype is None else {"dtype": dtype}
    )
    made.meta = dict(like.meta)
    given = torch.fx.node.map_arg((made.args, made.kwargs), lambda node: node.meta["val"])
    with like.meta["val"].fake_mode:
        made.meta["val"] = target(*given[0], **given[1])
    return made
