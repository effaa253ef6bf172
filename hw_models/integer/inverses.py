"""1/x and 1/sqrt(x) of one code: a table of seeds, two steps of Newton.

With ``c = code - input_zero_point`` above 0, ``e`` its length in bits:

* ``NewtonReciprocal``: ``m = c * 2**(16 - e)`` (floor; 16 bits, the first of them 1), ``y`` near
  ``2**31 / m``: the seed has 9 bits, of the 7 bits of m after its first, times 2**7. Each step
  takes ``y + ((y * ((2**31 - m * y) >> 10) + 2**20) >> 21)``. The result is
  ``y * multiplier / 2**(right_shift + e)``, rounded half up, with the sign of c.
* ``NewtonRsqrt``: with e even or one more, ``m = c * 2**(16 - e)`` has 15 or 16 bits, ``y`` near
  ``2**23 / sqrt(m)``: a seed of 9 bits for each of 192 values of ``m >> 8``. Each step takes
  ``h = (y * y + 2**15) >> 16`` and ``y + ((y * ((2**30 - m * h) >> 10) + 2**20) >> 21)``. The
  result is ``y * multiplier / 2**(right_shift + e / 2)``, rounded half up.

Then the zero point is added and the result clamped.

Corners: c = 0, and c below 0 under the root, make the largest code: an infinite result saturates.

Widths: m of 16 bits, y of 17, ``m * y`` and ``m * h`` of 32, what is left over of 25, shifted of
15, its product with y of 32; the multiplier of 16, the last product of 33; nothing overflows.

Error: y is within 1 of the quotient and within 1.2 of the root's, of 2**15 and more: relatively
2**-15 and 2**-14.7. A c of 17 bits loses its last, at most 2**-16. The multiplier adds 2**-16.

LiteRT's RSQRT of 8 bits is the same idea in 32 bits (GetInvSqrtQuantizedMultiplierExp of
lite/kernels/internal/common.h: no table, five steps, then MultiplyByQuantizedMultiplier).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from hw_models._arguments import require_scale
from hw_models._pointwise import keep_ints
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, clamped, if_else
from hw_models.integer.curves import CODES, ZERO_POINTS, Registers
from hw_models.integer.digits import length, rounded, scaled

if TYPE_CHECKING:
    from hw_models.formats import Select

STEPS: Final = 2
MAX_LENGTH: Final = 17
RECIPROCALS: Final = tuple(round((1 << 16) / (128.5 + i)) for i in range(128))
ROOTS: Final = tuple(round((1 << 12) / math.sqrt(64.5 + i)) for i in range(192))


def _read(table: tuple[int, ...], index: Any, select: Select) -> Any:
    """Return an entry, times 2**7; of a bit-vector by comparing with every index."""
    if isinstance(index, int):
        return table[index] << 7
    result = index - index
    for place, entry in enumerate(table):
        result = select(index == place, result - result + (entry << 7), result)
    return result


def inverse(m: Any, select: Select = if_else) -> Any:
    """Return ``2**31 / m`` of ``2**15 <= m < 2**16``, within 1: the definition."""
    y = _read(RECIPROCALS, (m >> 8) - 128, select)
    for _ in range(STEPS):
        y = y + ((y * (((1 << 31) - m * y) >> 10) + (1 << 20)) >> 21)
    return y


def inverse_root(m: Any, select: Select = if_else) -> Any:
    """Return ``2**23 / sqrt(m)`` of ``2**14 <= m < 2**16``, within 1.2: the definition."""
    y = _read(ROOTS, (m >> 8) - 64, select)
    for _ in range(STEPS):
        h = (y * y + (1 << 15)) >> 16
        y = y + ((y * (((1 << 30) - m * h) >> 10) + (1 << 20)) >> 21)
    return y


def _multiplier(real: float) -> tuple[int, int]:
    """Return 16 bits of ``real * 2**right_shift``, and right_shift.

    Raises:
        ContractError: no shift of 0 to 45 has 16 bits of it.
    """
    mantissa, exponent = math.frexp(real)
    multiplier = math.floor(mantissa * (1 << 16) + 0.5)
    shift = 16 - exponent
    if multiplier == 1 << 16:
        multiplier, shift = multiplier >> 1, shift - 1
    if not 0 <= shift <= 45:
        raise ContractError(
            f"the scales must leave a multiplier of 2**-30..2**15, not {real!r} "
            "(accepted: scales whose product is nearer to 1)"
        )
    return multiplier, shift


@dataclass(frozen=True, slots=True)
class _Newton:
    """What the units share: the fields and how they are derived."""

    multiplier: int
    right_shift: int
    input_zero_point: int = 0
    zero_point: int = 0
    registers: ClassVar[Registers] = (
        ("inverse", FixedFormat(17, signed=False)),
        ("product", FixedFormat(33, signed=False)),
    )

    def __post_init__(self) -> None:
        keep_ints(self, 0, (1 << 16) - 1, "multiplier")
        keep_ints(self, 0, 45, "right_shift")
        keep_ints(self, *CODES, "input_zero_point")
        keep_ints(self, *ZERO_POINTS, "zero_point")

    @classmethod
    def from_scales(
        cls,
        input_scale: float,
        output_scale: float,
        input_zero_point: int = 0,
        zero_point: int = 0,
    ) -> Self:
        """Derive the multiplier of ``1 / (s * output_scale)``, s the input's scale or its root."""
        step = require_scale(output_scale, "output_scale")
        real = 1 / cls._inverted(require_scale(input_scale, "input_scale")) / step / (1 << 15)
        return cls(*_multiplier(real), input_zero_point, zero_point)

    @staticmethod
    def _inverted(scale: float) -> float:
        """Return what is inverted of the input's scale."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class NewtonReciprocal(_Newton):
    """1/x.

    Attributes:
        multiplier: of 16 bits.
        right_shift: 0..45.
        input_zero_point: of the input.
        zero_point: of the output.
    """

    @staticmethod
    def _inverted(scale: float) -> float:
        """Return what is inverted: the scale itself."""
        return scale

    def reference(self, code: Any, output: FixedFormat, select: Select = if_else) -> Any:
        """Compute one code, an integer or a bit-vector: the definition."""
        c = code - self.input_zero_point
        size = select(c < 0, -c, c)
        e = length(size, MAX_LENGTH, select)
        m = scaled(size, 16 - e, select)
        held = select(size == 0, m - m + (1 << 15), m)
        value = rounded(inverse(held, select) * self.multiplier, e + self.right_shift)
        signed = select(c < 0, -value, value) + self.zero_point
        return select(c == 0, c - c + output.max, clamped(signed, output.min, output.max, select))


@dataclass(frozen=True, slots=True)
class NewtonRsqrt(_Newton):
    """1/sqrt(x).

    Attributes:
        multiplier: of 16 bits.
        right_shift: 0..45.
        input_zero_point: of the input.
        zero_point: of the output.
    """

    @staticmethod
    def _inverted(scale: float) -> float:
        """Return what is inverted: the root of the scale."""
        return math.sqrt(scale)

    def reference(self, code: Any, output: FixedFormat, select: Select = if_else) -> Any:
        """Compute one code, an integer or a bit-vector: the definition."""
        c = code - self.input_zero_point
        size = select(c < 0, c - c, c)
        pairs = (length(size, MAX_LENGTH, select) + 1) >> 1
        m = scaled(size, 16 - 2 * pairs, select)
        held = select(size == 0, m - m + (1 << 14), m)
        value = rounded(inverse_root(held, select) * self.multiplier, pairs + self.right_shift)
        code = clamped(value + self.zero_point, output.min, output.max, select)
        return select(c > 0, code, c - c + output.max)
