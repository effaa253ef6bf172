"""LSTM cells: the new cell state, and the new hidden state made of it, are one result each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.graph import recurrent
from qsim.lowering import NotLowerableError, check_activation
from qsim.patterns import cells
from qsim.patterns.cells import CURVE, Cell

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.lowering.builder import Codes
    from qsim.program import TensorSpec

_HIDDEN, _CELL = 0, 1
_INPUT, _FORGET, _CANDIDATE, _OUTPUT = range(4)  # torch's order of the gates


def _matrices(node: Node) -> tuple[tuple[Node, int], ...]:
    w, u, _, _ = recurrent.constants(node)
    return (w, 4), (u, 4)


def _own_state(node: Node, result: Node) -> tuple[Any, ...]:
    state = recurrent.states(node)[int(result.args[1])]  # type: ignore[arg-type]
    return () if recurrent.is_zero(state) else (state,)


def _states(node: Node, result: Node) -> tuple[Any, ...]:
    made = (result,) if result.args[1] == _CELL else ()
    cell = recurrent.states(node)[_CELL]
    return made if recurrent.is_zero(cell) else (cell, *made)


def _lower(builder: Builder) -> None:
    cell, match = Cell.of(builder, 4), builder.match
    for codes in (cell.x, cell.states[_HIDDEN]):
        if codes is not None:
            check_activation(codes, builder.target.input)
    _check_state(cell.states[_CELL])
    if match.part == _CELL:
        _check_state(match.result)
        cell.require_one_scale(cell.states[_CELL], match.result, "cell state")
        _state(cell, match.result.params.scale, builder.result())
        return
    check_activation(match.result, builder.target.output)
    cell.require_one_scale(cell.states[_HIDDEN], match.result, "hidden state")
    made = match.others.get(_CELL)
    before = cell.states[_CELL]
    if made is not None:
        name, scale = made.name, made.params.scale
    else:
        # Nobody reads this cell state; a first one of zeros grows to less than 1.
        scale = CURVE if before is None else before.params.scale
        name = _state(cell, scale, None)
    opened = cell.curve("output", cell.gate("output.gate", _OUTPUT), "sigmoid")
    bent = cell.curve("bent", name, "tanh", scale)
    cell.last_product(opened, bent, cell.rules.to_hidden(match.result.params.scale))


def _state(cell: Cell, scale: float, result: TensorSpec | None) -> str:
    """Emit the new cell state."""
    spec = result or cell.spec("cell", scale)
    let = cell.curve("input", cell.gate("input.gate", _INPUT), "sigmoid")
    candidate = cell.curve("candidate", cell.gate("candidate.gate", _CANDIDATE), "tanh")
    write = cell.rules.of_products(CURVE, CURVE, scale)
    before = cell.states[_CELL]
    if before is None:
        return cell.product_to(spec, "written", let, candidate, write)
    kept = cell.curve("forget", cell.gate("forget.gate", _FORGET), "sigmoid")
    keep = cell.rules.of_products(CURVE, scale, scale)
    old = cell.product("kept", kept, before.name, keep, scale)
    new = cell.product("written", let, candidate, write, scale)
    return cell.add("cell", old, new, scale, spec)


def _check_state(codes: Codes | None) -> None:
    from hw_models.recurrent import CELL_SCALES

    if codes is None:
        return
    params = codes.params
    low, high = CELL_SCALES
    wide = (params.format.min, params.format.max) == (-(1 << 15), (1 << 15) - 1)
    if not wide or params.zero_point or not low <= params.scale <= high:
        raise NotLowerableError("its cell state is not of 16 bits with a scale of 2**-15 to 2**-9")
    if np.frexp(params.scale)[0] != 0.5:
        raise NotLowerableError("its cell state's scale is no power of two")


PATTERN: Final = cells.PATTERN(
    name="lstm_cell",
    overloads=("lstm_cell.default",),
    lower=_lower,
    parts=True,
    matrices=_matrices,
    shared=_own_state,
    states=_states,
)
