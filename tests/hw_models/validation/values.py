"""What no argument of a kind can take: every entry must be refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

import hw_models as hw

NAN = float("nan")
INF = float("inf")
HUGE = 10**40


def _objects(*values: Any) -> Any:
    array = np.empty(len(values), object)
    array[:] = values
    return array


# What no argument of a kind can take. Every entry must be refused.
NO_NUMBER: list[Any] = [
    "1", b"1", None, {}, {1}, object(), 1j, Fraction(1, 2), [[1], [2, 3]], _objects(1, "a"),
    np.datetime64("2020-01-01"), np.array("x"),
]  # fmt: skip
NO_SCALAR: list[Any] = [*NO_NUMBER, [], [1, 2, 3, 4, 5, 6, 7], np.zeros((2, 2, 2), np.int64)]
NO_INT: list[Any] = [
    *NO_SCALAR, NAN, INF, -INF, 1.5, 1.0, True, False, np.True_, np.float32(1), HUGE, -HUGE,
    np.array([1.0]), np.array([True]), np.ones((1, 1, 1), np.int64),
]  # fmt: skip
NO_POSITIVE: list[Any] = [*NO_INT, 0, -1, -HUGE]
NO_INTS: list[Any] = [v for v in NO_INT if not (isinstance(v, np.ndarray) and v.shape == (1, 1, 1))]
NO_SCALE: list[Any] = [
    *NO_SCALAR, NAN, INF, -INF, 0.0, -1.0, -0.0, 0, True, HUGE, 1e-60, 1e60, np.array([True]),
]  # fmt: skip
NO_FLOAT64_SCALE: list[Any] = [v for v in NO_SCALE[:-3] if v is not HUGE]
NO_CODES: list[Any] = [
    *NO_NUMBER, 1.5, NAN, True, HUGE, np.zeros((1, 2, 3, 3)), np.zeros((1, 2, 3, 3), bool),
    np.zeros((1, 2, 3, 3), np.complex64), np.full((1, 2, 3, 3), 1, object),
    np.full((1, 2, 3, 3), "a"), [[1.0, 2.0]], [NAN], [None], [HUGE], [1, HUGE],
    np.zeros(3, "datetime64[s]"), np.zeros(3, "timedelta64[s]"), np.zeros(2, [("a", "i4")]),
]  # fmt: skip
NO_FLOATS: list[Any] = [
    *NO_NUMBER, True, 1, HUGE, np.zeros((1, 2, 3, 3), np.int8), [1, 2], np.full((2, 3), NAN),
    np.float32(NAN), np.zeros((2, 2), bool), np.full((2, 2), 1.0, object), [1.0, None],
    np.zeros(2, np.complex128),
]  # fmt: skip
NO_FLAG: list[Any] = ["yes", "", None, 2, 0.0, NAN, [], np.zeros(2, bool)]
NO_VALUE_OBJECT: list[Any] = [None, 8, "int8", {}, [], 1.5, object(), hw.Ledger(), int]
NO_FORMAT: list[Any] = [*NO_VALUE_OBJECT, hw.FixedFormat(33), hw.FixedFormat(64), hw.Accumulator()]
NO_OPTIONAL_FORMAT: list[Any] = [v for v in NO_FORMAT if v is not None]
NO_ACCUMULATOR: list[Any] = [*NO_VALUE_OBJECT, hw.FixedFormat(), hw.Accumulator]
NO_LEDGER: list[Any] = [0, 1, "", {}, [], object(), int, hw.Accumulator()]
NO_CLAMP: list[Any] = [
    0, 1.5, "", "ab", (), (1,), (1, 2, 3), (2, 1), (0.5, 1), (NAN, 1), (True, 1), (None, 1),
    ("a", "b"), {}, object(), np.zeros((2, 2)), ([0], [1]),
]  # fmt: skip
NO_NAME: list[Any] = [
    None,
    0,
    "",
    "nearest",
    "Half_Even",
    b"floor",
    [],
    {},
    ("floor",),
    NAN,
    object(),
]
NO_NAME += [np.array(["floor", "ceil"]), np.zeros(2)]
NO_PADDING: list[Any] = [
    *(v for v in NO_INT if v is not HUGE), -1, (-1, 0), ((0, -1), (0, 0)), ((1, 2, 3), (0, 0)),
    ((0, 1), 2), ((0.5, 0), (0, 0)), (("a", "b"), (0, 0)), (None, None), "12", ((0, 0),),
    (((0, 0),),),
]  # fmt: skip
NO_PER_DIM: list[Any] = [
    *(v for v in NO_POSITIVE if not isinstance(v, bytes)), (0, 1), (1, -1), (1, 1.5), (1, True),
    (1, None), "12", b"12", (1, 1, 1), (1, (1,)),
]  # fmt: skip

IMAGE = np.arange(-9, 9, dtype=np.int8).reshape(1, 2, 3, 3)
WEIGHT = np.arange(-12, 12, dtype=np.int8).reshape(3, 2, 2, 2)
FIXED = hw.FixedPoint(1 << 30, 33)
SHAPED = [np.int8(1), np.zeros(3, np.int8), np.zeros((1, 2, 3, 3, 3, 3), np.int8)]
OTHER_SHAPES = [*SHAPED, np.zeros((1, 3, 3, 3), np.int8), np.full((1, 2, 3, 3), 1 << 40)]
NO_ZERO_POINTS = [*NO_INT, np.zeros((3, 1), np.int8), np.zeros(2, np.int8)]
NO_SCHEME = [*NO_VALUE_OBJECT, hw.FixedPoint, hw.FixedFormat(), hw.FloatAdd(1.0, 1.0, 1.0)]
