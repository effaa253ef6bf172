"""Convolutions of one to three dimensions with constant weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import checked_weight, constant, finish, weight_zero_points
from qsim.program import accumulator_to_json
from qsim.registry import Pattern, Weights
from qsim.target import derive

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.target import Target


def bias(node: Node) -> Any:
    """Return the bias of a convolution or a linear layer, or None."""
    return nodes.argument(node, 2, "bias")


def product_primitives(node: Node, target: Target) -> tuple[str, ...]:
    """Return what a product with constant weights needs."""
    del target
    needed = ("correlation", "requantize")
    return needed if bias(node) is None else (*needed, "bias_add")


def constant_weights(node: Node) -> bool:
    """Return whether weight and bias are known before the first sample."""
    known = nodes.is_parameter(node.args[1])
    return known and (bias(node) is None or nodes.is_parameter(bias(node)))


def weights(node: Node) -> Weights:
    """Return weight and bias; output channels are the first axis of the weight."""
    weight: Any = node.args[1]
    return Weights(weight, 0, bias(node))


def _check(node: Node) -> bool:
    weight = nodes.shape(node.args[1])
    if (
        weight is None
        or len(weight) not in (3, 4, 5)
        or not nodes.has_rank(node.args[0], len(weight))
    ):
        return False
    return not nodes.is_transposed(node) and constant_weights(node)


def why(node: Node) -> str:
    """Return why a convolution that is not transposed is refused."""
    if not constant_weights(node):
        return "its weight or bias is computed at run time; correlation takes constants"
    weight = nodes.shape(node.args[1]) or ()
    if not nodes.has_rank(node.args[0], len(weight)):
        return "its input has no batch dimension"
    return f"it has {len(weight) - 2} spatial dimensions; correlation takes 1 to 3"


def _lower(builder: Builder) -> None:
    """Emit a convolution: correlation, bias_add and requantize."""
    target, match = builder.target, builder.match
    node, x = match.anchor, match.operands[0]
    weight = checked_weight(builder, constant(builder.graph, node.args[1]), axis=0)
    stride, padding, dilation, groups = nodes.convolution(node, weight.codes.shape[2:])
    zero_point = x.params.zero_point
    name = builder.constant("weight", weight.codes)
    accumulator = target.correlation.accumulator
    spec = builder.intermediate("correlation", match.result.shape, accumulator.format)
    acc = builder.call(
        "correlation",
        (x.name, name),
        spec,
        {
            "stride": stride,
            "padding": [list(pair) for pair in padding],
            "dilation": dilation,
            "groups": groups,
            "x_zero_point": zero_point,
            "weight_zero_point": weight_zero_points(builder, weight),
            "pad_value": derive.pad_value(target, zero_point),
            "accumulator": accumulator_to_json(accumulator),
        },
    )
    finish(builder, acc, weight, bias(node), axis=1)


PATTERN: Final = Pattern(
    name="conv",
    overloads=(
        "conv1d.default",
        "conv1d.padding",
        "conv2d.default",
        "conv2d.padding",
        "conv3d.default",
        "conv3d.padding",
        "convolution.default",
    ),
    primitives=product_primitives,
    lower=_lower,
    check=_check,
    why=why,
    weights=weights,
    fuses_relu=True,
    takes_clamps=True,
)
