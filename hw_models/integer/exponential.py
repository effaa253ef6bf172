"""I-BERT's exponential of numbers at or below 0 (algorithm 2 of arXiv 2101.01321).

Real-number meaning: ``exp(scale * x) ~ value(x) / one`` for ``x <= 0``.

Integer formula: with ``v = max(x * 2**left_shift, -30 * ln2)``, ``z = floor(-v / ln2)`` and
``r = v + z * ln2`` in ``-ln2 < r <= 0``, ``value = ((r + b) * r + one) >> z``.

The polynomial is ``0.35815147 p**2 + 0.96963238 p + 1`` over ``-ln 2..0`` (kssteven418/I-BERT and
transformers, models/ibert/quant_modules.py): divided by its first coefficient and by the square of
the lifted scale, its constants are integers, rounded down as there. I-BERT takes codes of 32 bits,
whose steps are fine; codes of 8 and 16 bits are shifted left first, so that a step is at most
2**-11, or right where it is below 2**-13 (and rounded down). Instead of I-BERT's left shift by ``30
- z`` the value is shifted right by z, as in the paper.

Corners: below -30 ln 2 the exponential is that of -30 ln 2, which is 0. Widths: x of 17 bits, v of
32, ln2 of 13, r of 14, b of 15, the polynomial of 28; nothing overflows.

Error: ``abs(value / one - exp(scale * x))`` is at most ``ERROR`` for every scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hw_models._arguments import require_scale
from hw_models._pointwise import keep_ints
from hw_models.compiled import kernel
from hw_models.errors import ContractError
from hw_models.formats import if_else
from hw_models.integer.digits import compiled_scaled, division, moved

if TYPE_CHECKING:
    from hw_models.formats import Select

COEFFICIENTS: Final = (0.35815147, 0.96963238, 1.0)
LN2: Final = 0.6931
OCTAVES: Final = 30
FINEST: Final = 11  # a lifted step is at most 2**-11
COARSEST: Final = 13  # and not below 2**-13
SCALES: Final = (2.0**-40, 2.0**4)
ERROR: Final = 0.0022


@dataclass(frozen=True, slots=True)
class Exponential:
    """The constants of one scale, and the definition.

    Attributes:
        ln2: ln 2 in lifted steps.
        b: the second coefficient in lifted steps.
        one: the value of exp(0).
        left_shift: how far a number is lifted, -27..15; negative shifts right, rounding down.
    """

    ln2: int
    b: int
    one: int
    left_shift: int

    def __post_init__(self) -> None:
        keep_ints(self, 1, (1 << 13) - 1, "ln2")
        keep_ints(self, self.ln2, (1 << 15) - 1, "b")
        keep_ints(self, self.b * self.ln2, (1 << 28) - 1, "one")
        keep_ints(self, -27, 15, "left_shift")

    @classmethod
    def from_scale(cls, scale: float) -> Exponential:
        """Derive the constants from the real step of x, 2**-40..16."""
        step, left_shift = lifted(scale)
        a, b, c = COEFFICIENTS
        return cls(
            math.ceil(LN2 / step), math.floor(b / a / step), math.floor(c / a / step**2), left_shift
        )

    def reference(self, x: Any, select: Select = if_else) -> Any:
        """Return the value of ``-2**17 < x <= 0``, an integer or a bit-vector: the definition."""
        return exponential(x, x - x + self.ln2, self.b, self.one, self.left_shift, select)


def exponential(
    x: Any, ln2: Any, b: Any, one: Any, left_shift: int, select: Select = if_else
) -> Any:
    """Return the value of ``-2**17 < x <= 0`` under these constants: the definition.

    The constants may be bit-vectors too, but for the shift.
    """
    lowest = (ln2 << 1) - (ln2 << 5)  # -30 ln 2, without a product for a prover to cut
    v = moved(x, left_shift)
    z, rest = division(-select(v < lowest, lowest, v), ln2, 5, select)
    return ((b - rest) * -rest + one) >> z  # r is what is left, below 0


def lifted(scale: float) -> tuple[float, int]:
    """Return the scale of x shifted until it lies in 2**-13..2**-11, and how far left that is.

    Raises:
        ContractError: the scale is outside 2**-40..16.
    """
    step = require_scale(scale, "scale")
    if not SCALES[0] <= step <= SCALES[1]:
        raise ContractError(
            f"the scale of an integer function must lie in 2**-40..16, not {scale!r} "
            "(accepted: 2**-40..16)"
        )
    mantissa, exponent = math.frexp(step)
    up = exponent + FINEST - (mantissa == 0.5)
    places = max(up, 0) + min(exponent + COARSEST - 1, 0)
    return math.ldexp(step, -places), places


@kernel
def compiled_exponential(x: Any, ln2: Any, b: Any, one: Any, left_shift: Any) -> Any:
    """Compute ``Exponential.reference``."""
    v = max(compiled_scaled(x, left_shift), -OCTAVES * ln2)
    z = -v // ln2
    r = v + z * ln2
    return ((r + b) * r + one) >> z
