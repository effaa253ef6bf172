"""Scales and zero points of run time for each row of a tensor, in a graph that has them per tensor.

PT2E has no observer for them. What it writes (``choose_qparams``, and what reads its scale and zero
point) becomes plain operators that choose in the order of the formula ``torch``, and
``quantize_per_token``. The target's own order is for the lowered network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch.fx import Graph, GraphModule, Node

_aten: Any = torch.ops.aten
_decomposed: Any = torch.ops.quantized_decomposed
_SYMMETRIC: Any = _decomposed.choose_qparams_symmetric.tensor


def per_token(model: GraphModule) -> GraphModule:
    """Let every operand that is quantized at run time have one scale per row; return the graph."""
    graph = model.graph
    for node in list(graph.nodes):
        if node.target not in (_decomposed.choose_qparams.tensor, _SYMMETRIC):
            continue
        parts = sorted(node.users, key=lambda part: int(part.args[1]))
        quantize = next(iter(parts[0].users))
        dequantize = next(user for user in quantize.users)
        with graph.inserting_before(quantize):
            held = (*_choose(graph, node), *quantize.args[3:6])
            codes = graph.call_function(
                _decomposed.quantize_per_token.default, (quantize.args[0], *held)
            )
            real = graph.call_function(
                _decomposed.dequantize_per_token.default, (codes, *held, torch.float32)
            )
        dequantize.replace_all_uses_with(real)
        for old in (dequantize, quantize, *parts, node):
            graph.erase_node(old)
    model.recompile()
    return model


def _choose(graph: Graph, node: Node) -> tuple[Node, Node]:
    """Write the choice of scales and zero points, of x's shape with length 1 in the last one."""
    arguments: Any = node.args
    x, low, high, eps = arguments[:4]

    def add(target: Any, *args: Any) -> Node:
        return graph.call_function(target, args)

    least = add(_aten.clamp.default, add(_aten.amin.default, x, [-1], True), None, 0.0)
    most = add(_aten.clamp.default, add(_aten.amax.default, x, [-1], True), 0.0)
    if node.target is _SYMMETRIC:
        span = add(_aten.maximum.default, add(_aten.neg.default, least), most)
        scale = add(_aten.clamp.default, add(_aten.div.Scalar, span, (high - low) / 2), eps)
        zero = add(_aten.full_like.default, scale, (low + high + 1) // 2)
    else:
        span = add(_aten.sub.Tensor, most, least)
        scale = add(_aten.clamp.default, add(_aten.div.Scalar, span, float(high - low)), eps)
        below = add(_aten.round.default, add(_aten.div.Tensor, least, scale))
        place = add(_aten.add.Scalar, add(_aten.neg.default, below), low)
        zero = add(_aten.clamp.default, place, low, high)
    return scale, zero  # whole numbers in float32: a second export would spell a cast otherwise
