"""Reshapes that keep the batch in front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError, flat_shape, move_or_rescale
from qsim.registry import Pattern, Reason, needs

if TYPE_CHECKING:
    from qsim.lowering import Builder


def _lower(builder: Builder) -> None:
    """Emit a reshape that keeps the batch in dimension 0."""
    source, result = builder.match.operands[0], builder.match.result
    if (source.shape[0] == -1) != (result.shape[0] == -1):
        raise NotLowerableError(Reason("batch", "it moves the batch out of dimension 0"))
    move_or_rescale(builder, "reshape", source, {"shape": flat_shape(result.shape)})


PATTERN: Final = Pattern(
    name="reshape",
    overloads=(
        "flatten.using_ints",
        "view.default",
        "_unsafe_view.default",
        "reshape.default",
        "squeeze.dim",
        "squeeze.dims",
        "unsqueeze.default",
    ),
    primitives=needs("reshape"),
    lower=_lower,
    check=nodes.is_float,
    sharing=True,
    moving=True,
    takes_clamps=True,
)
