"""Quantize: float32 values become codes.

Real-number meaning: ``q ~ x / scale + zero_point``. Five float formulas are in use, all in float32
(``f32`` rounds to nearest even; ``rint`` rounds halves to even, ``round`` away from zero), all
followed by saturation:

| formula    | definition                                                | source               |
|------------|-----------------------------------------------------------|----------------------|
| torch      | ``f32(rint(f32(x * f32(1.0 / scale))) + zero_point)``     | quantized_decomposed |
| executorch | ``f32(rint(f32(x * f32(1 / f32(scale)))) + zero_point)``  | ExecuTorch kernels   |
| onnx       | ``rint(f32(x / f32(scale))) + zero_point``, exact         | QuantizeLinear, ORT  |
| tflite     | ``round(f32(x / f32(scale))) + zero_point``, exact        | TFLite's QUANTIZE    |
| fbgemm     | ``rint(fma(x, f32(1 / f32(scale)), zero_point))``         | FBGEMM, run time     |

(tensorflow:tensorflow/lite/kernels/internal/reference/quantize.h, AffineQuantize. fbgemm: the
vector code of pytorch/FBGEMM QuantizeAvx2, which quantized::linear_dynamic runs; ``fma`` rounds
once.)

Corners: torch takes the reciprocal in float64, so a float64 scale and its float32 neighbour may
differ. But for onnx and tflite the zero point becomes a float32 too, and that sum rounds above
2**24. Infinities saturate; NaN is refused. float16 and float64 inputs are rounded to float32 first.
A scale whose float32 value or reciprocal is not positive and finite is refused.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array, axis_length, require_ledger, require_name, show
from hw_models._pointwise import (
    INT64_MAX,
    INT64_MIN,
    Layout,
    channel_view,
    require_axis,
    require_output,
)
from hw_models.compiled import kernel
from hw_models.compiled.fused import fused_multiply_add
from hw_models.errors import ContractError, no_case
from hw_models.floats import nearest32
from hw_models.formats import FixedFormat, FloatArray, IntArray, is_int

if TYPE_CHECKING:
    from hw_models.ledger import Ledger

Formula: TypeAlias = Literal["torch", "executorch", "onnx", "tflite", "fbgemm"]
FORMULAS: Final[tuple[Formula, ...]] = get_args(Formula)
_LIMIT: Final = 1 << 62


class _Steps(NamedTuple):
    """What tells the formulas apart.

    Attributes:
        divides: by the scale, instead of a product with its reciprocal.
        double: the reciprocal is of the scale in float64, and not in float32.
        away: halves are rounded away from zero, and not to even.
        fused: the zero point is added before the only rounding.
    """

    divides: bool
    double: bool
    away: bool
    fused: bool = False


def _steps(formula: Formula) -> _Steps:
    match formula:
        case "torch":
            return _Steps(divides=False, double=True, away=False)
        case "executorch":
            return _Steps(divides=False, double=False, away=False)
        case "onnx":
            return _Steps(divides=True, double=False, away=False)
        case "tflite":
            return _Steps(divides=True, double=False, away=True)
        case "fbgemm":
            return _Steps(divides=False, double=False, away=False, fused=True)
        case _:
            raise ContractError(no_case(formula, "formula", FORMULAS))


def reference(
    x: float, scale: float, zero_point: int, output: FixedFormat, formula: Formula = "torch"
) -> int:
    """Quantize one value, float32 step by float32 step: the definition."""
    steps = _steps(formula)
    if steps.divides:
        ratio = float(np.float32(x)) / float(np.float32(scale))
        # One float64 division then float32 is the float32 division (53 >= 2 * 24 + 2 bits).
        total: float = float(_f32(ratio))
        if steps.away and abs(total) < _LIMIT:
            away = math.floor(abs(Fraction(total)) + Fraction(1, 2))
            return output.saturate((away if total > 0 else -away) + zero_point)
        return output.saturate(_integer(total) + zero_point)
    inverse = 1.0 / (scale if steps.double else float(np.float32(scale)))
    if steps.fused:
        return _fused(float(np.float32(x)), float(_f32(inverse)), zero_point, output)
    product = float(_f32(float(np.float32(x)) * float(_f32(inverse))))
    if abs(product) == float("inf"):
        return output.saturate(_integer(product))
    return output.saturate(_integer(float(_f32(float(round(product)) + float(_f32(zero_point))))))


def _fused(x: float, inverse: float, zero_point: int, output: FixedFormat) -> int:
    """Add the zero point exactly, round to float32, then to an integer."""
    if math.isinf(x):
        return output.saturate(_integer(x))
    exact = Fraction(x) * Fraction(inverse) + Fraction(float(_f32(zero_point)))
    if abs(exact) >= _LIMIT:
        return output.saturate(_LIMIT if exact > 0 else -_LIMIT)
    return output.saturate(_integer(float(nearest32(exact))))


def _f32(x: float) -> np.float32:
    with np.errstate(over="ignore", under="ignore"):
        return np.float32(x)


def _integer(x: float) -> int:
    return round(x) if abs(x) < _LIMIT else (_LIMIT if x > 0 else -_LIMIT)


@kernel
def _quantize(
    x: Any,
    y: Any,
    flags: Any,
    stats: Any,
    factors: Any,
    zeros: Any,
    low: Any,
    high: Any,
    divide: Any,
    away: Any,
    fused: Any,
) -> None:
    limit = np.float32(_LIMIT)
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            factor, zero = factors[c], zeros[c]
            for i in range(x.shape[2]):
                if divide:
                    r = min(max(x[o, c, i] / factor, -limit), limit)
                    whole = np.rint(r)
                    if away and abs(r - whole) == np.float32(0.5):
                        whole = np.trunc(r) + np.copysign(np.float32(1), r)
                    v = np.int64(whole) + zero
                elif fused:
                    r = np.rint(fused_multiply_add(x[o, c, i], factor, np.float32(zero)))
                    v = np.int64(min(max(r, -limit), limit))
                else:
                    r = np.rint(x[o, c, i] * factor) + np.float32(zero)
                    v = np.int64(min(max(r, -limit), limit))
                code = min(max(v, low), high)
                y[o, c, i] = np.int32(code)
                if flags.size:
                    stats[0] = min(stats[0], v)
                    stats[1] = max(stats[1], v)
                    stats[2] += code != v
                    flags[o, c, i] = code != v


def quantize(
    x: FloatArray,
    scale: float | FloatArray,
    zero_point: int | IntArray = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    formula: Formula = "torch",
    axis: int | None = None,
    block: int | None = None,
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
        formula: ``torch``, ``executorch``, ``onnx``, ``tflite`` or ``fbgemm``.
        axis: the dimension that 1-D or blocked parameters run along; None for scalars.
        block: how many neighbours along ``axis`` share one scale.
        ledger: filled with the extremes of the value before saturation (at most 2**62) and with
            what saturated.

    Returns:
        Codes in ``output.dtype``, the shape and the memory order of x.

    Raises:
        ContractError: for NaN and for arguments outside the contract.
    """
    require_name(formula, "formula", FORMULAS)
    require_ledger(ledger)
    values = _floats(x)
    form = require_output(output)
    scales, zeros, channels = parameters(values.shape, scale, zero_point, axis, block)
    steps = _steps(formula)
    factors = _factors(scales, steps)
    view, layout = parameter_view(values, axis, channels, block)
    y = np.empty(view.shape, np.int32)
    flags = np.empty(view.shape if ledger is not None else (0, 0, 0), np.bool_)
    stats = np.array([INT64_MAX, INT64_MIN, 0], np.int64)
    _quantize(
        view,
        y,
        flags,
        stats,
        factors,
        zeros,
        form.min,
        form.max,
        steps.divides,
        steps.away,
        steps.fused,
    )
    if ledger is not None:
        ledger.fill(
            values.size,
            (int(stats[0]), int(stats[1])) if values.size else (0, 0),
            f"quantize-{formula}",
            "float32, step by step",
            clamped=int(stats[2]),
            first_clamped=layout.first(flags) if stats[2] else None,
        )
    codes = y if form.signed else y.view(np.uint32)
    return layout.restore(codes.astype(form.dtype, copy=False))


