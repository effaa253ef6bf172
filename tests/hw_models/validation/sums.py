"""Sums of products into accumulators."""

from __future__ import annotations

import numpy as np

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    HUGE,
    IMAGE,
    NO_ACCUMULATOR,
    NO_CODES,
    NO_INT,
    NO_LEDGER,
    NO_PADDING,
    NO_PER_DIM,
    NO_POSITIVE,
    NO_ZERO_POINTS,
    OTHER_SHAPES,
    SHAPED,
    WEIGHT,
)

CORRELATION = {
    "stride": 1,
    "padding": ((1, 0), (0, 1)),
    "dilation": (1, 1),
    "groups": 1,
    "x_zero_point": 1,
    "weight_zero_point": 0,
    "pad_value": 0,
    "accumulator": hw.Accumulator(),
}

CORRELATION_BAD = {
    "weight": [*NO_CODES, *OTHER_SHAPES[:3]],
    "stride": NO_PER_DIM,
    "padding": [*NO_PADDING, HUGE],
    "dilation": NO_PER_DIM,
    "groups": [*NO_POSITIVE, 2],
    "x_zero_point": NO_INT,
    "weight_zero_point": NO_ZERO_POINTS,
    "pad_value": [v for v in NO_INT if v is not None],
    "accumulator": NO_ACCUMULATOR,
}

_LINEAR_BAD = {
    "weight": [*NO_CODES, *OTHER_SHAPES],
    "x_zero_point": NO_INT,
    "weight_zero_point": NO_ZERO_POINTS,
    "accumulator": NO_ACCUMULATOR,
}

TARGETS: dict[str, Target] = {
    "correlation": Target(
        hw.correlation,
        {"x": IMAGE, "weight": WEIGHT, **CORRELATION, "ledger": None},
        {"x": [*NO_CODES, *OTHER_SHAPES], **CORRELATION_BAD, "ledger": NO_LEDGER},
    ),
    "correlation_plan": Target(
        hw.correlation_plan, {"weight": WEIGHT, **CORRELATION}, CORRELATION_BAD
    ),
    "linear": Target(
        hw.linear,
        {
            "x": IMAGE[0, 0],
            "weight": IMAGE[0, 1],
            "x_zero_point": 1,
            "weight_zero_point": 0,
            "accumulator": hw.Accumulator(),
            "ledger": None,
        },
        {"x": [*NO_CODES, *SHAPED[:1], np.zeros(4, np.int8)], **_LINEAR_BAD, "ledger": NO_LEDGER},
    ),
    "linear_plan": Target(hw.linear_plan, {"weight": IMAGE[0, 1]}, _LINEAR_BAD),
    "matmul": Target(
        hw.matmul,
        {"a": IMAGE[0], "b": IMAGE[0], "accumulator": hw.Accumulator(20, "saturate", "mac")},
        {
            "a": [*NO_CODES, *SHAPED[:1], np.zeros((3, 2), np.int8), np.zeros((5, 3, 3), np.int8)],
            "b": [*NO_CODES, *SHAPED[:1], np.zeros((2, 3), np.int8), np.zeros((5, 3, 3), np.int8)],
            "a_zero_point": NO_INT,
            "b_zero_point": NO_ZERO_POINTS,
            "accumulator": NO_ACCUMULATOR,
            "ledger": NO_LEDGER,
        },
    ),
    "bias_add": Target(
        hw.bias_add,
        {"acc": IMAGE, "bias": np.array([1, 2]), "accumulator": hw.Accumulator(), "axis": 1},
        {
            "acc": NO_CODES,
            "bias": [*NO_CODES, np.zeros(3, np.int8), np.zeros((1, 2), np.int8), HUGE],
            "accumulator": NO_ACCUMULATOR,
            "axis": [*NO_INT, 4, -5, 0],
            "ledger": NO_LEDGER,
        },
    ),
}
