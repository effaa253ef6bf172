"""What the definitions of ExecuTorch's kernels share: their form, checks, and shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsim.executorch.interpreter.portable.loops import Array


@dataclass(frozen=True, slots=True)
class Definition:
    """How one operator is computed.

    Attributes:
        compute: from the arguments, out tensors left out, to the results in their order; None
            where torch's own kernel is to be asked. Raises ValueError or TypeError where the
            arguments do not fit.
        shapes: from the same, or from meta tensors, to the shapes of the results; refuses what
            does not fit. torch would take seconds to load what tells it these shapes. None where
            torch is asked.
    """

    compute: Callable[..., tuple[torch.Tensor, ...] | None]
    shapes: Callable[..., tuple[Sequence[int], ...]] | None = None


def demand(condition: bool, what: str) -> None:
    """Refuse arguments that do not fit."""
    if not condition:
        raise ValueError(what)


def float32(*tensors: torch.Tensor | None) -> bool:
    """Return whether all of these are float32; None counts as such."""
    return all(tensor is None or tensor.dtype == torch.float32 for tensor in tensors)


def array(tensor: torch.Tensor) -> Array:
    """Return the values in C order, copied only if they lie in another."""
    return tensor.contiguous().numpy()


def tensor(values: Array) -> torch.Tensor:
    """Return float32 values as a tensor of the same shape."""
    return torch.from_numpy(np.asarray(values))  # NumPy makes numbers of scalars


def axis_of(x: torch.Tensor, dim: int) -> int:
    """Return a dimension counted from the front; of a scalar, 0."""
    rank = max(x.dim(), 1)
    demand(-rank <= dim < rank, f"dimension {dim} of {x.dim()}")
    return dim % rank


def reduced_dims(x: torch.Tensor, dims: Sequence[int] | None) -> list[int]:
    """Return the dimensions that a reduction takes away; none stated means all."""
    rank = x.dim()
    for dim in dims or ():
        axis_of(x, dim)
    return sorted({dim % rank for dim in dims}) if dims and rank else list(range(rank))


def reduced_shape(
    x: torch.Tensor, dims: Sequence[int] | None = None, keepdim: bool = False
) -> tuple[int, ...]:
    """Return the shape that a reduction leaves."""
    reduced = reduced_dims(x, dims)
    sizes = [(1 if i in reduced else size, i in reduced) for i, size in enumerate(x.shape)]
    return tuple(size for size, gone in sizes if keepdim or not gone)


def same_shape(x: torch.Tensor, *_: Any, **__: Any) -> tuple[Sequence[int]]:
    """Return the shape of an operator whose result is like its first operand."""
    return (x.shape,)
