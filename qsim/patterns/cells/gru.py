"""GRU cells: no kernel of TFLite's has them; formats as in an LSTM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.graph import recurrent
from qsim.patterns import cells
from qsim.patterns.cells import CURVE, GATE, Cell

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder, QParams

_RESET, _UPDATE, _CANDIDATE = range(3)  # torch's order of the gates


def _matrices(node: Node) -> tuple[tuple[Node, int], ...]:
    w, u, _, _ = recurrent.constants(node)
    return (w, 3), (u, 3)


def own_state(node: Node, result: Node) -> tuple[Any, ...]:
    """Return the hidden state, unless it is zeros: it has the parameters of the result."""
    del result
    (state,) = recurrent.states(node)
    return () if recurrent.is_zero(state) else (state,)


def wide_scale(params: QParams) -> float:
    """Return the scale of 16 bits that holds every code of a hidden state: 2**-15 up to 1."""
    reach = params.scale * max(params.format.max - params.zero_point,
                               params.zero_point - params.format.min)  # fmt: skip
    # A tanh never passes 1; a scale that was rounded up may, by less than a step.
    return CURVE * 2.0 ** max(0, int(np.ceil(np.log2(reach / 1.02))))


def _lower(builder: Builder) -> None:
    cell, made = Cell.of(builder, 3), builder.match.result
    hidden = cell.states[0]
    cell.require_one_scale(hidden, made, "hidden state")
    scale = wide_scale(made.params)
    update = cell.gate("update.gate", _UPDATE)
    leave = cell.curve("rest", update, "sigmoid", flip=True)
    new = cell.product(
        "written", leave, _candidate(cell), cell.rules.of_products(CURVE, CURVE, scale), scale
    )
    if hidden is not None:
        kept = cell.curve("update", update, "sigmoid")
        keep = cell.rules.of_any(CURVE, hidden.params.scale, scale)
        old = cell.product("kept", kept, hidden.name, keep, scale, hidden.params.zero_point)
        new = cell.add("mixed", old, new, scale)
    cell.show(new, scale)


def _candidate(cell: Cell) -> str:
    first = cell.half("candidate.input", cell.x, 0, _CANDIDATE, (2,), GATE)
    hidden, bias = cell.states[0], cell.bias(_CANDIDATE, (3,))
    if hidden is None and bias is None:
        return cell.curve("candidate", first, "tanh")
    if hidden is not None:
        second = cell.half("candidate.hidden", hidden, 1, _CANDIDATE, (3,), GATE)
    else:
        codes = np.clip(np.rint(np.asarray(bias) / GATE), -(1 << 15), (1 << 15) - 1)
        second = cell.builder.constant("candidate.bias", codes.astype(np.int16))
    reset = cell.curve("reset", cell.gate("reset.gate", _RESET), "sigmoid")
    gated = cell.product("gated", reset, second, cell.rules.of_products(CURVE, GATE, GATE), GATE)
    return cell.curve("candidate", cell.add("candidate.sum", first, gated, GATE), "tanh")


PATTERN: Final = cells.PATTERN(
    name="gru_cell",
    overloads=("gru_cell.default",),
    lower=_lower,
    matrices=_matrices,
    shared=own_state,
)
