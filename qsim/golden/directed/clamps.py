"""What the clamp of a requantizer must notice: values in which one upper bit decides.

Before the clamp lies a value far wider than the codes. Whether it fits them is a question to all of
its upper bits, and ordinary operands never ask it of one alone: a positive value with only bit k
set, a negative one with only bit k clear. Both limits on one side of 0 make every saturated code
differ from zero's and from the format's ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.golden.directed import vectors as v
from qsim.golden.directed.scales import FLOATS, Scale

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hw_models import FixedFormat
    from qsim.golden.directed.scales import Family


def limits(output: FixedFormat) -> Iterator[tuple[str, int, tuple[int, int]]]:
    """Give name, zero point and clamp of two calls: both limits low, and both high."""
    quarter = max((output.max - output.min + 1) // 4, 1)
    yield "limits-low", output.min + quarter, (output.min + 1, output.min + 2 * quarter - 1)
    yield "limits-high", output.max - quarter, (output.max + 1 - 2 * quarter, output.max - 1)


def unit_scales(family: Family) -> list[Scale]:
    """Return the scale 1 (of fixed point mostly -1, which is exact) and powers of two of it."""
    if family.kind in FLOATS:
        return [Scale(family, 1, 0)]
    if family.kind == "power_of_two":
        return [Scale(family, 1, shift) for shift in (0, -9)]
    if family.unsigned:
        n = family.bits - 2
        return [Scale(family, 1 << n, n - left) for left in (0, min(9, n - 2))]
    lowest = -(1 << (family.bits - 1))
    return [Scale(family, lowest, family.bits - 1 - left) for left in (0, min(9, family.bits - 1))]


def single_bits(scale: Scale, operands: tuple[int, int], bits: int) -> v.Sheet:
    """Return operands whose rescaled value has just one bit set, or just one clear.

    Args:
        scale: one of :func:`unit_scales`.
        operands: the smallest and the largest.
        bits: of the operands' format.
    """
    least, most = operands
    least, most = max(least, scale.rises_from), min(most, scale.rises_to)
    step = scale.apply(-1 if scale.negative else 1)  # the value of one operand
    sheet = v.Sheet()
    for k in range(bits + step.bit_length() - 1):
        for value in (1 << k, (1 << k) - 1, -(1 << k), -(1 << k) - 1):
            x = value // step
            x = -x if scale.negative else x
            if least <= x <= most:
                sheet.add(x, v.ONE_BIT)
    return sheet
