"""Requantizers."""

from __future__ import annotations

import numpy as np

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    HUGE,
    INF,
    NAN,
    NO_FLOAT64_SCALE,
    NO_INT,
    NO_INTS,
    NO_NAME,
    NO_NUMBER,
    NO_POSITIVE,
    NO_SCALE,
)

TARGETS: dict[str, Target] = {
    "FixedPoint": Target(
        hw.FixedPoint,
        {"multiplier": 3, "right_shift": 4},
        {
            "multiplier": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 1 << 31],
            "right_shift": [*(v for v in NO_INTS if not isinstance(v, list) or not v), -1, 63],
            "rounding": NO_NAME,
            "bits": [*NO_POSITIVE, 1, 33],
        },
    ),
    "FixedPoint.from_scale": Target(
        hw.FixedPoint.from_scale,
        {"scale": 0.25},
        {
            "scale": [*NO_NUMBER, NAN, INF, -1.0, True, HUGE, 1e60, [], np.ones((2, 2))],
            "bits": [*NO_POSITIVE, 1, 33],
            "rounding": NO_NAME,
        },
    ),
    "FixedPoint.from_tflite": Target(
        hw.FixedPoint.from_tflite,
        {"multiplier": 3, "shift": -1},
        {
            "multiplier": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 1 << 31],
            "shift": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 32, -32],
            "rounding": NO_NAME,
        },
    ),
    "PowerOfTwo": Target(
        hw.PowerOfTwo,
        {"right_shift": 3},
        {
            "right_shift": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 63, -63],
            "rounding": NO_NAME,
            "seed": [*NO_INT, -1, 1 << 64],
        },
    ),
    "MulAddShift": Target(
        hw.MulAddShift,
        {"mul": 3, "add": 5, "right_shift": 4},
        {
            "mul": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 1 << 31],
            "add": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 1 << 47],
            "right_shift": [*(v for v in NO_INTS if not isinstance(v, list) or not v), -1, 63],
            "rounding": [*NO_NAME, "stochastic"],
        },
    ),
    "MulAddShift.from_scale": Target(
        hw.MulAddShift.from_scale,
        {"scale": 0.25, "right_shift": 16},
        {
            "scale": [*NO_NUMBER, NAN, INF, -1.0, True, HUGE, 1e60, [], np.ones((2, 2))],
            "right_shift": [*NO_INT, -1, 63],
            "rounding": [*NO_NAME, "stochastic"],
        },
    ),
    "Converter": Target(
        hw.Converter,
        {"offset": 3, "scale": 5, "right_shift": 4},
        {
            "offset": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 1 << 31],
            "scale": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 1 << 15],
            "right_shift": [*(v for v in NO_INTS if not isinstance(v, list) or not v), -1, 63],
        },
    ),
    "Converter.from_scale": Target(
        hw.Converter.from_scale,
        {"scale": 0.25},
        {
            "scale": [*NO_NUMBER, NAN, INF, -1.0, True, HUGE, 1e60, [], np.ones((2, 2))],
            "offset": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 1 << 31],
        },
    ),
    "Float64Scale": Target(
        hw.Float64Scale,
        {"scale": 0.5},
        {"scale": [*(v for v in NO_FLOAT64_SCALE if not isinstance(v, list) or not v)]},
    ),
    "FloatScale": Target(
        hw.FloatScale,
        {"scale": 0.5},
        {"scale": [*(v for v in NO_SCALE if not isinstance(v, list) or not v)]},
    ),
}
