"""Elementwise arithmetic where ExecuTorch's kernels round, or treat a zero, otherwise than torch.

* A sum with a factor rounds twice; torch fuses the two.
* A quotient by one number is a product with its reciprocal.
* ``div`` that rounds down divides what ``fmod`` leaves, and does not round the quotient again.
* ``abs`` keeps -0.0, ``sign`` keeps NaN.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch

from qsim.executorch.interpreter.portable.types import Definition, array, float32, tensor


def _scaled_sum(
    x: torch.Tensor, y: torch.Tensor, sign: int, alpha: float
) -> tuple[torch.Tensor] | None:
    if alpha == 1 or not float32(x, y):
        return None
    scaled = y * alpha
    return (x + scaled if sign > 0 else x - scaled,)


def _add(x: torch.Tensor, y: torch.Tensor, *, alpha: float = 1) -> tuple[torch.Tensor] | None:
    return _scaled_sum(x, y, 1, alpha)


def _sub(x: torch.Tensor, y: torch.Tensor, *, alpha: float = 1) -> tuple[torch.Tensor] | None:
    return _scaled_sum(x, y, -1, alpha)


def _div(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor] | None:
    if not float32(x, y) or y.numel() != 1 or x.numel() == 1:
        return None
    return (x * y.reciprocal(),)


def _div_mode(
    x: torch.Tensor, y: torch.Tensor, *, rounding_mode: str | None
) -> tuple[torch.Tensor] | None:
    if rounding_mode != "floor" or not float32(x, y):
        return None
    with np.errstate(all="ignore"):
        a, b = np.broadcast_arrays(array(x), array(y))
        rest = np.fmod(a, b)
        quotient = (a - rest) / b
        below = (rest != 0) & (np.signbit(b) != np.signbit(rest))
        return (tensor(np.where(below, quotient - np.float32(1), quotient)),)


def _abs(x: torch.Tensor) -> tuple[torch.Tensor] | None:
    return (torch.where(x < 0, -x, x),) if float32(x) else None


def _sign(x: torch.Tensor) -> tuple[torch.Tensor] | None:
    return (torch.where(x.isnan(), x, x.sign()),) if float32(x) else None


def _sqrt(x: torch.Tensor) -> tuple[torch.Tensor] | None:
    if not float32(x):
        return None
    with np.errstate(invalid="ignore"):
        return (tensor(np.sqrt(array(x))),)  # rounded right; torch's vectors are not always


DEFINITIONS: Final = {
    "add.out": Definition(_add),
    "sub.out": Definition(_sub),
    "div.out": Definition(_div),
    "div.out_mode": Definition(_div_mode),
    "abs.out": Definition(_abs),
    "sign.out": Definition(_sign),
    "sqrt.out": Definition(_sqrt),
}
