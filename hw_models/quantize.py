"""Quantize: float32 values become codes.

Real-number meaning: ``q ~ x / scale + zero_point``. These formulas are in use; but for one they are
all in float32 (``f32`` rounds to nearest even; ``rint`` rounds halves to even, ``round`` away from
zero), and all are followed by saturation:

| formula         | definition                                               | source              |
|-----------------|----------------------------------------------------------|---------------------|
| torch           | ``f32(rint(f32(x * f32(1.0 / scale))) + zero_point)``    | torch, decomposed   |
| executorch      | ``f32(rint(f32(x * f32(1 / f32(scale)))) + zero_point)`` | ExecuTorch, torchao |
| onnx            | ``rint(f32(x / f32(scale))) + zero_point``, exact        | QuantizeLinear, ORT |
| tflite          | ``round(f32(x / f32(scale))) + zero_point``, exact       | TFLite's QUANTIZE   |
| fbgemm          | ``rint(fma(x, f32(1 / f32(scale)), zero_point))``        | FBGEMM, run time    |
| torch-per-group | ``rint(f32(f32(x * f32(1 / f32(scale))) + zero_point))`` | torch, decomposed   |
| torch-per-token | ``rint(f64(f64(x * f64(1 / scale)) + zero_point))``      | torch, decomposed   |

(tensorflow:tensorflow/lite/kernels/internal/reference/quantize.h, AffineQuantize. fbgemm: the
vector code of pytorch/FBGEMM QuantizeAvx2, which quantized::linear_dynamic, quantize_per_tensor and
quantize_per_tensor_dynamic run, and its masked remainder; ``fma`` rounds once. executorch:
torchao's quantize_affine too. torch-per-group: quantize_per_channel_group, and quantize_per_token
where the scales are float32; torch-per-token: where they are float64, as those of
choose_qparams_per_token_asymmetric are.)

Corners: torch takes the reciprocal in float64, so a float64 scale and its float32 neighbour may
differ. But for onnx, tflite and torch-per-token the zero point becomes a float32 too, and that sum
rounds above 2**24. Infinities saturate; NaN is refused. float16 and float64 inputs are rounded to
float32 first. A scale whose float32 value or reciprocal is not positive and finite is refused.
``non_finite="propagate"`` (formula onnx) takes those as well: what is divided to NaN is the lowest
code, as MLAS makes it on every processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array, require_ledger, require_name
from hw_models._pointwise import INT64_MAX, INT64_MIN, require_output
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, FloatArray, IntArray
from hw_models.qparams.rule import NON_FINITE, NonFinite
from hw_models.quantization import kernels
from hw_models.quantization.formulas import FORMULAS, Formula, Steps, reference, steps
from hw_models.quantization.parameters import parameter_view, parameters

if TYPE_CHECKING:
    from hw_models.ledger import Ledger

__all__ = ["FORMULAS", "Formula", "quantize", "reference"]


def quantize(
    x: FloatArray,
    scale: float | FloatArray,
    zero_point: int | IntArray = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    formula: Formula = "torch",
    axis: int | None = None,
    block: int | None = None,
    non_finite: NonFinite = "refuse",
    ledger: Ledger | None = None,
) -> IntArray:
    """Quantize float values to codes of ``output``.

    Args:
        x: float16, float32 or float64, any shape and strides; taken as float32.
        scale: real step; a scalar, one per element of ``axis``, or, with ``block``, an array of
            x's shape but for ``axis``, whose length is that of x divided by block, rounded up. Or,
            without ``axis``, one for each row: an array of x's shape with length 1 in its last
            dimensions, one or more, as ``choose_qparams`` makes it.
        zero_point: integer; a scalar or the shape of scale.
        output: format of 1 to 32 bits.
        formula: one of the table.
        axis: the dimension that 1-D or blocked parameters run along; None for scalars.
        block: how many neighbours along ``axis`` share one scale.
        non_finite: ``propagate``, of the formula onnx, takes NaN and every scale that is not
            negative.
        ledger: filled with the extremes of the value before saturation (at most 2**62) and with
            what saturated.

    Returns:
        Codes in ``output.dtype``, the shape and the memory order of x.

    Raises:
        ContractError: for NaN and for arguments outside the contract.
    """
    require_name(formula, "formula", FORMULAS)
    require_name(non_finite, "non_finite", NON_FINITE)
    require_ledger(ledger)
    propagates = non_finite == "propagate"
    if propagates and formula != "onnx":
        raise ContractError(
            "non_finite='propagate' is defined for the formula 'onnx' alone, not for "
            f"{formula!r} (accepted: 'refuse')"
        )
    values = _floats(x, any_value=propagates)
    form = require_output(output)
    scales, zeros, channels = parameters(
        values.shape, scale, zero_point, axis, block, any_scale=propagates
    )
    how = steps(formula)
    factors = _factors(scales, how, any_scale=propagates)
    view, layout = parameter_view(values, axis, channels, block)
    y = np.empty(view.shape, np.int32)
    flags = np.empty(view.shape if ledger is not None else (0, 0, 0), np.bool_)
    stats = np.array([INT64_MAX, INT64_MIN, 0], np.int64)
    arguments = view, y, flags, stats, factors, zeros, np.array([form.min, form.max], np.int64)
    if propagates:
        kernels.propagating(*arguments)
    elif how.wide:
        kernels.wide(*arguments)
    else:
        kernels.narrow(*arguments, how.divides, how.away, how.early, how.fused)
    if ledger is not None:
        ledger.fill(
            values.size,
            (int(stats[0]), int(stats[1])) if values.size else (0, 0),
            f"quantize-{formula}",
            "float64, step by step" if how.wide else "float32, step by step",
            clamped=int(stats[2]),
            first_clamped=layout.first(flags) if stats[2] else None,
        )
    codes = y if form.signed else y.view(np.uint32)
    return layout.restore(codes.astype(form.dtype, copy=False))


def _floats(x: Any, *, any_value: bool) -> npt.NDArray[np.float32]:
    array = as_array(x, "x")
    if array.dtype.kind != "f":
        raise ContractError(
            f"x must be a float array, not {array.dtype} (accepted: float16, float32, float64)"
        )
    bad = np.isnan(array)
    if not any_value and bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ContractError(
            f"x must not be NaN, but it is at index {index} (accepted: numbers, inf)"
        )
    with np.errstate(over="ignore", under="ignore"):
        return array.astype(np.float32, copy=False)


def _factors(
    scales: npt.NDArray[np.float64], how: Steps, *, any_scale: bool
) -> npt.NDArray[np.floating]:
    """Return what is multiplied by or divided by."""
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        narrow = scales.astype(np.float32)
        inverse = 1.0 / (scales if how.double else narrow)
        if not how.wide:
            inverse = inverse.astype(np.float32)
    factors = narrow if how.divides else inverse
    good = any_scale | (np.isfinite(factors) & (factors > 0))
    if not good.all():
        raise ContractError(
            f"scale must have a positive finite float32 value and reciprocal, not "
            f"{scales[int(np.argmin(good))]} (accepted: about 3e-39 to 3e38)"
        )
    return np.ascontiguousarray(factors)
