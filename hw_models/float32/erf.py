"""erf and GELU in float32: the polynomial of Abramowitz and Stegun that ATen's vectors compute.

Real-number meaning: ``erf(x)``, within 6e-7; ``gelu(x) = x * (1 + erf(x / sqrt(2))) / 2``.

Formula; every step is rounded to float32, ``fma`` once, a = abs(x)::

    t = 1 / fma(0.3275911, a, 1)
    r = 1.061405429
    r = fma(r, t, c) for c in -1.453152027, 1.421413741, -0.284496736, 0.254829592
    erf(x) = sign(x) * fma(-exp(-(x * x)) * t, r, 1)
    gelu(x) = (x * 0.5) * (1 + erf(x * 0.70710678))

Corners: erf(+-0) is +-0. GELU of -infinity is NaN, as 0 times
infinity is. NaN stays NaN.

Source: ATen's Vectorized<float>::erf and its own GELU, which torch computes where oneDNN is off
(torch.backends.mkldnn), in whole vectors: up to 31 values at the end of a thread's share have the
erf of the C library. torch.erf calls another one.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from hw_models.compiled import part
from hw_models.compiled.fused import fused_multiply_add
from hw_models.float32.exponential import exp, exp_reference
from hw_models.float32.steps import divide, f32, fused

_P: Final = np.float32(0.3275911)
_C: Final = tuple(
    np.float32(c) for c in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
)
_C0, _C1, _C2, _C3, _C4 = _C
_ONE: Final = np.float32(1)
_HALF: Final = np.float32(0.5)
_SIGN: Final = np.int32(-(1 << 31))
_ROOT: Final = np.float32(math.sqrt(0.5))


def erf_reference(x: float) -> float:
    """Return erf of one float32 value, step by step: the definition."""
    t = divide(1, fused(float(_P), abs(x), 1))
    r = float(_C0)
    for c in _C[1:]:
        r = fused(r, t, float(c))
    y = fused(f32(-exp_reference(-f32(x * x)) * t), r, 1)
    return -y if math.copysign(1, x) < 0 else y


def gelu_reference(x: float) -> float:
    """Return GELU of one float32 value, step by step: the definition."""
    return f32(f32(x * 0.5) * f32(1 + erf_reference(f32(x * float(_ROOT)))))


@part(inline="always", error_model="numpy")
def erf(x: Any) -> Any:
    """Return erf of one value."""
    t = _ONE / fused_multiply_add(_P, abs(x), _ONE)
    r = fused_multiply_add(_C0, t, _C1)
    r = fused_multiply_add(r, t, _C2)
    r = fused_multiply_add(r, t, _C3)
    r = fused_multiply_add(r, t, _C4)
    y = fused_multiply_add(-exp(-(x * x)) * t, r, _ONE)
    # A loop with np.signbit in it is no vector.
    sign = np.int32(np.float32(x).view(np.int32) & _SIGN)
    return np.int32(np.float32(y).view(np.int32) ^ sign).view(np.float32)


@part(inline="always", error_model="numpy")
def gelu(x: Any) -> Any:
    """Return GELU of one value."""
    return (x * _HALF) * (_ONE + erf(x * _ROOT))
