"""Codes that are moved, chosen or looked up."""

from __future__ import annotations

import numpy as np

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    FIXED,
    HUGE,
    IMAGE,
    NO_CODES,
    NO_FLAG,
    NO_FORMAT,
    NO_INT,
    NO_LEDGER,
    NO_NAME,
    NO_VALUE_OBJECT,
    SHAPED,
)

TARGETS: dict[str, Target] = {
    "concat": Target(
        hw.concat,
        {"operands": [IMAGE, IMAGE], "requantizers": [FIXED, None]},
        {
            "operands": [*NO_INT, [], (), [IMAGE, 1.5], [IMAGE, np.zeros((1, 2, 3), np.int8)]],
            "axis": [*NO_INT, 4, -5],
            "requantizers": [0, "ab", {}, [FIXED], [FIXED, 3], [FIXED, hw.FixedPoint((1, 2), 33)]],
            "zero_points": [0, "ab", {}, [1], [1, 1.5], [True, 0], [HUGE, 0], [0, None]],
            "zero_point": NO_INT,
            "output": NO_FORMAT,
            "ledger": NO_LEDGER,
        },
    ),
    "pad": Target(
        hw.pad,
        {"x": IMAGE, "pads": [(0, 0), (0, 1), (2, 0), (1, 1)]},
        {
            "x": [*NO_CODES, np.zeros(3, np.int8)],
            "pads": [
                *NO_INT,
                [(0, 0)] * 3,
                [(0, -1)] * 4,
                [(0, 1.0)] * 4,
                [(True, 0)] * 4,
                [(0, HUGE)] * 4,
                [(0, 1 << 31)] * 4,
                ["ab"] * 4,
            ],
            "value": [*NO_INT, 128, -129],
            "mode": NO_NAME,
            "ledger": NO_LEDGER,
        },
    ),
    "strided_slice": Target(
        hw.strided_slice,
        {"x": IMAGE, "starts": [0] * 4, "steps": [1, 1, 0, 1], "sizes": [1, 1, 3, 1]},
        {
            "x": [*NO_CODES, np.zeros(3, np.int8)],
            "starts": [*NO_INT, [0] * 3, [-1] * 4, [0.0] * 4, [True] * 4, [HUGE] * 4, ["ab"] * 4],
            "steps": [*NO_INT, [1] * 3, [1, 1, -1, 1], [1.0] * 4, [False] * 4, [HUGE] * 4],
            "sizes": [*NO_INT, [1] * 3, [-1] * 4, [9] * 4, [1.0] * 4, [True] * 4, [HUGE] * 4],
            "ledger": NO_LEDGER,
        },
    ),
    "gather": Target(
        hw.gather,
        {"x": IMAGE, "indices": np.array([0])},
        {
            "x": [*NO_CODES, np.zeros((1, 0), np.int8)],
            "indices": [*NO_CODES, np.array([-1]), np.array([99]), np.zeros((1, 1), int)],
            "axis": [*NO_INT, 4, -5],
            "ledger": NO_LEDGER,
        },
    ),
    "embedding": Target(
        hw.embedding,
        {"table": IMAGE, "indices": np.array([[0]])},
        {
            "table": [*NO_CODES, np.array(3)],
            "indices": [*NO_CODES, np.array([-1]), np.array([[0], [99]])],
            "ledger": NO_LEDGER,
        },
    ),
    "argmax": Target(
        hw.argmax,
        {"x": IMAGE},
        {
            "x": [*NO_CODES, np.zeros((2, 0), np.int8)],
            "axis": [*NO_INT, 4, -5],
            "keepdims": NO_FLAG,
            "last": NO_FLAG,
            "output": [*NO_VALUE_OBJECT, hw.FixedFormat(1, signed=False), hw.Accumulator()],
            "ledger": NO_LEDGER,
        },
    ),
    "lookup": Target(
        hw.lookup,
        {"x": IMAGE, "table": np.arange(-128, 128)},
        {
            "x": [*NO_CODES, np.full(2, 128), np.array(-129)],
            "table": [*NO_CODES, *SHAPED, np.arange(-127, 129), np.arange(-127, 128)],
            "input": [*NO_FORMAT, hw.FixedFormat(17), hw.FixedFormat(9)],
            "output": [*NO_FORMAT, hw.FixedFormat(7)],
            "ledger": NO_LEDGER,
        },
    ),
}
