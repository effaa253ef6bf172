"""The smaller or the larger of two tensors that share their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.graph import nodes
from qsim.lowering import NotLowerableError, move_or_rescale, same_params
from qsim.patterns.pairs.common import both, broadcasts, require_plain_batch, why_not
from qsim.registry import Pattern, Reason, needs

if TYPE_CHECKING:
    from qsim.lowering import Builder


def extremum(name: str) -> Pattern:
    """Return the pattern of ``minimum`` or ``maximum``."""

    def lower(builder: Builder) -> None:
        require_plain_batch(builder)
        a, b = builder.match.operands
        if not same_params(a, b):
            raise NotLowerableError(Reason("scheme", "its operands have different scales"))
        source = b if nodes.is_constant(builder.match.anchor.args[0]) else a
        move_or_rescale(builder, name, source, {}, inputs=(a.name, b.name))

    return Pattern(
        name=name,
        overloads=(f"{name}.default",),
        primitives=needs(name),
        lower=lower,
        check=broadcasts,
        why=why_not,
        operands=both,
        constant_operands=True,
        sharing=True,
        takes_clamps=True,
    )
