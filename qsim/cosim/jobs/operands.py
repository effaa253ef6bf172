"""How wide the RTL's operands are: as the target says, so that a network's calls share a unit.

A call may hold codes that the target's format does not (directed vectors of another format, a
padding code outside it): then the unit is as wide as that call needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hw_models import FixedFormat
    from qsim.program import Array
    from qsim.target import Target


@dataclass(frozen=True, slots=True)
class Width:
    """A register for codes: its bits, and whether they are two's complement."""

    bits: int
    signed: bool

    def holds(self, low: int, high: int) -> bool:
        """Return whether every code in low..high fits."""
        if self.signed:
            return -(1 << (self.bits - 1)) <= low and high < 1 << (self.bits - 1)
        return low >= 0 and high < 1 << self.bits


def code_width_of(target: Target, form: FixedFormat) -> Width:
    """Return the width of the target's activations, or of a format that they do not hold."""
    return width_of((target.input.format, form), [form.min, form.max])


def width_of(formats: Iterable[FixedFormat], codes: Iterable[Array | int]) -> Width:
    """Return the first format's width that holds all codes, or the narrowest that does.

    Args:
        formats: preferred first.
        codes: arrays of any shape, or single codes.
    """
    bounds = [0]
    for item in codes:
        if isinstance(item, int):
            bounds.append(item)
        elif item.size:
            bounds += [int(item.min()), int(item.max())]
    low, high = min(bounds), max(bounds)
    for format_ in formats:
        width = Width(int(format_.bits), format_.signed)
        if width.holds(low, high):
            return width
    bits = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0)
    return Width(bits + 1, signed=True) if low < 0 else Width(max(bits, 1), signed=False)
