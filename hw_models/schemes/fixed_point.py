"""The fixed-point requantizer: an integer multiplier and a right shift; see hw_models.schemes.

Six datapaths compute ``x * multiplier / 2**right_shift``, with ``m`` the multiplier, ``s`` the
shift, ``n = bits - 1``, ``left = max(n - s, 0)`` and ``right = max(s - n, 0)``:

* ``double``, gemmlowp's (google/gemmlowp:fixedpoint/fixedpoint.h), in a 32-bit register:

      a = wrap32(x << left)
      b = (a * m + nudge) / 2**n                  C division, which truncates
          nudge = 2**(n - 1) if a * m >= 0 else 1 - 2**(n - 1)
      y = b / 2**right                            nearest, ties away from zero

  Corners: ``a = -2**31`` with ``m = -2**n`` saturates ``b`` to ``2**31 - 1``. The left shift wraps
  where TFLite's C++ is undefined. Truncation with that nudge is half *up* for either sign, which
  ``>>`` with the same nudge is not.
* ``double-half-up``: the same, but ``y = (b + 2**(right - 1)) >> right``: LiteRT's optimized x86
  kernels (google/ruy:ruy/kernel_avx512.cc, kernel_avx2_fma.cc).
* ``single``: ``(x * m + 2**(s - 1)) >> s``: TFLite with TFLITE_SINGLE_ROUNDING
  (tensorflow:tensorflow/lite/kernels/internal/common.cc). ``s = 0`` rounds nothing.
* ``s64-reduced``: TFLite's multiplication of a 64-bit accumulator, int16 activations (the same
  file, MultiplyByQuantizedMultiplier of int64_t). The upper half of the 32-bit multiplier, rounded
  half up, ``r = min((m + 2**15) >> 16, 2**15 - 1)``; then, with ``t = s - 16``,
  ``(x * r + 2**(t - 1)) >> t``.
* ``tosa-single``: TOSA's apply_scale_32 without double_round (arm/tosa-specification:
  pseudocode/library/numeric_accurate_helpers): ``single`` with ``m >= 0`` and ``2 <= s <= 62``.
  With ``bits=16`` it is apply_scale_16, whose x has 48 bits.
* ``tosa-double``: apply_scale_32 with double_round: ``(x * m + 2**(s - 1) + e) >> s`` where ``e``
  is ``2**30`` for ``x >= 0`` and ``-2**30`` for ``x < 0`` if ``s > 31``, else 0.

Corners of all: an x wider than ``operand_bits`` is refused (32 for the double ones and TOSA's, 48
for apply_scale_16, else 64). As the specification has it, a result of TOSA's outside int32 is an
error, and so is an x outside ``-2**(s-1)..2**(s-1)-1`` under apply_scale_32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from hw_models.errors import ContractError, no_case
from hw_models.formats import if_else, is_int
from hw_models.rounding import round_shift
from hw_models.schemes.arguments import (
    Ints,
    at,
    channels_of,
    fixed_table,
    integers,
    real_scales,
)
from hw_models.tracing import step

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from hw_models.formats import Select

FixedRounding: TypeAlias = Literal[
    "double", "single", "double-half-up", "s64-reduced", "tosa-single", "tosa-double"
]
FIXED_ROUNDINGS: Final[tuple[FixedRounding, ...]] = get_args(FixedRounding)
MAX_SHIFT: Final = 62
_INT32: Final = 1 << 31
REDUCED: Final = 16  # bits that s64-reduced takes off the multiplier


def _high_mul(x: Any, m: Any, right_shift: int, bits: int, select: Select) -> Any:
    """Return gemmlowp's SaturatingRoundingDoublingHighMul of the left-shifted ``x``."""
    left = max(bits - 1 - right_shift, 0)
    sign = 1 << 31
    a = step((((x * (1 << left)) & 0xFFFFFFFF) ^ sign) - sign, "left", "in 32 bits")
    product = step(a * m, "product")
    n = bits - 1
    half = 1 << (n - 1)
    up = step(product + half, "nudge") >> n
    down = -(-step(product + 1 - half, "nudge") >> n)
    b = select(product >= 0, up, down)
    return step(select(m == -(1 << n), select(a == -sign, sign - 1, b), b), "high")


