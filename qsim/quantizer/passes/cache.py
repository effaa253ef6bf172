"""Pass over writes into caches: one spelling, ``index_copy``, for what one index says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.quantizer.rewriting import insert, replace

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
_RING: Final = "qsim_ring"  # for the pattern: positions count modulo the length of the cache


def plain_cache_writes(graph: GraphModule) -> None:
    """Write ``index_put`` with one index of one dimension as ``index_copy``, and note rings."""
    for node in list(graph.graph.nodes):
        if node.target is _aten.index_put.default:
            made = _copied(graph, node)
            if made is not None:
                replace(graph, node, made)
    for node in graph.graph.nodes:
        if node.target is _aten.index_copy.default:
            sizes = nodes.shape(node.args[0]) or ()
            axis, at = int(node.args[1]) % len(sizes), node.args[2]
            node.args = (node.args[0], axis, *node.args[2:])
            turns = at.target is _aten.remainder.Scalar and at.args[1] == sizes[axis]
            node.meta[_RING] = turns


def _copied(graph: GraphModule, node: Node) -> Any:
    cache, indices, rows = node.args[:3]
    given: Any = indices
    found = [(dim, index) for dim, index in enumerate(given) if index is not None]
    sizes, size = nodes.shape(cache), nodes.shape(rows)
    if len(found) != 1 or sizes is None or size is None or nodes.argument(node, 3, "accumulate"):
        return None
    ((dim, at),) = found
    where = nodes.shape(at)
    if where is None or len(where) > 1 or at.meta["val"].dtype not in (torch.int64, torch.int32):
        return None
    new: Any = rows
    if not where:  # one row, whose dimension the index has taken away
        at = insert(graph, node, _aten.unsqueeze.default, at, 0)
        if len(size) == len(sizes) - 1:
            new = insert(graph, node, _aten.unsqueeze.default, new, dim)
        elif len(size) > dim:
            return None
    wanted = [*sizes[:dim], where[0] if where else 1, *sizes[dim + 1 :]]
    if not all(isinstance(n, int) for n in wanted):
        return None
    missing = len(wanted) - len(nodes.shape(new) or ())
    for _ in range(missing):
        new = insert(graph, node, _aten.unsqueeze.default, new, 0)
    if list(nodes.shape(new) or ()) != wanted:
        new = insert(graph, node, _aten.expand.default, new, wanted)
    return insert(graph, node, _aten.index_copy.default, cache, dim, at, new)
