"""Formats of codes and of accumulators."""

from __future__ import annotations

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    NO_FLAG,
    NO_INT,
    NO_NAME,
    NO_POSITIVE,
)

TARGETS: dict[str, Target] = {
    "FixedFormat": Target(
        hw.FixedFormat,
        {},
        {
            "bits": [*NO_POSITIVE, 65],
            "signed": NO_FLAG,
            "fraction": [v for v in NO_INT if not isinstance(v, int) or isinstance(v, bool)],
            "narrow": NO_FLAG,
        },
    ),
    "Accumulator": Target(
        hw.Accumulator,
        {},
        {"bits": [*NO_POSITIVE, 1, 65], "overflow": NO_NAME, "at": NO_NAME, "order": NO_NAME},
    ),
}
