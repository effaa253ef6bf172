"""The numbers that a datapath's tool chain derives from scales: part of bit-exactness.

Scales are float32 in every file format of the field, so each is rounded to float32 first. What
follows, ``s_x * s_w / s_y`` from left to right, is done in the arithmetic that the target's
``requantize.derive`` names: TFLite casts to float64 (tensorflow/lite/kernels/kernel_util.cc,
PopulateConvolutionQuantizationParams), ONNX Runtime and PyTorch stay in float32
(onnxruntime/core/providers/cpu/quantization/qlinearconv.cc, aten quantized/cpu/qconv.cpp).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np

from qsim.errors import TargetError

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.add import AlignedAdd, FloatAdd, ShiftedAdd
    from hw_models.rounding import Rounding
    from hw_models.schemes import FixedPoint, FixedRounding, FloatScale, PowerOfTwo
    from qsim.target.contract import Target

Scales: TypeAlias = "float | npt.ArrayLike"
_ACCEPTED: Final = "finite numbers above 0 that float32 holds"


def requantizer(
    target: Target, input_scale: float, weight_scale: Scales, output_scale: float
) -> FixedPoint | PowerOfTwo | FloatScale:
    """Return the requantizer from the accumulator's scale to the output's.

    Args:
        target: the contract.
        input_scale: s_x, real value of one step of an activation code.
        weight_scale: s_w, a scalar or one per output channel; 1.0 where there is no weight.
        output_scale: s_y.

    Returns:
        The scheme of ``target.requantize``, its parameters scalars or one per channel as
        ``weight_scale`` is.

    Raises:
        TargetError: a scale is not positive and finite, is no power of two where the target only
            shifts, or gives a factor that the target's multiplier cannot hold.
    """
    factor = _factor(target, input_scale, weight_scale, output_scale)
    from hw_models.errors import ContractError

    try:
        return _scheme(target, factor)
    except ContractError as error:
        raise TargetError(str(error), where=f"{target.name}: requantize.scheme") from None


def _scheme(target: Target, factor: npt.NDArray[Any]) -> FixedPoint | PowerOfTwo | FloatScale:
    from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo

    r = target.requantize
    if r.scheme == "fixed_point":
        return FixedPoint.from_scale(
            factor, bits=r.multiplier_bits, rounding=cast("FixedRounding", r.rounding)
        )
    if r.scheme == "power_of_two":
        # The factor of powers of two is one, exactly, in either arithmetic: see _factor.
        exponent = np.frexp(factor)[1].astype(np.int64) - 1
        return PowerOfTwo((-exponent).tolist(), rounding=cast("Rounding", r.rounding))
    return FloatScale(factor.tolist())


def _factor(
    target: Target, input_scale: float, weight_scale: Scales, output_scale: float
) -> npt.NDArray[Any]:
    s_x = _float32("input scale", input_scale, target)
    s_w = _float32("weight scale", weight_scale, target)
    s_y = _float32("output scale", output_scale, target)
    dtype = np.float64 if target.requantize.derive == "float64" else np.float32
    with np.errstate(over="ignore", under="ignore"):
        factor = np.asarray(s_x.astype(dtype) * s_w.astype(dtype) / s_y.astype(dtype))
    if not (np.isfinite(factor) & (factor > 0)).all():
        raise TargetError(
            f"s_x * s_w / s_y leaves {target.requantize.derive}: s_x is {input_scale!r}, s_y is "
            f"{output_scale!r}",
            where=f"{target.name}: requantize.derive",
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
) -> ShiftedAdd | AlignedAdd | FloatAdd:
    """Return the adder of two activations for ``target.add``.

    ``shifted`` has 32-bit multipliers, as TFLite's, and rounds as ``requantize.rounding``;
    ``aligned`` adds in the accumulator of ``target.sum``; ``float_torch`` and
    ``float_onnxruntime`` are what torch.ops.quantized.add and com.microsoft.QLinearAdd compute on
    whole vectors (``hw_models.add`` lists the orders).

    Args:
        target: the contract.
        scale_a: real value of one step of the first operand's codes; likewise the others.
        scale_b: of the second operand's.
        scale_out: of the result's.

    Raises:
        TargetError: a scale is not positive and finite, is no power of two where the target only
            shifts, or the operands' scales lie too far apart for the adder.
    """
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
    return int(zero_point) if target.padding.value == "zero_point" else 0


def _adder(target: Target, a: float, b: float, out: float) -> ShiftedAdd | AlignedAdd | FloatAdd:
    from hw_models.add import AlignedAdd, FloatAdd, ShiftedAdd

    formula, rounding = target.add.formula, target.requantize.rounding
    if formula == "shifted":
        fixed = cast("FixedRounding", rounding)
        return ShiftedAdd.from_scales(a, b, out, target.add.left_shift, fixed)
    if formula == "aligned":
        # A power of two is 0.5 * 2**exponent to frexp: 2**-fraction has exponent 1 - fraction.
        fa, fb, fo = (1 - math.frexp(scale)[1] for scale in (a, b, out))
        shift = cast("Rounding", rounding)
        return AlignedAdd.from_fractions(fa, fb, fo, shift, target.sum.accumulator)
    return FloatAdd(a, b, out, "torch_quantized" if formula == "float_torch" else "mlas")
