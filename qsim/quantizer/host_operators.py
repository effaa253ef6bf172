"""Whether what stays in torch may stand in a file: asked before the calibration, not after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.errors import ModelError
from qsim.graph import nodes, place
from qsim.network import encode_torch_step
from qsim.registry import patterns as registry

if TYPE_CHECKING:
    from collections.abc import Container

    from torch.fx import GraphModule, Node


def require_host_operators(graph: GraphModule, left: Container[str]) -> None:
    """Refuse a graph with an operator that no host step can be, although it stays in torch.

    Args:
        graph: before it is quantized.
        left: names of operators that were left in torch; those that no pattern takes always are.

    Raises:
        ModelError: names the layer, the line and the operator.
    """
    for node in graph.graph.nodes:
        taken = node.name not in left and registry.candidates(node.target)
        if node.op != "call_function" or not node.users or taken:
            continue
        inputs = node.all_input_nodes
        if inputs and all(map(nodes.is_parameter, inputs)):
            continue  # computed once, when the network is lowered
        try:
            encode_torch_step(node.target, node.args, node.kwargs, _reference)
        except ModelError as error:
            raise ModelError(
                f"{error.message} (it stays in torch)",
                where=place(node),
                accepted=error.accepted,
            ) from None


def _reference(node: Node) -> dict[str, str]:
    return {"constant" if nodes.is_parameter(node) else "tensor": node.name}
