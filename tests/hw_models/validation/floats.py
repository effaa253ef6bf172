"""Activations, and floats to codes and back."""

from __future__ import annotations

import numpy as np

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    HUGE,
    IMAGE,
    NAN,
    NO_CODES,
    NO_FLOATS,
    NO_FORMAT,
    NO_INT,
    NO_LEDGER,
    NO_NAME,
    NO_OPTIONAL_FORMAT,
    NO_POSITIVE,
    NO_SCALE,
)

_FLOATS_BAD = {
    "scale": NO_SCALE,
    "zero_point": NO_INT,
    "formula": NO_NAME,
    "axis": [2, -5, 1.5, "0", True, NAN, [], HUGE],
    "ledger": NO_LEDGER,
}

TARGETS: dict[str, Target] = {
    "relu": Target(
        hw.relu, {"x": IMAGE}, {"x": NO_CODES, "zero_point": NO_INT, "ledger": NO_LEDGER}
    ),
    "relu6": Target(
        hw.relu6,
        {"x": IMAGE, "scale": 0.5},
        {
            "x": NO_CODES,
            "scale": NO_SCALE,
            "zero_point": NO_INT,
            "output": NO_OPTIONAL_FORMAT,
            "formula": NO_NAME,
            "ledger": NO_LEDGER,
        },
    ),
    "quantize": Target(
        hw.quantize,
        {"x": np.ones((2, 3), np.float32), "scale": 0.5, "zero_point": 1, "axis": 0},
        {
            **_FLOATS_BAD,
            "x": NO_FLOATS,
            "output": NO_FORMAT,
            "block": [*(v for v in NO_POSITIVE if v is not None), 2],
        },
    ),
    "dequantize": Target(
        hw.dequantize,
        {"q": np.ones((2, 3), np.int8), "scale": 0.5, "zero_point": 1, "axis": 0},
        {
            **_FLOATS_BAD,
            "q": [*NO_CODES, np.full(2, 1 << 40)],
            "block": [*(v for v in NO_POSITIVE if v is not None), 2],
        },
    ),
}
