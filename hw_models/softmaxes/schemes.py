"""Softmax schemes: value objects, each with its definition in ``reference``.

All take one row of codes, subtract the largest, look up or compute an exponential for each
difference (its *term*), and divide by the sum. A ``reference`` returns values before the clamp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from hw_models._arguments import require_scale
from hw_models._pointwise import keep_ints
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.functions.real import call
from hw_models.interpolation import interpolation_table
from hw_models.interpolation import reference as interpolated
from hw_models.schemes import FixedPoint
from hw_models.softmaxes.gemmlowp import (
    exp_on_negative_values,
    high_mul,
    one_over_one_plus,
    shift_right,
)
from hw_models.softmaxes.ibert import IbertSoftmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

INTEGER_BITS: Final = 5  # of a difference times beta
SUM_BITS: Final = 12  # integer bits of the sum of exponentials
STEP: Final = 10.0 / 65535.0  # of a 16-bit difference: 65536 codes for -10..0


@dataclass(frozen=True, slots=True)
class FixedSoftmax:
    """gemmlowp's functions in 32 bits: up to 8 bits in, up to 16 out.

    Attributes:
        multiplier: the difference times ``multiplier * 2**(left_shift - 31)`` has 26 fraction bits.
        left_shift: 0..31.
        min_difference: at most 0; below it the exponential counts as 0.
    """

    multiplier: int
    left_shift: int
    min_difference: int

    def __post_init__(self) -> None:
        keep_ints(self, 0, (1 << 31) - 1, "multiplier")
        keep_ints(self, 0, 31, "left_shift")
        keep_ints(self, -((31 << 26) >> self.left_shift), 0, "min_difference")

    @classmethod
    def from_scale(cls, input_scale: float, beta: float = 1.0) -> FixedSoftmax:
        """Derive the parameters as TFLite does (PreprocessSoftmaxScaling), in float64."""
        exact = require_scale(beta, "beta") * require_scale(input_scale, "input_scale")
        real = min(exact * (1 << (31 - INTEGER_BITS)), (1 << 31) - 1.0)
        if real <= 1:
            raise ContractError(
                f"beta * input_scale must exceed 2**-26, not {exact!r} (accepted: above 2**-26)"
            )
        fixed = FixedPoint.from_scale(real)
        left = 31 - int(fixed.shifts[0])
        radius = ((1 << INTEGER_BITS) - 1 << (31 - INTEGER_BITS)) >> left
        return cls(int(fixed.multipliers[0]), left, -radius)

    def term(self, difference: int) -> int:
        """Return the exponential of a difference, no integer bits; -1 where it counts as 0."""
        if difference < self.min_difference:
            return -1
        scaled = high_mul(difference << self.left_shift, self.multiplier)
        return exp_on_negative_values(scaled, INTEGER_BITS)

    def reference(self, row: Sequence[int], output: FixedFormat) -> list[int]:
        """Compute a row: the definition."""
        terms = [self.term(code - max(row)) for code in row]
        total = sum(shift_right(term, SUM_BITS) for term in terms if term >= 0)
        headroom = 32 - total.bit_length()
        scale = one_over_one_plus((total << headroom) - (1 << 31))
        right = SUM_BITS - headroom + 31 - output.bits
        return [
            output.min + (shift_right(high_mul(scale, term), right) if term >= 0 else 0)
            for term in terms
        ]


@dataclass(frozen=True, slots=True)
class FloatSoftmax:
    """A float32 table of exponentials and a float32 division: up to 8 bits in.

    Attributes:
        input_scale: real step of the input.
        output_scale: real step of the output, 2**-32..1.
        zero_point: of the output.
        beta: factor of the exponent.
    """

    input_scale: float
    output_scale: float = 1 / 256
    zero_point: int = -128
    beta: float = 1.0

    def __post_init__(self) -> None:
        scale = require_scale(self.input_scale, "FloatSoftmax.input_scale", np.float32)
        beta = require_scale(self.beta, "FloatSoftmax.beta", np.float32)
        _require_exponent(scale, beta)
        keep_ints(self, -(1 << 31), 1 << 31, "zero_point")
        if not 2.0**-32 <= require_scale(self.output_scale, "FloatSoftmax.output_scale") <= 1:
            raise ContractError(
                f"FloatSoftmax.output_scale must be of probabilities, not {self.output_scale!r} "
                "(accepted: 2**-32..1)"
            )

    def term(self, difference: int) -> np.float32:
        """Return the float32 exponential of a difference."""
        with np.errstate(all="ignore"):
            scale = -np.float32(self.input_scale) * np.float32(self.beta)
            return call(math.exp, scale * np.float32(-difference))  # type: ignore[no-any-return]

    def reference(self, row: Sequence[int], output: FixedFormat) -> list[int]:
        """Compute a row, operation by operation: the definition."""
        del output
        terms = [self.term(code - max(row)) for code in row]
        total = np.float32(0)
        for term in terms:
            total = total + term
        inverse = np.float32(1) / (total * np.float32(self.output_scale))
        return [math.floor(float(term * inverse) + 0.5) + self.zero_point for term in terms]


def _require_exponent(scale: float, beta: float) -> np.float32:
    """Return ``beta * input_scale`` in float32, or raise ContractError where it is infinite."""
    with np.errstate(over="ignore", under="ignore"):
        product = np.float32(scale) * np.float32(beta)
    if not np.isfinite(product):
        raise ContractError(
            f"beta * input_scale must be finite, not {beta!r} * {scale!r} "
            "(accepted: products that a float32 holds)"
        )
    return product


@lru_cache(maxsize=1)
def tables16() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return exp over -10..0 and 1 / (1 + x) over 0..1, 513 entries of scale 2 / 65535 each."""
    unit = 2.0 / 65535.0
    exp = interpolation_table("exp", STEP, unit, 32767, 0, "float64")
    inverse = interpolation_table(
        lambda x: 1.0 / (1.0 + x), 1.0 / 65535.0, unit, -32768, 0, "float64"
    )
    tables = exp.astype(np.int64), inverse.astype(np.int64)
    for table in tables:
        table.setflags(write=False)
    return tables


