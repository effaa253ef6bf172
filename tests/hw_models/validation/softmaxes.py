"""Softmax and its schemes."""

from __future__ import annotations

import numpy as np

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    FIXED,
    IMAGE,
    NO_CODES,
    NO_FLOAT64_SCALE,
    NO_FORMAT,
    NO_INT,
    NO_LEDGER,
    NO_SCALE,
    NO_SCHEME,
)

_SCHEMES = (
    # A scheme, and a width of codes and one of results that are too large for it.
    (hw.FixedSoftmax.from_scale(0.1), 9, 17),
    (hw.FloatSoftmax(0.1), 9, 33),
    (hw.TableSoftmax.from_scale(1e-3), 17, 17),
    (hw.IbertSoftmax.from_scale(1e-3), 17, 17),
)

TARGETS: dict[str, Target] = {
    **{
        "softmax" if i == 0 else f"softmax, {type(scheme).__name__}": Target(
            hw.softmax,
            {"x": IMAGE, "scheme": scheme},
            {
                "x": [*NO_CODES, np.int8(1), np.full(2, 128), np.full((2, 2), -129)],
                "scheme": [*NO_SCHEME, hw.FixedSoftmax, hw.TableArithmetic(), FIXED],
                "axis": [*NO_INT, 4, -5],
                "input": [*NO_FORMAT, hw.FixedFormat(too_wide)],
                "output": [*NO_FORMAT, hw.FixedFormat(too_large)],
                "ledger": NO_LEDGER,
                "shown": [np.ones(IMAGE.shape, int), np.ones(7, bool), "all", 1.0],
            },
        )
        for i, (scheme, too_wide, too_large) in enumerate(_SCHEMES)
    },
    "softmax of a long row": Target(
        hw.softmax,
        {"x": np.zeros((1, 4095), np.int8), "scheme": hw.FixedSoftmax.from_scale(0.1)},
        {"x": [np.zeros((1, 4096), np.int8)]},
    ),
    "FixedSoftmax": Target(
        hw.FixedSoftmax,
        {"multiplier": 1 << 30, "left_shift": 23, "min_difference": -248},
        {
            "multiplier": [*NO_INT, -1, 1 << 31],
            "left_shift": [*NO_INT, -1, 32],
            "min_difference": [*NO_INT, 1, -(1 << 31)],
        },
    ),
    "FixedSoftmax.from_scale": Target(
        hw.FixedSoftmax.from_scale,
        {"input_scale": 0.1, "beta": 1.0},
        {"input_scale": [*NO_FLOAT64_SCALE, 1e-9], "beta": [*NO_FLOAT64_SCALE, 1e-9]},
    ),
    "FloatSoftmax": Target(
        hw.FloatSoftmax,
        {"input_scale": 1e10, "beta": 1.0},
        {
            "input_scale": NO_SCALE,
            "output_scale": [*NO_SCALE, 1.5, 2.0**-33],
            "zero_point": [*NO_INT, 1 << 32],
            "beta": [*NO_SCALE, 1e30],
        },
    ),
    "TableSoftmax": Target(
        hw.TableSoftmax,
        {"rescale": FIXED},
        {
            "rescale": [
                *NO_SCHEME,
                hw.PowerOfTwo(1),
                hw.FixedPoint((1, 2), 33),
                hw.FixedPoint(1, 15),
                hw.FixedPoint(-1, 33),
                hw.FixedPoint(1, 33, "single"),
                hw.FixedPoint(1, 20, bits=16),
            ]
        },
    ),
    "TableSoftmax.from_scale": Target(
        hw.TableSoftmax.from_scale,
        {"input_scale": 1e-3, "beta": 1.0},
        {"input_scale": [*NO_SCALE, 10.0], "beta": [*NO_SCALE, 1e4]},
    ),
}
