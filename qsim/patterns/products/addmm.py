"""A vector plus an activation times a matrix, all constants but the activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.patterns.products.dynamic import lower_dynamic
from qsim.patterns.products.linear import lower_linear
from qsim.registry import Pattern, Weights, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _check(node: Node) -> bool:
    if node.kwargs.get("alpha", 1) != 1 or node.kwargs.get("beta", 1) != 1:
        return False
    vector = len(nodes.shape(node.args[0]) or ()) == 1
    return vector and nodes.is_parameter(node.args[0]) and nodes.is_parameter(node.args[2])


def _why(node: Node) -> str:
    del node
    return "it is no linear layer: an activation times a constant matrix, plus a constant vector"


def _operands(node: Node) -> tuple[Any, ...]:
    return (node.args[1],)


def _weights(node: Node) -> Weights:
    bias: Any = node.args[0]
    weight: Any = node.args[2]
    return Weights(weight, 1, bias)


def _lower(builder: Builder) -> None:
    lower_linear(builder, _weights(builder.match.anchor))


def _lower_dynamic(builder: Builder) -> None:
    lower_dynamic(builder, _weights(builder.match.anchor))


PATTERN: Final = Pattern(
    name="addmm",
    overloads=("addmm.default",),
    primitives=needs("correlation", "bias_add", "requantize"),
    lower=_lower,
    check=_check,
    why=_why,
    operands=_operands,
    weights=_weights,
    fuses_relu=True,
    takes_clamps=True,
    dynamic=_lower_dynamic,
)
