"""exp in float32: the polynomial that ATen's vectors compute.

Real-number meaning: ``y = exp(x)``, within one unit in the last place.

Formula; every step is rounded to float32, ``fma`` once::

    q = rint(x * 1.442695041)
    s = fma(q, -1.428606765e-06, fma(q, -0.6931457520, x))
    u = 1.985276176e-04
    u = fma(u, s, c) for c in 1.393043553e-03, 8.333360776e-03, 4.166648537e-02, 1.666666716e-01,
                              0.5
    u = 1 + fma(s * s, u, s)
    y = u * 2**(q >> 1) * 2**(q - (q >> 1))

Corners: 0 below -104, infinite above 100; between, the last product makes denormal numbers and
infinities. NaN stays NaN. exp(0) is 1.

Source: the constants and the order are those of SLEEF's expf_u10, which ATen's softmax, sigmoid and
erf call. torch.exp calls another library.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from hw_models.compiled import part
from hw_models.compiled.fused import fused_multiply_add
from hw_models.float32.steps import f32, fused

_LOG2_E: Final = np.float32(1.4426950408889634)
_LN2_HIGH: Final = np.float32(-0.693145751953125)
_LN2_LOW: Final = np.float32(-1.42860677e-06)
_C: Final = tuple(
    np.float32(c)
    for c in (1.98527618e-04, 1.39304355e-03, 8.33336078e-03, 4.16664854e-02, 1.66666672e-01, 0.5)
)
_C0, _C1, _C2, _C3, _C4, _C5 = _C
_ONE: Final = np.float32(1)
_LOW: Final = np.float32(-104)
_HIGH: Final = np.float32(100)


def exp_reference(x: float) -> float:
    """Return exp of one float32 value, step by step: the definition."""
    if math.isnan(x):
        return x
    if x < _LOW:
        return 0.0
    if x > _HIGH:
        return math.inf
    q = float(round(f32(x * float(_LOG2_E))))
    s = fused(q, float(_LN2_LOW), fused(q, float(_LN2_HIGH), x))
    u = float(_C0)
    for c in _C[1:]:
        u = fused(u, s, float(c))
    u = f32(1 + fused(f32(s * s), u, s))
    half = int(q) >> 1
    return f32(f32(u * 2.0**half) * 2.0 ** (int(q) - half))


@part(inline="always", error_model="numpy")
def exp(x: Any) -> Any:
    """Return exp of one value; without a branch, so that loops of it become vectors."""
    inside = min(max(x, _LOW), _HIGH)
    whole = np.rint(inside * _LOG2_E)
    s = fused_multiply_add(whole, _LN2_LOW, fused_multiply_add(whole, _LN2_HIGH, inside))
    u = fused_multiply_add(_C0, s, _C1)
    u = fused_multiply_add(u, s, _C2)
    u = fused_multiply_add(u, s, _C3)
    u = fused_multiply_add(u, s, _C4)
    u = fused_multiply_add(u, s, _C5)
    u = _ONE + fused_multiply_add(s * s, u, s)
    q = np.int32(whole)
    half = q >> np.int32(1)
    y = u * _power(half) * _power(q - half)
    y = np.float32(0) if x < _LOW else y
    y = np.float32(np.inf) if x > _HIGH else y
    return y if x == x else x  # NaN alone differs from itself


@part(inline="always", error_model="numpy")
def _power(exponent: Any) -> Any:
    """Return 2**exponent, of a normal float32 number."""
    return np.int32((exponent + np.int32(127)) << np.int32(23)).view(np.float32)
