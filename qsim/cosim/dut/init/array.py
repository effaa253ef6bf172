"""The array of a design that multiplies or pools: how many lanes its ports have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qsim.cosim.jobs import Field, Layout

if TYPE_CHECKING:
    from qsim.cosim.dut.init.match import Matched
    from qsim.cosim.dut.init.slots import Slot
    from qsim.cosim.jobs import Unit


def own_array(unit: Unit, operands: Matched, results: Matched) -> tuple[Unit, dict[str, int]]:
    """Return a unit with the array of a design, and what [array] says of it.

    The target's array is taken where ports do not show another.
    """
    pools = any(field.name == "y" for field in unit.outputs.fields)
    (result,) = unit.outputs.fields
    x = next((field for field in unit.inputs.fields if field.name == "x"), None)
    if x is None or result.lanes == 1 or {"x", result.name} - {*operands.places, *results.places}:
        return unit, {}
    rows = _count(results.places[result.name], result)
    columns = _count(operands.places["x"], x)
    lanes = {"x": columns, "weight": rows * columns, "weight_zero_point": rows, result.name: rows}
    if pools:
        lanes, columns = {"x": rows, result.name: rows}, rows
    sides = [
        Layout(tuple(replace(f, lanes=lanes.get(f.name, f.lanes)) for f in side.fields))
        for side in (unit.inputs, unit.outputs)
    ]
    array = {"rows": rows} if pools else {"rows": rows, "columns": columns}
    return replace(unit, inputs=sides[0], outputs=sides[1]), array


def _count(slot: Slot, field: Field) -> int:
    """Return the lanes of a place."""
    if slot.count > 1 or slot.bits < 2 * field.bits or slot.bits % field.bits:
        return slot.count
    return slot.bits // field.bits
