"""Windows and means."""

from __future__ import annotations

import numpy as np

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    FIXED,
    HUGE,
    IMAGE,
    NO_CLAMP,
    NO_CODES,
    NO_FLAG,
    NO_FORMAT,
    NO_INT,
    NO_LEDGER,
    NO_NAME,
    NO_OPTIONAL_FORMAT,
    NO_PADDING,
    NO_PER_DIM,
    NO_POSITIVE,
    NO_SCHEME,
    SHAPED,
)

_POOL_BAD = {
    "x": [*NO_CODES, *SHAPED],
    "kernel": NO_PER_DIM,
    "stride": [v for v in NO_PER_DIM if v is not None and v is not HUGE],
    "padding": [*NO_PADDING, HUGE],
    "ceil_mode": NO_FLAG,
    "ledger": NO_LEDGER,
}

_AVERAGE_BAD = {
    "rounding": [*NO_NAME, "jam", "stochastic"],
    "output": NO_OPTIONAL_FORMAT,
    "zero_point": NO_INT,
    "centered": NO_FLAG,
}

_ADAPTIVE_BAD = {
    "x": [*NO_CODES, *SHAPED, IMAGE[..., :0]],
    "output_size": [*NO_PER_DIM, HUGE],
    "ledger": NO_LEDGER,
}

TARGETS: dict[str, Target] = {
    "max_pool": Target(
        hw.max_pool, {"x": IMAGE, "kernel": 2}, {**_POOL_BAD, "dilation": NO_PER_DIM}
    ),
    "avg_pool": Target(
        hw.avg_pool,
        {"x": IMAGE, "kernel": 2, "output": None},
        {
            **_POOL_BAD,
            **_AVERAGE_BAD,
            "count_include_pad": NO_FLAG,
            "divisor": [value for value in NO_POSITIVE if value is not None],
        },
    ),
    "adaptive_max_pool": Target(
        hw.adaptive_max_pool, {"x": IMAGE, "output_size": 2}, _ADAPTIVE_BAD
    ),
    "adaptive_avg_pool": Target(
        hw.adaptive_avg_pool, {"x": IMAGE, "output_size": 2}, {**_ADAPTIVE_BAD, **_AVERAGE_BAD}
    ),
    "global_max_pool": Target(
        hw.global_max_pool,
        {"x": IMAGE},
        {"x": [*NO_CODES, *SHAPED, IMAGE[..., :0]], "ledger": NO_LEDGER},
    ),
    "global_avg_pool": Target(
        hw.global_avg_pool,
        {"x": IMAGE},
        {"x": [*NO_CODES, *SHAPED, IMAGE[..., :0]], **_AVERAGE_BAD, "ledger": NO_LEDGER},
    ),
    "mean": Target(
        hw.mean,
        {"x": IMAGE, "axes": (2, 3), "averager": FIXED},
        {
            "x": [*NO_CODES, np.zeros(3, np.int8), np.zeros((1, 2, 0, 3), np.int8)],
            "axes": [*NO_INT, 4, -5, (), (1, 1), (1, -3), (1, 4), (1, 1.0), (1, True), ("a",)],
            "averager": [*NO_SCHEME, hw.Division, hw.FixedPoint((1, 2), 33)],
            "x_zero_point": NO_INT,
            "zero_point": NO_INT,
            "output": NO_FORMAT,
            "clamp": NO_CLAMP,
            "keepdims": NO_FLAG,
            "ledger": NO_LEDGER,
        },
    ),
    "Division": Target(hw.Division, {}, {"rounding": [*NO_NAME, "jam", "stochastic"]}),
    "over_count": Target(
        hw.over_count,
        {"rescale": FIXED, "count": 12},
        {
            "rescale": [*NO_SCHEME, hw.PowerOfTwo(1), hw.FixedPoint((1, 2), 33)],
            "count": [*NO_POSITIVE, (1 << 31) + 1],
        },
    ),
}
