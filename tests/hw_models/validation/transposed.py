"""Transposed correlation: the arguments of a correlation, and what is added to the output."""

from __future__ import annotations

import numpy as np

import hw_models as hw
from tests.hw_models.validation.sums import CORRELATION, CORRELATION_BAD
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    HUGE,
    IMAGE,
    NO_CODES,
    NO_LEDGER,
    NO_PADDING,
    NO_PER_DIM,
    NO_POSITIVE,
    OTHER_SHAPES,
    WEIGHT,
)

_TOO_FAR = (1 << 31) - 1
_GOOD = {"weight": WEIGHT.reshape(2, 3, 2, 2), "output_padding": (1, 0)}
_GOOD |= {name: value for name, value in CORRELATION.items() if name != "pad_value"}
_BAD = {name: values for name, values in CORRELATION_BAD.items() if name != "pad_value"}
_BAD |= {"groups": [*NO_POSITIVE, 3, 4], "output_padding": [*NO_PADDING, HUGE]}

TARGETS: dict[str, Target] = {
    "transposed_correlation_plan": Target(hw.transposed_correlation_plan, _GOOD, _BAD),
    "transposed_correlation": Target(
        hw.transposed_correlation,
        {"x": IMAGE, **_GOOD},
        {
            **_BAD,
            "x": [*NO_CODES, *OTHER_SHAPES, IMAGE[:, :, :0]],
            "stride": [*NO_PER_DIM, _TOO_FAR],
            "dilation": [*NO_PER_DIM, _TOO_FAR],
            "padding": [*_BAD["padding"], 3, _TOO_FAR],
            "output_padding": [*_BAD["output_padding"], _TOO_FAR, ((0, _TOO_FAR), (_TOO_FAR, 0))],
            "ledger": NO_LEDGER,
        },
    ),
    "a transposed_correlation_plan's call": Target(
        hw.transposed_correlation_plan(**_GOOD),
        {"x": IMAGE},
        {"x": [*NO_CODES, *OTHER_SHAPES, IMAGE[:, :, :0]], "ledger": NO_LEDGER},
    ),
    "transposed_correlation_plan of no channels": Target(
        hw.transposed_correlation_plan,
        {"weight": np.zeros((0, 3, 2, 2), np.int8)},
        {"groups": [*NO_POSITIVE, 2, 1 << 31]},
    ),
}