def _floats(x: Any) -> npt.NDArray[np.float32]:
    array = as_array(x, "x")
    if array.dtype.kind != "f":
        raise ContractError(
            f"x must be a float array, not {array.dtype} (accepted: float16, float32, float64)"
        )
    bad = np.isnan(array)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ContractError(
            f"x must not be NaN, but it is at index {index} (accepted: numbers, inf)"
        )
    with np.errstate(over="ignore", under="ignore"):
        return array.astype(np.float32, copy=False)


def _factors(scales: npt.NDArray[np.float64], steps: _Steps) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        narrow = scales.astype(np.float32)
        inverse = (1.0 / (scales if steps.double else narrow)).astype(np.float32)
    factors = narrow if steps.divides else inverse
    good = np.isfinite(factors) & (factors > 0)
    if not good.all():
        raise ContractError(
            f"scale must have a positive finite float32 value and reciprocal, not "
            f"{scales[int(np.argmin(good))]} (accepted: about 3e-39 to 3e38)"
        )
    return np.ascontiguousarray(factors)


def parameters(
    shape: tuple[int, ...], scale: Any, zero_point: Any, axis: int | None, block: int | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], int]:
    """Return scales and zero points, 1-D, and their number (0: scalars), for parameter_view.

    Blocked parameters are spread to one per element, in C order.
    """
    scales, zeros = as_array(scale, "scale"), as_array(zero_point, "zero_point")
    if axis is not None:
        require_axis(axis, len(shape), 0, 0, "")
    if scales.dtype.kind not in "fiu" or zeros.dtype.kind not in "iu":
        raise ContractError(
            f"scale must be numbers and zero_point integers, not {scales.dtype} and {zeros.dtype} "
            "(accepted: float32 or float64, any integer dtype)"
        )
    scales = scales.astype(np.float64)
    bad = ~(np.isfinite(scales) & (scales > 0))
    if bad.any():
        offender = float(scales.reshape(-1)[int(np.argmax(bad))])
        raise ContractError(f"scale must be positive and finite, not {offender} (accepted: > 0)")
    if zeros.size and (int(zeros.min()) < -(1 << 32) or int(zeros.max()) > 1 << 32):
        ends = f"{int(zeros.min())}..{int(zeros.max())}"
        raise ContractError(
            f"zero_point must be within 33 bits, not {ends} (accepted: -2**32..2**32)"
        )
    if block is not None:
        return _blocked(shape, scales, zeros, axis, block)
    if axis is None and scales.ndim:
        return _rows(shape, scales, zeros)
    if scales.ndim > 1 or zeros.ndim > 1 or (axis is None and scales.ndim + zeros.ndim > 0):
        raise ContractError(
            f"scale and zero_point must be scalars, or 1-D with an axis, not of shapes "
            f"{scales.shape} and {zeros.shape} with axis={axis} (accepted: scalar, 1-D with axis)"
        )
    if axis is None or scales.ndim + zeros.ndim == 0:
        return scales.reshape(1), zeros.reshape(1).astype(np.int64), 0
    length = axis_length(shape, axis)
    for what, table in (("scale", scales), ("zero_point", zeros)):
        if table.ndim:
            axis = require_axis(axis, len(shape), length, max(len(table), 0), what)
    full = np.broadcast_to(scales, length), np.broadcast_to(zeros, length).astype(np.int64)
    return np.ascontiguousarray(full[0]), np.ascontiguousarray(full[1]), length


