"""Linear layers; `addmm` and `matmul` with a constant matrix are lowered by the same rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.lowering import finish
from qsim.patterns.products.conv import constant_weights, product_primitives, weights
from qsim.patterns.products.dynamic import lower_dynamic
from qsim.patterns.products.matrix import emit_linear, matrix
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
    match = builder.match
    x = match.operands[0]
    weight = matrix(builder, weights, x.shape)
    acc = emit_linear(builder, x.name, weight, zero_point=x.params.zero_point)
    axis = len(match.result.shape) - 1
    finish(builder, acc, weight, weights.bias, axis=axis, operator="linear")


def _lower(builder: Builder) -> None:
    lower_linear(builder, weights(builder.match.anchor))


def _lower_dynamic(builder: Builder) -> None:
    lower_dynamic(builder, weights(builder.match.anchor))


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
    dynamic=_lower_dynamic,
)
