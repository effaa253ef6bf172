"""A pass over layers that are given the batch and other dimensions as one.

``linear(x.reshape(-1, C)).reshape(B, T, K)`` is ``linear(x)``: a function of the last dimension
does not ask how many dimensions stand before it. So the reshape moves behind such operators, one
after the other, until it meets the one that undoes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from qsim.graph import is_elementwise, nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.rewriting import insert, replace, static_sizes

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
_RESHAPES = frozenset({"reshape", "view", "_unsafe_view", "flatten", "unflatten"})


def batch_in_front(graph: GraphModule) -> None:
    """Move reshapes that mix the batch into another dimension behind functions of the last one."""
    for node in list(graph.graph.nodes):
        if nodes.operator_name(node) in _RESHAPES and node.op == "call_function":
            _join(graph, node)
        else:
            _sink(graph, node)


def _flattened(node: Any) -> Node | None:
    """Return the tensor of which a node joins all dimensions but the last, the batch among them."""
    if not isinstance(node, torch.fx.Node) or nodes.operator_name(node) not in _RESHAPES:
        return None
    source: Any = node.args[0]
    made, read = nodes.shape(node), nodes.shape(source)
    if made is None or read is None or len(made) != 2 or len(read) < 3:
        return None
    joined = not isinstance(made[0], int) and not isinstance(read[0], int)
    others = all(isinstance(size, int) for size in (*read[1:], made[1]))
    return source if joined and others and made[1] == read[-1] else None


def _sink(graph: GraphModule, node: Node) -> None:
    """Let an operator read what was flattened, and flatten its result."""
    sources = [source for read in node.all_input_nodes if (source := _flattened(read))]
    if not sources or len({str(nodes.shape(source)[:-1]) for source in sources}) != 1:  # type: ignore[index]
        return
    if not _is_of_last(node):
        return

    def given(item: Node) -> Node:
        return _flattened(item) or item

    if node.target is _aten.addmm.default:
        weight = nodes.attribute(graph, node.args[2]).t().contiguous()  # type: ignore[arg-type]
        held = add_constant(graph, node, f"{node.name}_weight", weight)
        made = insert(graph, node, _aten.linear.default, given(node.args[1]), held, node.args[0])  # type: ignore[arg-type]
    else:
        target = _aten.matmul.default if node.target is _aten.mm.default else node.target
        args = torch.fx.node.map_arg(node.args, given)
        if nodes.operator_name(node) == "softmax":
            args = (args[0], -1, *args[2:])
        kwargs: dict[str, Any] = dict(node.kwargs)
        made = insert(graph, node, target, *args, **kwargs)
    flat = insert(graph, node, _aten.reshape.default, made, [-1, nodes.shape(node)[-1]])  # type: ignore[index]
    replace(graph, node, flat)


def _is_of_last(node: Node) -> bool:
    """Return whether an operator computes every row of its flattened operands alike."""
    name = nodes.operator_name(node)
    others = [read for read in node.all_input_nodes if _flattened(read) is None]
    if not all(map(nodes.is_parameter, others)):
        return False
    if name == "linear":
        return _flattened(node.args[0]) is not None
    if name in ("mm", "matmul"):
        return nodes.is_parameter(node.args[1])
    if name == "addmm":
        plain = all(nodes.argument(node, 9, each, 1) == 1 for each in ("alpha", "beta"))
        vector = len(nodes.shape(node.args[0]) or (0, 0)) == 1
        return plain and vector and nodes.is_parameter(node.args[2])
    if name == "softmax":
        return nodes.argument(node, 1, "dim") in (1, -1)
    if name == "layer_norm":
        return len(node.args[1]) == 1  # type: ignore[arg-type]
    rows = ((nodes.shape(read) or (2,))[:-1] for read in others)
    return is_elementwise(node) and all(size == 1 for row in rows for size in row)


def _join(graph: GraphModule, node: Node) -> None:
    """Reshape what was flattened at once, or not at all where it has its shape."""
    source = _flattened(node.args[0])
    made = nodes.shape(node)
    sizes = None if source is None or made is None else static_sizes(made)
    if source is None or sizes is None or str(made[0]) != str(nodes.shape(source)[0]):  # type: ignore[index]
        return
    if str(made) == str(nodes.shape(source)):
        replace(graph, node, source)
    else:
        node.target, node.args, node.kwargs = _aten.reshape.default, (source, sizes), {}
