"""Elman cells, with tanh or relu: no kernel of TFLite's has them; formats as in an LSTM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.graph import nodes, recurrent
from qsim.patterns import cells
from qsim.patterns.cells import CURVE, Cell
from qsim.patterns.cells.gru import own_state

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder

# Of the gate of a relu: 32 codes for a step of the result, and room for 4 times its range.
_FINER: Final = 2.0**-5
_MORE_BITS: Final = 8


def _matrices(node: Node) -> tuple[tuple[Node, int], ...]:
    w, u, _, _ = recurrent.constants(node)
    return (w, 1), (u, 1)


def _lower(builder: Builder) -> None:
    cell, made = Cell.of(builder, 1), builder.match.result
    cell.require_one_scale(cell.states[0], made, "hidden state")
    if nodes.operator_name(builder.match.anchor) == "rnn_relu_cell":
        scale = made.params.scale * _FINER
        gate = cell.gate("gate", 0, scale=scale, bits=made.params.format.bits + _MORE_BITS)
        cell.show(gate, scale, relu=True)
        return
    cell.show(cell.curve("curve", cell.gate("gate", 0), "tanh"), CURVE)


PATTERN: Final = cells.PATTERN(
    name="rnn_cell",
    overloads=("rnn_tanh_cell.default", "rnn_relu_cell.default"),
    lower=_lower,
    matrices=_matrices,
    shared=own_state,
)
