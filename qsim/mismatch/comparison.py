"""Comparison of arrays of integers or of float32 to the bit, and how a difference is shown.

Nothing is tolerated unless the caller writes the tolerance down, and then the report says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.errors import InputError
from qsim.mismatch.histogram import Bin, histogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.program import Array

WIDTH: Final = 100
_AXES: Final = ("n", "c", "h", "w")
_BAR: Final = 30


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first element that differs, and how the others do.

    Attributes:
        index: of the first differing element, in C order; empty where ``reason`` is set.
        expected, actual: its two values; ``actual`` is text where a simulator gave x or z, and
            both are float32 numbers where ``unit`` is ULP.
        count: how many elements differ.
        total: how many were compared.
        histogram: of actual - expected over the differing elements, ascending.
        bits: width of the two's complement in which values are shown as hex.
        cycle: clock cycle in which the element came out; None where there is no clock.
        tolerance: differences up to this one were accepted.
        unit: what differences are counted in: ``LSB``, or ``ULP`` (neighbours among float32
            numbers; -0.0 stands next to 0.0) where the arrays hold float32.
        reason: why the arrays could not be compared element by element (shape, dtype), else "".
    """

    index: tuple[int, ...]
    expected: int | float
    actual: int | float | str
    count: int
    total: int
    histogram: tuple[Bin, ...] = ()
    bits: int = 64
    cycle: int | None = None
    tolerance: int = 0
    reason: str = ""
    unit: str = "LSB"

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        return {
            "index": list(self.index),
            "expected": _plain(self.expected),
            "actual": _plain(self.actual),
            "expected_hex": to_hex(self.expected, self.bits),
            "actual_hex": to_hex(self.actual, self.bits),
            "count": self.count,
            "total": self.total,
            "histogram": [[part.low, part.high, part.count] for part in self.histogram],
            "cycle": self.cycle,
            "tolerance": self.tolerance,
            "reason": self.reason,
        }

    def lines(self) -> list[str]:
        """Return the difference as text, in lines of at most 100 columns."""
        if self.reason:
            return [line[:WIDTH] for line in self.reason.splitlines()]
        at = "" if self.cycle is None else f", in cycle {self.cycle:,}"
        wide = max(len(str(self.expected)), len(str(self.actual)))
        share = f"{self.count:,} of {self.total:,} elements differ"
        if self.tolerance:
            share += f" by more than the tolerance of {self.tolerance} {self.unit}"
        parts = [
            f"first difference at {show_index(self.index)}{at}",
            f"  expected  {self.expected!s:>{wide}}  {to_hex(self.expected, self.bits)}",
            f"  actual    {self.actual!s:>{wide}}  {to_hex(self.actual, self.bits)}",
            share,
        ]
        if self.histogram:
            parts += [f"actual - expected, in {self.unit}:", *_rows(self.histogram)]
        return [part[:WIDTH] for part in parts]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def compare(
    expected: Array, actual: Array, *, bits: int | None = None, tolerance: int = 0
) -> Mismatch | None:
    """Compare two arrays of integers, or of float32, by their bits unless a tolerance is given.

    Args:
        expected: what is right, of any shape.
        actual: what came out; another shape or dtype is a difference of its own.
        bits: width of the format, for the hexadecimal digits; that of the dtype if None.
        tolerance: largest accepted ``|actual - expected|``, in LSB (float32: in ULP).

    Returns:
        The first difference, or None.

    Raises:
        InputError: an array that does not hold integers, or a negative tolerance.
    """
    for name, array in (("expected", expected), ("actual", actual)):
        if not isinstance(array, np.ndarray) or not _compared(array.dtype):
            found = getattr(array, "dtype", type(array).__name__)
            raise InputError(
                f"{name} must hold integers or float32, not {found}", accepted="a NumPy array"
            )
    if tolerance < 0:
        raise InputError(f"tolerance must not be negative: {tolerance}", accepted="0 or more")
    reason = _reason(expected, actual)
    if reason:
        return Mismatch((), 0, 0, 0, expected.size, reason=reason, tolerance=tolerance)
    if expected.dtype.kind == "f":
        return _float_difference(expected, actual, tolerance)
    if tolerance == 0 and np.array_equal(expected, actual):
        return None
    wide = expected.dtype.itemsize * 8 if bits is None else bits
    return _difference(expected, actual, wide, tolerance)


def _compared(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iub" or dtype == np.float32


def _plain(value: float | str) -> float | str:
    """Return a value as JSON has it: what is no number there, as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _float_difference(expected: Array, actual: Array, tolerance: int) -> Mismatch | None:
    """Compare float32 arrays by their bits, as integers in the order of the numbers."""
    found = _difference(_ordered(expected), _ordered(actual), 32, tolerance)
    if found is None:
        return None
    return replace(
        found,
        expected=float(expected[found.index]),
        actual=float(actual[found.index]),
        unit="ULP",
    )


def _ordered(array: Array) -> Array:
    """Return the bits of float32 numbers as integers that ascend with the numbers."""
    bits = np.ascontiguousarray(array).view(np.int32).reshape(array.shape).astype(np.int64)
    return np.where(bits < 0, -1 - (bits & 0x7FFFFFFF), bits)


def _reason(expected: Array, actual: Array) -> str:
    if expected.shape != actual.shape:
        return f"shape differs\n  expected  {expected.shape}\n  actual    {actual.shape}"
    if expected.dtype != actual.dtype:
        return f"dtype differs\n  expected  {expected.dtype}\n  actual    {actual.dtype}"
    return ""


def _difference(expected: Array, actual: Array, bits: int, tolerance: int) -> Mismatch | None:
    wrong, right = _wide(actual).reshape(-1), _wide(expected).reshape(-1)
    above = wrong > right
    # Two values of one dtype differ by less than 2**64: subtraction modulo 2**64 is the distance.
    left, other = wrong.view(np.uint64), right.view(np.uint64)
    distance = np.where(above, left - other, other - left)
    places = np.flatnonzero(distance > np.uint64(tolerance))
    if not len(places):
        return None
    first = int(places[0])
    index = tuple(int(i) for i in np.unravel_index(first, expected.shape)) if expected.ndim else ()
    return Mismatch(
        index=index,
        expected=int(right[first]),
        actual=int(wrong[first]),
        count=len(places),
        total=expected.size,
        histogram=histogram(distance[places], above[places]),
        bits=bits,
        tolerance=tolerance,
    )


def _wide(array: Array) -> Array:
    return array.astype(np.uint64 if array.dtype.kind == "u" else np.int64)


def _rows(bins: Sequence[Bin]) -> list[str]:
    names = [f"{b.low:+d}" if b.low == b.high else f"{b.low:+d} .. {b.high:+d}" for b in bins]
    most = max(part.count for part in bins)
    wide, digits = max(map(len, names)), len(f"{most:,}")
    return [
        f"  {name:>{wide}}  {part.count:>{digits},}  {'#' * max(1, _BAR * part.count // most)}"
        for name, part in zip(names, bins, strict=True)
    ]


def show_index(index: Sequence[int]) -> str:
    """Return an index as ``[0, 3]``, with the names of its axes where it is 4-D."""
    if len(index) != len(_AXES):
        return f"[{', '.join(map(str, index))}]"
    return ", ".join(f"{axis}={value}" for axis, value in zip(_AXES, index, strict=True))


def to_hex(value: float | str, bits: int) -> str:
    """Return the two's complement of a width in hex, or the bits of a float32; text as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"0x{value & ((1 << bits) - 1):0{-(-bits // 4)}x}"
    return f"0x{int(np.float32(value).view(np.uint32)):08x}"
