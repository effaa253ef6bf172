"""What is known at run time only: ranges, their scales, and products of such codes."""

from __future__ import annotations

from functools import partial
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
    NO_INT,
    NO_LEDGER,
    NO_NAME,
    NO_POSITIVE,
    NO_SCALE,
    NO_SCHEME,
)


def _f32(*shape: int, value: float = 1.0) -> Any:
    return np.full(shape, value, np.float32)


def _symmetric(formula: Any, high: int) -> hw.QParamsRule:
    return hw.QParamsRule(formula, high=high, symmetric=True)


# A NaN of float32 is a value: what picks or multiplies it makes NaN.
_NO_FLOATS: list[Any] = [v for v in NO_FLOATS if not isinstance(v, np.float32)]
_NO_FLOATS_OR_NONE: list[Any] = [v for v in _NO_FLOATS if v is not None]
_NO_CODES_OR_NONE: list[Any] = [v for v in NO_CODES if v is not None]
_X = np.arange(-6, 6, dtype=np.float32).reshape(2, 6)
_CODES = np.arange(8, dtype=np.int8).reshape(2, 4)
_NO_AXES: list[Any] = [
    0, -1, 1.5, True, NAN, "0", "01", b"01", {}, {0}, object(), np.zeros(1, np.int64), (2,), (-3,),
    (0, 0), (0, -2), (0.0,), (True,), (None,), ("0",), [[0]], (HUGE,), (np.zeros(1, np.int64),),
]  # fmt: skip
_NO_RANGE: list[Any] = [
    *NO_FLOATS, _f32(), _f32(2, 0), _f32(2, 6, value=NAN), _f32(2, 6, value=INF),
    _f32(2, 6, value=-INF), np.array([[-3e38, 3e38]] * 2, np.float32),
]  # fmt: skip
_NO_ROWS = [_f32(2), _f32(3, 1), _f32(2, 2), _f32(2, 1, 1), _f32(0, 1)]
_NO_ROW_CODES: list[Any] = [*NO_CODES, *(v.astype(np.int8) for v in _NO_ROWS)]
_NO_OUTPUTS = [_f32(), _f32(2), _f32(3, 1), _f32(0)]
_WIDE = np.full((2, 1), 1 << 62)

TARGETS: dict[str, Target] = {
    "min_max": Target(
        hw.min_max,
        {"x": _X, "axes": (0,), "ledger": None},
        {"x": [*_NO_FLOATS, _f32(0, 6), _f32()], "axes": _NO_AXES, "ledger": NO_LEDGER},
    ),
    "QParamsRule": Target(
        hw.QParamsRule,
        {},
        {
            "formula": [*NO_NAME, "no-clipping"],
            "low": [*NO_INT, 1, 127, -(1 << 15) - 1],
            "high": [*NO_INT, -1, -128, (1 << 16) + 1],
            "symmetric": NO_FLAG,
            "eps": [*NO_SCALE, 0.1],
            "non_finite": [*NO_NAME, "propagate"],
        },
    ),
    "QParamsRule, symmetric": Target(
        partial(_symmetric, high=127),
        {"formula": "torch"},
        {"formula": [*NO_NAME, "fbgemm", "executorch", "onnx"]},
    ),
    "QParamsRule, symmetric without a code above 0": Target(
        partial(_symmetric, high=0),
        {"formula": "torch"},
        {"formula": ["torch-per-token", "no-clipping"]},
    ),
    "choose_qparams": Target(
        hw.choose_qparams,
        {"x": _X, "rule": hw.QParamsRule(), "axes": (1,)},
        {
            "x": _NO_RANGE,
            "rule": [*NO_SCHEME, hw.QParamsRule],
            "axes": _NO_AXES,
            "group": [2],
            "ledger": NO_LEDGER,
        },
    ),
    "choose_qparams of groups": Target(
        hw.choose_qparams,
        {"x": _X, "group": 2},
        {
            # An empty last dimension has no groups.
            "x": [v for v in _NO_RANGE if getattr(v, "shape", None) != (2, 0)],
            "rule": [*NO_SCHEME, hw.QParamsRule],
            "axes": [*_NO_AXES, (), (1,)],
            "group": [*(v for v in NO_POSITIVE if v is not None), 4, 7, 12],
            "ledger": NO_LEDGER,
        },
    ),
    "dequantize_sums": Target(
        hw.dequantize_sums,
        {
            "acc": np.arange(6).reshape(2, 3),
            "x_scale": _f32(2, 1),
            "x_zero_point": np.ones((2, 1), np.int8),
            "weight_scale": _f32(3),
            "weight_sum": np.array([1, -2, 3]),
            "bias": _f32(3),
        },
        {
            "acc": [*NO_CODES, np.int8(1), np.zeros((3, 3), int), np.full((2, 3), -(1 << 63))],
            "x_scale": [*_NO_FLOATS, *_NO_ROWS],
            "x_zero_point": [*_NO_ROW_CODES, _WIDE],
            "weight_scale": [*_NO_FLOATS, *_NO_OUTPUTS],
            "weight_sum": [*NO_CODES, np.int8(1), np.zeros(2, np.int8), np.zeros((3, 1), np.int8)],
            "bias": [*_NO_FLOATS_OR_NONE, *_NO_OUTPUTS],
            "fused": NO_FLAG,
            "order": [*NO_NAME, "row_first"],
            "ledger": NO_LEDGER,
        },
    ),
    "linear_groups": Target(
        hw.linear_groups,
        {
            "x": _CODES,
            "weight": np.ones((3, 4), np.int8),
            "x_scale": _f32(2, 1),
            "x_zero_point": np.ones((2, 1), np.int8),
            "weight_scale": _f32(3, 2),
            "weight_zero_point": np.ones((3, 2), np.int8),
            "bias": _f32(3),
        },
        {
            "x": [*NO_CODES, np.int8(1), np.zeros((2, 3), np.int8), np.full((2, 4), 256)],
            "weight": [
                *NO_CODES, np.int8(1), np.zeros((3, 3), np.int8), np.zeros((2, 4), np.int8),
                np.full((3, 4), -257), np.zeros((3, 0), np.int8), np.zeros((3, 1 << 14), np.int8),
            ],
            "x_scale": [*_NO_FLOATS, *_NO_ROWS],
            "x_zero_point": [*_NO_ROW_CODES, _WIDE],
            "weight_scale": [
                *_NO_FLOATS, _f32(), _f32(3), _f32(3, 3), _f32(2, 2), _f32(3, 0), _f32(3, 2, 1),
            ],
            "weight_zero_point": [
                *_NO_CODES_OR_NONE, np.int8(1), np.ones((3, 1), np.int8), np.full((3, 2), 256),
            ],
            "bias": [*_NO_FLOATS_OR_NONE, *_NO_OUTPUTS, _f32(1)],
            "order": NO_NAME,
            "fused": NO_FLAG,
            "ledger": NO_LEDGER,
        },
    ),
    "linear_pairs": Target(
        hw.linear_pairs,
        {"x": _CODES, "weight": np.ones((3, 4), np.int8)},
        {
            "x": [*NO_CODES, np.int8(1), np.zeros((2, 3), np.int8), -_CODES, np.full((2, 4), 256)],
            "weight": [
                *NO_CODES, np.int8(1), np.zeros(4, np.int8), np.zeros((3, 3), np.int8),
                np.full((3, 4), 128), np.full((3, 4), -129),
            ],
            "ledger": NO_LEDGER,
        },
    ),
}  # fmt: skip
