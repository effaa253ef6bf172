"""Operators that move float32 values: read at positions known beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hw_models import FLOAT32
from qsim.graph import nodes
from qsim.lowering import Move, NotLowerableError
from qsim.patterns.floats.operands import operand, shape_of, tensors
from qsim.patterns.moves import identity, move, permute, reshape
from qsim.registry import Form, Reason

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _first(node: Node) -> tuple[Node, ...]:
    return tensors(node)[:1]


def _lower(builder: Builder) -> None:
    """Emit the primitives that read the same positions, each with the batch in front."""
    match = builder.match
    made = match.spec
    name = operand(builder, match.anchor.args[0], "operand0")
    source = shape_of(builder, match.anchor.args[0])
    if (source[:1] == (-1,)) != (made.shape[:1] == (-1,)):
        raise NotLowerableError(Reason("batch", "it moves the batch out of dimension 0"))
    batch = made.shape[:1] if made.shape[:1] == (-1,) else ()
    way = move.way(match.origin) or (Move("reshape", made.shape[len(batch) :]),)
    for number, each in enumerate(way, 1):
        inputs: tuple[str, ...] = (name,)
        if each.primitive == "gather":
            indices = np.array(each.indices, np.int32)
            inputs = (name, builder.constant(f"indices{number}", indices))
        spec = made
        if number < len(way):
            spec = builder.intermediate(each.primitive, (*batch, *each.shape), FLOAT32)
        name = builder.call(each.primitive, inputs, spec, each.written(batch))


def _same(builder: Builder) -> None:
    if not identity.PATTERN.check(builder.match.origin):
        raise NotLowerableError("it is dropout in training mode, which is random")
    if not nodes.is_float(builder.match.origin.args[0]):
        raise NotLowerableError(Reason.of_type(nodes.kind(builder.match.origin.args[0])))
    _lower(builder)


FORMS: Final = (
    Form("move", move.PATTERN.overloads, _first, _lower),
    Form("reshape", reshape.PATTERN.overloads, _first, _lower),
    Form("permute", permute.PATTERN.overloads, _first, _lower),
    Form("identity", identity.PATTERN.overloads, _first, _same),
)
