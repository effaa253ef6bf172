"""Connected regions of the nodes that a target takes, without cycles between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.fx.passes.infra.partitioner import CapabilityBasedPartitioner
from torch.fx.passes.operator_support import OperatorSupportBase

from qsim.errors import ModelError
from qsim.executorch.edge import is_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from torch.export import ExportedProgram
    from torch.fx import Node

    from qsim.executorch.compiling.support import Support


class _Taken(OperatorSupportBase):
    """Supports a given set of nodes."""

    def __init__(self, nodes: frozenset[Node]) -> None:
        self.nodes = nodes

    def is_node_supported(
        self,
        submodules: Mapping[str, torch.nn.Module],  # noqa: ARG002 - torch passes it
        node: Node,
    ) -> bool:
        """Return whether a node is in the set."""
        return node in self.nodes


def regions(program: ExportedProgram, nodes: frozenset[Node]) -> list[list[Node]]:
    """Return the connected regions of a set of nodes, in the graph's order.

    A region is cut where a value leaves it and comes back through a node outside.
    """
    order = {node: at for at, node in enumerate(program.graph.nodes)}
    found = CapabilityBasedPartitioner(
        program.graph_module,
        _Taken(nodes),
        allows_single_node_partition=True,
        skip_horizontal_fusion=True,
    ).propose_partitions()
    sorted_regions = [sorted(partition.nodes, key=order.__getitem__) for partition in found]
    return sorted(sorted_regions, key=lambda region: order[region[0]])


def whole_region(program: ExportedProgram, support: Support) -> list[list[Node]]:
    """Return all nodes that a target takes as one region.

    Raises:
        ModelError: the region would need a size that is read off one of its own tensors.
    """
    for node in program.graph.nodes:
        if is_size(node) and support.nodes.intersection(node.all_input_nodes):
            raise ModelError(
                f"{node.name} reads the size of a tensor inside",
                where="QsimPartitioner(whole=True)",
                accepted="sizes of inputs",
            )
    nodes = [node for node in program.graph.nodes if node in support.nodes]
    return [nodes] if nodes else []
