"""Requantizers: value objects that say how an accumulator becomes a narrow code.

Real-number meaning of all of them: ``y ~ x * scale``. They differ in how the datapath holds the
scale and where it rounds:

| object                       | scale                     | rounding                           |
|------------------------------|---------------------------|------------------------------------|
| ``FixedPoint(.., "double")`` | ``multiplier / 2**shift`` | twice: half up, then half away     |
| ``FixedPoint(.., "single")`` | ``multiplier / 2**shift`` | once, half up                      |
| ``PowerOfTwo``               | ``1 / 2**shift``          | once, any of ``ROUNDINGS``         |
| ``FloatScale``               | a float32                 | float32 twice, then half even      |

``"double"`` is gemmlowp's (google/gemmlowp fixedpoint/fixedpoint.h), on a 32-bit register with a
multiplier of ``bits`` bits. With ``left = max(bits - 1 - right_shift, 0)`` and
``right = max(right_shift - (bits - 1), 0)``:

    a = wrap32(x << left)
    b = (a * m + nudge) / 2**(bits - 1)         C division, which truncates
        nudge = 2**(bits - 2) if a * m >= 0 else 1 - 2**(bits - 2)
    y = b / 2**right                            nearest, ties away from zero

Corners: ``a = -2**31`` with ``m = -2**(bits-1)`` saturates ``b`` to ``2**31 - 1``. The left shift
wraps where TFLite's C++ is undefined. Truncation with that nudge is half *up* for either sign,
which ``>>`` with the same nudge is not. An ``x`` outside int32 is refused.

``"single"`` is TFLite's TFLITE_SINGLE_ROUNDING: ``(x * m + 2**(s - 1)) >> s``, exact for any
``x`` up to 64 bits and any sign of ``m``; ``s = 0`` rounds nothing.

``FloatScale``: ``x`` to float32 (nearest even: it rounds above 2**24), times the float32 scale,
rounded half even to an integer. Values beyond ``+-2**62`` count as ``+-2**62``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array
from hw_models.errors import ContractError
from hw_models.formats import if_else, is_int
from hw_models.rounding import Rounding, round_shift, rounding_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from hw_models.formats import Select

FixedRounding: TypeAlias = Literal["double", "single"]
Ints: TypeAlias = int | tuple[int, ...]
Floats: TypeAlias = float | tuple[float, ...]

MAX_SHIFT: Final = 62
FLOAT_LIMIT: Final = 1 << 62


def double_rounding(x: Any, m: int, right_shift: int, bits: int, select: Select = if_else) -> Any:
    """Return the gemmlowp rescaling of ``x``, straight from its definition."""
    left, right = max(bits - 1 - right_shift, 0), max(right_shift - (bits - 1), 0)
    sign = 1 << 31
    a = (((x * (1 << left)) & 0xFFFFFFFF) ^ sign) - sign
    product = a * m
    n = bits - 1
    half = 1 << (n - 1)
    up = (product + half) >> n
    down = -(-(product + 1 - half) >> n)
    b = select(product >= 0, up, down)
    b = select(m == -(1 << n), select(a == -sign, sign - 1, b), b)
    return round_shift(b, right, "half_away", select=select)


def single_rounding(x: Any, m: int, right_shift: int, bits: int, select: Select = if_else) -> Any:
    """Return ``x * m / 2**right_shift`` rounded once, half up."""
    del bits
    return round_shift(x * m, right_shift, "half_up", select=select)


# A new fixed-point rounding is one entry here, a name in FixedRounding, its exact kernel in
# _requantize.py chosen in requantize._run, and (or it must be declined there) its arithmetic in
# _requantize_fast._fixed with a mode in _requantize_vector.
FIXED_REFERENCES: Final[dict[str, Callable[..., Any]]] = {
    "double": double_rounding,
    "single": single_rounding,
}


def integers(value: object, name: str, low: int, high: int) -> Ints:
    """Normalise a scalar or a 1-D sequence to an int or a tuple of ints in low..high."""
    accepted = f"an integer or a 1-D sequence of integers in {low}..{high}"
    if is_int(value):
        result: Ints = int(value)  # type: ignore[call-overload]  # is_int is no TypeGuard
    else:
        array = as_array(value, name)
        if array.ndim > 1 or array.size == 0 or array.dtype.kind not in "iu":
            raise ContractError(f"{name} must be {accepted}, not {value!r} (accepted: {accepted})")
        result = int(array) if array.ndim == 0 else tuple(array.tolist())
    for index, item in enumerate(result if isinstance(result, tuple) else (result,)):
        if not low <= item <= high:
            raise ContractError(
                f"{name} must be in {low}..{high}, not {item} at channel {index} "
                f"(accepted: {low}..{high})"
            )
    return result


def _table(value: Ints | Floats, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    table = np.atleast_1d(np.asarray(value, dtype=dtype))
    table.setflags(write=False)
    return table


def _scales(scale: object, name: str, *, zero: bool) -> npt.NDArray[np.float64]:
    array = as_array(scale, name)
    accepted = f"finite numbers {'of at least' if zero else 'above'} 0, a scalar or 1-D"
    if array.ndim > 1 or array.size == 0 or array.dtype.kind not in "fiu":
        raise ContractError(f"{name} must be numbers, not {scale!r} (accepted: {accepted})")
    values = array.astype(np.float64)
    good = np.isfinite(values) & ((values >= 0) if zero else (values > 0))
    if not good.all():
        bad = values.reshape(-1)[int(np.argmin(good.reshape(-1)))]
        raise ContractError(f"{name} must be positive and finite, not {bad} (accepted: {accepted})")
    return values


def _channels(*values: Ints | Floats) -> int:
    lengths = {len(value) for value in values if isinstance(value, tuple)}
    if len(lengths) > 1:
        raise ContractError(
            f"the parameters of one requantizer must have one length, not {sorted(lengths)} "
            "(accepted: scalars, or one value per channel)"
        )
    return lengths.pop() if lengths else 0


def _at(value: Ints, channel: int) -> int:
    return value[channel] if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """An integer multiplier and a right shift: real scale = ``multiplier / 2**right_shift``.

    Attributes:
        multiplier: signed integer of ``bits`` bits; a scalar, or one per channel.
        right_shift: 0..62, for ``double`` at most ``bits + 30``; a scalar, or one per channel.
        rounding: ``double`` or ``single``, as this module's docstring defines them.
        bits: width of the multiplier, 2..32.
    """

    multiplier: Ints
    right_shift: Ints
    rounding: FixedRounding = "double"
    bits: int = 32
    multipliers: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    shifts: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    prepared: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        _check_fixed(self.rounding, self.bits)
        top = self.bits + 30 if self.rounding == "double" else MAX_SHIFT
        high = (1 << (self.bits - 1)) - 1
        set_ = object.__setattr__  # the way to normalise a frozen dataclass
        multiplier = integers(self.multiplier, "FixedPoint.multiplier", -high - 1, high)
        shift = integers(self.right_shift, "FixedPoint.right_shift", 0, top)
        set_(self, "multiplier", multiplier)
        set_(self, "right_shift", shift)
        size = max(_channels(multiplier, shift), 1)
        for name, value in (("multipliers", multiplier), ("shifts", shift)):
            table = np.broadcast_to(_table(value, np.int64), size).copy()
            table.setflags(write=False)
            set_(self, name, table)

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
        """Derive multiplier and shift from real scales (TFLite ``QuantizeMultiplier``).

        ``frexp`` to a mantissa in [0.5, 1); ``m = round_half_away(mantissa * 2**(bits-1))``; an
        ``m`` of ``2**(bits-1)`` is halved and the exponent raised. Corners: 0 gives (0, bits-1);
        an exponent below -31 flushes to multiplier 0; ``single`` saturates to the largest
        multiplier at right shift 1 when the scale is too large (TFLite: shift > 30), ``double``
        refuses one that its left shift cannot reach. Source: tensorflow
        lite/kernels/internal/quantization_util.cc.

        Args:
            scale: finite, not negative; a scalar or 1-D, taken as float64.
            bits: width of the multiplier.
            rounding: as the class.
        """
        _check_fixed(rounding, bits)
        values = _scales(scale, "FixedPoint.from_scale: scale", zero=True)
        pairs = [_quantize_multiplier(v, bits, rounding) for v in values.reshape(-1).tolist()]
        if values.ndim == 0:
            return cls(*pairs[0], rounding, bits)
        return cls(tuple(m for m, _ in pairs), tuple(s for _, s in pairs), rounding, bits)

    @property
    def channels(self) -> int:
        """Length of the per-channel parameters; 0 when they are scalars."""
        return _channels(self.multiplier, self.right_shift)

    def reference(
        self, x: Any, channel: int = 0, *, draw: int = 0, select: Select = if_else
    ) -> Any:
        """Rescale one value in exact integers (or bit-vectors): the definition."""
        del draw
        m, s = _at(self.multiplier, channel), _at(self.right_shift, channel)
        return FIXED_REFERENCES[self.rounding](x, m, s, self.bits, select)


def _check_fixed(rounding: object, bits: object) -> None:
    if not isinstance(rounding, str) or rounding not in FIXED_REFERENCES:
        names = ", ".join(FIXED_REFERENCES)
        raise ContractError(
            f"FixedPoint.rounding must be one of its names, not {rounding!r} (accepted: {names})"
        )
    if not (isinstance(bits, int) and is_int(bits) and 2 <= bits <= 32):
        raise ContractError(
            f"FixedPoint.bits must be an integer from 2 to 32, not {bits!r} (accepted: 2..32)"
        )


def _quantize_multiplier(scale: float, bits: int, rounding: str) -> tuple[int, int]:
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
    if shift < 0:
        raise ContractError(
            f"the scale {scale!r} is too large for a {bits}-bit multiplier (accepted: below 2**{n})"
        )
    return m, shift


@dataclass(frozen=True, slots=True)
class PowerOfTwo:
    """A shift: real scale = ``2**-right_shift``, rounded as ``hw_models.rounding`` defines.

    Attributes:
        right_shift: -62..62, negative shifts left exactly; a scalar, or one per channel.
        rounding: a name of ``ROUNDINGS``.
        seed: for ``stochastic``: the draw of an element is ``splitmix64(seed, index)``, index its
            position in C order.
    """

    right_shift: Ints
    rounding: Rounding = "half_even"
    seed: int = 0
    shifts: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    prepared: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        rounding_code(self.rounding)
        shift = integers(self.right_shift, "PowerOfTwo.right_shift", -MAX_SHIFT, MAX_SHIFT)
        object.__setattr__(self, "right_shift", shift)
        object.__setattr__(self, "shifts", _table(shift, np.int64))
        if not (is_int(self.seed) and 0 <= self.seed < 1 << 64):
            raise ContractError(
                f"PowerOfTwo.seed must be a 64-bit unsigned integer, not {self.seed!r} "
                "(accepted: 0..2**64-1)"
            )

    @property
    def channels(self) -> int:
        """Length of the per-channel parameters; 0 when they are scalars."""
        return _channels(self.right_shift)

    def reference(
        self, x: Any, channel: int = 0, *, draw: int = 0, select: Select = if_else
    ) -> Any:
        """Rescale one value in exact integers (or bit-vectors): the definition."""
        k = _at(self.right_shift, channel)
        return round_shift(x, k, self.rounding, draw=draw, select=select)


@dataclass(frozen=True, slots=True)
class FloatScale:
    """A float32 multiplier, as PyTorch and ONNX Runtime requantize.

    Attributes:
        scale: positive and finite, rounded to float32; a scalar, or one per channel.
    """

    scale: Floats
    scales: npt.NDArray[np.float32] = field(init=False, repr=False, compare=False)
    prepared: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        values = _scales(self.scale, "FloatScale.scale", zero=False)
        with np.errstate(over="ignore", under="ignore"):
            narrow = values.astype(np.float32)
        _scales(narrow, "FloatScale.scale as float32", zero=False)
        scale = float(narrow) if narrow.ndim == 0 else tuple(narrow.tolist())
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "scales", _table(scale, np.float32))

    @property
    def channels(self) -> int:
        """Length of the per-channel parameters; 0 when they are scalars."""
        return _channels(self.scale)

    def reference(
        self, x: int, channel: int = 0, *, draw: int = 0, select: Select = if_else
    ) -> int:
        """Rescale one integer: float32 by definition, so no bit-vectors here."""
        del draw, select
        scale = self.scales[channel if self.channels else 0]
        with np.errstate(over="ignore", under="ignore"):
            product = np.float32(np.int64(x)) * scale
        if not abs(product) < FLOAT_LIMIT:
            return FLOAT_LIMIT if product > 0 else -FLOAT_LIMIT
        return round(float(product))  # Python rounds halves to even, exactly


Requantizer: TypeAlias = FixedPoint | PowerOfTwo | FloatScale
