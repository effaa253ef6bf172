"""Tables of functions, whole and interpolated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import hw_models as hw
from hw_models import tables
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    IMAGE,
    NAN,
    NO_CODES,
    NO_FLAG,
    NO_FORMAT,
    NO_INT,
    NO_LEDGER,
    NO_NAME,
    NO_POSITIVE,
    NO_SCALE,
    NO_SCHEME,
    NO_VALUE_OBJECT,
    SHAPED,
)

NO_FUNCTION: list[Any] = [
    *NO_NAME, 1.5, b"exp", "Exp", object, str, dict, lambda: 1.0, lambda x, y: x, lambda x: None,
    lambda x: "1", lambda x: 1j, lambda x: [x], lambda x: True, lambda x: np.ones(1),
    lambda x: NAN, lambda x: x / 0, lambda x: math.exp(1000.0), lambda x: -math.exp(1000.0),
]  # fmt: skip
_OF_A_FUNCTION = {
    "function": NO_FUNCTION,
    "input_scale": NO_SCALE,
    "output_scale": NO_SCALE,
    "input_zero_point": [*NO_INT, 1 << 33],
    "output_zero_point": [*NO_INT, -(1 << 33)],
}
_SIGMOID = {"function": "sigmoid", "input_scale": 0.125, "output_scale": 2.0**-8}
_INTERPOLATED = {"x": IMAGE, "table": np.arange(0, 513 * 50, 50)}
_INTERPOLATED_BAD = {
    "x": [*NO_CODES, np.full(2, 1 << 15), np.array(-40000)],
    "table": [
        *NO_CODES,
        *SHAPED[::2],
        np.zeros(0, np.int8),
        np.zeros(1, np.int8),
        np.zeros(512, np.int8),
        np.zeros((1 << 17) + 1, np.int8),
        np.full(513, 1 << 15),
    ],
    "input": [*NO_FORMAT, hw.FixedFormat(17), hw.FixedFormat(8), hw.FixedFormat(16, narrow=True)],
    "entries": [*NO_FORMAT, hw.FixedFormat(17), hw.FixedFormat(12)],
    "result": NO_NAME,
    "ledger": NO_LEDGER,
}

TARGETS: dict[str, Target] = {
    "TableArithmetic": Target(
        hw.TableArithmetic,
        {},
        {
            "dtype": [*NO_NAME, "float16", np.float32, np.dtype("float32")],
            "rounding": [*NO_NAME, "stochastic"],
            "divide": NO_FLAG,
        },
    ),
    "table": Target(
        hw.table,
        {**_SIGMOID, "output_zero_point": -128},
        {
            **_OF_A_FUNCTION,
            "input": [*NO_FORMAT, hw.FixedFormat(17)],
            "output": NO_FORMAT,
            "arithmetic": [*NO_VALUE_OBJECT, hw.TableArithmetic, "float32", hw.FixedFormat()],
            "undefined": [*(v for v in NO_INT if v is not None), 128, -129],
        },
    ),
    "unit_table": Target(
        hw.unit_table,
        {"unit": tables.Sigmoid16(1, 4)},
        {
            # All of NO_SCHEME that has a method `reference` is a unit by its looks alone.
            "unit": [*NO_SCHEME, hw.FixedPoint(1, 1), tables.HardSwish, hw.FloatSoftmax(0.1)],
            "input": [*NO_FORMAT, hw.FixedFormat(17)],
            "output": NO_FORMAT,
        },
    ),
    "interpolate": Target(hw.interpolate, _INTERPOLATED, _INTERPOLATED_BAD),
    "interpolate, exact": Target(
        hw.interpolate,
        {**_INTERPOLATED, "result": "exact"},
        {**_INTERPOLATED_BAD, "table": [*_INTERPOLATED_BAD["table"], [-30000, 30000]]},
    ),
    "interpolation_table": Target(
        hw.interpolation_table,
        {**_SIGMOID, "steps": 16},
        {
            **_OF_A_FUNCTION,
            "dtype": [*NO_NAME, "float16", np.float32],
            "steps": [*NO_POSITIVE, 3, 511, 1 << 17],
            "input": [
                *NO_FORMAT,
                hw.FixedFormat(17),
                hw.FixedFormat(3),
                hw.FixedFormat(16, narrow=True),
            ],
            "output": [*NO_FORMAT, hw.FixedFormat(17)],
        },
    ),
}
