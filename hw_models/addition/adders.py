"""The schemes of quantized addition: value objects with their definitions; see hw_models.add."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np

from hw_models._arguments import require_accumulator, require_name, require_scale, show
from hw_models._pointwise import keep_ints, require_int
from hw_models.errors import AccumulatorOverflowError, ContractError, no_case
from hw_models.formats import Accumulator, if_else
from hw_models.rounding import Rounding, require_deterministic, round_shift
from hw_models.schemes import FixedPoint, PowerOfTwo
from hw_models.tracing import step

if TYPE_CHECKING:
    from hw_models.formats import Select
    from hw_models.schemes import FixedRounding

AddFormula: TypeAlias = Literal["torch", "onnx", "torch_quantized", "mlas", "torch_scalar"]
# The position in this tuple is the formula's number in the kernel: a new name goes last.
ADD_FORMULAS: Final[tuple[AddFormula, ...]] = get_args(AddFormula)
_FAR: Final = 1 << 16  # no format has so many fraction bits


def _scalar(scheme: object, name: str, kind: type[FixedPoint | PowerOfTwo]) -> None:
    if not isinstance(scheme, kind):
        raise ContractError(
            f"{name} must be a {kind.__name__}, not {show(scheme)} (accepted: {kind.__name__})"
        )
    if scheme.channels:
        raise ContractError(
            f"{name} must be per tensor, not one of {scheme.channels} channels (accepted: scalars)"
        )


def _positive(**scales: float) -> None:
    for name, scale in scales.items():
        require_scale(scale, name)


def _float32(scale: float, name: str) -> np.float32:
    """Return a scale as float32, neither zero nor infinite."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = np.float32(require_scale(scale, name))
    if not 0 < narrow < np.inf:
        raise ContractError(
            f"{name} must be positive and finite as float32, not {scale!r} "
            "(accepted: 2e-45 to 3e38)"
        )
    return narrow


@dataclass(frozen=True, slots=True)
class ShiftedAdd:
    """TFLite's integer addition.

    Attributes:
        left_shift: of both offset inputs, 0..30 (TFLite: 20 for int8, 15 for int16).
        a, b, out: the three rescalings, per tensor.
    """

    left_shift: int
    a: FixedPoint
    b: FixedPoint
    out: FixedPoint

    def __post_init__(self) -> None:
        keep_ints(self, 0, 30, "left_shift")
        for name in ("a", "b", "out"):
            _scalar(getattr(self, name), f"ShiftedAdd.{name}", FixedPoint)

    @classmethod
    def from_scales(
        cls,
        scale_a: float,
        scale_b: float,
        scale_out: float,
        left_shift: int = 20,
        rounding: FixedRounding = "double",
    ) -> ShiftedAdd:
        """Derive the multipliers in float64 (tensorflow lite/kernels/add.cc).

        The inputs are rescaled to twice the larger input scale, so their sum cannot overflow.
        """
        _positive(scale_a=scale_a, scale_b=scale_b, scale_out=scale_out)
        left_shift = require_int(left_shift, "left_shift", 0, 30)
        twice = 2.0 * max(float(scale_a), float(scale_b))
        real = (
            float(scale_a) / twice,
            float(scale_b) / twice,
            twice / ((1 << left_shift) * float(scale_out)),
        )
        return cls(left_shift, *(FixedPoint.from_scale(s, rounding=rounding) for s in real))

    def reference(self, a: Any, b: Any, *, select: Select = if_else) -> Any:
        """Add two offset codes in exact integers (or bit-vectors): the definition."""
        lifted = (step(x * (1 << self.left_shift), "lifted") for x in (a, b))
        rescaled = [
            s.reference(x, select=select) for s, x in zip((self.a, self.b), lifted, strict=True)
        ]
        return self.out.reference(step(rescaled[0] + rescaled[1], "sum"), select=select)


@dataclass(frozen=True, slots=True)
class AlignedAdd:
    """Addition of two power-of-two scales.

    Attributes:
        left_a, left_b: exact left shifts to the common finer scale, 0..30.
        out: the shift to the output's scale, per tensor.
        accumulator: of the aligned sum.
    """

    left_a: int
    left_b: int
    out: PowerOfTwo
    accumulator: Accumulator = Accumulator()  # noqa: RUF009  # frozen

    def __post_init__(self) -> None:
        keep_ints(self, 0, 30, "left_a", "left_b")
        _scalar(self.out, "AlignedAdd.out", PowerOfTwo)
        require_accumulator(self.accumulator)

    @classmethod
    def from_fractions(
        cls,
        fraction_a: int,
        fraction_b: int,
        fraction_out: int,
        rounding: Rounding = "half_even",
        accumulator: Accumulator = Accumulator(),  # noqa: B008  # frozen
    ) -> AlignedAdd:
        """Align fixed-point formats by their fraction bits (scale = 2**-fraction)."""
        fractions = {
            "fraction_a": fraction_a,
            "fraction_b": fraction_b,
            "fraction_out": fraction_out,
        }
        a, b, out = (require_int(value, name, -_FAR, _FAR) for name, value in fractions.items())
        finer = max(a, b)
        return cls(finer - a, finer - b, PowerOfTwo(finer - out, rounding), accumulator)

    def reference(self, a: Any, b: Any, *, draw: Any = 0, select: Select = if_else) -> Any:
        """Add two offset codes in exact integers (or bit-vectors): the definition."""
        aligned = step(a * (1 << self.left_a), "aligned"), step(b * (1 << self.left_b), "aligned")
        total = step(aligned[0] + aligned[1], "sum")
        accumulator = self.accumulator
        if accumulator.overflow == "error" and not accumulator.min <= total <= accumulator.max:
            accepted = f"{accumulator.min}..{accumulator.max}"
            raise AccumulatorOverflowError("add", (), total, accepted)
        return self.out.reference(accumulator.hold(total, select), draw=draw, select=select)


