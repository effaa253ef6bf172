"""The design itself, with every port that its binding names."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from qsim.cosim.dut.values import literal
from qsim.cosim.dut.wrapper.boundary import nets
from qsim.cosim.dut.wrapper.places import net, ports_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qsim.cosim.dut.binding import Dut, Interface, Level, Parameter
    from qsim.cosim.dut.wrapper.places import Port
    from qsim.cosim.jobs import Unit

Connected = dict[str, str]  # by port of the design, what it is connected to


def instance(dut: Dut, unit: Unit) -> Iterator[str]:
    """Yield the nets at the design's ports that it drives, then the design."""
    operands = ports_of(dut, dut.operands, {f.name: f.lanes for f in unit.inputs.fields})
    results = ports_of(dut, dut.results, {f.name: f.lanes for f in unit.outputs.fields})
    connected: Connected = {}
    for name, interface in dut.interfaces.items():
        yield _interface(dut, name, interface)
        modport = f".{interface.modport}" if interface.modport else ""
        connected[name] = f"i_{name}{modport}"
    connected |= _constants(dut)
    for each in nets(dut):
        if each.side == "input" and each.kind not in ("ready", "data"):
            yield from _into(each.port, each.net, each.level, None, connected)
        elif each.kind == "ready" and each.side == "output":
            yield f"  wire {each.net};"
            yield from _into(each.port, each.net, each.level, None, connected)
    for port, shape in operands.items():
        yield from _into(port, net(port), "high", shape, connected)
    for each in nets(dut):
        if (each.side == "input" and each.kind == "ready") or each.kind == "busy":
            yield from _out_of(each.port, each.net, each.level, None, connected)
        elif each.side == "output" and each.kind in ("valid", "last", "done"):
            yield f"  wire {each.net};"
            yield from _out_of(each.port, each.net, each.level, None, connected)
    for port, shape in results.items():
        yield f"  wire [{shape.width - 1}:0] {net(port)};"
        yield from _out_of(port, net(port), "high", shape, connected)
    yield f"  {dut.top} {_passed(dut.parameters)}theirs ("
    yield ",\n".join(f"      .{port}({inside})" for port, inside in connected.items())
    yield "  );"


def clock(ratio: int) -> str:
    """Return the net of a clock by the ratio of its rate to the first one's."""
    return "clk" if ratio == 1 else f"clk_{ratio}"


def _constants(dut: Dut) -> Connected:
    """Return what clocks, reset and ties are connected to."""
    connected = {name: literal(value) for name, value in dut.tie.items()}
    connected |= {name: clock(ratio) for name, ratio in dut.clocks.items()}
    if dut.clock:
        connected[dut.clock] = "clk"
    if dut.reset:
        connected[dut.reset] = _reset(dut)
    return connected


def _reset(dut: Dut) -> str:
    return "rst" if dut.reset_active == "high" else "!rst"


def _passed(parameters: Mapping[str, Parameter]) -> str:
    values = ", ".join(f".{name}({literal(value)})" for name, value in parameters.items())
    return f"#({values}) " if values else ""


def _interface(dut: Dut, name: str, interface: Interface) -> str:
    ends = ((interface.clock, "clk"), (interface.reset, _reset(dut)))
    ports = ", ".join(f".{port}({inside})" for port, inside in ends if port)
    return f"  {interface.type} {_passed(interface.parameters)}i_{name} ({ports});"


def _array(port: str, shape: Port) -> tuple[str, str, list[str]]:
    """Return an unpacked array's name, its declaration, and its elements, the first one first."""
    name = f"u_{port.replace('.', '__')}"
    rises = shape.range == "ascending"
    span = "".join(f"[0:{n - 1}]" if rises else f"[{n - 1}:0]" for n in shape.sizes)
    signed = "signed " if shape.signed else ""
    declared = f"  wire {signed}[{shape.element - 1}:0] {name} {span};"
    places = itertools.product(*(range(size) for size in shape.sizes))
    return name, declared, [name + "".join(f"[{i}]" for i in place) for place in places]


def _into(
    port: str, inside: str, level: Level, shape: Port | None, connected: Connected
) -> Iterator[str]:
    """Connect what goes into the design."""
    value = inside if level == "high" else f"~{inside}"
    if shape is not None and shape.range:
        value, declared, elements = _array(port, shape)
        yield declared
        for index, element in enumerate(elements):
            yield f"  assign {element} = {inside}[{index * shape.element}+:{shape.element}];"
    if "." in port:
        yield f"  assign i_{port} = {value};"
    else:
        connected[port] = value


def _out_of(
    port: str, inside: str, level: Level, shape: Port | None, connected: Connected
) -> Iterator[str]:
    """Connect what the design drives."""
    name = inside
    if shape is not None and shape.range:
        name, declared, elements = _array(port, shape)
        yield declared
        for index, element in enumerate(elements):
            yield f"  assign {inside}[{index * shape.element}+:{shape.element}] = {element};"
    if "." in port:
        yield f"  assign {name} = {'~' if level == 'low' else ''}i_{port};"
    elif level == "low":
        yield f"  wire n_{port};"
        yield f"  assign {inside} = ~n_{port};"
        connected[port] = f"n_{port}"
    else:
        connected[port] = name