def double_rounding(x: Any, m: Any, right_shift: int, bits: int, select: Select = if_else) -> Any:
    """Return the gemmlowp rescaling of ``x``, straight from its definition."""
    b = _high_mul(x, m, right_shift, bits, select)
    return round_shift(b, max(right_shift - (bits - 1), 0), "half_away", select=select)


def double_half_up(x: Any, m: Any, right_shift: int, bits: int, select: Select = if_else) -> Any:
    """Return the rescaling of LiteRT's optimized kernels: the second shift rounds half up."""
    b = _high_mul(x, m, right_shift, bits, select)
    return round_shift(b, max(right_shift - (bits - 1), 0), "half_up", select=select)


def single_rounding(x: Any, m: Any, right_shift: int, bits: int, select: Select = if_else) -> Any:
    """Return ``x * m / 2**right_shift`` rounded once, half up."""
    del bits
    return round_shift(step(x * m, "product"), right_shift, "half_up", select=select)


def reduced_multiplier(m: Any, select: Select = if_else) -> Any:
    """Return the upper 16 bits of a 32-bit multiplier, rounded half up, at most 2**15 - 1."""
    upper = (m + (1 << (REDUCED - 1))) >> REDUCED
    if is_int(upper):  # a solver's select makes no bit-vector of two integers
        return min(upper, 0x7FFF)
    return select(upper > 0x7FFF, 0x7FFF, upper)


def s64_reduced(x: Any, m: Any, right_shift: int, bits: int, select: Select = if_else) -> Any:
    """Return TFLite's rescaling of 64-bit accumulators."""
    del bits
    product = step(x * reduced_multiplier(m, select), "product", "by the reduced multiplier")
    return round_shift(product, right_shift - REDUCED, "half_up", select=select)


def tosa_double(x: Any, m: Any, right_shift: int, bits: int, select: Select = if_else) -> Any:
    """Return TOSA's apply_scale_32 with double_round."""
    del bits
    extra = 1 << 30 if right_shift > 31 else 0
    total = step(step(x * m, "product") + (1 << (right_shift - 1)), "nudge")
    nudged = step(select(x >= 0, total + extra, total - extra), "nudge")
    return step(nudged >> right_shift, "shift")


class _Datapath(NamedTuple):
    """What a rounding is and takes: widths of the multiplier, the least and the largest shift."""

    reference: Callable[..., Any]
    widths: tuple[int, ...]
    least: int
    most: int


