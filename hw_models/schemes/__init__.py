"""Requantizers: value objects that say how an accumulator becomes a narrow code.

Real-number meaning of all of them: ``y ~ x * scale``. They differ in how the datapath holds the
scale and where it rounds:

| object                           | scale                     | rounding                       |
|----------------------------------|---------------------------|--------------------------------|
| ``FixedPoint("double")``         | ``multiplier / 2**shift`` | twice: half up, then half away |
| ``FixedPoint("double-half-up")`` | the same                  | twice: half up, then half up   |
| ``FixedPoint("single")``         | the same                  | once, half up                  |
| ``FixedPoint("s64-reduced")``    | 16 bits of the multiplier | once, half up                  |
| ``FixedPoint("tosa-single")``    | ``multiplier / 2**shift`` | once, half up                  |
| ``FixedPoint("tosa-double")``    | the same                  | once, nudged twice             |
| ``PowerOfTwo``                   | ``1 / 2**shift``          | once, any of ``ROUNDINGS``     |
| ``MulAddShift``                  | ``mul / 2**shift``        | once, any but stochastic       |
| ``Converter``                    | ``scale / 2**shift``      | once, half away                |
| ``FloatScale``                   | a float32                 | float32 twice, then half even  |
| ``Float64Scale``                 | a float64                 | float64 once, then half away   |

``FixedPoint`` is defined in ``fixed_point``, whose docstring has its six datapaths, the others in
``kinds``.

``MulAddShift``: ``round((x * mul + add) / 2**right_shift)``, exact for any ``x`` up to 64 bits:
pulp-platform/Deeploy:TargetLibraries/Generic/src/RequantShift_s8.c, whose 32-bit intermediate value
is undefined in C where it overflows. Deeploy's ``rounding`` flag is ``half_up``, without it
``floor``.

``Converter``: ``round((x - offset) * scale / 2**right_shift)``, half away from zero, exact: the
output converter of NVDLA's SDP (nvdla.org, hardware manual, precision preservation). The saturation
that follows it is requantize's clamp.

``FloatScale``: ``x`` to float32 (nearest even: it rounds above 2**24), times the float32 scale,
rounded half even to an integer. Values beyond ``+-2**62`` count as ``+-2**62``. XNNPACK clamps to
``low - zero_point`` and ``high - zero_point`` *before* it rounds (google/XNNPACK:src/
qs8-requantization): these are integers, which rounding keeps, and rounding never falls, so the
codes are the same.

``Float64Scale``: ``x`` to float64 (exact to 2**53), times the float64 scale, rounded half away from
zero as C's ``round()`` does: LiteRT's reference fully-connected kernel
(google-ai-edge/LiteRT:tflite/kernels/internal/reference/integer_ops/fully_connected.h). Values
beyond ``+-2**62`` count as ``+-2**62``.
"""

from __future__ import annotations

from hw_models.schemes.fixed_point import (
    FIXED_REFERENCES,
    MAX_SHIFT,
    REDUCED,
    TOSA,
    TWICE,
    FixedPoint,
    FixedRounding,
    quantize_multiplier,
    reduced_multiplier,
)
from hw_models.schemes.kinds import (
    REQUANTIZERS,
    Converter,
    Float64Scale,
    FloatScale,
    MulAddShift,
    PowerOfTwo,
    Requantizer,
    affine_rescale,
)

__all__ = [
    "FIXED_REFERENCES",
    "MAX_SHIFT",
    "REDUCED",
    "REQUANTIZERS",
    "TOSA",
    "TWICE",
    "Converter",
    "FixedPoint",
    "FixedRounding",
    "Float64Scale",
    "FloatScale",
    "MulAddShift",
    "PowerOfTwo",
    "Requantizer",
    "affine_rescale",
    "quantize_multiplier",
    "reduced_multiplier",
]
