"""Functions of each element, and softmax: the C library's, in float32 from end to end."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from qsim.executorch.interpreter.portable import loops
from qsim.executorch.interpreter.portable.libm import apply
from qsim.executorch.interpreter.portable.types import (
    Definition,
    array,
    axis_of,
    float32,
    same_shape,
    tensor,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsim.executorch.interpreter.portable.loops import Array

_ONE: Final = np.float32(1)
_HALF: Final = np.float32(0.5)
# C's constants are float64, and are rounded to float32 when they are used.
_ROOT_HALF: Final = np.float32(math.sqrt(0.5))
_BETA: Final = np.float32(math.sqrt(2) * (2 / math.sqrt(math.pi)) * 0.5)
_KAPPA: Final = np.float32(0.044715)


def _function(name: str, x: torch.Tensor) -> tuple[torch.Tensor] | None:
    return (tensor(apply(name, array(x))),) if float32(x) else None


def _sigmoid(x: torch.Tensor) -> tuple[torch.Tensor] | None:
    if not float32(x):
        return None
    with np.errstate(over="ignore"):
        return (tensor(_ONE / (_ONE + apply("expf", -array(x)))),)


def _gelu(x: torch.Tensor, *, approximate: str = "none") -> tuple[torch.Tensor] | None:
    if not float32(x) or approximate not in ("none", "tanh"):
        return None
    a = array(x)
    with np.errstate(all="ignore"):
        if approximate == "tanh":
            inner = _BETA * (a + _KAPPA * (a * a * a))
            return (tensor(_HALF * a * (_ONE + apply("tanhf", inner))),)
        return (tensor(a * _HALF * (_ONE + apply("erff", a * _ROOT_HALF))),)


def _elu(
    x: torch.Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1
) -> tuple[torch.Tensor] | None:
    if not float32(x):
        return None
    a = array(x)
    low, high, slope = (np.float32(factor) for factor in (alpha * scale, scale, input_scale))
    with np.errstate(all="ignore"):
        return (tensor(np.where(a >= 0, a * high, apply("expm1f", a * slope) * low)),)


def _binary(
    name: str, x: torch.Tensor | float, y: torch.Tensor | float
) -> tuple[torch.Tensor] | None:
    operands = [value for value in (x, y) if isinstance(value, torch.Tensor)]
    if not float32(*operands):
        return None
    a, b = (
        array(value) if isinstance(value, torch.Tensor) else np.float32(value) for value in (x, y)
    )
    return (tensor(apply(name, np.asarray(a), np.asarray(b))),)


def _remainder(x: torch.Tensor | float, y: torch.Tensor | float) -> tuple[torch.Tensor] | None:
    made = _binary("fmodf", x, y)
    if made is None:
        return None
    (rest,) = made
    return (torch.where((rest != 0) & ((rest < 0) != (torch.as_tensor(y) < 0)), rest + y, rest),)


def _over_rows(x: torch.Tensor, dim: int, compute: Callable[[Array], Array]) -> torch.Tensor:
    """Compute on rows ``[R, K]`` of one dimension, the other dimensions in their order."""
    axis = axis_of(x, dim)
    moved = x.movedim(axis, -1) if x.dim() else x.reshape(1)
    with np.errstate(all="ignore"):
        rows = compute(array(moved).reshape(-1, moved.shape[-1]))
    made = tensor(rows.reshape(moved.shape))
    return made.movedim(-1, axis) if x.dim() else made.reshape(())


def _softmax_rows(rows: Array) -> Array:
    powers = apply("expf", rows - rows.max(1, keepdims=True))
    return np.asarray(powers / loops.in_order(powers)[:, None])


def _softmax(x: torch.Tensor, dim: int, half_to_float: bool) -> tuple[torch.Tensor] | None:
    if not float32(x) or half_to_float or not x.numel():
        return None
    return (_over_rows(x, dim, _softmax_rows),)


def _log_softmax_rows(rows: Array, *, last: bool) -> Array:
    largest = rows.max(1, keepdims=True)
    powers = apply("expf", rows - largest)
    # Along the memory the kernel adds by lanes of a vector, across it one row after another.
    total = loops.by_lanes(powers, tail_in_lanes=True) if last else loops.in_order(powers)
    return np.asarray(rows - largest - apply("logf", total)[:, None])


def _log_softmax(x: torch.Tensor, dim: int, half_to_float: bool) -> tuple[torch.Tensor] | None:
    if not float32(x) or half_to_float or not x.numel():
        return None
    if not x.dim():
        return (torch.zeros(()),)
    last = axis_of(x, dim) == x.dim() - 1
    return (_over_rows(x, dim, partial(_log_softmax_rows, last=last)),)


_NAMES: Final = """
acos acosh asin asinh atan atanh cos cosh erf exp expm1 log log10 log1p log2 sin sinh tan tanh
"""
DEFINITIONS: Final = {
    **{f"{name}.out": Definition(partial(_function, f"{name}f")) for name in _NAMES.split()},
    "sigmoid.out": Definition(_sigmoid),
    "gelu.out": Definition(_gelu),
    "elu.out": Definition(_elu),
    "pow.Scalar_out": Definition(partial(_binary, "powf")),
    "pow.Tensor_Scalar_out": Definition(partial(_binary, "powf")),
    "pow.Tensor_Tensor_out": Definition(partial(_binary, "powf")),
    "atan2.out": Definition(partial(_binary, "atan2f")),
    "fmod.Scalar_out": Definition(partial(_binary, "fmodf")),
    "fmod.Tensor_out": Definition(partial(_binary, "fmodf")),
    "remainder.Scalar_out": Definition(_remainder),
    "remainder.Tensor_out": Definition(_remainder),
    "_softmax.out": Definition(_softmax, same_shape),
    "_log_softmax.out": Definition(_log_softmax, same_shape),
}
