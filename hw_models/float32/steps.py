"""One step of IEEE 754 binary32: the definitions of the float32 primitives are chains of these.

Sums, products, quotients and roots of float32 numbers may be taken in binary64 and rounded once
more: 53 bits are more than twice 24 and two, so the second rounding changes nothing. A fused
multiply-add may not; it is exact here.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from hw_models.floats import nearest32


def f32(value: float) -> float:
    """Round to float32, halves to even; too large is infinite."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return float(np.float32(value))


def divide(a: float, b: float) -> float:
    """``f32(a / b)``, as the standard divides by 0."""
    with np.errstate(all="ignore"):
        return float(np.float32(a) / np.float32(b))


def fused(a: float, b: float, c: float) -> float:
    """``f32(a * b + c)`` with one rounding."""
    if not all(map(math.isfinite, (a, b, c))):
        return f32(a * b + c)
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    # An exact 0 has a sign: that of both addends, else plus.
    return nearest32(exact) if exact else a * b + c
