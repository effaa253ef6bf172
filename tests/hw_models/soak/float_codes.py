"""The formulas between float32 values and codes in exact fractions, and their parameters."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.hw_models.soak.drawing import codes, laid_out, pick
from tests.hw_models.soak.exact import round_ratio
from tests.hw_models.soak.floats import LIMIT, f32, times, whole

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Rng


def reciprocal64(scale: float) -> Fraction:
    """The float64 reciprocal."""
    return f64(1 / Fraction(scale))


def f64(exact: Fraction) -> Fraction:
    """The nearest float64: Python rounds a ratio of integers correctly."""
    return Fraction(exact.numerator / exact.denominator)


def quantize(x: float, scale: float, zero_point: int, formula: str) -> int:
    """Before saturation; x is a float32 value or an infinity."""
    divides = formula in ("onnx", "tflite")
    if math.isinf(x):
        return (LIMIT if x > 0 else -LIMIT) + (zero_point if divides else 0)
    narrow = Fraction(float(np.float32(scale)))
    if formula == "tflite":
        return whole(f32(Fraction(x) / narrow), "half_away") + zero_point
    if formula == "onnx":
        return whole(f32(Fraction(x) / narrow)) + zero_point
    if formula == "torch-per-token":
        return whole(f64(f64(Fraction(x) * reciprocal64(scale)) + zero_point))
    inverse = f32(reciprocal64(scale) if formula == "torch" else 1 / narrow)
    if formula == "fbgemm":
        return whole(f32(Fraction(x) * inverse + f32(zero_point)))
    scaled = f32(Fraction(x) * inverse)
    if isinstance(scaled, float):
        return LIMIT if scaled > 0 else -LIMIT
    if formula == "torch-per-group":
        return whole(f32(scaled + f32(zero_point)))
    rounded = round_ratio(scaled.numerator, scaled.denominator, "half_even")
    return whole(f32(rounded + f32(zero_point)))


def dequantize(q: int, scale: float, zero_point: int, formula: str) -> float:
    narrow = Fraction(float(np.float32(scale)))
    difference = f32(f32(q) - f32(zero_point)) if formula == "torch" else f32(q - zero_point)
    return float(times(difference, narrow))


def float_parameters(rng: Rng, shape: tuple[int, ...], span: tuple[int, int]) -> dict[str, Any]:
    ndim = len(shape)
    axis = int(rng.integers(-ndim, ndim)) if ndim else 0
    kind = int(rng.integers(3)) if ndim and shape[axis] else 0
    block = int(rng.integers(1, 5))
    wanted: tuple[int, ...] = ()
    if kind == 1:
        wanted = (shape[axis],)
    elif kind == 2:
        wanted = tuple(-(-n // block) if i == axis % ndim else n for i, n in enumerate(shape))
    count = int(np.prod(wanted))
    scales = 2.0 ** rng.uniform(-12, 6, count)
    if not rng.integers(4):
        scales = 2.0 ** rng.integers(-8, 8, count).astype(np.float64)
    if not rng.integers(8):
        scales = 2.0 ** rng.uniform(-126, 126, count)
    if rng.integers(2):
        scales = scales.astype(np.float32).astype(np.float64)
    zeros = codes(rng, count, *span)
    if not wanted:
        return {"scale": float(scales[0]), "zero_point": pick(rng, 0, zeros[0])}
    out = {
        "scale": laid_out(rng, scales.reshape(wanted)),
        "zero_point": laid_out(rng, np.array(zeros, np.int64).reshape(wanted)),
        "axis": axis,
    }
    return out | ({"block": block} if kind == 2 else {})


def spread(shape: tuple[int, ...], options: dict[str, Any]) -> tuple[list[float], list[int]]:
    """Scale and zero point of every element, in C order."""
    out = []
    for name in ("scale", "zero_point"):
        table = np.asarray(options[name])
        if "block" in options:
            at = list(np.indices(shape))
            at[options["axis"]] = at[options["axis"]] // options["block"]
            table = table[tuple(at)]
        elif table.ndim:
            side = [1] * len(shape)
            side[options["axis"]] = -1
            table = table.reshape(side)
        out.append(np.broadcast_to(table, shape).reshape(-1).tolist())
    return out[0], out[1]
