"""The sections of a target: one frozen dataclass for each table of the TOML file.

Neither torch nor Numba is imported here: hw_models (which loads Numba) is imported in the
properties that make its objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Annotated,
    ClassVar,
    Final,
    TypeAlias,
    assert_never,
    get_args,
)

from qsim.target.fields import Names, Range, Section
from qsim.target.optional import Dynamic, Floats, Recurrent, Units
from qsim.target.words import (
    AddFormula,
    AddRounding,
    At,
    BiasScale,
    Derive,
    DivisionRounding,
    Formula,
    Order,
    Overflow,
    PadValue,
    PrimitiveName,
    RequantizeRounding,
    RequantizeScheme,
    Scheme,
)

if TYPE_CHECKING:
    import hw_models

SCHEMA: Final = 1  # version of the contract's form

OperandBits: TypeAlias = Annotated[int, Range(1, 32)]
AccumulatorBits: TypeAlias = Annotated[int, Range(2, 64)]


@dataclass(frozen=True, slots=True)
class _Codes(Section):
    bits: OperandBits
    signed: bool
    narrow: bool
    scheme: Scheme

    @property
    def format(self) -> hw_models.FixedFormat:
        """The codes: width, sign, and whether the most negative one is used."""
        from hw_models import FixedFormat

        return FixedFormat(self.bits, signed=self.signed, narrow=self.narrow)


@dataclass(frozen=True, slots=True)
class Input(_Codes):
    """Activations that enter a primitive.

    Attributes:
        bits: width of a code, 1 to 32.
        signed: two's complement; false counts from 0.
        narrow: the most negative code of a signed format is not used.
        scheme: ``asymmetric`` has a zero point; ``symmetric`` has zero point 0; ``power_of_two``
            has zero point 0 and a scale that is a power of two.
    """

    section: ClassVar[str] = "input"


@dataclass(frozen=True, slots=True)
class Weight(_Codes):
    """Weights of correlation and of matmul with a constant.

    Attributes:
        bits, signed, narrow, scheme: as in ``Input``.
        per_channel: one scale for each output channel; false has one for the tensor.
    """

    per_channel: bool
    section: ClassVar[str] = "weight"


@dataclass(frozen=True, slots=True)
class Correlation(Section):
    """The accumulator of correlation, linear and matmul.

    Attributes:
        bits: width, 2 to 64.
        overflow: ``wrap``, ``saturate``, ``saturate_symmetric`` or ``error``.
        at: ``mac`` applies the overflow after every multiply-accumulate, ``sum`` once.
        order: the order in which a ``mac`` accumulator takes the products.
    """

    bits: AccumulatorBits
    overflow: Overflow
    at: At
    order: Order
    section: ClassVar[str] = "correlation"

    @property
    def accumulator(self) -> hw_models.Accumulator:
        """The register as hw_models takes it."""
        from hw_models import Accumulator

        return Accumulator(self.bits, self.overflow, self.at, self.order)


@dataclass(frozen=True, slots=True)
class Bias(Section):
    """The constant that bias_add adds.

    Attributes:
        bits: width of a (signed) bias code, 2 to 64.
        scale: ``accumulator``: codes at s_x * s_w; ``power_of_two``: codes at a scale of their
            own, shifted left into the accumulator.
    """

    bits: AccumulatorBits
    scale: BiasScale
    section: ClassVar[str] = "bias"

    @property
    def own_scale(self) -> bool:
        """Whether the codes have a scale of their own, and not the accumulator's."""
        match self.scale:
            case "accumulator":
                return False
            case "power_of_two":
                return True
            case _:
                assert_never(self.scale)

    @property
    def format(self) -> hw_models.FixedFormat:
        """The bias codes: signed, ``bits`` wide."""
        from hw_models import FixedFormat

        return FixedFormat(self.bits)


@dataclass(frozen=True, slots=True)
class Sum(Section):
    """The accumulator of bias_add.

    Attributes:
        bits: width, 2 to 64.
        overflow: ``wrap``, ``saturate``, ``saturate_symmetric`` or ``error``.
    """

    bits: AccumulatorBits
    overflow: Overflow
    section: ClassVar[str] = "sum"

    @property
    def accumulator(self) -> hw_models.Accumulator:
        """The register as hw_models takes it."""
        from hw_models import Accumulator

        return Accumulator(self.bits, self.overflow)


@dataclass(frozen=True, slots=True)
class Output(_Codes):
    """Activations that leave a primitive; each is the next primitive's input.

    Attributes:
        bits, signed, narrow, scheme: as in ``Input``.
    """

    section: ClassVar[str] = "output"