_ANY_WIDTH: Final = tuple(range(2, 33))
# The double ones' shift also ends at bits + 30. What else must know a rounding is listed and asked
# by tests/hw_models/places/test_rounding.py.
_DATAPATHS: Final[dict[str, _Datapath]] = {
    "double": _Datapath(double_rounding, _ANY_WIDTH, 0, MAX_SHIFT),
    "single": _Datapath(single_rounding, _ANY_WIDTH, 0, MAX_SHIFT),
    "double-half-up": _Datapath(double_half_up, _ANY_WIDTH, 0, MAX_SHIFT),
    "s64-reduced": _Datapath(s64_reduced, (32,), REDUCED, MAX_SHIFT),
    "tosa-single": _Datapath(single_rounding, (16, 32), 2, MAX_SHIFT),
    "tosa-double": _Datapath(tosa_double, (32,), 2, MAX_SHIFT),
}
FIXED_REFERENCES: Final = {name: datapath.reference for name, datapath in _DATAPATHS.items()}
TWICE: Final[tuple[FixedRounding, ...]] = ("double", "double-half-up")
TOSA: Final[tuple[FixedRounding, ...]] = ("tosa-single", "tosa-double")


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """An integer multiplier and a right shift: real scale = ``multiplier / 2**right_shift``.

    Attributes:
        multiplier: signed integer of ``bits`` bits, for TOSA's not negative; a scalar, or one per
            channel.
        right_shift: 0..62, but for the double ones at most ``bits + 30``, for ``s64-reduced`` at
            least 16 and for TOSA's at least 2; a scalar, or one per channel.
        rounding: a name of this module's docstring.
        bits: width of the multiplier, 2..32; ``s64-reduced`` and ``tosa-double`` have 32,
            ``tosa-single`` 32 or 16.
    """

    multiplier: Ints
    right_shift: Ints
    rounding: FixedRounding = "double"
    bits: int = 32
    multipliers: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    shifts: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    prepared: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        # A NumPy integer would compute in its own few bits.
        object.__setattr__(self, "bits", _check_fixed(self.rounding, self.bits))
        least, most = self.shift_range
        high = (1 << (self.bits - 1)) - 1
        low = 0 if self.rounding in TOSA else -high - 1
        set_ = object.__setattr__  # the way to normalise a frozen dataclass
        multiplier = integers(self.multiplier, "FixedPoint.multiplier", low, high)
        shift = integers(self.right_shift, "FixedPoint.right_shift", least, most)
        set_(self, "multiplier", multiplier)
        set_(self, "right_shift", shift)
        size = channels_of(multiplier, shift)
        set_(self, "multipliers", fixed_table(multiplier, np.int64, size))
        set_(self, "shifts", fixed_table(shift, np.int64, size))

    @classmethod
    def from_tflite(
        cls, multiplier: object, shift: object, rounding: FixedRounding = "double"
    ) -> FixedPoint:
        """Take TFLite's convention: real scale = ``multiplier * 2**(shift - 31)``."""
        exponent = integers(shift, "TFLite's shift", -31, 31)
        right = tuple(31 - e for e in exponent) if isinstance(exponent, tuple) else 31 - exponent
        return cls(integers(multiplier, "multiplier", -(1 << 31), (1 << 31) - 1), right, rounding)

    @classmethod
    def from_scale(
        cls, scale: object, bits: int = 32, rounding: FixedRounding = "double"
    ) -> FixedPoint:
        """Derive multiplier and shift from real scales.

        As TFLite's ``QuantizeMultiplier`` (lite/kernels/internal/quantization_util.cc): ``frexp``
        to a mantissa in [0.5, 1); ``m = round_half_away(mantissa * 2**(bits-1))``; an ``m`` of
        ``2**(bits-1)`` is halved and the exponent raised. Corners: 0 gives (0, bits-1); an exponent
        below -31 flushes to multiplier 0; ``single`` saturates to the largest multiplier at right
        shift 1 when the scale is too large (TFLite: shift > 30), the others refuse one that their
        shift cannot reach.

        TOSA's as ExecuTorch's Arm backend (backends/arm/operators/op_tosa_rescale.py,
        _compute_multiplier_and_shift): ``m`` is rounded half to even, and a shift above 62 becomes
        62, the multiplier shifted right by what is too much, at most 31, without rounding.

        Args:
            scale: finite, not negative; a scalar or 1-D, taken as float64.
            bits: width of the multiplier.
            rounding: as the class.
        """
        bits = _check_fixed(rounding, bits)
        values = real_scales(scale, "FixedPoint.from_scale: scale", zero=True)
        derive = _tosa_multiplier if rounding in TOSA else quantize_multiplier
        pairs = [derive(v, bits, rounding) for v in values.reshape(-1).tolist()]
        if values.ndim == 0:
            return cls(*pairs[0], rounding, bits)
        return cls(tuple(m for m, _ in pairs), tuple(s for _, s in pairs), rounding, bits)

    @property
    def channels(self) -> int:
        """Length of the per-channel parameters; 0 when they are scalars."""
        return channels_of(self.multiplier, self.right_shift)

    @property
    def shift_range(self) -> tuple[int, int]:
        """The smallest and the largest right shift of this rounding and width."""
        datapath = _DATAPATHS[self.rounding]
        return datapath.least, self.bits + 30 if self.rounding in TWICE else datapath.most

    @property
    def operand_bits(self) -> int:
        """Width of the widest accumulator that the datapath takes."""
        match self.rounding:
            case "double" | "double-half-up":
                return 32
            case "single" | "s64-reduced":
                return 64
            case "tosa-single" | "tosa-double":
                return 32 if self.bits == 32 else 48
            case _:
                raise ContractError(no_case(self.rounding, "FixedPoint.rounding", FIXED_ROUNDINGS))

    def reference(
        self, x: Any, channel: int = 0, *, draw: int = 0, select: Select = if_else
    ) -> Any:
        """Rescale one value in exact integers (or bit-vectors): the definition.

        Raises:
            ContractError: an integer's result leaves int32 under one of TOSA's roundings, or the
                integer is not in -2**(s-1)..2**(s-1)-1 under one of apply_scale_32's.
        """
        del draw
        m, s = at(self.multiplier, channel), at(self.right_shift, channel)
        narrow = self.rounding in TOSA and self.bits == 32
        if narrow and is_int(x) and (x >> (s - 1)) not in (0, -1):
            raise ContractError(
                f"{self.rounding} must have a value of {s} bits at right shift {s}, not {x} "
                f"(accepted: -2**{s - 1}..2**{s - 1}-1)"
            )
        y = FIXED_REFERENCES[self.rounding](x, m, s, self.bits, select)
        if self.rounding in TOSA and is_int(y) and not -_INT32 <= y < _INT32:
            raise ContractError(
                f"{self.rounding} must give 32 bits, not {y} from {x} (accepted: results in "
                "-2**31..2**31-1)"
            )
        return y


