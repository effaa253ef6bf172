"""Choose scale and zero point of values that are known at run time only.

Real-number meaning: codes ``low..high`` are spread over the values' own range, which is widened to
hold 0, so that 0 is a code. Each formula takes its steps in this order; ``f32`` rounds to float32,
``f64`` is float64, ``rint`` rounds halves to even; ``lo = min(minimum, 0)``, ``hi = max(maximum,
0)``, ``n = high - low``:

| formula      | scale                                          | zero point                       |
|--------------|------------------------------------------------|----------------------------------|
| torch        | ``max(f32(f32(hi - lo) / n), eps)``            | ``low - rint(f32(lo / scale))``  |
| fbgemm       | ``f32(s)`` of ``s = f64((hi - lo) / n)``       | see below                        |
| onnx         | ``f32(f32(hi - lo) / n)``, 1 where that is 0   | ``rint(f32(low - f32(lo / s)))`` |
| power-of-two | least ``2**e >= eps``, ``f32(hi-lo) <= n*2**e`` | ``low - rint(f32(lo / scale))`` |

A zero point is clamped to ``low..high``; the onnx formula clamps before it rounds. ``symmetric``
(formulas torch and power-of-two) puts ``max(-lo, hi)`` in the place of ``hi - lo`` and ``n / 2`` in
that of ``n``, and the zero point is the middle code, rounded up: 0 of -128..127.

fbgemm: where ``f32(s)`` is 0 or has no finite reciprocal, ``s = 0.1``; where then
``s < f32(6.1e-5)``, ``s`` is that, and ``hi`` (if ``lo`` is 0), ``lo`` (if ``hi`` is 0) or both are
stretched with it. The zero point is ``rint`` of ``low - lo / s`` or ``high - hi / s``, whichever
has the smaller error, in float64. reduce_range of torch is a smaller ``high``: 127 for 255.

Corners: an empty row and a row with NaN or infinities are refused. Finite ends may be so far apart
that the range or the scale is infinite: that is refused too.

Sources: torch.ao.quantization.utils.determine_qparams; ATen/native/quantized/cpu/QuantUtils.h,
ChooseQuantizationParams; ONNX DynamicQuantizeLinear, onnxruntime/core/util/qmath.h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_ledger, require_name
from hw_models._pointwise import ends_of, require_floats, require_int
from hw_models.compiled import kernel, part
from hw_models.errors import ContractError, NonFiniteError
from hw_models.min_max import min_max

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import FloatArray
    from hw_models.ledger import Ledger

Choice: TypeAlias = Literal["torch", "fbgemm", "onnx", "power-of-two"]
CHOICES: Final[tuple[Choice, ...]] = get_args(Choice)
_TORCH: Final = CHOICES.index("torch")
_FBGEMM: Final = CHOICES.index("fbgemm")
_ONNX: Final = CHOICES.index("onnx")
_SYMMETRIC: Final = ("torch", "power-of-two")
_SMALL: Final = float(np.float32(6.1e-5))
_EPS: Final = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class QParamsRule:
    """How scale and zero point follow from the ends of a range.

    Attributes:
        formula: the order of operations.
        low, high: the codes that are used, -128..127 or 0..255 or fewer.
        symmetric: the zero point is the middle code.
        eps: the least scale of the formulas torch and power-of-two.
    """

    formula: Choice = "torch"
    low: int = -128
    high: int = 127
    symmetric: bool = False
    eps: float = _EPS

    def __post_init__(self) -> None:
        require_name(self.formula, "QParamsRule.formula", CHOICES)
        for name in ("low", "high"):
            value = require_int(getattr(self, name), f"QParamsRule.{name}", -(1 << 15), 1 << 16)
            object.__setattr__(self, name, value)
        if not self.low < self.high or not self.low <= 0 <= self.high:
            raise ContractError(
                f"QParamsRule.low and high must be in order, with 0 among them, not "
                f"{self.low}..{self.high} (accepted: -128..127, 0..255, ...)"
            )
        if self.symmetric and self.formula not in _SYMMETRIC:
            raise ContractError(
                f"QParamsRule.symmetric is no part of the formula {self.formula!r} "
                f"(accepted: {', '.join(_SYMMETRIC)})"
            )
        if not 0 < self.eps < math.inf or float(np.float32(self.eps)) != self.eps:
            raise ContractError(
                f"QParamsRule.eps must be a float32 above 0, not {self.eps!r} (accepted: 2**-23)"
            )

    @property
    def middle(self) -> int:
        """The code of the real 0 where the rule is symmetric."""
        return -(-(self.low + self.high) // 2)


def reference(minimum: float, maximum: float, rule: QParamsRule) -> tuple[float, int]:
    """Return scale and zero point for the ends of a row, step by step: the definition."""
    low, high = min(minimum, 0.0), max(maximum, 0.0)
    count = rule.high - rule.low
    match rule.formula:
        case "torch":
            reach = max(-low, high) / (count / 2) if rule.symmetric else _f32(high - low) / count
            scale = max(_f32(reach), rule.eps)
            return scale, _zero(rule, round(_f32(low / scale)))
        case "power-of-two":
            reach = max(-low, high) if rule.symmetric else _f32(high - low)
            scale = math.ldexp(1.0, math.frexp(rule.eps)[1])
            while scale / 2 >= rule.eps:
                scale /= 2
            while reach > scale * (count / 2 if rule.symmetric else count):
                scale *= 2
            return scale, _zero(rule, round(_f32(low / scale)))
        case "onnx":
            scale = _f32(_f32(high - low) / count) or 1.0
            return scale, round(min(max(_f32(rule.low - _f32(low / scale)), rule.low), rule.high))
        case "fbgemm":
            return _fbgemm(low, high, rule)


def _zero(rule: QParamsRule, code: int) -> int:
    return rule.middle if rule.symmetric else min(max(rule.low - code, rule.low), rule.high)


def _f32(x: float) -> float:
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(x))


def _fbgemm(low: float, high: float, rule: QParamsRule) -> tuple[float, int]:
    count = rule.high - rule.low
    scale = (high - low) / count
    narrow = _f32(scale)
    if narrow == 0 or math.isinf(_f32(1 / narrow)):
        scale = 0.1
    if scale < _SMALL:
        stretch = _f32(_SMALL / _f32(scale))
        if low == 0:
            high = _f32(_SMALL * count)
        elif high == 0:
            low = _f32(-_SMALL * count)
        else:
            low, high = _f32(low * stretch), _f32(high * stretch)
        scale = _SMALL
    from_low, from_high = rule.low - low / scale, rule.high - high / scale
    nearer = abs(rule.low) - abs(low / scale) < abs(rule.high) - abs(high / scale)
    zero = from_low if nearer else from_high
    return _f32(scale), round(min(max(zero, rule.low), rule.high))


@part
def _torch(low: Any, high: Any, first: Any, last: Any, symmetric: Any, eps: Any) -> Any:
    count = np.float32(last - first)
    if symmetric:
        return max(max(-low, high) / (count / np.float32(2)), eps)
    return max((high - low) / count, eps)


@part
def _power(low: Any, high: Any, first: Any, last: Any, symmetric: Any, eps: Any) -> Any:
    reach = max(-low, high) if symmetric else high - low
    count = np.float64(last - first)
    if symmetric:
        count = count / 2
    scale: Any = np.float64(eps)  # a power of two, as the caller makes it
    while reach > scale * count and scale < 2.0**128:
        scale *= 2
    return np.float32(scale)


@part
def _fbgemm_choice(low: Any, high: Any, first: Any, last: Any) -> Any:
    lo, hi = np.float64(low), np.float64(high)
    count = np.float64(last - first)
    scale: Any = (hi - lo) / count
    narrow = np.float32(scale)
    if narrow == 0 or np.isinf(np.float32(1) / narrow):
        scale = 0.1
    if scale < _SMALL:
        stretch = np.float32(_SMALL) / np.float32(scale)
        if lo == 0:
            hi = np.float64(np.float32(_SMALL * count))
        elif hi == 0:
            lo = np.float64(np.float32(-_SMALL * count))
        else:
            lo = np.float64(np.float32(lo) * stretch)
            hi = np.float64(np.float32(hi) * stretch)
        scale = _SMALL
    nearer = abs(first) - abs(lo / scale) < abs(last) - abs(hi / scale)
    zero = first - lo / scale if nearer else last - hi / scale
    return np.float32(scale), np.int64(np.rint(min(max(zero, np.float64(first)), np.float64(last))))


@kernel
def _choose(
    ranges: Any, scales: Any, zeros: Any, way: Any, ends: Any, symmetric: Any, eps: Any
) -> None:
    first, last, middle = ends[0], ends[1], ends[2]
    for r in range(len(ranges)):
        low = min(ranges[r, 0], np.float32(0))
        high = max(ranges[r, 1], np.float32(0))
        if way == _FBGEMM:
            scales[r], zeros[r] = _fbgemm_choice(low, high, first, last)
            continue
        if way == _ONNX:
            scale = (high - low) / np.float32(last - first)
            if scale == 0:
                scale = np.float32(1)
            place = np.float32(first) - low / scale
            zeros[r] = np.int64(np.rint(min(max(place, np.float32(first)), np.float32(last))))
        else:
            if way == _TORCH:
                scale = _torch(low, high, first, last, symmetric, eps)
            else:
                scale = _power(low, high, first, last, symmetric, eps)
            zeros[r] = middle
            if not symmetric:
                zeros[r] = min(max(first - np.int64(np.rint(low / scale)), first), last)
        scales[r] = scale


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
        NonFiniteError: NaN, an infinity, or ends whose scale is infinite.
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
    scales, zeros = np.empty(len(rows), np.float32), np.empty(len(rows), np.int64)
    eps = np.float32(reference(0.0, 0.0, rule)[0])  # what a range of nothing gives is the least
    ends = np.array([rule.low, rule.high, rule.middle], np.int64)
    if not np.isfinite(rows).all():
        raise _not_finite(rows, values.shape[:-1], "the range")
    _choose(rows, scales, zeros, CHOICES.index(rule.formula), ends, rule.symmetric, eps)
    if not np.isfinite(scales).all():
        raise _not_finite(scales[:, None], values.shape[:-1], "the scale")
    if ledger is not None:
        ledger.fill(scales.size, ends_of(scales), f"choose-{rule.formula}", "float32, step by step")
    return scales.reshape(values.shape[:-1]), zeros.reshape(values.shape[:-1])


def _not_finite(rows: npt.NDArray[Any], shape: tuple[int, ...], what: str) -> NonFiniteError:
    place = int(np.argmin(np.isfinite(rows).all(axis=1)))
    index = tuple(int(i) for i in np.unravel_index(place, shape)) if shape else ()
    shown = ", ".join(f"{float(value):g}" for value in rows[place])
    return NonFiniteError("choose_qparams", what, index, shown)


def choose_qparams(
    x: FloatArray,
    rule: QParamsRule = QParamsRule(),  # frozen
    axes: Sequence[int] | None = None,
    ledger: Ledger | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Choose scale and zero point of values for their own range.

    Args:
        x: float32, any shape and strides.
        rule: how they follow from a range.
        axes: the dimensions that share parameters; None for all (per tensor), ``(-1,)`` for one
            pair per row. Groups are a dimension of their own: reshape x first.
        ledger: filled with the extremes of the scales.

    Returns:
        Scales in float32 and zero points in int64, of x's shape with 1 for each of ``axes``.

    Raises:
        ContractError: for arguments outside the contract.
        NonFiniteError: x holds NaN or an infinity, or its range has no finite scale.
    """
    return choose(min_max(x, axes), rule, ledger)
