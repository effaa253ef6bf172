"""Sums: of two activations, or of one and a constant; shapes broadcast as NumPy's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.graph import nodes
from qsim.patterns.pairs.common import (
    both,
    broadcasts,
    pair_codes,
    require_plain_batch,
    warn_of_alignment,
    why_not,
)
from qsim.program import encode_scheme
from qsim.registry import Pattern, needs
from qsim.target import derive

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def check_term(node: Node) -> bool:
    """Return whether a sum or a difference scales no operand."""
    return nodes.argument(node, 2, "alpha", 1) == 1 and broadcasts(node)


def why_no_term(node: Node) -> str:
    """Return why ``check_term`` refuses."""
    if nodes.argument(node, 2, "alpha", 1) != 1:
        alpha = nodes.argument(node, 2, "alpha", 1)
        return f"it multiplies its second operand by alpha = {alpha}; add and sub take alpha = 1"
    return why_not(node)


def _lower(builder: Builder) -> None:
    require_plain_batch(builder)
    match = builder.match
    warn_of_alignment(builder)
    a, b = match.operands
    scheme = derive.adder(builder.target, a.params.scale, b.params.scale, match.result.params.scale)
    encoded = encode_scheme(scheme, f"{match.anchor.name}.add", builder.constants)
    builder.call(
        "add", (a.name, b.name), builder.result(), {"scheme": encoded, **pair_codes(builder)}
    )


PATTERN: Final = Pattern(
    name="add",
    overloads=("add.Tensor", "add_.Tensor"),
    primitives=needs("add"),
    lower=_lower,
    check=check_term,
    why=why_no_term,
    operands=both,
    constant_operands=True,
    fuses_relu=True,
    takes_clamps=True,
)
