"""Batch norms that were folded into a convolution, trained with the statistics of their batches.

The graph has ``conv(x, w * g / d, b)``: the batch norm is folded, ``d = sqrt(variance + eps)`` of
the statistics that the model came with. While statistics are live, the weight that is quantized is
folded with the running ones, as it will be in the end, and what the convolution makes of it is
scaled to the statistics of the batch (Jacob et al. 2018, arXiv:1712.05877, section 3.2, with the
correction of Krishnamoorthi 2018, arXiv:1806.08342, section 3.2.2):

    z = conv(x, Q(w * g / d))
    y = (z - mean(z)) * d / sqrt(var(z) / (g / d)**2 + eps) + beta

One convolution, where the paper has two: the batch's statistics are those of the quantized weight.
Afterwards they stand: ``y = conv(x, Q(w * g / d), Q(beta + (b - mean) * g / d))``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.fx import GraphModule, Node

    from qsim.quantizer.passes import Norm

_TINY: Final = 1e-12


class LiveNorm(nn.Module):
    """What is trained of a folded batch norm and its convolution.

    Attributes:
        live: statistics are those of the batch; else the running ones.
    """

    mean: torch.Tensor
    variance: torch.Tensor

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        self.weight, self.bias, self.gamma, self.beta = (
            nn.Parameter(value.to(torch.float32))
            for value in (norm.weight, norm.bias, norm.gamma, norm.beta)
        )
        self.register_buffer("mean", norm.mean.to(torch.float32))
        self.register_buffer("variance", norm.variance.to(torch.float32))
        self._eps, self._momentum = norm.eps, norm.momentum
        self.live = True

    def folded_weight(self) -> torch.Tensor:
        """Return the weight with the running statistics in it."""
        return self.weight * self._factor().reshape([-1] + [1] * (self.weight.dim() - 1))

    def folded_bias(self) -> torch.Tensor:
        """Return the bias with the running statistics in it; zeros while they are live."""
        if self.live:
            return torch.zeros_like(self.bias)
        return self.beta + (self.bias - self.mean) * self._factor()

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return what the convolution made, with the batch's statistics while they are live."""
        if not self.live:
            return z
        others = [axis for axis in range(z.dim()) if axis != 1]
        mean, variance = z.mean(others), z.var(others, correction=0)
        factor = self._factor()
        known = torch.where(factor.abs() < _TINY, torch.ones_like(factor), factor)
        plain = variance / known.square()
        ratio = torch.sqrt((self.variance + self._eps) / (plain + self._eps))
        self._follow(mean.detach() / known.detach(), plain.detach(), z.numel() // z.shape[1])
        shape = [1, -1] + [1] * (z.dim() - 2)
        made: torch.Tensor = (z - mean.reshape(shape)) * ratio.reshape(shape)
        return made + self.beta.reshape(shape)

    def _factor(self) -> torch.Tensor:
        return self.gamma / torch.sqrt(self.variance + self._eps)

    def _follow(self, mean: torch.Tensor, variance: torch.Tensor, count: int) -> None:
        unbiased = variance * (count / max(count - 1, 1))
        # New tensors: those before are read by the backward pass of this step.
        self.mean = self.mean + self._momentum * (mean + self.bias.detach() - self.mean)
        self.variance = self.variance + self._momentum * (unbiased - self.variance)


def norms(graph: GraphModule) -> Iterator[tuple[Node, LiveNorm]]:
    """Give the operators into which a batch norm was folded, with it."""
    from qsim.graph import attribute
    from qsim.quantizer.passes import FOLDED

    for node in graph.graph.nodes:
        norm = node.meta.get(FOLDED)
        observed = node.all_input_nodes[1:3]
        if norm is None or [each.op for each in observed] != ["call_module"] * 2:
            continue
        # A rewrite may have given the operator another weight since.
        if attribute(graph, observed[0].all_input_nodes[0]).shape == norm.weight.shape:
            yield node, LiveNorm(norm)
