"""Sigmoid: a table whose result has a scale that no data changes."""

from __future__ import annotations

from typing import Final

from qsim.lowering import lower_table
from qsim.patterns.curves.unary import check, primitives, why
from qsim.registry import Pattern


def unit_interval(low: int, high: int, scheme: str) -> tuple[float, int]:
    """Return the parameters of 0..1: all codes where there is a zero point, else those above 0."""
    if scheme == "asymmetric" and high - low < 1 << 15:
        return 2.0 ** -((high - low).bit_length()), low
    return 2.0 ** -high.bit_length(), 0


PATTERN: Final = Pattern(
    name="sigmoid",
    overloads=("sigmoid.default",),
    primitives=primitives,
    lower=lower_table,
    check=check,
    why=why,
    fixed=unit_interval,
)
