"""Scales and zero points of many ranges."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hw_models.compiled import kernel, part
from hw_models.qparams.definition import SMALL
from hw_models.qparams.rule import CHOICES

_TORCH: Final = CHOICES.index("torch")
_FBGEMM: Final = CHOICES.index("fbgemm")
_EXECUTORCH: Final = CHOICES.index("executorch")
_ONNX: Final = CHOICES.index("onnx")
_POWER: Final = CHOICES.index("power-of-two")
_TOKEN: Final = CHOICES.index("torch-per-token")


@part(error_model="numpy")
def _torch(low: Any, high: Any, first: Any, last: Any, symmetric: Any, bound: Any) -> Any:
    count = np.float32(last - first)
    if symmetric:
        return max(max(-low, high) / (count / np.float32(2)), bound)
    return max((high - low) / count, bound)


@part(error_model="numpy")
def _power(low: Any, high: Any, first: Any, last: Any, symmetric: Any, bound: Any) -> Any:
    reach = max(-low, high) if symmetric else high - low
    count = np.float64(last - first)
    if symmetric:
        count = count / 2
    scale: Any = np.float64(bound)  # a power of two, as the caller makes it
    while reach > scale * count and scale < 2.0**128:
        scale *= 2
    return np.float32(scale)


@part(error_model="numpy")
def _fbgemm(low: Any, high: Any, first: Any, last: Any, narrows: Any) -> Any:
    lo, hi = np.float64(low), np.float64(high)
    count = np.float64(last - first)
    scale: Any = (hi - lo) / count
    narrow = np.float32(scale)
    if narrow == 0 or np.isinf(np.float32(1) / narrow):
        scale = 0.1
    if scale < SMALL:
        stretch = np.float32(SMALL) / np.float32(scale)
        if lo == 0:
            hi = np.float64(np.float32(SMALL * count))
        elif hi == 0:
            lo = np.float64(np.float32(-SMALL * count))
        else:
            lo = np.float64(np.float32(lo) * stretch)
            hi = np.float64(np.float32(hi) * stretch)
        scale = SMALL
    nearer = abs(first) - abs(lo / scale) < abs(last) - abs(hi / scale)
    zero = first - lo / scale if nearer else last - hi / scale
    if narrows:
        zero = np.float64(np.float32(zero))
    return np.float32(scale), np.int64(np.rint(min(max(zero, np.float64(first)), np.float64(last))))


@part(error_model="numpy")
def _onnx(low: Any, high: Any, first: Any, last: Any) -> Any:
    least, most = np.float32(first), np.float32(last)
    scale = np.float32(1)
    if low != high:
        scale = (high - low) / (most - least)
    place = least - low / scale
    if not place < most:  # NaN too
        place = most
    return scale, np.int64(np.rint(max(place, least)))


@part(error_model="numpy")
def _token_zero(low: Any, high: Any, scale: Any, first: Any, last: Any) -> Any:
    down, up = low / scale, high / scale
    least, most = np.float32(first), np.float32(last)
    place = most - up
    if (least + down) + (most + up) > np.float32(0):
        place = least - down
    return np.int64(np.rint(min(max(place, least), most)))


@kernel(error_model="numpy")
def choose(
    ranges: Any, scales: Any, zeros: Any, way: Any, ends: Any, symmetric: Any, bound: Any
) -> None:
    """Fill scales and zero points.

    ``ends`` are the first code, the last and the middle one, ``bound`` is the rule's.
    """
    first, last, middle = ends[0], ends[1], ends[2]
    for r in range(len(ranges)):
        low = min(ranges[r, 0], np.float32(0))
        high = max(ranges[r, 1], np.float32(0))
        if way in (_FBGEMM, _EXECUTORCH):
            scales[r], zeros[r] = _fbgemm(low, high, first, last, way == _EXECUTORCH)
            continue
        if way == _ONNX:
            scales[r], zeros[r] = _onnx(low, high, first, last)
            continue
        zeros[r] = middle
        if way == _POWER:
            scale = _power(low, high, first, last, symmetric, bound)
        elif way == _TORCH or (way == _TOKEN and not symmetric):
            scale = _torch(low, high, first, last, symmetric, bound)
        elif way == _TOKEN:
            scale = max(max(-low, high), bound) / np.float32(last)
        else:
            scale = max(max(low / np.float32(first), high / np.float32(last)), bound)
        if not symmetric and way == _TOKEN:
            zeros[r] = _token_zero(low, high, scale, first, last)
        elif not symmetric:
            zeros[r] = min(max(first - np.int64(np.rint(low / scale)), first), last)
        scales[r] = scale
