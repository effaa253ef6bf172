"""Requantizers but the fixed-point one; see hw_models.schemes for what each computes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from hw_models.errors import ContractError
from hw_models.formats import if_else, is_int
from hw_models.rounding import Rounding, require_deterministic, round_shift, rounding_code
from hw_models.schemes.arguments import (
    Floats,
    Ints,
    at,
    channels_of,
    fixed_table,
    integers,
    real_scales,
)
from hw_models.schemes.fixed_point import (
    MAX_SHIFT,
    FixedPoint,
    quantize_multiplier,
)
from hw_models.tracing import step

if TYPE_CHECKING:
    from hw_models.formats import Select

FLOAT_LIMIT: Final = 1 << 62


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
        object.__setattr__(self, "shifts", fixed_table(shift, np.int64))
        if not (is_int(self.seed) and 0 <= self.seed < 1 << 64):
            raise ContractError(
                f"PowerOfTwo.seed must be a 64-bit unsigned integer, not {self.seed!r} "
                "(accepted: 0..2**64-1)"
            )
        object.__setattr__(self, "seed", int(self.seed))  # a NumPy integer would overflow

    @property
    def channels(self) -> int:
        """Length of the per-channel parameters; 0 when they are scalars."""
        return channels_of(self.right_shift)

    def reference(
        self, x: Any, channel: int = 0, *, draw: int = 0, select: Select = if_else
    ) -> Any:
        """Rescale one value in exact integers (or bit-vectors): the definition."""
        k = at(self.right_shift, channel)
        return round_shift(x, k, self.rounding, draw=draw, select=select)


def affine_rescale(
    x: Any, mul: Any, add: Any, right_shift: int, rounding: Rounding, select: Select = if_else
) -> Any:
    """Return ``(x * mul + add) / 2**right_shift`` rounded once: MulAddShift's and Converter's.

    Args:
        x: an integer, or a bit-vector so wide that neither product nor sum wraps.
        mul: as x.
        add: as x.
        right_shift: an integer.
        rounding: a name of ``ROUNDINGS`` but ``stochastic``.
        select: ``if``-expression; an SMT solver passes its own.
    """
    added = step(step(x * mul, "product") + add, "addend")
    return round_shift(added, right_shift, rounding, select=select)


@dataclass(frozen=True, slots=True)
class MulAddShift:
    """A multiplication, an addition and a shift: ``(x * mul + add) / 2**right_shift``.

    Attributes:
        mul: signed integer of 32 bits; a scalar, or one per channel.
        add: signed integer of 48 bits, in units of ``2**-right_shift``; as mul.
        right_shift: 0..62; as mul.
        rounding: a name of ``ROUNDINGS`` but ``stochastic``.
    """

    mul: Ints
    add: Ints
    right_shift: Ints
    rounding: Rounding = "half_up"
    multipliers: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    addends: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    shifts: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    prepared: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        require_deterministic(self.rounding, "MulAddShift.rounding")
        mul = integers(self.mul, "MulAddShift.mul", -(1 << 31), (1 << 31) - 1)
        add = integers(self.add, "MulAddShift.add", -(1 << 47), (1 << 47) - 1)
        shift = integers(self.right_shift, "MulAddShift.right_shift", 0, MAX_SHIFT)
        size = channels_of(mul, add, shift)
        tables = {"multipliers": mul, "addends": add, "shifts": shift}
        for name, value in {"mul": mul, "add": add, "right_shift": shift}.items():
            object.__setattr__(self, name, value)
        for name, value in tables.items():
            object.__setattr__(self, name, fixed_table(value, np.int64, size))

    @classmethod
    def from_scale(
        cls, scale: object, right_shift: int, rounding: Rounding = "half_up"
    ) -> MulAddShift:
        """Derive ``mul = round_half_even(scale * 2**right_shift)``, one shift for all channels.

        Source: pulp-platform/quantlib, whose ``D`` is ``2**right_shift``. A small scale has ``mul``
        0, as there; one whose ``mul`` does not fit 32 bits is refused.
        """
        values = real_scales(scale, "MulAddShift.from_scale: scale", zero=True)
        shift = integers(right_shift, "MulAddShift.right_shift", 0, MAX_SHIFT)
        if isinstance(shift, tuple):
            raise ContractError(
                f"right_shift must be one for all channels, not {right_shift!r} (accepted: an "
                "integer)"
            )
        mul = [round(Fraction(v) * (1 << shift)) for v in values.reshape(-1).tolist()]
        for value, m in zip(values.reshape(-1).tolist(), mul, strict=True):
            if m >> 31:
                raise ContractError(
                    f"the scale {value!r} is too large for a 32-bit multiplier and a right shift "
                    f"of {shift} (accepted: below 2**{31 - shift})"
                )
        return cls(mul[0] if values.ndim == 0 else tuple(mul), 0, shift, rounding)

    @property
    def channels(self) -> int:
        """Length of the per-channel parameters; 0 when they are scalars."""
        return channels_of(self.mul, self.add, self.right_shift)

    def reference(
        self, x: Any, channel: int = 0, *, draw: int = 0, select: Select = if_else
    ) -> Any:
        """Rescale one value in exact integers (or bit-vectors): the definition."""
        del draw
        mul, add, shift = (at(v, channel) for v in (self.mul, self.add, self.right_shift))
        return affine_rescale(x, mul, add, shift, self.rounding, select)


@dataclass(frozen=True, slots=True)
class Converter:
    """NVDLA's output converter: ``(x - offset) * scale / 2**right_shift``, half away from zero.

    Attributes:
        offset: signed integer of 32 bits; a scalar, or one per channel (NVDLA: a scalar, as all).
        scale: signed integer of 16 bits; as offset.
        right_shift: 0..62; as offset. (NVDLA's register has 6 bits.)
    """

    rounding: ClassVar[Rounding] = "half_away"
    offset: Ints
    scale: Ints
    right_shift: Ints
    multipliers: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    addends: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    shifts: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    prepared: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        offset = integers(self.offset, "Converter.offset", -(1 << 31), (1 << 31) - 1)
        scale = integers(self.scale, "Converter.scale", -(1 << 15), (1 << 15) - 1)
        shift = integers(self.right_shift, "Converter.right_shift", 0, MAX_SHIFT)
        size = channels_of(offset, scale, shift)
        for name, value in {"offset": offset, "scale": scale, "right_shift": shift}.items():
            object.__setattr__(self, name, value)
        offsets, scales = (fixed_table(value, np.int64, size) for value in (offset, scale))
        object.__setattr__(self, "multipliers", scales)
        # (x - offset) * scale = x * scale + addend, exactly.
        object.__setattr__(self, "addends", -offsets * scales)
        object.__setattr__(self, "shifts", fixed_table(shift, np.int64, size))

    @classmethod
    def from_scale(cls, scale: object, offset: int = 0) -> Converter:
        """Derive scale and shift: 16 bits as ``FixedPoint.from_scale`` makes them."""
        values = real_scales(scale, "Converter.from_scale: scale", zero=True)
        pairs = [quantize_multiplier(v, 16, "converter") for v in values.reshape(-1).tolist()]
        if values.ndim == 0:
            return cls(offset, *pairs[0])
        return cls(offset, tuple(m for m, _ in pairs), tuple(s for _, s in pairs))

    @property
    def channels(self) -> int:
        """Length of the per-channel parameters; 0 when they are scalars."""
        return channels_of(self.offset, self.scale, self.right_shift)

    def reference(
        self, x: Any, channel: int = 0, *, draw: int = 0, select: Select = if_else
    ) -> Any:
        """Rescale one value in exact integers (or bit-vectors): the definition."""
        del draw
        offset, scale, shift = (at(v, channel) for v in (self.offset, self.scale, self.right_shift))
        centred = step(x - offset, "offset")
        return affine_rescale(centred, scale, 0, shift, self.rounding, select)


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
        values = real_scales(self.scale, "FloatScale.scale", zero=False)
        with np.errstate(over="ignore", under="ignore"):
            narrow = values.astype(np.float32)
        real_scales(narrow, "FloatScale.scale as float32", zero=False)
        scale = float(narrow) if narrow.ndim == 0 else tuple(narrow.tolist())
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "scales", fixed_table(scale, np.float32))

    @property
    def channels(self) -> int:
        """Length of the per-channel parameters; 0 when they are scalars."""
        return channels_of(self.scale)

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


@dataclass(frozen=True, slots=True)
class Float64Scale:
    """A float64 multiplier and C's ``round()``, as LiteRT's reference fully-connected kernel.

    Attributes:
        scale: positive and finite; a scalar, or one per channel.
    """

    scale: Floats
    scales: npt.NDArray[np.float64] = field(init=False, repr=False, compare=False)
    prepared: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        values = real_scales(self.scale, "Float64Scale.scale", zero=False)
        scale = float(values) if values.ndim == 0 else tuple(values.tolist())
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "scales", fixed_table(scale, np.float64))

    @property
    def channels(self) -> int:
        """Length of the per-channel parameters; 0 when they are scalars."""
        return channels_of(self.scale)

    def reference(
        self, x: int, channel: int = 0, *, draw: int = 0, select: Select = if_else
    ) -> int:
        """Rescale one integer: float64 by definition, so no bit-vectors here."""
        del draw, select
        product = float(x) * float(self.scales[channel if self.channels else 0])
        if not abs(product) < FLOAT_LIMIT:
            return FLOAT_LIMIT if product > 0 else -FLOAT_LIMIT
        away = math.floor(abs(Fraction(product)) + Fraction(1, 2))
        return away if product > 0 else -away


Requantizer: TypeAlias = (
    FixedPoint | PowerOfTwo | MulAddShift | Converter | FloatScale | Float64Scale
)
REQUANTIZERS: Final = (FixedPoint, PowerOfTwo, MulAddShift, Converter, FloatScale, Float64Scale)
