"""Integer units of one code, which ``unit_table`` takes."""

from __future__ import annotations

from typing import Any

import hw_models as hw
from hw_models.tables import ByteLeakyRelu, HardSwish, LeakyRelu, Sigmoid16, Tanh16, leaky_relu
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    FIXED,
    HUGE,
    INF,
    NAN,
    NO_INT,
    NO_SCALAR,
    NO_SCALE,
    NO_SCHEME,
)

NO_SLOPE: list[Any] = [*NO_SCALAR, NAN, INF, -INF, True, HUGE, -HUGE, 10**400, 1e60]
_POINTS = {name: [*NO_INT, 1 << 17] for name in ("input_zero_point", "zero_point")}
_SCALES = {"input_scale": 0.5, "output_scale": 0.25}
_SCALES_BAD = {"input_scale": NO_SCALE, "output_scale": NO_SCALE}
_RESCALE_BAD = [*NO_SCHEME, hw.PowerOfTwo(1), hw.FixedPoint((1, 2), 33)]
_CURVE = {"multiplier": 3, "right_shift": 4}
_CURVE_BAD = {"multiplier": [*NO_INT, -1, 1 << 15], "right_shift": [*NO_INT, -1, 32]}

TARGETS: dict[str, Target] = {
    "HardSwish": Target(
        HardSwish,
        {**_CURVE, "reluish_multiplier": 5, "reluish_exponent": -1},
        {
            "multiplier": [*NO_INT, 1 << 15],
            "right_shift": [*NO_INT, -1, 16],
            "reluish_multiplier": [*NO_INT, 1 << 15],
            "reluish_exponent": [*NO_INT, -16, 16],
            **_POINTS,
        },
    ),
    "HardSwish.from_scales": Target(HardSwish.from_scales, _SCALES, {**_SCALES_BAD, **_POINTS}),
    "LeakyRelu": Target(
        LeakyRelu,
        {"positive": FIXED, "negative": FIXED},
        {"positive": _RESCALE_BAD, "negative": _RESCALE_BAD, **_POINTS},
    ),
    "LeakyRelu.from_scales": Target(
        LeakyRelu.from_scales,
        {**_SCALES, "slope": 0.1},
        {**_SCALES_BAD, "slope": [*NO_SLOPE, -0.1], **_POINTS},
    ),
    "ByteLeakyRelu": Target(
        ByteLeakyRelu,
        {"positive": 256, "negative": -3},
        {
            "positive": [*NO_INT, -1, (1 << 15) + 1],
            "negative": [*NO_INT, (1 << 15) + 1],
            **_POINTS,
        },
    ),
    "ByteLeakyRelu.from_scales": Target(
        ByteLeakyRelu.from_scales,
        {**_SCALES, "slope": -0.1},
        {**_SCALES_BAD, "slope": [*NO_SLOPE, 0.0, 1e-60, 1e3], **_POINTS},
    ),
    **{
        unit.__name__ + suffix: target
        for unit in (Sigmoid16, Tanh16)
        for suffix, target in (
            ("", Target(unit, _CURVE, _CURVE_BAD)),
            (
                ".from_scale",
                Target(unit.from_scale, {"scale": 2.0**-12}, {"scale": [*NO_SCALE, 3.0]}),
            ),
        )
    },
    "leaky_relu": Target(leaky_relu, {"slope": -0.1}, {"slope": [*NO_SCALAR, NAN, INF, -INF, 0]}),
}
