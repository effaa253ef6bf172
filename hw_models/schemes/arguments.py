"""What the requantizers accept as parameters: scalars, or one value per channel."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array
from hw_models.errors import ContractError
from hw_models.formats import is_int

Ints: TypeAlias = int | tuple[int, ...]
Floats: TypeAlias = float | tuple[float, ...]


def integers(value: object, name: str, low: int, high: int) -> Ints:
    """Normalise a scalar or a 1-D sequence to an int or a tuple of ints in low..high."""
    accepted = f"an integer or a 1-D sequence of integers in {low}..{high}"
    if is_int(value):
        result: Ints = int(value)  # type: ignore[call-overload]  # is_int is no TypeGuard
    else:
        array = as_array(value, name)
        if array.ndim > 1 or array.size == 0 or array.dtype.kind not in "iu":
            raise ContractError(f"{name} must be {accepted}, not {value!r} (accepted: {accepted})")
        result = int(array) if array.ndim == 0 else tuple(array.tolist())
    for index, item in enumerate(result if isinstance(result, tuple) else (result,)):
        if not low <= item <= high:
            raise ContractError(
                f"{name} must be in {low}..{high}, not {item} at channel {index} "
                f"(accepted: {low}..{high})"
            )
    return result


def real_scales(scale: object, name: str, *, zero: bool) -> npt.NDArray[np.float64]:
    """Return finite scales above 0 (or, with ``zero``, from 0), a scalar or 1-D, as float64."""
    array = as_array(scale, name)
    accepted = f"finite numbers {'of at least' if zero else 'above'} 0, a scalar or 1-D"
    if array.ndim > 1 or array.size == 0 or array.dtype.kind not in "fiu":
        raise ContractError(f"{name} must be numbers, not {scale!r} (accepted: {accepted})")
    values = array.astype(np.float64)
    good = np.isfinite(values) & ((values >= 0) if zero else (values > 0))
    if not good.all():
        bad = values.reshape(-1)[int(np.argmin(good.reshape(-1)))]
        raise ContractError(f"{name} must be positive and finite, not {bad} (accepted: {accepted})")
    return values


def fixed_table(value: Ints | Floats, dtype: npt.DTypeLike, size: int = 1) -> npt.NDArray[Any]:
    """Return parameters as an array that nobody can change; scalars fill ``size``."""
    values = np.atleast_1d(np.asarray(value, dtype=dtype))
    table = np.broadcast_to(values, max(size, len(values))).copy()
    table.setflags(write=False)
    return table


def channels_of(*values: Ints | Floats) -> int:
    """Return the one length of the per-channel parameters, 0 when all are scalars."""
    lengths = {len(value) for value in values if isinstance(value, tuple)}
    if len(lengths) > 1:
        raise ContractError(
            f"the parameters of one requantizer must have one length, not {sorted(lengths)} "
            "(accepted: scalars, or one value per channel)"
        )
    return lengths.pop() if lengths else 0


def at(value: Ints, channel: int) -> int:
    """Return a channel's parameter."""
    return value[channel] if isinstance(value, tuple) else value
