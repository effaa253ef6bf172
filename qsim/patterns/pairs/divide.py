"""Quotients by a number: the same codes at another scale, which a requantize moves them to."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from qsim.errors import TargetError
from qsim.graph import nodes
from qsim.lowering import clamp_codes, emit_rescale, lower_table
from qsim.registry import Pattern, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _check(node: Node) -> bool:
    divisor = node.args[1]
    number = isinstance(divisor, (int, float)) and 0 < divisor < math.inf
    return number and nodes.is_float(node) and nodes.argument(node, 2, "rounding_mode") is None


def _why(node: Node) -> str:
    divisor = node.args[1]
    if nodes.argument(node, 2, "rounding_mode") is not None:
        return "it rounds the quotient (rounding_mode=)"
    if isinstance(divisor, (int, float)):
        return f"it divides by {divisor}; a change of scale takes finite numbers above 0"
    return "it divides by a tensor; a change of scale takes a number"


def _lower(builder: Builder) -> None:
    source = builder.match.operands[0]
    divisor = float(builder.match.anchor.args[1])  # type: ignore[arg-type]  # _check has seen it
    params = replace(source.params, scale=source.params.scale / divisor)
    try:
        emit_rescale(builder, source.name, params, clamp=clamp_codes(builder))
    except TargetError:
        # A datapath that only shifts divides by powers of two alone.
        if not builder.target.has("lookup"):
            raise
        lower_table(builder)


PATTERN: Final = Pattern(
    name="divide",
    overloads=("div.Tensor",),
    primitives=needs("requantize"),
    lower=_lower,
    check=_check,
    why=_why,
    fuses_relu=True,
    takes_clamps=True,
)
