"""A constant matrix of weights as products with it read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsim.lowering import (
    Constant,
    NotLowerableError,
    checked_weight,
    constant,
    weight_zero_points,
)
from qsim.program import accumulator_to_json

if TYPE_CHECKING:
    from qsim.lowering import Builder
    from qsim.registry import Weights


def matrix(builder: Builder, weights: Weights, shape: tuple[int, ...]) -> Constant:
    """Return the matrix of a product in the layout [outputs, inputs].

    Args:
        builder: knows graph and target.
        weights: where ``axis`` is 1 the matrix is stored transposed.
        shape: of the operand that it multiplies.

    Raises:
        NotLowerableError: no such product; the target has no such weight.
    """
    if len(shape) < 2:
        raise NotLowerableError("its input has one dimension; linear takes 2 or more")
    weight = constant(builder.graph, weights.weight)
    if weight.codes.ndim != 2:
        raise NotLowerableError(f"its weight has {weight.codes.ndim} dimensions; linear takes 2")
    weight = checked_weight(builder, weight, axis=weights.axis)
    if weights.axis != 1:
        return weight
    return Constant(
        np.ascontiguousarray(weight.codes.T),
        weight.scale,
        weight.zero_point,
        None if weight.axis is None else 0,
        weight.format,
    )


def emit_linear(builder: Builder, x: str, weight: Constant, *, zero_point: int) -> str:
    """Emit the sums of products of codes; return their name."""
    accumulator = builder.target.correlation.accumulator
    name = builder.constant("weight", weight.codes)
    spec = builder.intermediate("linear", builder.match.made.shape, accumulator.format)
    return builder.call(
        "linear",
        (x, name),
        spec,
        {
            "x_zero_point": zero_point,
            "weight_zero_point": weight_zero_points(builder, weight),
            "accumulator": accumulator_to_json(accumulator),
        },
    )
