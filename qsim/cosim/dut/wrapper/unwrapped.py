"""The design without streams: an input for every value of a beat, an output for every result.

What a proof reads: nothing is buffered, gathered or delayed. Ties, clocks and reset are connected
as the benches connect them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.cosim.dut.fits import require_unit
from qsim.cosim.dut.ports import require_ports
from qsim.cosim.dut.wrapper.boundary import nets
from qsim.cosim.dut.wrapper.instance import instance
from qsim.cosim.dut.wrapper.places import joined, net, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Binding, Dut
    from qsim.cosim.jobs import Unit


def port_of(name: str, index: int) -> str:
    """Return the port of one value: a field of an operation of the beat."""
    return f"v_{name}_{index}"


def values_in(dut: Dut, unit: Unit) -> Iterator[tuple[str, int, Binding]]:
    """Yield (field, operation, binding) of each value that goes in; shared ones are operation 0."""
    for field in unit.inputs.fields:
        if field.name in dut.operands:
            for index, _, _ in places(dut.operands, dut, field.name, field.lanes):
                yield field.name, index, dut.operands[field.name]


def bare(dut: Dut, unit: Unit, name: str) -> str:
    """Return the text of module ``name``.

    Its inputs are ``clk``, ``rst`` (active high), ``in_0`` where the design has a valid, ``g_last``
    where it has a last, and :func:`port_of` of each operand, as many bits as its binding says. Its
    outputs are :func:`port_of` of each result.

    Raises:
        UsageError: the design does not fit the unit, or an input of it is left open.
    """
    require_unit(dut, unit)
    require_ports(dut)
    inputs = [("clk", 1), ("rst", 1)]
    inputs += [
        (each.net, 1)
        for each in nets(dut)
        if each.side == "input" and each.kind in ("valid", "last")
    ]
    inputs += [(port_of(field, index), b.bits) for field, index, b in values_in(dut, unit)]
    outputs = [
        (port_of(field.name, index), port, lsb, dut.results[field.name].bits)
        for field in unit.outputs.fields
        for index, port, lsb in places(dut.results, dut, field.name, field.lanes)
    ]
    ports = [f"    input wire [{bits - 1}:0] {port}" for port, bits in inputs]
    ports += [f"    output wire [{bits - 1}:0] {port}" for port, _, _, bits in outputs]
    lines = ["`resetall", f"module {name} (", ",\n".join(ports), ");"]
    lines += [*_operands(dut, unit), *instance(dut, unit)]
    lines += [
        f"  assign {port} = {net(source)}[{lsb}+:{bits}];" for port, source, lsb, bits in outputs
    ]
    return "\n".join([*lines, "endmodule", ""])


def _operands(dut: Dut, unit: Unit) -> Iterator[str]:
    """Yield what lies at each operand's port."""
    ports: dict[str, list[tuple[int, int, str]]] = {}
    for field in unit.inputs.fields:
        if field.name not in dut.operands:
            continue
        for index, port, lsb in places(dut.operands, dut, field.name, field.lanes):
            part = lsb, dut.operands[field.name].bits, port_of(field.name, index)
            ports.setdefault(port, []).append(part)
    for port, parts in ports.items():
        width = max(lsb + bits for lsb, bits, _ in parts)
        yield f"  wire [{width - 1}:0] {net(port)} = {joined(dut, port, parts)};"
