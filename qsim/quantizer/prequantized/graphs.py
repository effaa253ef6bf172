"""Graphs that hold codes already: recognised, and freed of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import attribute, is_parameter
from qsim.registry import Reason

if TYPE_CHECKING:
    import torch
    from torch.fx import Graph, GraphModule, Node

_LEFT: Final = Reason("", "it reads no codes: who quantized the model left it in float32")
_LIBRARY: Final = "quantized_decomposed."


def holds_codes(graph: Graph | None) -> bool:
    """Return whether a graph, if there is one, quantizes or dequantizes."""
    return graph is not None and any(str(node.target).startswith(_LIBRARY) for node in graph.nodes)


def in_float(graph: GraphModule) -> dict[str, Reason]:
    """Return why the operators that read no codes compute in float32, by their names."""
    return {
        node.name: _LEFT
        for node in graph.graph.nodes
        if node.op == "call_function" and not any(map(_dequantizes, node.all_input_nodes))
    }


def _dequantizes(node: Node) -> bool:
    return str(node.target).startswith(f"{_LIBRARY}dequantize")


def with_constant_codes(graph: GraphModule) -> GraphModule:
    """Let a constant that the graph quantizes be its codes, as weights are; return the graph."""
    for node in list(graph.graph.nodes):
        quantizes = str(node.target).startswith(f"{_LIBRARY}quantize_per_")
        if quantizes and all(map(is_parameter, node.all_input_nodes)):
            node.replace_all_uses_with(_constant(graph, node, "codes"))
            graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def without_codes(graph: GraphModule) -> GraphModule:
    """Return the float graph of a Q/DQ graph, on the graph itself: the same names, no codes.

    Constants have the values that their codes stand for.
    """
    for node in list(graph.graph.nodes):
        if not _dequantizes(node):
            continue
        source: Any = node.args[0]
        value = _constant(graph, node, "real") if is_parameter(source) else source.args[0]
        node.replace_all_uses_with(value)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _constant(graph: GraphModule, node: Node, what: str) -> Node:
    from torch.fx.node import map_arg

    from qsim.quantizer.passes import add_constant

    held: Any = map_arg((node.args, node.kwargs), lambda each: attribute(graph, each))
    target: Any = node.target
    value: torch.Tensor = target(*held[0], **held[1])
    return add_constant(graph, node, f"{node.name}_{what}", value)