def parameter_view(
    x: npt.NDArray[Any], axis: int | None, channels: int, block: int | None
) -> tuple[npt.NDArray[Any], Layout]:
    """View x so that the middle dimension runs along the parameters."""
    if axis is None and channels:
        layout = Layout(tuple(range(x.ndim)), x.shape)
        return np.ascontiguousarray(x).reshape(1, channels, -1), layout
    if block is None:
        return channel_view(x, (axis or 0) % max(x.ndim, 1), channels)
    layout = Layout(tuple(range(x.ndim)), x.shape)
    return np.ascontiguousarray(x).reshape(1, channels, 1), layout


def _rows(
    shape: tuple[int, ...], scales: npt.NDArray[np.float64], zeros: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], int]:
    """Return one scale and zero point per row: a row is what dimensions of length 1 stand for."""
    count = scales.ndim
    while count and scales.shape[count - 1] == 1:
        count -= 1
    same = scales.ndim == len(shape) and scales.shape[:count] == shape[:count] and scales.size
    if not same or count == len(shape) or zeros.shape not in ((), scales.shape):
        raise ContractError(
            f"scale and zero_point must be scalars, 1-D with an axis, or one per row, not of "
            f"shapes {scales.shape} and {zeros.shape} with axis=None (accepted: scalar, 1-D "
            "with axis, x's shape with length 1 in its last dimensions)"
        )
    if count == 0:
        return scales.reshape(1), zeros.reshape(1).astype(np.int64), 0
    full = np.broadcast_to(zeros, scales.shape).astype(np.int64).reshape(-1)
    return np.ascontiguousarray(scales.reshape(-1)), full, scales.size


def _blocked(
    shape: tuple[int, ...],
    scales: npt.NDArray[np.float64],
    zeros: npt.NDArray[Any],
    axis: int | None,
    block: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], int]:
    if axis is None or not is_int(block) or block < 1:
        raise ContractError(
            f"a block needs an axis of the array and a length, not axis={axis}, "
            f"block={show(block)} "
            "(accepted: an axis, and a block of 1 or more)"
        )
    axis %= len(shape)
    wanted = tuple(-(-n // block) if i == axis else n for i, n in enumerate(shape))
    if scales.shape != wanted or zeros.shape not in ((), wanted):
        raise ContractError(
            f"blocked scale and zero_point must have shape {wanted}, not {scales.shape} and "
            f"{zeros.shape} (accepted: {wanted}; a scalar zero_point)"
        )
    spread = [
        np.repeat(np.broadcast_to(t, wanted), block, axis).take(range(shape[axis]), axis)
        for t in (scales, zeros)
    ]
    return spread[0].reshape(-1), spread[1].astype(np.int64).reshape(-1), spread[0].size
