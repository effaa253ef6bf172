"""``torch.take_along_dim`` as it is exported: indices without a batch leave the batch open.

torch broadcasts indices of size 1 against the batch and takes its size for a number. While a model
is exported, it reads by ``gather`` with indices that are expanded to the batch instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_FUNCTIONS = (torch.take_along_dim, torch.Tensor.take_along_dim)


class AlongDim(TorchFunctionMode):
    """Lets ``take_along_dim`` keep an open batch meanwhile."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or what stands for it."""
        del types
        kwargs = kwargs or {}
        if func in _FUNCTIONS and "out" not in kwargs:
            return _take(*args, **kwargs)
        return func(*args, **kwargs)


def _take(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:  # noqa: A002 - torch's
    if dim is None or indices.dim() != input.dim() or not -input.dim() <= dim < input.dim():
        return torch.take_along_dim(input, indices, dim)
    read: list[Any] = list(input.shape)
    sizes: list[Any] = list(indices.shape)
    for d, (had, given) in enumerate(zip(input.shape, indices.shape, strict=True)):
        if d == dim % input.dim():
            continue
        if _is_one(given):
            sizes[d] = had
        elif _is_one(had):
            read[d] = given
    return torch.gather(input.expand(read), dim, indices.expand(sizes))


def _is_one(size: Any) -> bool:
    # Of a symbol nothing is asked: the answer would be a guard.
    return isinstance(size, int) and size == 1
