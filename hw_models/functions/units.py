"""Integer units of one code, for tables: what kernels compute without a float.

``mulh(a, b)`` is gemmlowp's SaturatingRoundingDoublingHighMul of 16 bits. See ``hw_models.tables``
for who uses which; ``hw_models.functions.curves`` has the interpolated ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models._arguments import require_scale, show
from hw_models._pointwise import keep_ints
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, is_int
from hw_models.rounding import round_shift
from hw_models.schemes import FixedPoint

if TYPE_CHECKING:
    from hw_models.schemes import FixedRounding

_INT16: Final = FixedFormat(16)
_ZERO_POINTS: Final = (-(1 << 16), 1 << 16)


def _mulh(a: int, b: int) -> int:
    # Half up equals C's truncation after the nudge; see hw_models.schemes.
    return min((a * b + (1 << 14)) >> 15, _INT16.max)


def f32(x: Any) -> np.float32:
    """Round to float32; what is too large becomes infinite."""
    with np.errstate(all="ignore"):
        return np.float32(x)


def _quotient(a: np.float32, b: np.float32) -> float:
    with np.errstate(all="ignore"):
        return float(a / b)


def _product(a: np.float32, b: np.float32) -> np.float32:
    with np.errstate(all="ignore"):
        return a * b


def _slope(value: object) -> np.float32:
    """Return the slope as float32, or raise ContractError where it is no finite number."""
    slope = f32(math.nan)
    if is_int(value) or isinstance(value, (float, np.floating)):
        try:
            slope = f32(float(value))  # type: ignore[arg-type]  # is_int is no TypeGuard
        except OverflowError:
            slope = f32(math.inf)
    if not np.isfinite(slope):
        raise ContractError(
            f"slope must be a finite number, not {show(value)} (accepted: one that a float32 holds)"
        )
    return slope


def _multiplier16(scale: float) -> tuple[int, int]:
    """Return TFLite's 32-bit multiplier rounded to 16 bits, and its exponent."""
    fixed = FixedPoint.from_scale(scale)
    return min((int(fixed.multipliers[0]) + (1 << 15)) >> 16, _INT16.max), 31 - int(fixed.shifts[0])


@dataclass(frozen=True, slots=True)
class HardSwish:
    """``x * relu6(x + 3) / 6`` in 16-bit registers (tensorflow lite/.../reference/hard_swish.h).

    With ``v = (code - input_zero_point) * 128``, ``a = mulh(v, multiplier)`` and ``r`` = v times
    the reluish multiplier and ``2**reluish_exponent`` (left shifts saturate, right shifts round
    half away), ``y = round_half_away(trunc(((r + 2**15) >> 1) * a / 2**15) / 2**right_shift)``.

    Attributes:
        multiplier: of 16 bits, for the output.
        right_shift: 0..15.
        reluish_multiplier: of 16 bits; real 3 becomes 2**15.
        reluish_exponent: -15..15.
        input_zero_point: of a code of up to 8 bits.
        zero_point: of the output.
    """

    multiplier: int
    right_shift: int
    reluish_multiplier: int
    reluish_exponent: int
    input_zero_point: int = 0
    zero_point: int = 0

    def __post_init__(self) -> None:
        keep_ints(self, 0, 15, "right_shift")
        keep_ints(self, -15, 15, "reluish_exponent")
        words = ("multiplier", "reluish_multiplier", "input_zero_point", "zero_point")
        keep_ints(self, _INT16.min, _INT16.max, *words)

    @classmethod
    def from_scales(
        cls,
        input_scale: float,
        output_scale: float,
        input_zero_point: int = 0,
        zero_point: int = 0,
    ) -> HardSwish:
        """Derive the multipliers as TFLite does, in float32."""
        fine = f32(f32(require_scale(input_scale, "input_scale", np.float32)) / 128)
        divisor = f32(require_scale(output_scale, "output_scale", np.float32))
        out = _quotient(fine, divisor)
        relu = _quotient(fine, f32(3 / 32768))
        m, e = _multiplier16(require_scale(out, "input_scale / output_scale"))
        rm, re = _multiplier16(require_scale(relu, "input_scale"))
        if not (-15 <= e <= 0 and -15 <= re <= 15):
            raise ContractError(
                "HardSwish must have scales that 16-bit shifts reach, not an input scale of "
                f"{input_scale!r} and an output scale of {output_scale!r} (accepted: input / "
                "output in 2**-9..128, input in 2**-22..256)"
            )
        return cls(m, -e, rm, re, input_zero_point, zero_point)

    def reference(self, code: int, output: FixedFormat) -> int:
        """Compute one code: the definition."""
        value = _INT16.wrap((code - self.input_zero_point) * 128)
        scaled = _mulh(value, self.multiplier)
        up, reluish = self.reluish_exponent, value
        if up > 0:
            reluish = _INT16.saturate(reluish << (up - 1))
        reluish = _mulh(reluish, self.reluish_multiplier)
        if up > 0:
            reluish = _INT16.saturate(reluish << 1)
        else:
            reluish = round_shift(reluish, -up, "half_away")
        gate = (reluish + (1 << 15)) >> 1
        product = round_shift(gate * scaled, 15, "toward_zero")
        shifted = int(round_shift(product, self.right_shift, "half_away"))
        return output.saturate(shifted + self.zero_point)


