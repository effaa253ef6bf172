"""Arithmetic of codes, element by element."""

from __future__ import annotations

import numpy as np

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    FIXED,
    IMAGE,
    NO_CLAMP,
    NO_CODES,
    NO_FORMAT,
    NO_INT,
    NO_LEDGER,
    NO_NAME,
    NO_OPTIONAL_FORMAT,
    NO_SCHEME,
    NO_VALUE_OBJECT,
)

TARGETS: dict[str, Target] = {
    "add": Target(
        hw.add,
        {"a": IMAGE, "b": IMAGE, "adder": hw.ShiftedAdd.from_scales(0.5, 0.25, 1.0)},
        {
            "a": [*NO_CODES, np.zeros(5, np.int8), np.full(3, 1 << 40)],
            "b": [*NO_CODES, np.zeros(5, np.int8), np.full(3, -(1 << 40))],
            "adder": [*NO_VALUE_OBJECT, FIXED, hw.ShiftedAdd],
            "a_zero_point": NO_INT,
            "b_zero_point": NO_INT,
            "zero_point": NO_INT,
            "output": NO_FORMAT,
            "clamp": NO_CLAMP,
            "ledger": NO_LEDGER,
        },
    ),
    "sub": Target(
        hw.sub,
        {"a": IMAGE, "b": IMAGE, "adder": hw.ShiftedAdd.from_scales(0.5, 0.25, 1.0)},
        {
            "a": [*NO_CODES, np.zeros(5, np.int8), np.full(3, 1 << 40)],
            "b": [*NO_CODES, np.zeros(5, np.int8), np.full(3, -(1 << 40))],
            "adder": [*NO_VALUE_OBJECT, FIXED, hw.ShiftedAdd],
            **dict.fromkeys(("a_zero_point", "b_zero_point", "zero_point"), NO_INT),
            "output": NO_FORMAT,
            "clamp": NO_CLAMP,
            "negate": NO_NAME,
            "ledger": NO_LEDGER,
        },
    ),
    "mul": Target(
        hw.mul,
        {"a": IMAGE, "b": IMAGE, "requantizer": hw.FixedPoint((1 << 30, 3), 33)},
        {
            "a": [*NO_CODES, np.zeros(5, np.int8), np.full(3, 1 << 40)],
            "b": [*NO_CODES, np.zeros(5, np.int8), np.full(3, -(1 << 40))],
            "requantizer": [*NO_SCHEME, hw.FixedPoint((1, 2, 3), 33)],
            **dict.fromkeys(("a_zero_point", "b_zero_point", "zero_point"), NO_INT),
            "output": NO_FORMAT,
            "clamp": NO_CLAMP,
            "axis": [*NO_INT, 4, -5, 0],
            "ledger": NO_LEDGER,
        },
    ),
    "prelu": Target(
        hw.prelu,
        {"x": IMAGE, "slopes": IMAGE, "positive": FIXED, "negative": FIXED},
        {
            "x": [*NO_CODES, np.zeros(5, np.int8), np.full(3, 1 << 40)],
            "slopes": [*NO_CODES, np.zeros(5, np.int8), np.full(3, -(1 << 40))],
            "positive": [*NO_SCHEME, hw.FixedPoint((1, 2, 3), 33)],
            "negative": [*NO_SCHEME, hw.PowerOfTwo(3, "stochastic", 1)],
            **dict.fromkeys(("x_zero_point", "slope_zero_point", "zero_point"), NO_INT),
            "output": NO_FORMAT,
            "ledger": NO_LEDGER,
        },
    ),
    **{
        choose.__name__: Target(
            choose,
            {"a": IMAGE, "b": IMAGE},
            {name: [*NO_CODES, np.zeros(5, np.int8), IMAGE.astype(float)] for name in "ab"}
            | {"ledger": NO_LEDGER},
        )
        for choose in (hw.minimum, hw.maximum)
    },
    "clamp": Target(
        hw.clamp,
        {"x": IMAGE, "low": -3, "high": 3},
        {"x": NO_CODES, "low": [*NO_INT, 4], "high": [*NO_INT, -4], "ledger": NO_LEDGER},
    ),
    "shift_right": Target(
        hw.shift_right,
        {"x": IMAGE, "shift": 2},
        {
            "x": [*NO_CODES, np.full(3, 1 << 40)],
            "shift": [*NO_CODES, 63, -32, np.ones(2, np.int8), np.full(3, 99)],
            "rounding": [*NO_NAME, "stochastic"],
            "output": NO_OPTIONAL_FORMAT,
            "ledger": NO_LEDGER,
        },
    ),
    "round_shift": Target(
        hw.round_shift, {"x": 5, "k": 1, "rounding": "floor"}, {"rounding": NO_NAME}
    ),
}
