"""The position of the largest element along a dimension, or of all elements.

The result is positions: integers without a scale, which nothing quantizes. Of equal codes the first
counts. Several real numbers share a code, so the position can differ from that of the float model;
it is that of the codes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError
from qsim.program import format_to_json
from qsim.registry import Pattern, Reason

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.target import Target

_BATCH: Final = Reason("batch", "it searches the batch; samples are computed apart")


def _dim(node: Node) -> int | None:
    """Return the dimension that is searched; None for all of them."""
    dim: Any = nodes.argument(node, 1, "dim")
    return None if dim is None else int(dim)


def _check(node: Node) -> bool:
    dimensions = nodes.shape(node.args[0])
    if not dimensions or not nodes.is_float(node.args[0]):
        return False
    dim = _dim(node)
    searched = dimensions if dim is None else (dimensions[dim],)
    return all(isinstance(size, int) for size in searched)


def _why(node: Node) -> Reason | str:
    if not nodes.is_float(node.args[0]):
        return Reason.of_type(nodes.kind(node.args[0]))
    return _BATCH if nodes.shape(node.args[0]) else "it searches a number"


def _primitives(node: Node, target: Target) -> tuple[str, ...]:
    del target
    return ("argmax",) if _dim(node) is not None else ("reshape", "argmax")


def _lower(builder: Builder) -> None:
    match, spec = builder.match, builder.positions()
    source, dim = match.operands[0], _dim(match.anchor)
    keepdims = bool(nodes.argument(match.anchor, 2, "keepdim", False))
    name, rank = source.name, len(source.shape)
    if dim is None:
        # Leading ones become the result's dimensions where they are kept.
        flat = (*((1,) * (rank - 1 if keepdims else 0)), math.prod(source.shape))
        moved = builder.intermediate("reshape", flat, source.params.format)
        name = builder.call("reshape", (name,), moved, {"shape": list(flat)})
        dim = len(flat) - 1
    elif source.shape[dim] == -1:
        raise NotLowerableError(_BATCH)
    attributes = {
        "axis": dim if dim >= 0 else dim + rank,
        "keepdims": keepdims,
        "output": format_to_json(spec.codes),
    }
    builder.call("argmax", (name,), spec, attributes)


PATTERN: Final = Pattern(
    name="argmax",
    overloads=("argmax.default",),
    primitives=_primitives,
    lower=_lower,
    check=_check,
    why=_why,
    moving=True,
    positions=True,
)
