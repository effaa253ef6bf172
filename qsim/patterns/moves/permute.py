"""Permutations of dimensions that keep the batch in front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError, move_or_rescale
from qsim.registry import Pattern, Reason, needs

if TYPE_CHECKING:
    from qsim.lowering import Builder


def _lower(builder: Builder) -> None:
    """Emit a permutation of dimensions that keeps the batch in front."""
    node, source = builder.match.anchor, builder.match.operands[0]
    rank = len(source.shape)
    dims = list(range(rank))
    name = str(node.target)
    if name == "aten.permute.default":
        dims = [int(d) % rank for d in node.args[1]]  # type: ignore[union-attr,arg-type]
    else:
        first, second = (0, 1) if name == "aten.t.default" else node.args[1:3]
        if rank >= 2:
            i, j = int(first) % rank, int(second) % rank  # type: ignore[arg-type]
            dims[i], dims[j] = dims[j], dims[i]
    if source.shape[0] == -1 and dims[0] != 0:
        raise NotLowerableError(Reason("batch", "it moves the batch out of dimension 0"))
    move_or_rescale(builder, "permute", source, {"dims": dims})


PATTERN: Final = Pattern(
    name="permute",
    overloads=(
        "permute.default",
        "transpose.int",
        "t.default",
    ),
    primitives=needs("permute"),
    lower=_lower,
    check=nodes.is_float,
    sharing=True,
    moving=True,
    takes_clamps=True,
)