@dataclass(frozen=True, slots=True)
class Requantize(Section):
    """From the accumulator to a code.

    Attributes:
        scheme: ``fixed_point`` (integer multiplier and shift), ``power_of_two`` (shift),
            ``float_scale`` (fp32 multiplier), ``float64_scale``, ``mul_add_shift`` (one shift for
            all layers) or ``converter`` (NVDLA's).
        rounding: one of hw_models' FixedPoint for fixed_point; a rounding of a shift for
            power_of_two and mul_add_shift; ``half_even`` for float_scale; ``half_away`` for
            float64_scale and converter.
        multiplier_bits: width of the integer multiplier, sign included; 0 where there is none.
        derive: arithmetic in which the tool chain computes s_x * s_w / s_y.
        right_shift: of mul_add_shift, the same for every layer; 0 otherwise.
        seed: of ``stochastic`` rounding; 0 otherwise.
    """

    scheme: RequantizeScheme
    rounding: RequantizeRounding
    multiplier_bits: Annotated[int, Range(0, 32)]
    derive: Derive
    right_shift: Annotated[int, Range(0, 62)] = 0
    seed: Annotated[int, Range(0, (1 << 63) - 1)] = 0
    section: ClassVar[str] = "requantize"


@dataclass(frozen=True, slots=True)
class RequantizeLinear(Requantize):
    """Requantize of linear layers, where it is not that of convolutions.

    Attributes:
        scheme, rounding, multiplier_bits, derive, right_shift, seed: as in ``Requantize``.
    """

    section: ClassVar[str] = "requantize_linear"


@dataclass(frozen=True, slots=True)
class RequantizeMul(Requantize):
    """Requantize of element-wise products: from s_a * s_b to s_y.

    Attributes:
        scheme, rounding, multiplier_bits, derive, right_shift, seed: as in ``Requantize``.
    """

    section: ClassVar[str] = "requantize_mul"


@dataclass(frozen=True, slots=True)
class Padding(Section):
    """The border of a correlation.

    Attributes:
        value: the code written there: the input's ``zero_point`` (real 0) or the code ``zero``.
    """

    value: PadValue
    section: ClassVar[str] = "padding"


@dataclass(frozen=True, slots=True)
class Quantize(Section):
    """From float to code, at the boundary of the network.

    Attributes:
        formula: a name of the table of hw_models.quantize.
    """

    formula: Formula
    section: ClassVar[str] = "quantize"


@dataclass(frozen=True, slots=True)
class Add(Section):
    """Element-wise addition of two code tensors.

    Attributes:
        formula: ``shifted`` (TFLite), ``aligned`` (power of two), ``float_torch``,
            ``float_onnxruntime``, ``multiplier`` (XNNPACK) or ``none``.
        left_shift: bits that ``shifted`` gives both operands as headroom; 0 otherwise.
        rounding: of ``shifted``, ``aligned`` and ``multiplier``; ``requantize``: as that section.
        multiplier_bits: width of the larger of ``multiplier``'s two; 0 otherwise.
    """

    formula: AddFormula
    left_shift: Annotated[int, Range(0, 30)]
    rounding: AddRounding = "requantize"
    multiplier_bits: Annotated[int, Range(0, 23)] = 0
    section: ClassVar[str] = "add"


@dataclass(frozen=True, slots=True)
class AvgPool(Section):
    """Average pooling.

    Attributes:
        rounding: rounding of the window's sum divided by its number of elements.
        centered: the sum is of codes less their zero point, so ties are away from, or toward, the
            real number 0 and not the code 0.
    """

    rounding: DivisionRounding
    centered: bool = False
    section: ClassVar[str] = "avg_pool"


@dataclass(frozen=True, slots=True)
class Primitives(Section):
    """What the accelerator can do; the rest of a network stays in the host graph.

    Attributes:
        available: names of primitives, each once.
    """

    available: tuple[Annotated[str, Names(get_args(PrimitiveName))], ...]
    section: ClassVar[str] = "primitives"


@dataclass(frozen=True, slots=True)
class Memory(Section):
    """On-chip memory for activations. The integers do not depend on it.

    Attributes:
        bytes: size; 0 is not limited.
        alignment: bytes to which every tensor's address is rounded up.
        banks: memories that can be read in the same cycle.
    """

    bytes: Annotated[int, Range(0, 1 << 40)]
    alignment: Annotated[int, Range(1, 4096, power_of_two=True)]
    banks: Annotated[int, Range(1, 1024)]
    section: ClassVar[str] = "memory"


@dataclass(frozen=True, slots=True)
class Array(Section):
    """Geometry of the multiply-accumulate array. The integers do not depend on it.

    Attributes:
        rows: output channels computed in parallel.
        columns: products summed in one step.
    """

    rows: Annotated[int, Range(1, 4096)]
    columns: Annotated[int, Range(1, 4096)]
    section: ClassVar[str] = "array"


SECTIONS: Final[dict[str, type[Section]]] = {
    cls.section: cls
    for cls in (
        Input,
        Weight,
        Correlation,
        Bias,
        Sum,
        Output,
        Requantize,
        Padding,
        Quantize,
        Add,
        AvgPool,
        Primitives,
        Memory,
        Array,
        RequantizeLinear,
        RequantizeMul,
        Recurrent,
        Dynamic,
        Units,
        Floats,
    )
}
# Sections that a target leaves out where it has nothing to say there.
OPTIONAL: Final[frozenset[str]] = frozenset(
    {"requantize_linear", "requantize_mul", "recurrent", "dynamic", "units", "floats"}
)
