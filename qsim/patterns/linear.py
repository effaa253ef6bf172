"""Linear layers; `addmm` and `matmul` with a constant matrix are lowered by the same rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.lowering import (
    Constant,
    NotLowerableError,
    checked_weight,
    constant,
    finish,
    weight_zero_points,
)
from qsim.patterns.conv import constant_weights, product_primitives, weights
from qsim.program import accumulator_to_json
from qsim.registry import Pattern

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.registry import Weights


def lower_linear(builder: Builder, weights: Weights) -> None:
    """Emit a product with a constant matrix: linear, bias_add and requantize.

    Args:
        builder: takes the calls.
        weights: matrix and bias; where ``axis`` is 1 the matrix is stored transposed.
    """
    target, match = builder.target, builder.match
    x = match.operands[0]
    if len(x.shape) < 2:
        raise NotLowerableError("its input has one dimension; linear takes 2 or more")
    weight = constant(builder.graph, weights.weight)
    if weight.codes.ndim != 2:
        raise NotLowerableError(f"its weight has {weight.codes.ndim} dimensions; linear takes 2")
    weight = checked_weight(builder, weight, axis=weights.axis)
    if weights.axis == 1:
        weight = Constant(
            np.ascontiguousarray(weight.codes.T),
            weight.scale,
            weight.zero_point,
            None if weight.axis is None else 0,
            weight.format,
        )
    name = builder.constant("weight", weight.codes)
    accumulator = target.correlation.accumulator
    spec = builder.intermediate("linear", match.result.shape, accumulator.format)
    acc = builder.call(
        "linear",
        (x.name, name),
        spec,
        {
            "x_zero_point": x.params.zero_point,
            "weight_zero_point": weight_zero_points(builder, weight),
            "accumulator": accumulator_to_json(accumulator),
        },
    )
    axis = len(match.result.shape) - 1
    finish(builder, acc, weight, weights.bias, axis=axis, operator="linear")


def _lower(builder: Builder) -> None:
    lower_linear(builder, weights(builder.match.anchor))


def _why(node: Node) -> str:
    del node
    return "its weight or bias is computed at run time"


PATTERN: Final = Pattern(
    name="linear",
    overloads=("linear.default",),
    primitives=product_primitives,
    lower=_lower,
    check=constant_weights,
    why=_why,
    weights=weights,
    fuses_relu=True,
    takes_clamps=True,
)
