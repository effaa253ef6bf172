"""Scale and zero point of one range, step by step: the definition."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from hw_models.qparams.rule import QParamsRule

SMALL: Final = float(np.float32(6.1e-5))


def reference(minimum: float, maximum: float, rule: QParamsRule) -> tuple[float, int]:
    """Return scale and zero point for the ends of a row."""
    low, high = min(minimum, 0.0), max(maximum, 0.0)
    count = rule.high - rule.low
    reach = max(-low, high) if rule.symmetric else _f32(high - low)
    match rule.formula:
        case "torch":
            scale = max(_f32(reach / (count / 2 if rule.symmetric else count)), rule.eps)
            return scale, _zero(rule, rule.low - round(_f32(low / scale)))
        case "power-of-two":
            scale = math.ldexp(1.0, math.frexp(rule.eps)[1])
            while scale / 2 >= rule.eps:
                scale /= 2
            while reach > scale * (count / 2 if rule.symmetric else count):
                scale *= 2
            return scale, _zero(rule, rule.low - round(_f32(low / scale)))
        case "onnx":
            return _onnx(low, high, rule)
        case "fbgemm" | "executorch":
            return _fbgemm(low, high, rule)
        case "torch-per-token":
            if rule.symmetric:
                return _f32(max(reach, rule.eps) / rule.high), rule.middle
            scale = max(_f32(reach / count), rule.eps)
            return scale, _zero(rule, _of_smaller_error(low, high, scale, rule))
        case "no-clipping":
            return max(_f32(low / rule.low), _f32(high / rule.high), rule.eps), rule.middle


def _zero(rule: QParamsRule, code: int) -> int:
    return rule.middle if rule.symmetric else min(max(code, rule.low), rule.high)


def _f32(x: float) -> float:
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(x))


def _of_smaller_error(low: float, high: float, scale: float, rule: QParamsRule) -> int:
    down, up = _f32(low / scale), _f32(high / scale)
    errors = _f32(_f32(rule.low + down) + _f32(rule.high + up))
    return round(_f32(rule.low - down) if errors > 0 else _f32(rule.high - up))


def _onnx(low: float, high: float, rule: QParamsRule) -> tuple[float, int]:
    """Divide as IEEE 754 does: the scale may be 0 or infinite."""
    with np.errstate(all="ignore"):
        least, most = np.float32(low), np.float32(high)
        scale = (most - least) / np.float32(rule.high - rule.low) if low != high else np.float32(1)
        place = float(np.float32(rule.low) - least / scale)
    if not place < rule.high:  # NaN too
        return float(scale), rule.high
    return float(scale), round(max(place, rule.low))


def _fbgemm(low: float, high: float, rule: QParamsRule) -> tuple[float, int]:
    count = rule.high - rule.low
    scale = (high - low) / count
    narrow = _f32(scale)
    if narrow == 0 or math.isinf(_f32(1 / narrow)):
        scale = 0.1
    if scale < SMALL:
        stretch = _f32(SMALL / _f32(scale))
        if low == 0:
            high = _f32(SMALL * count)
        elif high == 0:
            low = _f32(-SMALL * count)
        else:
            low, high = _f32(low * stretch), _f32(high * stretch)
        scale = SMALL
    from_low, from_high = rule.low - low / scale, rule.high - high / scale
    nearer = abs(rule.low) - abs(low / scale) < abs(rule.high) - abs(high / scale)
    zero = from_low if nearer else from_high
    zero = _f32(zero) if rule.formula == "executorch" else zero
    return _f32(scale), round(min(max(zero, rule.low), rule.high))
