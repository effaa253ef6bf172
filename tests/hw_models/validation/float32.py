"""Operators on float32 values, and products of codes with zero points of run time."""

from __future__ import annotations

from typing import Any

import numpy as np

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    HUGE,
    INF,
    NAN,
    NO_CODES,
    NO_FLAG,
    NO_FLOATS,
    NO_LEDGER,
    NO_NAME,
    NO_POSITIVE,
)


def _f32(*shape: int) -> Any:
    return np.ones(shape, np.float32)


# A NaN of float32 is a value.
_NO_FLOATS: list[Any] = [v for v in NO_FLOATS if not isinstance(v, np.float32)]
_NO_TABLE: list[Any] = [*(v for v in _NO_FLOATS if v is not None), _f32(), _f32(1), _f32(2, 3)]
_NO_LANES: list[Any] = [*(v for v in NO_POSITIVE if v is not None), None, 3, 6, 128]
_NO_EPS: list[Any] = [None, "1", 0, 1, True, 0.0, -1.0, NAN, INF, 1e60, 1e-60, HUGE, [], _f32()]
_NO_POINT: list[Any] = [*NO_CODES, np.zeros(2, np.int8), np.zeros(0, np.int8)]
_X = np.arange(-6, 6, dtype=np.float32).reshape(4, 3)
_CODES = np.arange(12, dtype=np.int8).reshape(4, 3)


def _pair(function: Any) -> Target:
    return Target(
        function,
        {"a": _X, "b": _f32(3), "ledger": None},
        {"a": [*_NO_FLOATS, _f32(4, 2)], "b": [*_NO_FLOATS, _f32(2)], "ledger": NO_LEDGER},
    )


TARGETS: dict[str, Target] = {
    "float_add": _pair(hw.float_add),
    "float_mul": _pair(hw.float_mul),
    "float_function": Target(
        hw.float_function,
        {"x": _X, "function": "tanh", "ledger": None},
        {"x": _NO_FLOATS, "function": [*NO_NAME, "sin"], "ledger": NO_LEDGER},
    ),
    "float_softmax": Target(
        hw.float_softmax,
        {"x": _X, "lanes": 16, "ledger": None},
        {"x": [*_NO_FLOATS, _f32(), _f32(2, 0)], "lanes": _NO_LANES, "ledger": NO_LEDGER},
    ),
    "float_layer_norm": Target(
        hw.float_layer_norm,
        {"x": _X, "weight": _f32(3), "bias": _f32(3), "ledger": None},
        {
            "x": [*_NO_FLOATS, _f32(), _f32(2, 0), _f32(3, 4)],
            "weight": [*_NO_TABLE, None],
            "bias": _NO_TABLE,
            "eps": _NO_EPS,
            "dims": [*(v for v in NO_POSITIVE if v is not None), None, 3],
            "lanes": _NO_LANES,
            "ledger": NO_LEDGER,
        },
    ),
    "float_matmul": Target(
        hw.float_matmul,
        {"a": _X, "b": _f32(3, 2), "ledger": None},
        {
            "a": [*_NO_FLOATS, _f32(3), _f32(4, 2)],
            "b": [*_NO_FLOATS, _f32(3), _f32(2, 2)],
            "fused": NO_FLAG,
            "ledger": NO_LEDGER,
        },
    ),
    "dynamic_matmul": Target(
        hw.dynamic_matmul,
        {"a": _CODES, "b": _CODES.T, "a_zero_point": np.int8([1]), "b_zero_point": np.int8(2)},
        {
            "a": [*NO_CODES, np.zeros((4, 2), np.int8)],
            "b": [*NO_CODES, np.zeros((2, 4), np.int8)],
            "a_zero_point": _NO_POINT,
            "b_zero_point": _NO_POINT,
            "ledger": NO_LEDGER,
        },
    ),
}