@dataclass(frozen=True, slots=True)
class LeakyRelu:
    """One rescale above zero, another below (tensorflow lite/.../reference/leaky_relu.h).

    Attributes:
        positive: rescale of a code at or above the zero point.
        negative: rescale of a code below it.
        input_zero_point: of the input.
        zero_point: of the output.
    """

    positive: FixedPoint
    negative: FixedPoint
    input_zero_point: int = 0
    zero_point: int = 0

    def __post_init__(self) -> None:
        for rescale, name in ((self.positive, "positive"), (self.negative, "negative")):
            if not isinstance(rescale, FixedPoint) or rescale.channels:
                raise ContractError(
                    f"LeakyRelu.{name} must be a FixedPoint for all channels, not {rescale!r} "
                    "(accepted: FixedPoint with scalar parameters)"
                )
        keep_ints(self, *_ZERO_POINTS, "input_zero_point", "zero_point")

    @classmethod
    def from_scales(
        cls,
        input_scale: float,
        output_scale: float,
        slope: float,
        input_zero_point: int = 0,
        zero_point: int = 0,
        rounding: FixedRounding = "double",
    ) -> LeakyRelu:
        """Derive both rescales as TFLite does: quotients in float32, slope not negative.

        ``rounding`` is ``single`` where TFLite is built with TFLITE_SINGLE_ROUNDING.
        """
        scale = f32(require_scale(input_scale, "input_scale", np.float32))
        out = f32(require_scale(output_scale, "output_scale", np.float32))
        factor = _slope(slope)
        if factor < 0:
            raise ContractError(f"slope must not be negative, not {slope!r} (accepted: 0 or more)")
        return cls(
            FixedPoint.from_scale(_quotient(scale, out), rounding=rounding),
            FixedPoint.from_scale(_quotient(_product(scale, factor), out), rounding=rounding),
            input_zero_point,
            zero_point,
        )

    def reference(self, code: int, output: FixedFormat) -> int:
        """Compute one code: the definition."""
        value = code - self.input_zero_point
        rescale = self.positive if value >= 0 else self.negative
        return output.saturate(int(rescale.reference(value)) + self.zero_point)


@dataclass(frozen=True, slots=True)
class ByteLeakyRelu:
    """Multipliers with 8 fraction bits, rounded half up (google/XNNPACK src/qs8-vlrelu).

    Attributes:
        positive: ``round(256 * input_scale / output_scale)``.
        negative: ``round(256 * slope * input_scale / output_scale)``.
        input_zero_point: of the input.
        zero_point: of the output.
    """

    positive: int
    negative: int
    input_zero_point: int = 0
    zero_point: int = 0

    def __post_init__(self) -> None:
        keep_ints(self, 0, 1 << 15, "positive")
        keep_ints(self, -(1 << 15), 1 << 15, "negative")
        keep_ints(self, *_ZERO_POINTS, "input_zero_point", "zero_point")

    @classmethod
    def from_scales(
        cls,
        input_scale: float,
        output_scale: float,
        slope: float,
        input_zero_point: int = 0,
        zero_point: int = 0,
    ) -> ByteLeakyRelu:
        """Derive the multipliers as XNNPACK does: float32, half even; any sign of slope."""
        ratio = _quotient(
            f32(require_scale(input_scale, "input_scale", np.float32)),
            f32(require_scale(output_scale, "output_scale", np.float32)),
        )
        below = float(_product(f32(ratio), _slope(slope)))
        for value in (ratio, below):
            if not 1 / 256 <= abs(value) <= 128:
                raise ContractError(
                    "ByteLeakyRelu needs multipliers that 8 fraction bits hold, not "
                    f"{value!r} (accepted: magnitudes in 2**-8..128, as XNNPACK)"
                )
        return cls(round(256 * ratio), round(256 * below), input_zero_point, zero_point)

    def reference(self, code: int, output: FixedFormat) -> int:
        """Compute one code: the definition."""
        value = code - self.input_zero_point
        product = value * (self.positive if value >= 0 else self.negative)
        return output.saturate(int(round_shift(product, 8, "half_up")) + self.zero_point)
