"""The results of operators with several, in the order and number that every export gives.

torch.export writes one getitem for each result, read or not, straight behind its operator. PT2E
puts quantize and dequantize between them, and what nobody reads is dropped; so a second export,
which a ``.pt2`` file is, would have other nodes in another order than the graph that it came from.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.fx import GraphModule


def in_order(graph: GraphModule) -> GraphModule:
    """Put the parts that are read straight behind their operator, by index; drop the others."""
    for whole in list(graph.graph.nodes):
        parts = [user for user in whole.users if user.target is operator.getitem]
        for part in sorted(parts, key=lambda part: int(part.args[1]), reverse=True):
            if part.users:
                whole.append(part)
            else:
                graph.graph.erase_node(part)
    graph.recompile()
    return graph
