"""The formulas of quantize: the definition of each, for one value."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from hw_models.errors import ContractError, no_case
from hw_models.floats import nearest32

if TYPE_CHECKING:
    from hw_models.formats import FixedFormat
    from hw_models.qparams.rule import NonFinite

Formula: TypeAlias = Literal[
    "torch", "executorch", "onnx", "tflite", "fbgemm", "torch-per-token", "torch-per-group"
]
FORMULAS: Final[tuple[Formula, ...]] = get_args(Formula)
LIMIT: Final = 1 << 62


class Steps(NamedTuple):
    """What tells the formulas apart.

    Attributes:
        divides: by the scale, instead of a product with its reciprocal.
        double: the reciprocal is of the scale in float64, and not in float32.
        away: halves are rounded away from zero, and not to even.
        early: the zero point is added before the value is rounded to an integer.
        fused: that sum and the product round once.
        wide: product and sum are float64.
    """

    divides: bool = False
    double: bool = False
    away: bool = False
    early: bool = False
    fused: bool = False
    wide: bool = False


def steps(formula: Formula) -> Steps:
    """Return what a formula does."""
    match formula:
        case "torch":
            return Steps(double=True)
        case "executorch":
            return Steps()
        case "onnx":
            return Steps(divides=True)
        case "tflite":
            return Steps(divides=True, away=True)
        case "fbgemm":
            return Steps(early=True, fused=True)
        case "torch-per-token":
            return Steps(double=True, early=True, wide=True)
        case "torch-per-group":
            return Steps(early=True)
        case _:
            raise ContractError(no_case(formula, "formula", FORMULAS))


def reference(
    x: float,
    scale: float,
    zero_point: int,
    output: FixedFormat,
    formula: Formula = "torch",
    non_finite: NonFinite = "refuse",
) -> int:
    """Quantize one value, step by step: the definition."""
    how = steps(formula)
    value = float(np.float32(x))
    if how.divides:
        return _divided(value, scale, zero_point, output, how, non_finite)
    inverse = 1.0 / (scale if how.double else float(np.float32(scale)))
    if how.wide:
        return output.saturate(_integer(value * inverse + zero_point))
    if how.fused:
        return _fused(value, float(_f32(inverse)), zero_point, output)
    product = float(_f32(value * float(_f32(inverse))))
    if math.isinf(product):
        return output.saturate(_integer(product))
    zero = float(_f32(zero_point))
    if how.early:
        return output.saturate(_integer(float(_f32(product + zero))))
    return output.saturate(_integer(float(_f32(float(round(product)) + zero))))


def _divided(
    x: float,
    scale: float,
    zero_point: int,
    output: FixedFormat,
    how: Steps,
    non_finite: NonFinite,
) -> int:
    with np.errstate(all="ignore"):
        total = float(np.float32(x) / np.float32(scale))
    if non_finite == "propagate" and math.isnan(total):
        return output.min
    if how.away and abs(total) < LIMIT:
        away = math.floor(abs(Fraction(total)) + Fraction(1, 2))
        return output.saturate((away if total > 0 else -away) + zero_point)
    return output.saturate(_integer(total) + zero_point)


def _fused(x: float, inverse: float, zero_point: int, output: FixedFormat) -> int:
    """Add the zero point exactly, round to float32, then to an integer."""
    if math.isinf(x):
        return output.saturate(_integer(x))
    exact = Fraction(x) * Fraction(inverse) + Fraction(float(_f32(zero_point)))
    if abs(exact) >= LIMIT:
        return output.saturate(LIMIT if exact > 0 else -LIMIT)
    return output.saturate(_integer(float(nearest32(exact))))


def _f32(x: float) -> np.float32:
    with np.errstate(over="ignore", under="ignore"):
        return np.float32(x)


def _integer(x: float) -> int:
    return round(x) if abs(x) < LIMIT else (LIMIT if x > 0 else -LIMIT)
