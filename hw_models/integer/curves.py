"""Curves of one code by arithmetic: exp, sigmoid, SiLU and GELU, without a table.

``c = code - input_zero_point`` and ``e = Exponential.reference``; what a curve makes of c is
rescaled to the output, gets its zero point and is clamped. ``>> shift`` leaves 16 bits, in GELU 15.

| unit           | integer formula of the curve                               | largest error     |
|----------------|------------------------------------------------------------|-------------------|
| ``IbertExp``   | ``e(min(code - top, 0))``: ``one`` at the code ``top``     | 0.0022 exp(top)   |
| ``ExpSigmoid`` | ``t = e(-abs(c)) >> shift``, ``u = one >> shift``,         | 0.0009            |
|                | ``g = floor(u * 2**15 / (u + t))``; below 0 ``2**15 - g``  |                   |
| ``ExpSilu``    | ``c * g``                                                  | 0.0009            |
| ``IbertGelu``  | ``q = min(abs(c) * 2**left_shift, knee)``,                 | 0.019             |
|                | ``h = one - (knee - q)**2``, with the sign of c,           |                   |
|                | ``c * ((one + h) >> shift)``                               |                   |

Errors are those before the rounding to output codes, in real units, for every scale of 2**-40..16.
``IbertExp`` and ``IbertGelu`` are I-BERT's (algorithms 2 and 1 of arXiv 2101.01321; constants of
transformers, models/ibert/quant_modules.py: erf is ``-0.2888 (min(abs(x), 1.769) - 1.769)**2 + 1``
with the sign of x). I-BERT shifts erf right by 14 bits before it adds 1, here their sum is shifted
once. I-BERT has no sigmoid: here it is ``1 / (1 + exp(-abs(x)))``, a quotient of integers.

Widths: c of 17 bits, ``one`` of GELU of 29, ``one + h`` of 30, a gate of 16 (0 to 2**15), c times a
gate of 32: every register holds every value. Functions of 8-bit codes cost less as a table
(``hw_models.tables``), which has no error but the rounding; a datapath without memory for tables,
or with 16-bit codes, has these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeAlias

from hw_models._arguments import require_scale, show
from hw_models._pointwise import keep_ints, require_int
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, if_else
from hw_models.integer.digits import moved, quotient
from hw_models.integer.exponential import Exponential, lifted
from hw_models.requantize import reference as requantized
from hw_models.schemes import REQUANTIZERS, FixedPoint, Requantizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from hw_models.formats import Select

Registers: TypeAlias = tuple[tuple[str, FixedFormat], ...]
Rescale: TypeAlias = "Callable[[float], Requantizer]"

GATE: Final = 15  # fraction bits of a sigmoid
ERF: Final = (0.2888, 1.769)
SQRT2: Final = 1.4142
CODES: Final = (-(1 << 15), (1 << 16) - 1)  # of up to 16 bits
ZERO_POINTS: Final = (-(1 << 31), (1 << 32) - 1)
_SUM: Final = ("lifted", FixedFormat(32)), ("polynomial", FixedFormat(32))
_GATE: Final = ("gate", FixedFormat(16, signed=False))
_PRODUCT: Final = ("product", FixedFormat(32))


def keep_unit(unit: Any, codes: str) -> None:
    """Refuse a rescale per channel, and codes that no format has."""
    exponential = getattr(unit, "exponential", None)
    if not isinstance(unit, IbertGelu) and not isinstance(exponential, Exponential):
        raise ContractError(
            f"{type(unit).__name__}.exponential must be an Exponential, not {show(exponential)} "
            "(accepted: hw_models.Exponential.from_scale(scale))"
        )
    keep_ints(unit, *CODES, codes)
    keep_ints(unit, *ZERO_POINTS, "zero_point")
    if not isinstance(unit.rescale, REQUANTIZERS) or unit.rescale.channels:
        raise ContractError(
            f"{type(unit).__name__}.rescale must be a requantizer per tensor, not "
            f"{show(unit.rescale)} (accepted: FixedPoint, PowerOfTwo, ... of scalars)"
        )


class _Unit:
    """What the units share: a curve, rescaled."""

    __slots__ = ()
    rescale: Requantizer
    zero_point: int

    def curve(self, code: Any, select: Select = if_else) -> Any:
        """Return what is rescaled."""
        raise NotImplementedError

    def reference(self, code: Any, output: FixedFormat, select: Select = if_else) -> Any:
        """Compute one code, an integer or a bit-vector: the definition."""
        value = self.curve(code, select)
        return requantized(value, self.rescale, self.zero_point, output, select=select)


def _magnitude(c: Any, select: Select) -> Any:
    return select(c < 0, -c, c)


@dataclass(frozen=True, slots=True)
class IbertExp(_Unit):
    """exp of a code.

    Attributes:
        exponential: of the input's scale.
        rescale: of ``exp(scale * (code - top))`` times ``exponential.one``.
        top: the largest code that occurs; a larger one counts as this.
        zero_point: of the output.
    """

    exponential: Exponential
    rescale: Requantizer
    top: int = 127
    zero_point: int = 0
    registers: ClassVar[Registers] = _SUM

    def __post_init__(self) -> None:
        keep_unit(self, "top")

    @classmethod
    def from_scales(
        cls,
        input_scale: float,
        output_scale: float,
        input_zero_point: int = 0,
        zero_point: int = 0,
        top: int = 127,
        rescale: Rescale = FixedPoint.from_scale,
    ) -> IbertExp:
        """Derive the constants; ``rescale`` makes the target's scheme of a real scale."""
        made = Exponential.from_scale(input_scale)
        step = require_scale(output_scale, "output_scale")
        require_int(top, "top", *CODES)
        require_int(input_zero_point, "input_zero_point", *CODES)
        highest = math.exp(min(float(input_scale) * (top - input_zero_point), 700.0))
        return cls(made, rescale(highest / made.one / step), top, zero_point)

    def curve(self, code: Any, select: Select = if_else) -> Any:
        """Return exp of the distance to ``top``, times ``one``."""
        x = code - self.top
        return self.exponential.reference(select(x > 0, x - x, x), select)


