"""Choose scale and zero point of values that are known at run time only.

Real-number meaning: codes ``low..high`` are spread over the values' own range, which is widened to
hold 0, so that 0 is a code. Each formula takes its steps in this order; ``f32`` rounds to float32,
``f64`` is float64, ``rint`` rounds halves to even; ``lo = min(minimum, 0)``, ``hi = max(maximum,
0)``, ``n = high - low``:

| formula         | scale                                      | zero point                       |
|-----------------|--------------------------------------------|----------------------------------|
| torch           | ``max(f32(f32(hi - lo) / n), eps)``        | ``low - rint(f32(lo / scale))``  |
| torch-per-token | the same                                   | ``rint``, see below              |
| fbgemm          | ``f32(s)``, ``s = f64((hi - lo) / n)``     | see below                        |
| onnx            | ``f32(f32(hi-lo) / n)``; 1 if ``hi == lo`` | ``rint(f32(low - f32(lo / s)))`` |
| power-of-two    | least ``2**e >= eps, f32(hi-lo) / n``      | ``low - rint(f32(lo / scale))``  |

A zero point is clamped to ``low..high``; onnx, fbgemm and torch-per-token clamp before they round.

torch-per-token: of ``f32(low - f32(lo / scale))`` and ``f32(high - f32(hi / scale))`` the first
where ``f32(f32(low + f32(lo / scale)) + f32(high + f32(hi / scale)))`` is above 0, else the second.

``symmetric``: the zero point is the middle code, rounded up: 0 of -128..127. torch and power-of-two
put ``reach = max(-lo, hi)`` in the place of ``hi - lo`` and ``n / 2`` in that of ``n``;
torch-per-token divides ``f32(max(reach, eps) / high)``; no-clipping, always symmetric, takes the
greatest of ``f32(lo / low)``, ``f32(hi / high)`` and ``eps``, so that no value is clipped.

fbgemm: where ``f32(s)`` is 0 or has no finite reciprocal, ``s = 0.1``; where then
``s < f32(6.1e-5)``, ``s`` is that, and ``hi`` (if ``lo`` is 0), ``lo`` (if ``hi`` is 0) or both are
stretched with it. The zero point is ``rint`` of ``low - lo / s`` or ``high - hi / s``, whichever
has the smaller error, in float64. executorch is fbgemm, but for a zero point that becomes a float32
before it becomes an integer. reduce_range of torch is a smaller ``high``: 127 for 255, and
-64..63 for -128..127.

Corners: an empty row and a row with NaN are refused. So are infinities and finite ends so far apart
(or, under onnx, so near) that the scale is infinite (or 0); but QParamsRule.non_finite may say that
they go on, as ONNX Runtime has it: the scale is that, and a zero point that is NaN is ``high``.

Sources: torch.ao.quantization.utils.determine_qparams; ATen/native/quantized/cpu/QuantUtils.h,
ChooseQuantizationParams; ExecuTorch, kernels/quantized/cpu/op_choose_qparams.cpp;
torch.ao.quantization.fx._decomposed, choose_qparams_per_token; torchao's choose_qparams_affine
(SYMMETRIC and ASYMMETRIC are torch, SYMMETRIC_NO_CLIPPING_ERR is no-clipping);
onnxruntime/core/util/qmath.h, GetQuantizationParameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_ledger, show
from hw_models._pointwise import ends_of, require_floats
from hw_models.dynamic.min_max import min_max
from hw_models.errors import ContractError, NonFiniteError
from hw_models.formats import is_int
from hw_models.qparams import kernels
from hw_models.qparams.definition import reference
from hw_models.qparams.rule import CHOICES, NON_FINITE, Choice, NonFinite, QParamsRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import FloatArray
    from hw_models.ledger import Ledger

__all__ = [
    "CHOICES",
    "NON_FINITE",
    "Choice",
    "NonFinite",
    "QParamsRule",
    "choose",
    "choose_qparams",
    "reference",
]


def choose(
    ranges: FloatArray, rule: QParamsRule, ledger: Ledger | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Choose scale and zero point for the ends of rows.

    Args:
        ranges: float32, any shape whose last dimension holds the least and the greatest value,
            as ``min_max`` makes them.
        rule: how they follow.
        ledger: filled with the extremes of the scales.

    Returns:
        Scales in float32 and zero points in int64, of the shape without the last dimension.

    Raises:
        ContractError: for arguments outside the contract.
        NonFiniteError: NaN; an infinity, or ends whose scale is no positive finite number, unless
            the rule lets them go on.
    """
    require_ledger(ledger)
    values = require_floats(ranges, "ranges")
    if not isinstance(rule, QParamsRule):
        raise ContractError(f"rule must be a QParamsRule, not {rule!r} (accepted: QParamsRule())")
    if values.ndim == 0 or values.shape[-1] != 2:
        raise ContractError(
            f"ranges must hold (least, greatest), not the shape {values.shape} (accepted: [..., 2])"
        )
    rows = np.ascontiguousarray(values).reshape(-1, 2)
    shape = values.shape[:-1]
    least, most = rows[:, 0], rows[:, 1]
    if rule.propagates:
        good = ~(np.isnan(least) | np.isnan(most))
        _require(good, rows, shape, "the range", "finite or infinite")
    else:
        _require(np.isfinite(least) & np.isfinite(most), rows, shape, "the range", "finite")
    scales, zeros = np.empty(len(rows), np.float32), np.empty(len(rows), np.int64)
    ends = np.array([rule.low, rule.high, rule.middle], np.int64)
    way, bound = CHOICES.index(rule.formula), np.float32(rule.bound)
    kernels.choose(rows, scales, zeros, way, ends, rule.symmetric, bound)
    if not rule.propagates:
        good = np.isfinite(scales) & (scales > 0)
        _require(good, scales[:, None], shape, "the scale", "positive and finite")
    if ledger is not None:
        ledger.fill(scales.size, ends_of(scales), f"choose-{rule.formula}", "float32, step by step")
    return scales.reshape(shape), zeros.reshape(shape)


