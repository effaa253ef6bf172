"""Checks of arguments that every primitive shares: each refuses with one line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models.errors import ContractError
from hw_models.formats import Accumulator, is_int
from hw_models.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_SHOWN = 80


def show(value: object) -> str:
    """Return a representation of one short line: NumPy's of an array has many."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def as_array(value: object, name: str) -> npt.NDArray[Any]:
    """Return value as an array in the machine's byte order, which kernels take.

    Nested sequences of unequal lengths have no shape.
    """
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError):
        raise ContractError(
            f"{name} must be an array of one shape, not {show(value)} "
            "(accepted: an array, or nested sequences of equal lengths)"
        ) from None
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def require_sizes(values: Sequence[int], name: str, low: int) -> tuple[int, ...]:
    """Return the sizes, one per dimension, or raise ContractError where one is out of range."""
    for item in values:
        if item < low:
            raise ContractError(
                f"{name} must be at least {low}, not {item} (accepted: {low} or more)"
            )
        if item >= 1 << 31:
            raise ContractError(
                f"{name} must be below 2**31, not {item} (accepted: {low}..2**31-1)"
            )
    return tuple(int(item) for item in values)


def require_accumulator(value: object) -> Accumulator:
    """Return value, or raise ContractError where it is no Accumulator."""
    if not isinstance(value, Accumulator):
        raise ContractError(
            f"accumulator must be an Accumulator, not {show(value)} "
            "(accepted: hw_models.Accumulator(bits, overflow, at, order))"
        )
    return value


def require_ledger(value: object) -> None:
    """Raise ContractError where value is neither a Ledger nor None."""
    if value is not None and not isinstance(value, Ledger):
        raise ContractError(
            f"ledger must be a Ledger, not {show(value)} (accepted: hw_models.Ledger(), or None)"
        )


def require_flag(value: object, name: str) -> None:
    """Raise ContractError where value is no bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise ContractError(f"{name} must be a bool, not {show(value)} (accepted: True or False)")


def require_name(value: object, name: str, names: Sequence[str]) -> None:
    """Raise ContractError where value is not one of the names."""
    if not (isinstance(value, str) and value in names):
        raise ContractError(
            f"{name} must be one of its names, not {show(value)} (accepted: {', '.join(names)})"
        )


def require_scale(value: object, name: str, kind: type[np.floating[Any]] = np.float64) -> float:
    """Return value as a float, or raise ContractError where it is not positive and finite.

    Its value in ``kind``, the type that computes with it, must be positive and finite too.
    """
    number = -1.0
    if is_int(value) or isinstance(value, (float, np.floating)):
        try:
            number = float(value)  # type: ignore[arg-type]  # is_int is no TypeGuard
        except OverflowError:
            number = math.inf
    with np.errstate(over="ignore", under="ignore"):
        held = float(kind(number))
    if not (0 < number < math.inf and 0 < held < math.inf):
        raise ContractError(
            f"{name} must be a positive finite number, not {show(value)} "
            f"(accepted: a number above 0 that a {kind.__name__} holds)"
        )
    return number


def axis_length(shape: tuple[int, ...], axis: object) -> int:
    """Return the length of a dimension; 0 where axis names none (which require_axis refuses)."""
    if not is_int(axis):
        return 0
    index = int(axis)  # type: ignore[call-overload]  # is_int is no TypeGuard
    return shape[index] if -len(shape) <= index < len(shape) else 0
