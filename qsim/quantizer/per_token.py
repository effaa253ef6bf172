"""An observer whose tensor gets one scale and zero point for each row of its last dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torchao.quantization.pt2e import PlaceholderObserver

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten: Any = torch.ops.aten


class TokenObserver(PlaceholderObserver):  # type: ignore[misc]  # torchao carries no types
    """Writes what PT2E has no observer for: parameters per token, of any codes.

    The graph chooses them in the order of the formula ``torch``; the target's own order is for the
    lowered network.
    """

    def convert(self, model: GraphModule, observer_node: Node) -> None:
        """Put operators in the place of the observer; PT2E calls it."""
        graph, x = model.graph, observer_node.args[0]
        low, high = int(self.quant_min), int(self.quant_max)

        def add(target: Any, *args: Any, **kwargs: Any) -> Node:
            return graph.call_function(target, args, kwargs)

        with graph.inserting_before(observer_node):
            least = add(_aten.clamp.default, add(_aten.amin.default, x, [-1], True), None, 0.0)
            most = add(_aten.clamp.default, add(_aten.amax.default, x, [-1], True), 0.0)
            steps: float = high - low
            span = add(_aten.sub.Tensor, most, least)
            if self.qscheme == torch.per_tensor_symmetric:
                span = add(_aten.maximum.default, add(_aten.neg.default, least), most)
                steps /= 2
            scale = add(_aten.div.Tensor, span, steps)
            scale = add(_aten.clamp.default, scale, float(self.eps))
            below = add(_aten.round.default, add(_aten.div.Tensor, least, scale))
            zero: Node = add(_aten.rsub.Scalar, below, low)
            zero = add(_aten.clamp.default, zero, low, high)
            if self.qscheme == torch.per_tensor_symmetric:
                zero = add(_aten.full_like.default, scale, (low + high + 1) // 2)
            zero = add(_aten.to.dtype, zero, torch.int32)
            decomposed: Any = torch.ops.quantized_decomposed
            held = (scale, zero, low, high, self.dtype)
            codes = add(decomposed.quantize_per_token.default, x, *held)
            result = add(decomposed.dequantize_per_token.default, codes, *held, torch.float32)
            observer_node.replace_all_uses_with(result)
            graph.erase_node(observer_node)
