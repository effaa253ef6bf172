"""Resizing and its schemes."""

from __future__ import annotations

from typing import Any

import numpy as np

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    IMAGE,
    NO_CODES,
    NO_FLAG,
    NO_INT,
    NO_LEDGER,
    NO_NAME,
    NO_POSITIVE,
    NO_SCHEME,
    SHAPED,
)

_NO_PIXELS = [*NO_CODES, *SHAPED, IMAGE[0, 0], IMAGE[:, :, :0], np.full((1, 1, 2, 2), 1 << 40)]


def _no_tuple(count: int) -> list[Any]:
    """What is no sequence of ``count`` (2 or 4) integers, whatever their range."""
    good = [1] * count
    wrong_item = [[*good[1:], item] for item in (1.5, True, None, "1", (1,), 1 << 31)]
    return [
        *wrong_item, [*good, 1], "1" * count, b"1" * count, bytearray(b"1" * count),
        set(range(1, count + 1)), dict.fromkeys(range(1, count + 1)), iter(good),
        np.ones(count), np.ones((count, 1), int),
    ]  # fmt: skip


_NO_MODE = [v for v in NO_NAME if not (isinstance(v, str) and v == "nearest")]
_PAIRS = [*NO_INT, *_no_tuple(2)]

TARGETS: dict[str, Target] = {
    "resize": Target(
        hw.resize,
        {"x": IMAGE, "scheme": hw.SizedResize((4, 5))},
        {
            "x": _NO_PIXELS,
            "scheme": [
                *NO_SCHEME,
                hw.SizedResize,
                (4, 5),
                hw.SizedResize((4,)),
                hw.ScaledResize((2, 3, 2, 1)),
            ],
            "ledger": NO_LEDGER,
        },
    ),
    "resize, scaled": Target(
        hw.resize,
        {"x": IMAGE, "scheme": hw.ScaledResize((2, 1, 2, 1), mode="bilinear")},
        {"x": [*_NO_PIXELS, IMAGE[0], np.full((1, 1, 2, 2), 1 << 20)]},
    ),
    "SizedResize": Target(
        hw.SizedResize,
        {"size": (4, 5)},
        {
            "size": [*NO_POSITIVE, 4, (0, 1), (1, -1), (1, (1 << 14) + 1), *_no_tuple(2)],
            "mode": [*_NO_MODE, "cubic"],
            "align_corners": NO_FLAG,
            "half_pixel_centers": NO_FLAG,
        },
    ),
    "SizedResize, aligned": Target(
        hw.SizedResize, {"size": (4, 5), "align_corners": True}, {"half_pixel_centers": [True]}
    ),
    "ScaledResize": Target(
        hw.ScaledResize,
        {"scale": (2, 1, 2, 1)},
        {
            "scale": [*NO_POSITIVE, *_no_tuple(4), (0, 1, 1, 1), (1, -1, 1, 1), (1, 16, 1, 1)],
            "offset": [*_PAIRS, (-3, 0), (0, 32)],
            "border": [*_PAIRS, (-33, 0), (0, 2)],
            "mode": [*_NO_MODE, "cubic"],
        },
    ),
}
