"""A pass over average pools whose window is larger than their input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qsim.graph import nodes

if TYPE_CHECKING:
    from torch.fx import GraphModule

_aten = torch.ops.aten
_POOLS = {_aten.avg_pool1d.default: 1, _aten.avg_pool2d.default: 2, _aten.avg_pool3d.default: 3}


def whole_windows(graph: GraphModule) -> None:
    """Cut windows to their input where ``ceil_mode`` lets them reach beyond it.

    The one window of such a pool takes all, and is divided by what lies within: transformers'
    EfficientNet takes its global mean so, by a kernel as wide as its channels.
    """
    for node in graph.graph.nodes:
        rank, dims = _POOLS.get(node.target), nodes.shape(node.args[0] if node.args else None)
        if rank is None or dims is None or nodes.argument(node, 4, "ceil_mode", False) is not True:
            continue
        padded = any(nodes.per_dimension(nodes.argument(node, 3, "padding", 0) or 0, rank))
        if padded or nodes.argument(node, 6, "divisor_override") is not None:
            continue
        kernel = nodes.per_dimension(nodes.argument(node, 1, "kernel_size"), rank)
        stride = nodes.per_dimension(nodes.argument(node, 2, "stride") or kernel, rank)
        sizes = dims[-rank:]
        if any(k > size for k, size in zip(kernel, sizes, strict=True)) and all(
            isinstance(size, int) and k >= size for k, size in zip(kernel, sizes, strict=True)
        ):
            node.args = (node.args[0], list(sizes), stride)
            node.kwargs = {}
