"""What other operators read of an LSTM cell's state: a copy of it, of as many bits as they take."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.lowering import check_activation, emit_rescale
from qsim.registry import Pattern, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder

_CELL: Final = torch.ops.aten.lstm_cell.default


def _check(node: Node) -> bool:
    part: Any = node.args[0]
    return part.target is operator.getitem and (part.args[0].target, part.args[1]) == (_CELL, 1)


def _states(node: Node, result: Node) -> tuple[Any, ...]:
    del result
    return (node.args[0],)


def _lower(builder: Builder) -> None:
    source, result = builder.match.operands[0], builder.match.result
    check_activation(result, builder.target.output)
    emit_rescale(builder, source.name, source.params)


PATTERN: Final = Pattern(
    name="cell_state",
    overloads=("clone.default",),
    primitives=needs("requantize"),
    lower=_lower,
    check=_check,
    states=_states,
)
