"""Activations that keep their operand within bounds, where nothing took them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.graph import nodes
from qsim.lowering import clamp_codes, emit_rescale, same_params
from qsim.registry import Pattern, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _check(node: Node) -> bool:
    bounds = nodes.clamp_range(node)
    return bounds is not None and bounds[0] <= bounds[1] and nodes.is_float(node)


def _why(node: Node) -> str:
    bounds = nodes.clamp_range(node)
    if bounds is None:
        return "its bounds are computed at run time"
    return f"its lower bound {bounds[0]:g} is above its upper bound {bounds[1]:g}"


def _lower(builder: Builder) -> None:
    """Emit an activation of the relu family that no other operator took in."""
    match = builder.match
    source = match.operands[0]
    nodes = (match.anchor, *match.clamps)
    clamp = clamp_codes(builder, nodes)
    if not same_params(source, match.result):
        emit_rescale(builder, source.name, source.params, clamp=clamp)
        return
    fmt = match.result.params.format
    low, high = clamp or (fmt.min, fmt.max)
    builder.call("clamp", (source.name,), builder.result(), {"lo": low, "hi": high})


PATTERN: Final = Pattern(
    name="relu",
    overloads=(
        "relu.default",
        "relu_.default",
        "relu6.default",
        "relu6_.default",
        "hardtanh.default",
        "hardtanh_.default",
        "clamp.default",
        "clamp_.default",
        "clamp_min.default",
        "clamp_min_.default",
        "clamp_max.default",
        "clamp_max_.default",
    ),
    primitives=needs("clamp"),
    lower=_lower,
    check=_check,
    why=_why,
    sharing=True,
    takes_clamps=True,
)
