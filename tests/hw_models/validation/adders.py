"""How two operands are added."""

from __future__ import annotations

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    FIXED,
    NO_ACCUMULATOR,
    NO_FLOAT64_SCALE,
    NO_INT,
    NO_NAME,
    NO_SCALE,
    NO_SCHEME,
)

TARGETS: dict[str, Target] = {
    "ShiftedAdd": Target(
        hw.ShiftedAdd,
        {"left_shift": 20, "a": FIXED, "b": FIXED, "out": FIXED},
        {
            "left_shift": [*NO_INT, -1, 31],
            **{
                n: [*NO_SCHEME, hw.PowerOfTwo(1), hw.FixedPoint((1, 2), 3)]
                for n in ("a", "b", "out")
            },
        },
    ),
    "ShiftedAdd.from_scales": Target(
        hw.ShiftedAdd.from_scales,
        {"scale_a": 0.5, "scale_b": 0.5, "scale_out": 1.0},
        {
            **dict.fromkeys(("scale_a", "scale_b", "scale_out"), NO_FLOAT64_SCALE),
            "left_shift": [*NO_INT, -1, 31],
            "rounding": NO_NAME,
        },
    ),
    "AlignedAdd": Target(
        hw.AlignedAdd,
        {"left_a": 0, "left_b": 1, "out": hw.PowerOfTwo(3)},
        {
            "left_a": [*NO_INT, -1, 31],
            "left_b": [*NO_INT, -1, 31],
            "out": [*NO_SCHEME, FIXED, hw.PowerOfTwo((1, 2))],
            "accumulator": NO_ACCUMULATOR,
        },
    ),
    "AlignedAdd.from_fractions": Target(
        hw.AlignedAdd.from_fractions,
        {"fraction_a": 3, "fraction_b": 4, "fraction_out": 2},
        {
            **{n: [*NO_INT, 100] for n in ("fraction_a", "fraction_b", "fraction_out")},
            "rounding": NO_NAME,
            "accumulator": NO_ACCUMULATOR,
        },
    ),
    "MultiplierAdd": Target(
        hw.MultiplierAdd,
        {"multiplier_a": 3, "multiplier_b": 4, "right_shift": 2},
        {
            "multiplier_a": [*NO_INT, 1 << 23],
            "multiplier_b": [*NO_INT, -(1 << 23) - 1],
            "right_shift": [*NO_INT, -1, 32],
            "rounding": [*NO_NAME, "stochastic"],
        },
    ),
    "MultiplierAdd.from_scales": Target(
        hw.MultiplierAdd.from_scales,
        {"scale_a": 0.5, "scale_b": 0.5, "scale_out": 1.0},
        dict.fromkeys(("scale_a", "scale_b", "scale_out"), NO_SCALE),
    ),
    "FloatAdd": Target(
        hw.FloatAdd,
        {"scale_a": 0.5, "scale_b": 0.5, "scale_out": 1.0},
        {**dict.fromkeys(("scale_a", "scale_b", "scale_out"), NO_SCALE), "formula": NO_NAME},
    ),
}
