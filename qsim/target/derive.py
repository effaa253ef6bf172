"""The numbers that a datapath's tool chain derives from scales: part of bit-exactness.

Scales are float32 in every file format of the field, so each is rounded to float32 first. What
follows, ``s_x * s_w / s_y`` from left to right, is done in the arithmetic that the target's
``requantize.derive`` names: TFLite casts to float64 (tensorflow/lite/kernels/kernel_util.cc,
PopulateConvolutionQuantizationParams), ONNX Runtime and PyTorch stay in float32
(onnxruntime/core/providers/cpu/quantization/qlinearconv.cc, aten quantized/cpu/qconv.cpp).
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias, assert_never, cast

import numpy as np

from qsim.errors import TargetError

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models import Requantizer
    from hw_models.add import AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd
    from hw_models.rounding import Rounding
    from hw_models.schemes import FixedRounding
    from qsim.target.contract import Target
    from qsim.target.sections import Requantize
    from qsim.target.words import Derive

Scales: TypeAlias = "float | npt.ArrayLike"
_ACCEPTED: Final = "finite numbers above 0 that float32 holds"


def requantizer(
    target: Target,
    input_scale: float,
    weight_scale: Scales,
    output_scale: float,
    operator: str = "",
) -> Requantizer:
    """Return the requantizer from the accumulator's scale to the output's.

    Args:
        target: the contract.
        input_scale: s_x, real value of one step of an activation code.
        weight_scale: s_w, a scalar or one per output channel; 1.0 where there is no weight.
        output_scale: s_y.
        operator: ``linear``, or ``mul`` with the second operand's scale as s_w, which may have a
            section of their own; see ``Target.requantize_of``.

    Returns:
        The scheme of the section, its parameters scalars or one per channel as
        ``weight_scale`` is.

    Raises:
        TargetError: a scale is not positive and finite, is no power of two where the target only
            shifts, or gives a factor that the target's multiplier cannot hold.
    """
    section = target.requantize_of(operator)
    factor = _factor(target, section, input_scale, weight_scale, output_scale)
    from hw_models.errors import ContractError

    try:
        return _scheme(section, factor)
    except ContractError as error:
        raise TargetError(str(error), where=f"{target.name}: {section.section}.scheme") from None


def smallest_factor(target: Target, operator: str = "") -> float:
    """Return the smallest power of two above which every factor ``s_x * s_w / s_y`` is held.

    Held is what differs from the factor by a sixteenth of it at most: below, a multiplier of a
    fixed shift has few bits left, and in the end it is 0. 0.0 where floats are multiplied.

    Args:
        target: the contract.
        operator: as for :func:`requantizer`.
    """
    return _smallest_factor(target.requantize_of(operator))


@functools.cache  # thousands of factors are tried, and every layer asks for the same
def _smallest_factor(section: Requantize) -> float:
    if section.scheme in ("float_scale", "float64_scale"):
        return 0.0
    held = 1.0
    for exponent in range(1, 64):
        smaller = 2.0**-exponent
        # Points of an octave; a datapath that shifts has its lower end alone.
        count = 1 if section.scheme == "power_of_two" else 32
        parts = (1.0 + part / count for part in range(count))
        if not all(_holds(section, smaller * part) for part in parts):
            break
        held = smaller
    return held


def _holds(section: Requantize, factor: float) -> bool:
    from hw_models.errors import ContractError

    try:
        scheme: Any = _scheme(section, np.asarray(factor))
    except ContractError:
        return False
    multiplier = int(scheme.multipliers[0]) if hasattr(scheme, "multipliers") else 1
    return abs(math.ldexp(multiplier, -int(scheme.shifts[0])) - factor) <= factor / 16


def alignment(target: Target, coarse: int, fine: int) -> int:
    """Return by how many places an aligned addition may shift codes so that the register holds.

    Args:
        target: the contract, with ``add.formula = "aligned"``.
        coarse: the largest magnitude of the codes that are shifted.
        fine: of the others.

    Returns:
        0..30; 0 too where the register does not hold the sum of unshifted codes.
    """
    register = target.sum.accumulator
    room = min(register.max, -register.min) - fine
    return max(0, min(30, (room // coarse).bit_length() - 1)) if room >= coarse else 0


def _scheme(r: Requantize, factor: npt.NDArray[Any]) -> Requantizer:
    from hw_models.schemes import (
        Converter,
        FixedPoint,
        Float64Scale,
        FloatScale,
        MulAddShift,
        PowerOfTwo,
    )

    match r.scheme:
        case "fixed_point":
            return FixedPoint.from_scale(
                factor, bits=r.multiplier_bits, rounding=cast("FixedRounding", r.rounding)
            )
        case "power_of_two":
            # The factor of powers of two is one, exactly, in either arithmetic: see _factor.
            exponent = np.frexp(factor)[1].astype(np.int64) - 1
            return PowerOfTwo((-exponent).tolist(), cast("Rounding", r.rounding), r.seed)
        case "mul_add_shift":
            return MulAddShift.from_scale(factor, r.right_shift, cast("Rounding", r.rounding))
        case "converter":
            return Converter.from_scale(factor)
        case "float_scale":
            return FloatScale(factor.tolist())
        case "float64_scale":
            return Float64Scale(factor.tolist())
        case _:
            assert_never(r.scheme)


def _arithmetic(derive: Derive) -> type[np.floating[Any]]:
    match derive:
        case "float64":
            return np.float64
        case "float32":
            return np.float32
        case _:
            assert_never(derive)


def _factor(
    target: Target,
    section: Requantize,
    input_scale: float,
    weight_scale: Scales,
    output_scale: float,
) -> npt.NDArray[Any]:
    s_x = _float32("input scale", input_scale, target)
    s_w = _float32("weight scale", weight_scale, target)
    s_y = _float32("output scale", output_scale, target)
    dtype = _arithmetic(section.derive)
    with np.errstate(over="ignore", under="ignore"):
        factor = np.asarray(s_x.astype(dtype) * s_w.astype(dtype) / s_y.astype(dtype))
    if not (np.isfinite(factor) & (factor > 0)).all():
        raise TargetError(
            f"s_x * s_w / s_y leaves {section.derive}: s_x is {input_scale!r}, s_y is "
            f"{output_scale!r}",
            where=f"{target.name}: {section.section}.derive",
            accepted="scales whose factor is positive and finite",
        )
    return factor


def _float32(name: str, value: Scales, target: Target) -> npt.NDArray[np.float32]:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.ndim > 1 or array.size == 0:
        raise TargetError(
            f"the {name} must be a number or a 1-D array of numbers, not {value!r}",
            where=target.name,
            accepted=_ACCEPTED,
        )
    with np.errstate(over="ignore", under="ignore"):
        scales = array.astype(np.float32)
    for index, scale in enumerate(scales.reshape(-1)):
        place = f" at channel {index}" if scales.ndim else ""
        if not (np.isfinite(scale) and scale > 0):
            raise TargetError(
                f"the {name} must be positive and finite, not {scale}{place}",
                where=target.name,
                accepted=_ACCEPTED,
            )
        if target.requantize.scheme == "power_of_two" and np.frexp(scale)[0] != 0.5:
            raise TargetError(
                f"the {name} must be a power of two, not {scale}{place}",
                where=f"{target.name}: requantize.scheme power_of_two",
                accepted="2**n for an integer n",
            )
    return scales


def adder(
    target: Target, scale_a: float, scale_b: float, scale_out: float
) -> ShiftedAdd | AlignedAdd | MultiplierAdd | FloatAdd:
    """Return the adder of two activations for ``target.add``.

    ``shifted`` has 32-bit multipliers, as TFLite's; ``aligned`` adds in the accumulator of
    ``target.sum``; ``multiplier`` has two multipliers and one shift, as XNNPACK's; they round as
    ``add.rounding`` says. ``float_torch`` and ``float_onnxruntime`` are what
    torch.ops.quantized.add and com.microsoft.QLinearAdd compute on whole vectors
    (``hw_models.add`` lists the orders).

    Args:
        target: the contract.
        scale_a: real value of one step of the first operand's codes; likewise the others.
        scale_b: of the second operand's.
        scale_out: of the result's.

    Raises:
        TargetError: the target has no adder, a scale is not positive and finite, is no power of two
            where the target only shifts, or the operands' scales lie too far apart for the adder.
    """
    if target.add.formula == "none":
        raise TargetError("there is no addition", where=f"{target.name}: add.formula")
    a, b, out = (
        float(_float32(name, value, target))
        for name, value in (("scale a", scale_a), ("scale b", scale_b), ("output scale", scale_out))
    )
    from hw_models.errors import ContractError

    try:
        return _adder(target, a, b, out)
    except ContractError as error:
        raise TargetError(str(error), where=f"{target.name}: add.formula") from None


def pad_value(target: Target, zero_point: int) -> int:
    """Return the code that the target writes into the border of a correlation's input."""
    match target.padding.value:
        case "zero_point":
            return int(zero_point)
        case "zero":
            return 0
        case _:
            assert_never(target.padding.value)


