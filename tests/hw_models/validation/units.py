"""Norms, functions of a code, rotary turns, and I-BERT's softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

import hw_models as hw
from tests.hw_models.validation.target import Target
from tests.hw_models.validation.values import (
    FIXED,
    HUGE,
    IMAGE,
    NO_CLAMP,
    NO_CODES,
    NO_FLOAT64_SCALE,
    NO_FORMAT,
    NO_INT,
    NO_LEDGER,
    NO_NAME,
    NO_SCHEME,
)

_E, _NORM, _COS = hw.Exponential.from_scale(0.1), hw.IntegerNorm(FIXED), np.ones((3, 1), np.int16)
_ROWS = np.arange(-6, 6, dtype=np.int8).reshape(2, 3, 2)
_PER_CHANNEL = hw.FixedPoint((1, 2), 33)
_BAD_RESCALE: list[Any] = [*NO_SCHEME, _PER_CHANNEL]
_BAD_UNIT: list[Any] = [*NO_SCHEME, FIXED, _E, hw.IbertGelu]
_BAD_NORM: list[Any] = [*NO_SCHEME, FIXED, _E, hw.IntegerNorm]
_BAD_SCALE: list[Any] = [*NO_FLOAT64_SCALE, 2.0**-41, 17.0]
_SHAPES = [np.int8(1), np.zeros(4, np.int8), np.zeros((1, 2, 3, 3, 3), np.int8)]
_NO_TABLE: list[Any] = [v for v in (*NO_CODES, *_SHAPES) if v is not None]
_FORMS: dict[str, list[Any]] = {
    "input": [*NO_FORMAT, hw.FixedFormat(17)],
    "output": NO_FORMAT,
    "ledger": NO_LEDGER,
}
_TABLES = {
    "norm": _BAD_NORM,
    "weight": _NO_TABLE,
    "zero_point": NO_INT,
    **_FORMS,
    "clamp": [v for v in NO_CLAMP if v is not None],
}
_ROW = {"x": [*NO_CODES, np.int8(1), np.full(2, 128), np.zeros((2, 0), np.int8)]}
_ZERO = {"input_zero_point": [*NO_INT, 1 << 16], "zero_point": [*NO_INT, 1 << 40]}


def _newton(cls: Any, smallest: float) -> dict[str, Target]:
    return {
        cls.__name__: Target(
            cls,
            {"multiplier": 5, "right_shift": 3},
            {"multiplier": [*NO_INT, -1, 1 << 16], "right_shift": [*NO_INT, -1, 46], **_ZERO},
        ),
        f"{cls.__name__}.from_scales": Target(
            cls.from_scales,
            {"input_scale": 0.1, "output_scale": 0.1},
            {
                "input_scale": [*NO_FLOAT64_SCALE, smallest],
                "output_scale": [*NO_FLOAT64_SCALE, 1e-30],
                **_ZERO,
            },
        ),
    }


def _through_exp(cls: Any, origin: str = "input_zero_point") -> dict[str, Target]:
    zeros = {origin: _ZERO["input_zero_point"], "zero_point": _ZERO["zero_point"]}
    return {
        cls.__name__: Target(
            cls,
            {"exponential": _E, "rescale": FIXED},
            {"exponential": [*NO_SCHEME, FIXED], "rescale": _BAD_RESCALE, **zeros},
        ),
        f"{cls.__name__}.from_scales": Target(
            cls.from_scales,
            {"input_scale": 0.1, "output_scale": 0.1},
            {"input_scale": _BAD_SCALE, "output_scale": NO_FLOAT64_SCALE, **zeros},
        ),
    }


TARGETS: dict[str, Target] = {
    "Exponential": Target(
        hw.Exponential,
        {"ln2": 1775, "b": 6930, "one": 18298403, "left_shift": 7},
        {
            "ln2": [*NO_INT, 0, 8192],
            "b": [*NO_INT, 1774, 1 << 15],
            "one": [*NO_INT, 1775, 1 << 28],
            "left_shift": [*NO_INT, -28, 16],
        },
    ),
    "Exponential.from_scale": Target(
        hw.Exponential.from_scale, {"scale": 0.1}, {"scale": _BAD_SCALE}
    ),
    "IbertSoftmax": Target(
        hw.IbertSoftmax,
        {"exponential": _E},
        {"exponential": [*NO_SCHEME, FIXED], "rounding": NO_NAME},
    ),
    "IbertSoftmax.from_scale": Target(
        hw.IbertSoftmax.from_scale,
        {"input_scale": 0.1},
        {"input_scale": _BAD_SCALE, "beta": [*NO_FLOAT64_SCALE, 1e9], "rounding": NO_NAME},
    ),
    **_through_exp(hw.IbertExp, "top"),
    **_through_exp(hw.ExpSigmoid),
    **_through_exp(hw.ExpSilu),
    "IbertGelu": Target(
        hw.IbertGelu,
        {"knee": 6405, "one": 45384172, "left_shift": 7, "rescale": FIXED},
        {
            "knee": [*NO_INT, 0, 1 << 15],
            "one": [*NO_INT, 6405, 1 << 29],
            "left_shift": [*NO_INT, -28, 16],
            "rescale": _BAD_RESCALE,
            **_ZERO,
        },
    ),
    "IbertGelu.from_scales": Target(
        hw.IbertGelu.from_scales,
        {"input_scale": 0.1, "output_scale": 0.1},
        {"input_scale": _BAD_SCALE, "output_scale": NO_FLOAT64_SCALE, **_ZERO},
    ),
    **_newton(hw.NewtonReciprocal, 1e-30),
    **_newton(hw.NewtonRsqrt, 1e-30),
    "integer_function": Target(
        hw.integer_function,
        {"x": IMAGE, "unit": hw.ExpSilu(_E, FIXED)},
        {"x": [*NO_CODES, np.full(2, 128)], "unit": _BAD_UNIT, **_FORMS},
    ),
    "IntegerNorm": Target(
        hw.IntegerNorm,
        {"rescale": FIXED},
        {
            "rescale": _BAD_RESCALE,
            "epsilon": [*NO_INT, -1, 1 << 62],
            "fraction": [*NO_INT, -1, 17],
            "root_bits": [*NO_INT, 7, 31],
            "guard": [*NO_INT, -2, 3, 10],
        },
    ),
    "IntegerNorm.from_scales": Target(
        hw.IntegerNorm.from_scales,
        {"count": 8, "input_scale": 0.1, "output_scale": 0.1},
        {
            "count": [*NO_INT, 0, 1 << 40],
            "input_scale": [*NO_FLOAT64_SCALE, 1e-30],
            "output_scale": NO_FLOAT64_SCALE,
            "weight_scale": NO_FLOAT64_SCALE,
            "eps": [v for v in NO_FLOAT64_SCALE if not isinstance(v, (int, float)) or v != 0],
            "fraction": [*NO_INT, -1, 17],
            "root_bits": [*NO_INT, 7, 31],
            "guard": [*NO_INT, -2, 3, 10],
        },
    ),
    "layer_norm": Target(
        hw.layer_norm,
        {"x": IMAGE, "norm": _NORM},
        {**_ROW, **_TABLES, "bias": _NO_TABLE, "dims": [*NO_INT, 0, 5]},
    ),
    "rms_norm": Target(
        hw.rms_norm,
        {"x": IMAGE, "norm": _NORM},
        {**_ROW, **_TABLES, "dims": [*NO_INT, 0, 5], "x_zero_point": [*NO_INT, 1 << 17]},
    ),
    "group_norm": Target(
        hw.group_norm,
        {"x": IMAGE, "norm": _NORM, "groups": 2},
        {**_ROW, **_TABLES, "bias": _NO_TABLE, "groups": [*NO_INT, 0, 3, -1]},
    ),
    "instance_norm": Target(
        hw.instance_norm,
        {"x": IMAGE, "norm": _NORM},
        {**_ROW, **_TABLES, "bias": _NO_TABLE},
    ),
    "rotary": Target(
        hw.rotary,
        {"x": _ROWS, "cos": _COS, "sin": _COS, "rescale": FIXED},
        {
            "x": [*NO_CODES, np.int8(1), np.zeros((2, 3, 3), np.int8), np.full((2, 3, 2), 128)],
            "cos": [*NO_CODES, np.ones((4, 1), np.int16), np.full((3, 1), 1 << 25)],
            "sin": [*NO_CODES, np.ones((4, 1), np.int16), np.full((3, 1), 1 << 40)],
            "rescale": _BAD_RESCALE,
            "pairing": NO_NAME,
            "x_zero_point": [*NO_INT, 1 << 17],
            "zero_point": NO_INT,
            **_FORMS,
        },
    ),
    "rotary_tables": Target(
        hw.rotary_tables,
        {"positions": 3, "depth": 4},
        {
            "positions": [*NO_INT, 0],
            "depth": [*NO_INT, 1, 3, HUGE],
            "base": NO_FLOAT64_SCALE,
            "fraction": [*NO_INT, -1, 31],
        },
    ),
}
