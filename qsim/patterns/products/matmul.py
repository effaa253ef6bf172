"""Products of two activations; with a constant matrix they are linear layers without a bias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import clamp_codes, emit_requantize, warn_of_factors
from qsim.patterns.products.dynamic import lower_dynamic, lower_products
from qsim.patterns.products.linear import lower_linear
from qsim.program import accumulator_to_json
from qsim.registry import Pattern, Weights
from qsim.target import derive

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.target import Target


def _check(node: Node) -> bool:
    a, b = nodes.shape(node.args[0]), nodes.shape(node.args[1])
    if nodes.is_parameter(node.args[0]):
        return False
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return False
    return len(b) == 2 or not nodes.is_parameter(node.args[1])


def _why(node: Node) -> str:
    del node
    return "matmul takes two activations, or one and a constant matrix, of 2 dimensions or more"


def _primitives(node: Node, target: Target) -> tuple[str, ...]:
    del target
    first = "correlation" if nodes.is_parameter(node.args[1]) else "matmul"
    return (first, "requantize")


def _operands(node: Node) -> tuple[Any, ...]:
    return node.args[:1] if nodes.is_constant(node.args[1]) else node.args[:2]


def _weights(node: Node) -> Weights | None:
    weight: Any = node.args[1]
    return Weights(weight, 1) if nodes.is_constant(weight) else None


def _lower(builder: Builder) -> None:
    weights = _weights(builder.match.anchor)
    if weights is None:
        _lower_activations(builder)
    else:
        lower_linear(builder, weights)


def _lower_dynamic(builder: Builder) -> None:
    weights = _weights(builder.match.anchor)
    if weights is None:
        lower_products(builder)
    else:
        lower_dynamic(builder, weights)


def _lower_activations(builder: Builder) -> None:
    """Emit a (batched) product of two activations."""
    target, match = builder.target, builder.match
    a, b = match.operands
    accumulator = target.correlation.accumulator
    spec = builder.intermediate("matmul", match.result.shape, accumulator.format)
    acc = builder.call(
        "matmul",
        (a.name, b.name),
        spec,
        {
            "a_zero_point": a.params.zero_point,
            "b_zero_point": b.params.zero_point,
            "accumulator": accumulator_to_json(accumulator),
        },
    )
    scales = (a.params.scale, b.params.scale, match.result.params.scale)
    warn_of_factors(builder, scales[0] * scales[1] / scales[2], accumulator.max)
    scheme = derive.requantizer(target, *scales)
    axis = len(match.result.shape) - 1
    emit_requantize(builder, acc, scheme, clamp=clamp_codes(builder), axis=axis)


PATTERN: Final = Pattern(
    name="matmul",
    overloads=("mm.default", "bmm.default", "matmul.default"),
    primitives=_primitives,
    lower=_lower,
    check=_check,
    why=_why,
    operands=_operands,
    weights=_weights,
    fuses_relu=True,
    takes_clamps=True,
    dynamic=_lower_dynamic,
)
