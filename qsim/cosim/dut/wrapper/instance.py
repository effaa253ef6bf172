"""The design itself, with every port that its binding names."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from qsim.cosim.dut.wrapper.issue import streams
from qsim.cosim.dut.wrapper.places import port_widths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Unit


def instance(dut: Dut, unit: Unit) -> Iterator[str]:
    """The design, with every port that its binding names."""
    ports = {dut.clock: "clk"}
    if dut.reset:
        ports[dut.reset] = _reset(dut)
    for index, stream in enumerate(streams(dut)):
        ports |= {stream.valid: f"in_{index}", stream.ready: f"ready_{index}"}
        ports |= {stream.last: "g_last"}
    output = dut.output
    ports |= {output.valid: "out_valid", output.ready: "out_ready"}
    names = list(dict.fromkeys(p for b in dut.operands.values() for p in b.ports))
    ports |= {port: f"p_{port}" for port in names}
    lanes = {field.name: field.lanes * dut.lanes for field in unit.outputs.fields}
    for port, width in port_widths(dut.results, lanes).items():
        yield f"  wire [{width - 1}:0] p_{port};"
        ports[port] = f"p_{port}"
    if output.valid:
        yield "  wire out_valid;"
    if output.ready:
        yield "  wire out_ready;"
    values = ", ".join(f".{name}({value})" for name, value in dut.parameters.items())
    yield f"  {dut.top} {f'#({values}) ' if values else ''}theirs ("
    yield ",\n".join(f"      .{port}({net})" for port, net in ports.items() if port)
    yield "  );"


def _reset(dut: Dut) -> str:
    match dut.reset_active:
        case "high":
            return "rst"
        case "low":
            return "!rst"
        case _:
            assert_never(dut.reset_active)