@dataclass(frozen=True, slots=True)
class MultiplierAdd:
    """Two multipliers, one sum, one rounding shift.

    Attributes:
        multiplier_a, multiplier_b: signed, up to 24 bits.
        right_shift: 0..31.
        rounding: any but ``stochastic``.
    """

    multiplier_a: int
    multiplier_b: int
    right_shift: int
    rounding: Rounding = "half_away"

    def __post_init__(self) -> None:
        keep_ints(self, -(1 << 23), (1 << 23) - 1, "multiplier_a", "multiplier_b")
        keep_ints(self, 0, 31, "right_shift")
        require_deterministic(self.rounding, "MultiplierAdd.rounding")

    @classmethod
    def from_scales(cls, scale_a: float, scale_b: float, scale_out: float) -> MultiplierAdd:
        """Derive QNNPACK's parameters: 22 bits of the larger float32 ratio, half even."""
        out = _float32(scale_out, "scale_out")
        scales = (_float32(scale_a, "scale_a"), _float32(scale_b, "scale_b"))
        with np.errstate(over="ignore", under="ignore"):
            ratios = [float(scale / out) for scale in scales]
        if not 0 < max(ratios) < math.inf:
            raise ContractError(
                f"the ratios of the scales must fit float32, not {ratios} "
                "(accepted: the larger scale within 2**-9..2**22 of scale_out)"
            )
        shift = 22 - math.frexp(max(ratios))[1]
        a, b = (round(math.ldexp(ratio, shift)) for ratio in ratios)
        return cls(a, b, shift)

    def reference(self, a: Any, b: Any, *, select: Select = if_else) -> Any:
        """Add two offset codes in exact integers (or bit-vectors): the definition."""
        products = step(a * self.multiplier_a, "product"), step(b * self.multiplier_b, "product")
        total = step(products[0] + products[1], "sum")
        return round_shift(total, self.right_shift, self.rounding, select=select)


@dataclass(frozen=True, slots=True)
class FloatAdd:
    """Addition in float32; see the module's table.

    Attributes:
        scale_a, scale_b, scale_out: positive, rounded to float32.
        formula: ``torch``, ``onnx``, ``torch_quantized``, ``torch_scalar`` or ``mlas``.
    """

    scale_a: float
    scale_b: float
    scale_out: float
    formula: AddFormula = "torch"

    def __post_init__(self) -> None:
        require_name(self.formula, "FloatAdd.formula", ADD_FORMULAS)
        for name in ("scale_a", "scale_b", "scale_out"):
            value = getattr(self, name)
            _positive(**{name: value})
            with np.errstate(over="ignore", under="ignore"):
                narrow = float(np.float32(value))
            if not 2.0**-45 <= narrow <= 2.0**45:  # no ratio or product is then infinite
                raise ContractError(
                    f"FloatAdd.{name} must be a float32 of usual size, not {value!r} "
                    "(accepted: 2**-45 to 2**45)"
                )
            object.__setattr__(self, name, narrow)

    def reference(self, a: int, b: int, za: int, zb: int, zo: int) -> int:
        """Add two codes, each float32 rounding on its own: the definition."""
        sa, sb, so = (Fraction(s) for s in (self.scale_a, self.scale_b, self.scale_out))
        if self.formula == "mlas":
            ra, rb = f32(sa / so), f32(sb / so)
            fixed = f32(f32(zo) - f32(ra * f32(za) + f32(rb * f32(zb))))
            return round(f32(ra * f32(a) + f32(rb * f32(b) + fixed)))
        if self.formula == "torch_quantized":
            parts = [f32(s * f32(q) + f32(s * -f32(z))) for s, q, z in ((sa, a, za), (sb, b, zb))]
        else:
            parts = [f32(f32(q - z) * s) for s, q, z in ((sa, a, za), (sb, b, zb))]
        total = f32(parts[0] + parts[1])
        match self.formula:
            case "torch" | "torch_quantized":
                return round(f32(total * f32(1 / so))) + zo
            case "onnx":
                return round(f32(total / so)) + zo
            case "torch_scalar":
                return round(f32(f32(total * f32(1 / so)) + f32(zo)))
            case _:
                raise ContractError(no_case(self.formula, "FloatAdd.formula", ADD_FORMULAS))


Adder: TypeAlias = ShiftedAdd | AlignedAdd | MultiplierAdd | FloatAdd


def f32(x: Fraction | int) -> Fraction:
    """Return the float32 nearest to an exact number, ties to even.

    Raises:
        OverflowError: no finite float32 is.
    """
    exact = Fraction(x)
    over, under = abs(exact.numerator), exact.denominator
    # The place of the last of 24 bits; the smallest numbers have fewer.
    place = max(over.bit_length() - under.bit_length() - 24, -149)
    if over >= under << 24 + place if place > -24 else over << -24 - place >= under:
        place += 1
    if place < 0:
        over <<= -place
    else:
        under <<= place
    bits, rest = divmod(over, under)
    bits += 2 * rest > under or (2 * rest == under and bits % 2 == 1)
    if bits.bit_length() + place > 128:
        raise OverflowError(f"{float(exact)} rounds to no finite float32")
    signed = bits if exact > 0 else -bits
    return Fraction(signed << place) if place >= 0 else Fraction(signed, 1 << -place)