@dataclass(frozen=True, slots=True)
class TableSoftmax:
    """Two interpolated tables of 513 entries: up to 16 bits in, output scale 2**-15.

    Attributes:
        rescale: of a difference to steps of 10/65535; its left shift at most 15 bits.
    """

    rescale: FixedPoint

    def __post_init__(self) -> None:
        rescale = self.rescale
        if (
            not isinstance(rescale, FixedPoint)
            or rescale.channels
            or (rescale.rounding, rescale.bits) != ("double", 32)
            or not int(rescale.shifts[0]) >= 16
            or int(rescale.multipliers[0]) < 0
        ):
            raise ContractError(
                f"TableSoftmax.rescale must be a FixedPoint in 32 bits, not {rescale!r} "
                "(accepted: one multiplier from 0, rounding double, right_shift of 16 or more)"
            )

    @classmethod
    def from_scale(cls, input_scale: float, beta: float = 1.0) -> TableSoftmax:
        """Derive the rescale as TFLite does: the product in float32, the quotient in float64."""
        scale = require_scale(input_scale, "input_scale", np.float32)
        product = _require_exponent(scale, require_scale(beta, "beta", np.float32))
        return cls(FixedPoint.from_scale(float(product) / STEP))

    def term(self, difference: int) -> int:
        """Return the exponential of a difference, 15 fraction bits."""
        scaled = int(self.rescale.reference(difference)) + 32767
        return interpolated(FixedFormat(16).saturate(scaled), tables16()[0].tolist())

    def reference(self, row: Sequence[int], output: FixedFormat) -> list[int]:
        """Compute a row: the definition."""
        del output
        terms = [self.term(code - max(row)) for code in row]
        total = sum(terms)
        headroom = 32 - total.bit_length()
        shifted = ((total << (headroom - 1)) + (1 << 13)) >> 14
        point = FixedFormat(16).saturate(shifted - (1 << 15) - (1 << 16))
        inverse = interpolated(point, tables16()[1].tolist())
        right = 31 - headroom
        return [(term * inverse + (1 << (right - 1))) >> right for term in terms]


SoftmaxScheme: TypeAlias = FixedSoftmax | FloatSoftmax | TableSoftmax | IbertSoftmax
MAX_INPUT_BITS: Final = {FixedSoftmax: 8, FloatSoftmax: 8, TableSoftmax: 16, IbertSoftmax: 16}
MAX_OUTPUT_BITS: Final = {FixedSoftmax: 16, FloatSoftmax: 32, TableSoftmax: 16, IbertSoftmax: 16}
