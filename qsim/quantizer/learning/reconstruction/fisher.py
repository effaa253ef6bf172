"""How much a change of each element of a tensor changes what the float network says.

The diagonal of the Fisher information, which BRECQ (Li et al. 2021, arXiv:2102.05426, equation 10)
puts in the place of the Hessian: ``E[(d log p(y | x) / dz)**2]`` with y drawn from what the network
itself says of x. Of outputs that are no scores of classes the likelihood is Gaussian, and it is the
diagonal of ``J^T J``, estimated with one draw for each sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.fx import GraphModule, Node

    from qsim.quantizer.learning.reconstruction.parts import Part

from qsim.quantizer.learning.reconstruction.parts import compute


def fisher(
    graph: GraphModule,
    later: Sequence[Part],
    result: Node,
    values: dict[Node, Any],
    generator: torch.Generator,
) -> torch.Tensor:
    """Return the weight of each element of a result, with mean 1.

    Args:
        graph: computes in float.
        later: its parts behind the result.
        result: the tensor.
        values: of one batch, the result among them.
        generator: of what is drawn.
    """
    held = values[result].detach().requires_grad_()
    known = {**values, result: held}
    with torch.enable_grad():
        for part in later:
            compute(graph, part, known)
        outputs = [
            each
            for each in _pytree.tree_leaves(known[later[-1].nodes[-1]])
            if isinstance(each, torch.Tensor) and each.is_floating_point() and each.requires_grad
        ]
        if not outputs:
            return torch.ones_like(held)
        (slope,) = torch.autograd.grad(sum(_drawn(each, generator) for each in outputs), held)  # type: ignore[arg-type]
    weight = slope.square()
    mean = weight.mean()
    return weight / mean if float(mean) > 0.0 else torch.ones_like(weight)


def _drawn(output: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the logarithm of the likelihood of what is drawn from an output."""
    if output.dim() == 2 and output.shape[1] > 1:
        scores = torch.log_softmax(output, dim=1)
        labels = torch.multinomial(scores.detach().exp(), 1, generator=generator)
        return scores.gather(1, labels).sum()
    noise = torch.randn(output.shape, generator=generator, dtype=output.dtype)
    return (output * noise).sum()
