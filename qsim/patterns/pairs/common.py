"""What element-wise operators on two tensors share: operands, shapes, reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsim.graph import nodes
from qsim.lowering import NotLowerableError, clamp_codes
from qsim.program import format_to_json
from qsim.registry import Reason

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.program import Json


def both(node: Node) -> tuple[Any, ...]:
    """Return both operands."""
    return node.args[:2]


def broadcasts(node: Node) -> bool:
    """Return whether two fp32 tensors, one an activation, meet with at most the rank they make."""
    a, b = node.args[:2]
    left, right, made = (nodes.shape(item) for item in (a, b, node))
    if left is None or right is None or made is None or not nodes.is_float(node):
        return False
    if nodes.is_parameter(a) and nodes.is_parameter(b):
        return False
    return all(
        nodes.is_parameter(item) or len(dims) == len(made) or _fixed(dims)
        for item, dims in ((a, left), (b, right))
    )


def _fixed(dims: tuple[Any, ...]) -> bool:
    """Return whether no size is symbolic: a batch must stay in dimension 0."""
    return all(isinstance(size, int) for size in dims)


def why_not(node: Node) -> str:
    """Return why ``broadcasts`` refuses."""
    a, b = node.args[:2]
    if any(nodes.shape(item) is None for item in (a, b)):
        return "one operand is a number that is known only at run time, such as a size"
    if nodes.is_parameter(a) and nodes.is_parameter(b):
        return "both operands are constants"
    return "the operand with the batch has fewer dimensions than the result"


def pair_codes(builder: Builder) -> dict[str, Json]:
    """Return the zero points, the output and the clamp of a call with operands a and b."""
    a, b = (operand.params for operand in builder.match.operands)
    y = builder.match.result.params
    return {
        "a_zero_point": a.zero_point,
        "b_zero_point": b.zero_point,
        "zero_point": y.zero_point,
        "output": format_to_json(y.format),
        "clamp": clamp_codes(builder),  # type: ignore[dict-item]  # a list of integers is JSON
    }


def warn_of_alignment(builder: Builder) -> None:
    """Say where an aligned addition needs a wider register than the target has."""
    from math import frexp

    target = builder.target
    if target.add.formula != "aligned":
        return
    a, b = (operand.params for operand in builder.match.operands)
    fraction = max(1 - frexp(p.scale)[1] for p in (a, b))
    reach = 0
    for params in (a, b):
        shift = fraction - (1 - frexp(params.scale)[1])
        reach += max(-params.format.min, params.format.max) << shift
    register = target.sum.accumulator
    if reach > register.max:
        builder.warn(
            f"its operands' scales {a.scale:g} and {b.scale:g} are aligned in "
            f"{reach.bit_length() + 1} bits; the target's [sum] has {register.bits}"
        )


def require_plain_batch(builder: Builder) -> None:
    """Refuse operands that meet with the batch in another dimension than 0."""
    rank = len(builder.match.result.shape)
    for operand in builder.match.operands:
        if -1 in operand.shape and len(operand.shape) != rank:
            raise NotLowerableError(Reason("batch", "it moves the batch out of dimension 0"))