def _require(
    good: npt.NDArray[np.bool_],
    rows: npt.NDArray[Any],
    shape: tuple[int, ...],
    what: str,
    wanted: str,
) -> None:
    if good.all():
        return
    place = int(np.argmin(good))
    index = tuple(int(i) for i in np.unravel_index(place, shape)) if shape else ()
    shown = ", ".join(f"{float(value):g}" for value in rows[place])
    raise NonFiniteError("choose_qparams", what, index, shown, wanted)


def choose_qparams(
    x: FloatArray,
    rule: QParamsRule = QParamsRule(),  # noqa: B008  # frozen
    axes: Sequence[int] | None = None,
    group: int | None = None,
    ledger: Ledger | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Choose scale and zero point of values for their own range.

    Args:
        x: float32, any shape and strides.
        rule: how they follow from a range.
        axes: the dimensions that share parameters; None for all (per tensor), ``(-1,)`` for one
            pair per row. With a group, None.
        group: how many neighbours along the last dimension share parameters, which ``quantize``
            takes as ``axis=-1, block=group``.
        ledger: filled with the extremes of the scales.

    Returns:
        Scales in float32 and zero points in int64, of x's shape with 1 for each of ``axes``, or
        with the number of groups for the last dimension.

    Raises:
        ContractError: for arguments outside the contract.
        NonFiniteError: x holds NaN or an infinity, or its range has no positive finite scale, and
            the rule refuses that.
    """
    if group is None:
        return choose(min_max(x, axes), rule, ledger)
    values = require_floats(x, "x")
    if axes is not None or values.ndim == 0:
        raise ContractError(
            f"a group runs along the last dimension, not axes={show(axes)} of {values.ndim} "
            "dimensions (accepted: axes=None, 1 dimension or more)"
        )
    length = values.shape[-1]
    if not is_int(group) or group < 1 or length % group:
        accepted = [n for n in range(1, length + 1) if length % n == 0]
        raise ContractError(
            f"group must divide the last dimension, not {show(group)} for {length} "
            f"(accepted: {', '.join(map(str, accepted)) or 'a dimension that is not empty'})"
        )
    parts = values.reshape(*values.shape[:-1], length // group, group)
    scales, zeros = choose(min_max(parts, (-1,)), rule, ledger)
    return scales[..., 0], zeros[..., 0]
