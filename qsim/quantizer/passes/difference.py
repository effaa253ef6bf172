"""A pass over ``diff``: differences of neighbours are two slices and a subtraction.

A file may not name ``diff`` itself, which repeats what it does as often as a number says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.quantizer.rewriting import insert, replace

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
_END: Final = 2**63 - 1
_MOST: Final = 8  # times that differences are taken of differences


def plain_differences(graph: GraphModule) -> None:
    """Write ``diff`` as slices and ``sub``, or ``logical_xor`` of bools."""
    for node in list(graph.graph.nodes):
        times, dim = nodes.argument(node, 1, "n", 1), nodes.argument(node, 2, "dim", -1)
        if node.target is not _aten.diff.default or not isinstance(times, int) or times > _MOST:
            continue
        replace(graph, node, _difference(graph, node, times, dim))


def _difference(graph: GraphModule, node: Node, times: int, dim: int) -> Any:
    ends = [nodes.argument(node, 3, "prepend"), node.args[0], nodes.argument(node, 4, "append")]
    pieces = [piece for piece in ends if piece is not None]
    made: Any = node.args[0]
    if len(pieces) > 1:
        made = insert(graph, node, _aten.cat.default, pieces, dim)
    bools = node.meta["val"].dtype == torch.bool
    minus = _aten.logical_xor.default if bools else _aten.sub.Tensor
    for _ in range(times):
        later = insert(graph, node, _aten.slice.Tensor, made, dim, 1, _END)
        sooner = insert(graph, node, _aten.slice.Tensor, made, dim, 0, -1)
        made = insert(graph, node, minus, later, sooner)
    return made