def _check_fixed(rounding: object, bits: object) -> int:
    """Return the width as a Python integer, or raise ContractError."""
    if not isinstance(rounding, str) or rounding not in FIXED_REFERENCES:
        names = ", ".join(FIXED_REFERENCES)
        raise ContractError(
            f"FixedPoint.rounding must be one of its names, not {rounding!r} (accepted: {names})"
        )
    if not isinstance(bits, (int, np.integer)) or not is_int(bits) or not 2 <= bits <= 32:
        raise ContractError(
            f"FixedPoint.bits must be an integer from 2 to 32, not {bits!r} (accepted: 2..32)"
        )
    widths = _DATAPATHS[rounding].widths
    if bits not in widths:
        accepted = ", ".join(map(str, widths))
        raise ContractError(
            f"FixedPoint.bits must be a width of {rounding}, not {bits} (accepted: {accepted})"
        )
    return int(bits)


def quantize_multiplier(scale: float, bits: int, rounding: str) -> tuple[int, int]:
    """Return TFLite's multiplier and right shift of a scale; see FixedPoint.from_scale."""
    n = bits - 1
    if scale == 0.0:
        return 0, n
    mantissa, exponent = math.frexp(scale)
    # mantissa * 2**n is exact in float64 and n is at most 31, so adding 0.5 is exact enough.
    m = math.floor(mantissa * (1 << n) + 0.5)
    if m == 1 << n:
        m, exponent = m >> 1, exponent + 1
    if exponent < -31:
        return 0, n
    shift = n - exponent
    if rounding == "single" and shift < 1:
        return (1 << n) - 1, 1
    least = REDUCED if rounding == "s64-reduced" else 0
    if shift < least:
        raise ContractError(
            f"the scale {scale!r} is too large for a {bits}-bit multiplier (accepted: below "
            f"2**{n - least})"
        )
    return m, shift


def _tosa_multiplier(scale: float, bits: int, rounding: str) -> tuple[int, int]:
    n = bits - 1
    mantissa, exponent = math.frexp(scale)
    m = round(mantissa * (1 << n))  # Python rounds halves to even, as the tool chain does
    if m == 1 << n:
        m, exponent = m >> 1, exponent + 1
    shift = n - exponent
    if shift < _DATAPATHS[rounding].least:
        raise ContractError(
            f"the scale {scale!r} is too large for a {bits}-bit multiplier of {rounding} "
            f"(accepted: below 2**{n - 2})"
        )
    if shift > MAX_SHIFT:
        m, shift = m >> min(31, shift - MAX_SHIFT), MAX_SHIFT
    return m, shift
