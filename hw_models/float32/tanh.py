"""tanh in float32, correctly rounded.

Real-number meaning and definition: the float32 number nearest to ``tanh(x)``. No float32 number but
0 has a tanh that lies halfway between two: tanh of an algebraic number is transcendental.

The kernel computes in binary64, with sums, products and quotients alone, so that it makes the same
bits everywhere::

    up to 2**-12    x
    below 1         x / (1 + z / (3 + z / (5 + ...))), z = x * x, ten levels (Lambert)
    below 9.011    1 - 2 / (exp(2 * x) + 1), exp by a Taylor polynomial of degree 15
    above           1

Its error stays below 2**-48 of the result; the soak computes every float32 number whose result lies
that near to the middle between two by the definition, in 120 digits: none rounds another way.

Corners: -0 and denormal numbers stay; tanh of +-infinity is +-1; NaN stays NaN.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, Final

import numpy as np

from hw_models.compiled import part
from hw_models.floats import nearest32

_DIGITS: Final = 120  # of the smallest numbers, 90 are lost
_SMALL: Final = 2.0**-12
_ONE_FROM: Final = 9.011
_LOG2_E: Final = math.log2(math.e)
_LN2_HIGH: Final = float.fromhex("0x1.62e42fefa0000p-1")
_LN2_LOW: Final = float.fromhex("0x1.cf79abc9e3b3ap-40")
_LEVELS: Final = 10
_DEGREE: Final = 15


def tanh_reference(x: float) -> float:
    """Return tanh of one float32 value, correctly rounded: the definition."""
    if math.isnan(x) or x == 0:
        return x
    if abs(x) > 2 * _ONE_FROM:
        return math.copysign(1.0, x)
    with localcontext() as context:
        context.prec = _DIGITS
        power = (2 * Decimal(x)).exp()
        return nearest32(Fraction((power - 1) / (power + 1)))


@part(error_model="numpy")
def tanh64(a: Any) -> Any:
    """Return tanh of a binary64 number of 2**-12 to 9.011, within 2**-48 of it."""
    if a < 1.0:
        z, below = a * a, 2.0 * _LEVELS + 1.0
        for level in range(_LEVELS - 1, -1, -1):
            below = 2.0 * level + 1.0 + z / below
        return a / below
    whole = np.rint(2.0 * a * _LOG2_E)
    r = (2.0 * a - whole * _LN2_HIGH) - whole * _LN2_LOW
    power = 1.0
    for n in range(_DEGREE, 0, -1):
        power = 1.0 + power * r / n
    for _ in range(int(whole)):
        power *= 2.0
    return 1.0 - 2.0 / (power + 1.0)


@part(error_model="numpy")
def tanh(x: Any) -> Any:
    """Return tanh of one float32 value."""
    a = abs(np.float64(x))
    if a <= _SMALL or a != a:  # NaN alone differs from itself
        return x
    y = np.float32(1.0) if a > _ONE_FROM else np.float32(tanh64(a))
    return -y if x < 0 else y
