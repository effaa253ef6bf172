"""Operands from the gathered beats to the ports of the design."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.cosim.dut.wrapper.places import joined, places, resized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Unit


def drive(dut: Dut, unit: Unit) -> Iterator[str]:
    """Operands from the gathered beats to the design's ports."""
    offsets, fields = unit.inputs.offsets(), {f.name: f for f in unit.inputs.fields}
    ports: dict[str, list[tuple[int, int, str]]] = {}
    for name, binding in dut.operands.items():
        field = fields[name]
        for index, port, lsb in places(dut, binding, field.lanes):
            operation, lane = divmod(index, field.lanes)
            start = operation * unit.inputs.width + offsets[name] + lane * field.bits
            value = resized("g_data", start, field.bits, binding.bits, signed=field.signed)
            ports.setdefault(port, []).append((lsb, binding.bits, value))
    for port, parts in ports.items():
        width = max(lsb + bits for lsb, bits, _ in parts)
        yield f"  wire [{width - 1}:0] p_{port} = {joined(dut, port, parts)};"
