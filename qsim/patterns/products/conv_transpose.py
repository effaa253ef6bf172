"""Transposed convolutions of one to three dimensions with constant weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.graph import nodes
from qsim.lowering import checked_weight, constant, finish, weight_zero_points
from qsim.patterns.products import conv
from qsim.patterns.products.conv import bias, constant_weights
from qsim.program import accumulator_to_json
from qsim.registry import Pattern, Weights

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.target import Target


def _primitives(node: Node, target: Target) -> tuple[str, ...]:
    del target
    needed = ("transposed_correlation", "requantize")
    return needed if bias(node) is None else (*needed, "bias_add")


def _general(node: Node) -> bool:
    return str(node.target).startswith("aten.convolution")


def _groups(node: Node) -> int:
    return int(nodes.argument(node, 8 if _general(node) else 6, "groups", 1))


def _check(node: Node) -> bool:
    weight = nodes.shape(node.args[1])
    if (
        weight is None
        or len(weight) not in (3, 4, 5)
        or not nodes.has_rank(node.args[0], len(weight))
    ):
        return False
    if _general(node) and not nodes.is_transposed(node):
        return False
    return constant_weights(node)


def _why(node: Node) -> str:
    if _general(node) and not nodes.is_transposed(node):
        return conv.why(node)  # both patterns claim this overload, and the last is asked
    if not constant_weights(node):
        return "its weight or bias is computed at run time; transposed_correlation takes constants"
    weight = nodes.shape(node.args[1]) or ()
    if not nodes.has_rank(node.args[0], len(weight)):
        return "its input has no batch dimension"
    return f"it has {len(weight) - 2} spatial dimensions; transposed_correlation takes 1 to 3"


def _weights(node: Node) -> Weights:
    weight: Any = node.args[1]
    # A weight (C, O / groups, ...) of several groups has no axis that counts the outputs.
    return Weights(weight, 1 if _groups(node) == 1 else None, bias(node))


def _lower(builder: Builder) -> None:
    target, match = builder.target, builder.match
    node, x = match.anchor, match.operands[0]
    codes = constant(builder.graph, node.args[1])
    weight = checked_weight(builder, codes, axis=_weights(node).axis)
    rank = weight.codes.ndim - 2
    added_at, dilation_at = (7, 5) if _general(node) else (5, 7)
    padding = nodes.per_dimension(nodes.argument(node, 4, "padding", 0), rank)
    added = nodes.per_dimension(nodes.argument(node, added_at, "output_padding", 0), rank)
    name = builder.constant("weight", np.ascontiguousarray(weight.codes))
    accumulator = target.correlation.accumulator
    spec = builder.intermediate("transposed_correlation", match.result.shape, accumulator.format)
    acc = builder.call(
        "transposed_correlation",
        (x.name, name),
        spec,
        {
            "stride": nodes.per_dimension(nodes.argument(node, 3, "stride", 1), rank),
            "padding": [[size, size] for size in padding],
            "output_padding": [[0, size] for size in added],
            "dilation": nodes.per_dimension(nodes.argument(node, dilation_at, "dilation", 1), rank),
            "groups": _groups(node),
            "x_zero_point": x.params.zero_point,
            "weight_zero_point": weight_zero_points(builder, weight),
            "accumulator": accumulator_to_json(accumulator),
        },
    )
    finish(builder, acc, weight, bias(node), axis=1)


PATTERN: Final = Pattern(
    name="conv_transpose",
    overloads=(
        "conv_transpose1d.default",
        "conv_transpose2d.input",
        "conv_transpose3d.input",
        "convolution.default",
    ),
    primitives=_primitives,
    lower=_lower,
    check=_check,
    why=_why,
    weights=_weights,
    fuses_relu=True,
    takes_clamps=True,
)