def _adder(
    target: Target, a: float, b: float, out: float
) -> ShiftedAdd | AlignedAdd | MultiplierAdd | FloatAdd:
    from hw_models.add import FloatAdd, ShiftedAdd

    formula, rounding = target.add.formula, target.add.rounding
    if rounding == "requantize":
        rounding = cast("Any", target.requantize.rounding)
    match formula:
        case "shifted":
            fixed = cast("FixedRounding", rounding)
            return ShiftedAdd.from_scales(a, b, out, target.add.left_shift, fixed)
        case "aligned":
            return _aligned_add(target, a, b, out, cast("Rounding", rounding))
        case "multiplier":
            return _multiplier_add(target, a, b, out)
        case "float_torch":
            return FloatAdd(a, b, out, "torch_quantized")
        case "float_onnxruntime":
            return FloatAdd(a, b, out, "mlas")
        case "none":
            raise TargetError("there is no addition", where=f"{target.name}: add.formula")
        case _:
            assert_never(formula)


def _aligned_add(target: Target, a: float, b: float, out: float, rounding: Rounding) -> AlignedAdd:
    from hw_models.add import AlignedAdd
    from hw_models.schemes import PowerOfTwo

    # A power of two is 0.5 * 2**exponent to frexp: 2**-fraction has exponent 1 - fraction.
    fa, fb, fo = (1 - math.frexp(scale)[1] for scale in (a, b, out))
    adder = AlignedAdd.from_fractions(fa, fb, fo, rounding, target.sum.accumulator)
    seeded = PowerOfTwo(adder.out.right_shift, rounding, target.requantize.seed)
    return AlignedAdd(adder.left_a, adder.left_b, seeded, adder.accumulator)


def _multiplier_add(target: Target, a: float, b: float, out: float) -> MultiplierAdd:
    """Return XNNPACK's adder: one shift, the larger multiplier of ``add.multiplier_bits``.

    google/XNNPACK:src/microparams-init.c, xnn_init_qs8_add_minmax_scalar_params: the ratios of the
    scales in float32, the larger one's exponent gives the shift, multipliers by lrintf.
    """
    from hw_models.add import MultiplierAdd
    from hw_models.errors import ContractError

    ratios = [float(np.float32(scale) / np.float32(out)) for scale in (a, b)]
    if not 0 < max(ratios) < math.inf:
        raise ContractError(f"the ratios of the scales leave float32: {ratios} (accepted: finite)")
    shift = target.add.multiplier_bits - 2 - (math.frexp(max(ratios))[1] - 1)
    first, second = (round(math.ldexp(ratio, shift)) for ratio in ratios)
    return MultiplierAdd(first, second, shift, cast("Rounding", target.add.rounding))
