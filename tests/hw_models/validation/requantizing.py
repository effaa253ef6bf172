"""Accumulators to codes."""

from __future__ import annotations

import numpy as np

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    FIXED,
    IMAGE,
    INF,
    NAN,
    NO_CLAMP,
    NO_CODES,
    NO_FORMAT,
    NO_INT,
    NO_LEDGER,
    NO_NAME,
    NO_NUMBER,
    NO_SCALE,
    NO_SCHEME,
)

TARGETS: dict[str, Target] = {
    "requantize_plan": Target(
        hw.requantize_plan,
        {"requantizer": hw.FixedPoint((1 << 30, 3), 33)},
        {
            "requantizer": NO_SCHEME,
            "zero_point": NO_INT,
            "output": NO_FORMAT,
            "clamp": NO_CLAMP,
            "axis": NO_INT,
            "input_zero_point": NO_INT,
        },
    ),
    "requantize": Target(
        hw.requantize,
        {"acc": IMAGE.astype(np.int32), "requantizer": hw.FixedPoint((1 << 30, 3), 33)},
        {
            "acc": NO_CODES,
            "requantizer": [*NO_SCHEME, hw.FixedPoint((1, 2, 3), 33)],
            "zero_point": NO_INT,
            "output": NO_FORMAT,
            "clamp": NO_CLAMP,
            "axis": [*NO_INT, 4, -5, 0],
            "input_zero_point": NO_INT,
            "ledger": NO_LEDGER,
        },
    ),
    "float_requantize": Target(
        hw.float_requantize,
        {"acc": IMAGE.astype(np.int32), "scheme": hw.FloatBias("onednn", 0.5, (0.5, 1.0), 2.0)},
        {
            "acc": NO_CODES,
            "scheme": [*NO_SCHEME, FIXED, hw.FloatBias("onednn", 0.5, (0.5, 1.0, 2.0), 2.0)],
            "zero_point": [*NO_INT, 1 << 25],
            "output": NO_FORMAT,
            "clamp": NO_CLAMP,
            "axis": [*NO_INT, 4, -5, 0],
            "ledger": NO_LEDGER,
        },
    ),
    "FloatBias": Target(
        hw.FloatBias,
        {"kind": "onednn", "input_scale": 0.5, "weight_scale": (0.5, 1.0), "output_scale": 2.0},
        {
            "kind": NO_NAME,
            "input_scale": NO_SCALE,
            "weight_scale": [v for v in NO_SCALE if not isinstance(v, list) or not v],
            "output_scale": NO_SCALE,
            "bias": [*NO_NUMBER, NAN, INF, True, 1e60, [], (1.0, 2.0, 3.0), np.ones((2, 2))],
        },
    ),
}
