"""The tables of a ``dut.toml`` that name ports: handshakes, operands, results, interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.cosim.dut.binding import LEVELS, Binding, Interface, Stream
from qsim.cosim.dut.values import LEAST, parameters
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cosim.dut.binding import Handshake, Level
    from qsim.cosim.dut.table import Table

_FACTOR: Final = 1 << 31  # of a scale
_RANGES: Final = ("ascending", "descending")


def common_input(table: Table, handshake: Handshake) -> Stream:
    """Return the handshake that operands share."""
    if handshake == "start_done":
        start = table.port("start")
        level = _level(table, "start", start)
        stream = Stream(start, valid_active=level, hold=table.flag("hold", default=False))
    else:
        stream = _stream(table)
    table.done()
    return stream


def common_output(table: Table, handshake: Handshake) -> Stream:
    """Return the handshake of the results."""
    if handshake == "start_done":
        done, busy = table.port("done"), table.port("busy")
        levels = _level(table, "done", done), _level(table, "busy", busy)
        stream = Stream(done, busy=busy, valid_active=levels[0], busy_active=levels[1])
    else:
        stream = _stream(table)
    table.done()
    return stream


def _stream(table: Table) -> Stream:
    valid, ready, last = (table.port(name) for name in ("valid", "ready", "last"))
    return Stream(
        valid,
        ready,
        last,
        valid_active=_level(table, "valid", valid),
        ready_active=_level(table, "ready", ready),
    )


def _level(table: Table, port: str, there: str) -> Level:
    name = f"{port}_active"
    given = name in table.data
    level: Level = table.choice(name, LEVELS, "high")
    if given and not there:
        raise UsageError(
            f"{name} is the level of a port {port!r}, which is not there",
            where=table.where,
            accepted=f'{port} = "..."',
        )
    return level


def operands(table: Table) -> dict[str, Binding]:
    """Return where operands go, by field of the beat."""
    return {name: _operand(table.table(name)) for name in table.names()}


def _operand(table: Table) -> Binding:
    scale, add = (
        table.integer("scale", -_FACTOR, _FACTOR, 1),
        table.integer("add", LEAST, -LEAST, 0),
    )
    if scale == 0:
        raise UsageError(**table.refused("scale", 0, "any other factor"))
    sign = -1 if table.flag("negate", default=False) else 1
    place, width = _place(table), table.integer("width", 0, 1 << 16, 0)
    if width and place["unpacked"]:
        raise UsageError(**table.refused("width", width, "none of an unpacked array"))
    binding = Binding(
        **place,
        width=width,
        stream=_stream(table),
        scale=sign * scale,
        add=sign * add,
        static=table.flag("static", default=False),
        shared=table.flag("shared", default=False),
        loaded=table.flag("loaded", default=False),
    )
    table.done()
    return binding


def results(table: Table) -> dict[str, Binding]:
    """Return where results come from, by field of the beat."""
    return {name: _result(table.table(name)) for name in table.names()}


def _result(table: Table) -> Binding:
    binding = Binding(**_place(table))
    table.done()
    return binding


def _place(table: Table) -> dict[str, Any]:
    """Return what operands and results have in common."""
    ports, bits = table.ports("port"), table.integer("bits", 1, 64)
    unpacked = table.choice("unpacked", _RANGES) if "unpacked" in table.data else ""
    return {
        "ports": ports,
        "bits": bits,
        "signed": table.flag("signed"),
        "lsb": table.integer("lsb", 0, 1 << 16, 0),
        "stride": table.integer("stride", bits, 1 << 12, bits),
        "unpacked": unpacked,
        "elements_signed": (
            table.flag("elements_signed") if unpacked and "elements_signed" in table.data else None
        ),
        "sizes": table.integers("sizes", 1, 1 << 16),
    }


def interfaces(table: Table) -> dict[str, Interface]:
    """Return the ports that are interfaces, by name."""
    return {name: _interface(table.table(name)) for name in table.names()}


def _interface(table: Table) -> Interface:
    interface = Interface(
        type=table.identifier("type"),
        modport=table.identifier("modport", ""),
        parameters=parameters(table.table("parameters", {})),
        clock=table.identifier("clock", ""),
        reset=table.identifier("reset", ""),
    )
    table.done()
    return interface
