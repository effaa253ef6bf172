"""What depends on the positions of tokens alone becomes rows of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.graph import nodes
from qsim.quantizer.passes.positions.counted import Counted
from qsim.quantizer.passes.positions.tables import FOUND, KNOWN, Positions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.fx import GraphModule, Node

    from qsim.target import Target


def know_positions(graph: GraphModule, known: Mapping[str, int]) -> None:
    """Let the pass take positions as it did at another length; see :func:`dims_by_position`."""
    graph.meta[KNOWN] = known


def dims_by_position(graph: GraphModule) -> dict[str, int]:
    """Return how the pass took positions, by the names of nodes, for another length."""
    return dict(graph.meta.get(FOUND, {}))


def position_tables(graph: GraphModule, target: Target) -> None:
    """Make tables of what follows from positions alone, where the target reads rows of tables."""
    if not (target.has("embedding") and target.has("cache_write")):
        return
    for given in [node for node in graph.graph.nodes if node.op == "placeholder"]:
        if _are_positions(given) and not Positions(graph, given).run():
            Counted(graph, given).run()
    graph.graph.eliminate_dead_code()


def _are_positions(node: Node) -> bool:
    """Return whether an input holds integers, in one dimension or as one number for all."""
    sizes = nodes.shape(node)
    if sizes is None or nodes.kind(node) not in ("int64", "int32"):
        return False
    return all(isinstance(n, int) for n in sizes) and sum(n != 1 for n in sizes) <= 1
