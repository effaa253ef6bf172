"""The scales of directed requantizers: which multipliers and shifts, and where their ties lie."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, assert_never, cast

from hw_models import Converter, FixedPoint, FloatScale, MulAddShift, PowerOfTwo
from hw_models.schemes import MAX_SHIFT, FixedRounding, Float64Scale, reduced_multiplier
from hw_models.schemes.fixed_point import FIXED_ROUNDINGS, TOSA, TWICE
from qsim.golden.directed.vectors import BESIDE, TIE_DOWN, TIE_UP, odd_part

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from hw_models import FixedFormat, Requantizer
    from hw_models.rounding import Rounding
    from hw_models.schemes.arguments import Ints
    from qsim.target import Target

Kind: TypeAlias = Literal[
    FixedRounding, "mul_add_shift", "converter", "power_of_two", "float_scale", "float64_scale"
]
FLOATS: Final = ("float_scale", "float64_scale")
_STRIDE: Final = 47  # prime to the length of any sweep: neighbours in a call differ
# Accumulators that float32 does not hold: halfway between two that it does.
FLOAT_TIES: Final = (
    *(((1 << 24) + odd, TIE_UP) for odd in (1, 3)),
    *((-(1 << 24) - odd, TIE_DOWN) for odd in (1, 3)),
    ((1 << 30) + 64 + 1, BESIDE),
    ((1 << 30) + 64 - 1, BESIDE),
)


@dataclass(frozen=True)
class Scale:
    """One channel's scale: ``multiplier / 2**shift``, and the scheme that computes with it.

    Attributes:
        family: its scheme.
        multiplier, shift: multiplier is 1 for a power of two, the significand for a float.
        pinned: operands for which the channel was chosen, with their class.
        addend: of a multiply-add-shift.
    """

    family: Family
    multiplier: int
    shift: int
    pinned: tuple[tuple[int, str], ...] = ()
    addend: int = 0

    @property
    def _ratio(self) -> tuple[int, int]:
        """What the datapath multiplies by, and shifts right by."""
        if self.family.kind == "s64-reduced":
            return int(reduced_multiplier(self.multiplier)), self.shift - 16
        return self.multiplier, self.shift

    @property
    def negative(self) -> bool:
        """Whether the scale is below 0."""
        return self.multiplier < 0

    def positive(self, x: int) -> bool:
        """Return whether an operand's exact result is above 0."""
        return x * self._ratio[0] + self.addend > 0

    @property
    def _left(self) -> int:
        return max(self.family.bits - 1 - self.shift, 0) if self.family.kind in TWICE else 0

    @property
    def least(self) -> int:
        """The smallest operand that the scheme takes."""
        return -self.most - (not self.family.unsigned)

    @property
    def most(self) -> int:
        """The largest operand that the scheme takes."""
        widest = (1 << (self.family.operand_bits - 1)) - 1
        if not self.family.unsigned:
            return widest
        # TOSA's operands of 32 bits must fit the shift; its results 32 bits, nudges included.
        if self.family.operand_bits == 32:
            widest = min(widest, (1 << (self.shift - 1)) - 1)
        return min(widest, (((1 << 31) - 2) << self.shift) // max(self.multiplier, 1))

    @property
    def rises_from(self) -> int:
        """The smallest operand that the 32-bit left shift of ``double`` leaves whole."""
        return self.least >> self._left

    @property
    def rises_to(self) -> int:
        """The largest operand that the 32-bit left shift of ``double`` leaves whole."""
        return self.most >> self._left

    @property
    def period(self) -> int | None:
        """The smallest operand whose exact quotient is a whole number; None for scale 0."""
        multiplier, shift = self._ratio
        if multiplier == 0 or self.addend % (1 << max(shift, 0)):
            return None
        return 1 << max(shift - odd_part(multiplier)[1], 0)

    def apply(self, x: int) -> int:
        """Rescale one operand by the definition (``stochastic`` without its draw)."""
        return int(self._alone.reference(x))

    @functools.cached_property
    def _alone(self) -> Requantizer:
        return self.family.scheme([self])

    def tie_lattices(self) -> Iterator[tuple[int, int]]:
        """Give (first, step): the operands first + i * step are ties.

        First the exact ties of the whole scale; for two roundings also those of the first that
        decide the second: quotient ``b - 1/2``, where ``b`` is a tie of the second shift.
        """
        multiplier, shift = self._ratio
        if multiplier == 0:
            return
        odd, twos = odd_part(multiplier)
        k = shift - twos
        if k >= 1:
            missing = (1 << (shift - 1)) - self.addend
            if missing % (1 << twos) == 0:
                yield (missing >> twos) * pow(odd, -1, 1 << k) % (1 << k), 1 << k
        n = self.family.bits - 1
        right = self.shift - n
        if self.family.kind in TWICE and right > 0 and n - 1 >= twos:
            # j * odd = (2q + 1) * 2**right - 1, solved for j modulo 2 * 2**right.
            j = -pow(odd, -1, 1 << right) % (1 << right)
            if (j * odd + 1) >> right & 1 == 0:
                j += 1 << right
            unit = 1 << (n - 1 - twos)
            yield j * unit, unit << (right + 1)
            yield -j * unit, unit << (right + 1)


@dataclass(frozen=True)
class Family:
    """Requantizers of one kind.

    Attributes:
        kind: which scheme and, for fixed point, which rounding.
        bits: width of the multiplier; 0 without one.
        rounding: of a power of two.
        seed: of ``stochastic``.
    """

    kind: Kind
    bits: int = 0
    rounding: Rounding = "half_even"
    seed: int = 0

    @classmethod
    def of(cls, target: Target, seed: int = 0) -> Family:
        """Return the family of a target's [requantize]."""
        r = target.requantize
        match r.scheme:  # whose roundings the target's rules know
            case "fixed_point":
                return cls(cast("FixedRounding", r.rounding), r.multiplier_bits)
            case "float_scale":
                return cls("float_scale", 24)
            case "float64_scale":
                return cls("float64_scale", 53)
            case "mul_add_shift":
                return cls("mul_add_shift", r.multiplier_bits, cast("Rounding", r.rounding))
            case "converter":
                return cls("converter", 16)
            case "power_of_two":
                return cls("power_of_two", 0, cast("Rounding", r.rounding), seed)
            case _:
                assert_never(r.scheme)

    @property
    def name(self) -> str:
        """The family in the name of a case."""
        match self.kind:
            case "power_of_two":
                return f"shift-{self.rounding.replace('_', '-')}"
            case "mul_add_shift":
                return f"mul-add-shift{self.bits}-{self.rounding.replace('_', '-')}"
            case "float_scale":
                return "float"
            case "float64_scale":
                return "float64"
            case "converter":
                return "converter"
            case _:
                return f"{self._fixed(1, 31).rounding}{self.bits}"

    @property
    def shifts(self) -> tuple[int, int]:
        """The smallest and the largest right shift."""
        match self.kind:
            case "power_of_two":
                return -MAX_SHIFT, MAX_SHIFT
            case "float_scale" | "float64_scale":
                return -20, MAX_SHIFT
            case "mul_add_shift" | "converter":
                return 0, MAX_SHIFT
            case _:
                return self._fixed(1, 31).shift_range

    @property
    def operand_bits(self) -> int:
        """Width of the widest operand."""
        match self.kind:
            case "power_of_two" | "float_scale" | "float64_scale" | "mul_add_shift" | "converter":
                return 64
            case _:
                return self._fixed(1, 31).operand_bits

    @property
    def unsigned(self) -> bool:
        """Whether multipliers are not negative, and results must fit 32 bits."""
        return self.kind in TOSA

    def _fixed(self, multiplier: Ints, shift: Ints) -> FixedPoint:
        """Return a fixed-point requantizer: it refuses a kind that is no fixed-point rounding."""
        return FixedPoint(multiplier, shift, cast("FixedRounding", self.kind), self.bits)

    def scheme(self, scales: Sequence[Scale]) -> Requantizer:
        """Return the requantizer whose channels have these scales."""
        multipliers = tuple(scale.multiplier for scale in scales)
        shifts = tuple(scale.shift for scale in scales)
        match self.kind:
            case "power_of_two":
                return PowerOfTwo(shifts, self.rounding, self.seed)
            case "float_scale":
                return FloatScale(_ldexp(multipliers, shifts))
            case "float64_scale":
                return Float64Scale(_ldexp(multipliers, shifts))
            case "mul_add_shift":
                addends = tuple(scale.addend for scale in scales)
                return MulAddShift(multipliers, addends, shifts, self.rounding)
            case "converter":
                return Converter(0, multipliers, shifts)
            case _:
                return self._fixed(multipliers, shifts)


def _ldexp(multipliers: Sequence[int], shifts: Sequence[int]) -> tuple[float, ...]:
    return tuple(math.ldexp(m, -s) for m, s in zip(multipliers, shifts, strict=True))


def channels(
    family: Family, size: int, part: int, acc: FixedFormat, output: FixedFormat, rng: random.Random
) -> list[Scale]:
    """Return the scales of one call: extremes and near ties first, then a sweep of the shifts.

    Args:
        family: the scheme.
        size: how many.
        part: which call of the set: each takes another part of the sweep.
        acc: format of the operand.
        output: format of the codes.
        rng: chooses multipliers.
    """
    low, high = family.shifts
    sweep = list(range(low, high + 1))
    if family.kind == "power_of_two":
        sweep += 4 * list(range(1, min(acc.bits, high + 1)))  # those that round
    whole = (*FIXED_ROUNDINGS, "mul_add_shift", "converter")
    found = list(_fixed(family, output, rng)) if family.kind in whole else []
    found = [scale for i, scale in enumerate(found) if i % 4 == part % 4][: size // 2]
    start = part * size
    while len(found) < size:
        shift = sweep[(start + len(found)) * _STRIDE % len(sweep)]
        found.append(_swept(family, shift, len(found), acc, output, rng))
    return found


def _swept(
    family: Family, shift: int, turn: int, acc: FixedFormat, output: FixedFormat, rng: random.Random
) -> Scale:
    """Return a scale of this shift under which operands of some width fill the codes."""
    if family.kind == "power_of_two":
        return Scale(family, 1, shift)
    # The width of the operands that just fill the codes, such that a multiplier can do it.
    widths = sorted((shift + output.bits - (family.bits - 1), shift + output.bits - 1))
    low, high = (min(max(width, 2), acc.bits) for width in widths)
    size = min(max(shift + output.bits - rng.randint(low, high), 1), family.bits - 1)
    bits = rng.randint(1, min(size, max(output.bits - 2, 1))) if turn % 4 else size
    multiplier = (rng.getrandbits(bits) | 1 | 1 << (bits - 1)) << (size - bits)
    if family.kind in FLOATS:
        ties = FLOAT_TIES if family.kind == "float_scale" else ()
        return Scale(family, multiplier, shift, ties)
    negative = turn % 5 == 4 and not family.unsigned
    addend = _addend(shift, turn, output, rng) if family.kind == "mul_add_shift" else 0
    return Scale(family, -multiplier if negative else multiplier, shift, (), addend)


def _addend(shift: int, turn: int, output: FixedFormat, rng: random.Random) -> int:
    """Return a whole number of codes, with a fraction once in three, that 48 bits hold."""
    codes = rng.randint(output.min, output.max)
    fraction = rng.getrandbits(shift) if turn % 3 == 2 else 0
    addend = (codes << shift) + fraction
    return addend if -(1 << 47) <= addend < 1 << 47 else 0


def _fixed(family: Family, output: FixedFormat, rng: random.Random) -> Iterator[Scale]:
    """Give the ends of multiplier and shift, and products that miss a tie by one."""
    most = (1 << (family.bits - 1)) - 1
    low, high = family.shifts
    n = family.bits - 1
    signed = () if family.unsigned else (-most - 1, -most, -1)
    for multiplier in (*signed, 0, 1, most):
        for shift in sorted({low, 1, n - 1, n, n + 1, n + output.bits, high - 1, high}):
            if low <= shift <= high:
                yield Scale(family, multiplier, shift)
    if family.kind != "s64-reduced":  # whose product is not with the multiplier
        yield from _near(family, output, rng)


def _near(family: Family, output: FixedFormat, rng: random.Random) -> Iterator[Scale]:
    """Give scales for which ``x * multiplier`` is one above or below a tie."""
    most = (1 << (family.bits - 1)) - 1
    low = 0 if family.unsigned else -most
    for shift in range(2, family.bits + 7):
        if family.kind in TWICE and shift > family.bits - 1:
            return
        for sign in (1, -1):
            q = rng.randint(output.min // 2, output.max // 2)
            product = ((2 * q + 1) << (shift - 1)) + sign
            pairs = ((x, product // x) for x in range(3, 600, 2) if product % x == 0)
            found = next(((x, m) for x, m in pairs if low <= m <= most), None)
            if found:
                yield Scale(family, found[1], shift, ((found[0], BESIDE),))
