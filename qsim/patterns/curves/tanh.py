"""Tanh: a table whose result has a scale that no data changes."""

from __future__ import annotations

from typing import Final

from qsim.lowering import lower_table
from qsim.patterns.curves.unary import check, primitives, why
from qsim.registry import Pattern


def _both_signs(low: int, high: int, scheme: str) -> tuple[float, int]:
    """Return the parameters of -1..1: TFLite's 1 / 128 and 0 for 8 bits, 2**-15 for 16."""
    if low < 0:
        return 2.0 ** -high.bit_length(), 0
    if scheme == "asymmetric":
        return 2.0 ** (1 - high.bit_length()), (high + 1) // 2
    return 2.0 ** -high.bit_length(), 0


PATTERN: Final = Pattern(
    name="tanh",
    overloads=("tanh.default",),
    primitives=primitives,
    lower=lower_table,
    check=check,
    why=why,
    fixed=_both_signs,
)
