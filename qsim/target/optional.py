"""Sections that only some targets have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from qsim.target.fields import Range, Section
from qsim.target.words import (  # noqa: TC001 - fields' types are read at run time
    Choice,
    FloatProducts,
    Formula,
    Granularity,
    RecurrentKernel,
    RowOrder,
    SoftmaxRounding,
)

if TYPE_CHECKING:
    import hw_models


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
        formula: how scale and zero point follow from a range, as in ``choose_qparams``.
        bits: width of a code, 2 to 8. torch's reduce_range is 7.
        signed: two's complement; false counts from 0.
        symmetric: the zero point is the middle code.
        granularity: ``tensor`` has one scale for a whole tensor, batch included; ``token`` has one
            for each row of its last dimension.
        quantize: from float to code, as in hw_models.quantize.
        fused: the bias is added to the scaled sum with one rounding; false rounds in between.
        order: when the row's scale is taken: ``product`` multiplies it with the weight's first;
            ``row_first`` takes it before the weight's, as ``dequantize_sums`` has it;
            ``row_last`` behind the sum of all groups of weights, as ``linear_groups``.
        eps_exponent: a scale is at least 2 to this power, where the formula has such a bound.
    """

    formula: Choice
    bits: Annotated[int, Range(2, 8)]
    signed: bool
    symmetric: bool
    granularity: Granularity
    quantize: Formula
    fused: bool
    order: RowOrder = "product"
    eps_exponent: Annotated[int, Range(-126, 0)] = -23
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
class Floats(Section):
    """Operators between dynamically quantized products, in float32 and a stated order of steps.

    Attributes:
        softmax_lanes: lanes of a softmax's sum; see ``hw_models.float32.softmax``.
        norm_lanes: lanes of a layer norm's moments; see ``hw_models.float32.layer_norm``.
        fused_from: products of float32 matrices multiply and add with one rounding where a matrix
            takes so many multiplications or more, with two where fewer.
        products: of two activations: ``float`` as they are, ``dynamic`` quantized at run time.
    """

    softmax_lanes: Annotated[int, Range(1, 64, power_of_two=True)]
    norm_lanes: Annotated[int, Range(1, 64, power_of_two=True)]
    fused_from: Annotated[int, Range(0, 1 << 31)]
    products: FloatProducts
    section: ClassVar[str] = "floats"