@dataclass(frozen=True, slots=True)
class _Gated(_Unit):
    """What the units with a gate of ``Exponential`` share: the fields and how they are derived."""

    exponential: Exponential
    rescale: Requantizer
    input_zero_point: int = 0
    zero_point: int = 0

    def __post_init__(self) -> None:
        keep_unit(self, "input_zero_point")

    @classmethod
    def from_scales(
        cls,
        input_scale: float,
        output_scale: float,
        input_zero_point: int = 0,
        zero_point: int = 0,
        rescale: Rescale = FixedPoint.from_scale,
    ) -> Self:
        """Derive the constants; ``rescale`` makes the target's scheme of a real scale."""
        made = Exponential.from_scale(input_scale)
        step = require_scale(output_scale, "output_scale")
        real = cls._real_scale(float(input_scale), step)
        return cls(made, rescale(real), input_zero_point, zero_point)

    @staticmethod
    def _real_scale(input_scale: float, output_scale: float, /) -> float:
        """Return what ``rescale`` multiplies by."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ExpSigmoid(_Gated):
    """Sigmoid of a code.

    Attributes:
        exponential: of the input's scale.
        rescale: of ``2**15 * sigmoid``.
        input_zero_point: of the input.
        zero_point: of the output.
    """

    registers: ClassVar[Registers] = (*_SUM, _GATE)

    @staticmethod
    def _real_scale(_input_scale: float, output_scale: float, /) -> float:
        """Return what ``rescale`` multiplies by; a sigmoid has no unit of the input."""
        return 1 / (1 << GATE) / output_scale

    def curve(self, code: Any, select: Select = if_else) -> Any:
        """Return ``2**15 * sigmoid``."""
        return sigmoid(code - self.input_zero_point, self.exponential, select)


@dataclass(frozen=True, slots=True)
class ExpSilu(_Gated):
    """SiLU, ``x * sigmoid(x)``, of a code.

    Attributes:
        exponential: of the input's scale.
        rescale: of ``2**15 * c * sigmoid``.
        input_zero_point: of the input.
        zero_point: of the output.
    """

    registers: ClassVar[Registers] = (*_SUM, _GATE, _PRODUCT)

    @staticmethod
    def _real_scale(input_scale: float, output_scale: float, /) -> float:
        """Return what ``rescale`` multiplies by."""
        return input_scale / output_scale / (1 << GATE)

    def curve(self, code: Any, select: Select = if_else) -> Any:
        """Return ``2**15 * c * sigmoid``."""
        c = code - self.input_zero_point
        return c * sigmoid(c, self.exponential, select)


def sigmoid(c: Any, exponential: Exponential, select: Select = if_else) -> Any:
    """Return the sigmoid of ``scale * c`` times 2**15: the definition."""
    drop = term_shift(exponential.one, 16)
    term = exponential.reference(-_magnitude(c, select), select) >> drop
    unit = exponential.one >> drop
    gate = quotient(term - term + (unit << GATE), unit + term, 16, select)
    return select(c < 0, (1 << GATE) - gate, gate)


def term_shift(one: int, bits: int) -> int:
    """Return how far to shift right until ``one`` has that many bits; not negative."""
    return max(one.bit_length() - bits, 0)


@dataclass(frozen=True, slots=True)
class IbertGelu(_Unit):
    """GELU of a code, by I-BERT's polynomial for erf.

    Attributes:
        knee: where erf becomes 1, in lifted steps.
        one: the value of 1, not below ``knee**2`` and below ``2**29``.
        left_shift: how far a code is lifted, -27..15.
        rescale: of ``c * ((one + h) >> shift)``; 1 is ``(2 * one) >> shift``.
        input_zero_point: of the input.
        zero_point: of the output.
    """

    knee: int
    one: int
    left_shift: int
    rescale: Requantizer
    input_zero_point: int = 0
    zero_point: int = 0
    registers: ClassVar[Registers] = (
        ("lifted", FixedFormat(32, signed=False)),
        ("polynomial", FixedFormat(32)),
        _GATE,
        _PRODUCT,
    )

    def __post_init__(self) -> None:
        keep_ints(self, 1, (1 << 15) - 1, "knee")
        keep_ints(self, self.knee**2, (1 << 29) - 1, "one")
        keep_ints(self, -27, 15, "left_shift")
        keep_unit(self, "input_zero_point")

    @classmethod
    def from_scales(
        cls,
        input_scale: float,
        output_scale: float,
        input_zero_point: int = 0,
        zero_point: int = 0,
        rescale: Rescale = FixedPoint.from_scale,
    ) -> IbertGelu:
        """Derive the constants; ``rescale`` makes the target's scheme of a real scale."""
        step, places = lifted(input_scale)
        a, b = ERF
        knee = math.ceil(b * SQRT2 / step)
        one = math.ceil(SQRT2**2 / a / step**2)
        ratio = float(input_scale) / require_scale(output_scale, "output_scale")
        factor = rescale(ratio / (2 * one >> gate_shift(one)))
        return cls(knee, one, places, factor, input_zero_point, zero_point)

    def curve(self, code: Any, select: Select = if_else) -> Any:
        """Return ``c * (1 + erf(c))``, 2 being ``2 * one >> gate_shift(one)``."""
        c = code - self.input_zero_point
        q = moved(_magnitude(c, select), self.left_shift)
        rest = self.knee - select(q > self.knee, q - q + self.knee, q)
        erf = self.one - rest * rest
        gate = (self.one + select(c < 0, -erf, erf)) >> gate_shift(self.one)
        return c * gate


def gate_shift(one: int) -> int:
    """Return the shift that leaves 15 bits of a gate that reaches ``2 * one``."""
    return term_shift(2 * one, GATE)
