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
    Literal,
    TypeAlias,
    assert_never,
    get_args,
)

from qsim.target.fields import Names, Range, Section

if TYPE_CHECKING:
    import hw_models

Scheme: TypeAlias = Literal["asymmetric", "symmetric", "power_of_two"]
Overflow: TypeAlias = Literal["wrap", "saturate", "saturate_symmetric", "error"]
At: TypeAlias = Literal["sum", "mac"]
Order: TypeAlias = Literal["channel_first", "channel_last"]
BiasScale: TypeAlias = Literal["accumulator", "power_of_two"]
RequantizeScheme: TypeAlias = Literal[
    "fixed_point", "power_of_two", "float_scale", "float64_scale", "mul_add_shift", "converter"
]
# The names of hw_models.schemes.FIXED_REFERENCES, which a test compares.
FixedRounding: TypeAlias = Literal[
    "double", "single", "double-half-up", "s64-reduced", "tosa-single", "tosa-double"
]
# The names of hw_models.ROUNDINGS, which a test compares: importing them would load Numba.
DivisionRounding: TypeAlias = Literal[
    "floor",
    "ceil",
    "toward_zero",
    "away",
    "half_up",
    "half_down",
    "half_away",
    "half_toward_zero",
    "half_even",
    "half_odd",
]
DeterministicRounding: TypeAlias = Literal[DivisionRounding, "jam"]
ShiftRounding: TypeAlias = Literal[DeterministicRounding, "stochastic"]
RequantizeRounding: TypeAlias = Literal[FixedRounding, ShiftRounding]
AddRounding: TypeAlias = Literal["requantize", FixedRounding, ShiftRounding]
Derive: TypeAlias = Literal["float64", "float32"]
PadValue: TypeAlias = Literal["zero_point", "zero"]
Formula: TypeAlias = Literal[
    "torch", "executorch", "onnx", "tflite", "fbgemm", "torch-per-token", "torch-per-group"
]
# The names of hw_models.choose_qparams.CHOICES, which a test compares.
Choice: TypeAlias = Literal[
    "torch", "fbgemm", "executorch", "onnx", "power-of-two", "torch-per-token", "no-clipping"
]
Granularity: TypeAlias = Literal["tensor", "token"]
RecurrentKernel: TypeAlias = Literal["tflite-micro", "cmsis-nn", "litert"]
SoftmaxRounding: TypeAlias = Literal["floor", "half_up"]
AddFormula: TypeAlias = Literal[
    "shifted", "aligned", "float_torch", "float_onnxruntime", "multiplier", "none"
]
PrimitiveName: TypeAlias = Literal[
    "correlation",
    "matmul",
    "bias_add",
    "requantize",
    "add",
    "clamp",
    "max_pool",
    "avg_pool",
    "reshape",
    "permute",
    "strided_slice",
    "gather",
    "transposed_correlation",
    "sub",
    "mul",
    "minimum",
    "maximum",
    "concat",
    "pad",
    "mean",
    "argmax",
    "shift_right",
    "lookup",
    "interpolate",
    "softmax",
    "resize",
    "resize_scaled",
    "prelu",
    "min_max",
    "choose_scale",
    "choose_zero_point",
    "quantize",
    "dequantize",
    "dequantize_sums",
    "linear_pairs",
    "linear_groups",
    "layer_norm",
    "group_norm",
    "rms_norm",
    "rotary",
    "integer_function",
    "embedding",
    "masked_softmax",
]

# What quantizing at run time, the product and its way back to float32 are made of.
DYNAMIC_PRIMITIVES: Final[tuple[PrimitiveName, ...]] = (
    "min_max",
    "choose_scale",
    "choose_zero_point",
    "quantize",
    "correlation",
    "dequantize_sums",
)

SCHEMA: Final = 1  # version of the contract's form

OperandBits: TypeAlias = Annotated[int, Range(1, 32)]
AccumulatorBits: TypeAlias = Annotated[int, Range(2, 64)]


def schemes_within(scheme: Scheme) -> tuple[Scheme, ...]:
    """Return the schemes whose tensors are also tensors of this one.

    A datapath with a zero point can run symmetric codes; one that only shifts can do nothing else.
    """
    match scheme:
        case "power_of_two":
            return ("power_of_two",)
        case "symmetric":
            return ("power_of_two", "symmetric")
        case "asymmetric":
            return ("power_of_two", "symmetric", "asymmetric")
        case _:
            assert_never(scheme)


def has_zero_point(scheme: Scheme) -> bool:
    """Return whether the code of real 0 is another than 0."""
    match scheme:
        case "asymmetric":
            return True
        case "symmetric" | "power_of_two":
            return False
        case _:
            assert_never(scheme)


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
class Recurrent(Section):
    """The order of roundings in a step of a recurrent cell; without it as ``tflite-micro``.

    Attributes:
        kernel: whose: ``tflite-micro``, ``cmsis-nn`` or ``litert``; see ``hw_models.recurrent``.
    """

    kernel: RecurrentKernel
    section: ClassVar[str] = "recurrent"


@dataclass(frozen=True, slots=True)
class Dynamic(Section):
    """Products whose activations are quantized at run time, for the range that they then have.

    Attributes:
        formula: how scale and zero point follow from a range, as in hw_models.choose_qparams.
        bits: width of a code, 2 to 8. torch's reduce_range is 7.
        signed: two's complement; false counts from 0.
        symmetric: the zero point is the middle code.
        granularity: ``tensor`` has one scale for a whole tensor, batch included; ``token`` has one
            for each row of its last dimension.
        quantize: from float to code, as in hw_models.quantize.
        fused: the bias is added to the scaled sum with one rounding; false rounds in between.
    """

    formula: Choice
    bits: Annotated[int, Range(2, 8)]
    signed: bool
    symmetric: bool
    granularity: Granularity
    quantize: Formula
    fused: bool
    section: ClassVar[str] = "dynamic"

    @property
    def format(self) -> hw_models.FixedFormat:
        """The codes: width and sign."""
        from hw_models import FixedFormat

        return FixedFormat(self.bits, signed=self.signed)


@dataclass(frozen=True, slots=True)
class Units(Section):
    """Units without floats: widths of norms, and the softmax of I-BERT in place of tables.

    Attributes:
        weight_bits: width of a norm's weight codes, which have one scale for all channels.
        fraction: fraction bits of a normalized value; fewer where a sum would not fit 32 bits.
        root_bits: width of the root; see ``hw_models.integer.norms``.
        rounding: of a softmax's last shift.
    """

    weight_bits: Annotated[int, Range(2, 16)]
    fraction: Annotated[int, Range(0, 16)]
    root_bits: Annotated[int, Range(16, 30)]
    rounding: SoftmaxRounding
    section: ClassVar[str] = "units"


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
    )
}
# Sections that a target leaves out where it has nothing to say there.
OPTIONAL: Final[frozenset[str]] = frozenset(
    {"requantize_linear", "requantize_mul", "recurrent", "dynamic", "units"}
)
