"""Reading a ``dut.toml``: strict, with the field's name in every error."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from qsim import toml
from qsim.cosim import custom
from qsim.cosim.dut.binding import HANDSHAKES, LEVELS, ORDERS, PRODUCTS, Dut, Handshake
from qsim.cosim.dut.places import (
    common_input,
    common_output,
    interfaces,
    operands,
    results,
)
from qsim.cosim.dut.rules import require_sense
from qsim.cosim.dut.table import MISSING, Table
from qsim.cosim.dut.values import GREATEST, LEAST, constants, defines, parameters
from qsim.cosim.simulators import FIRST_RESET
from qsim.errors import FileFormatError, UsageError

SCHEMA: Final = 1
MAX_BYTES: Final = 64 * 1024
MAX_LATENCY: Final = 200
MAX_LANES: Final = 64
MAX_INTERVAL: Final = 1 << 16
MAX_RATIO: Final = 16
MAX_PACKET: Final = 1 << 16
MAX_SETTLE: Final = 255
MAX_RESET: Final = 1 << 16
MAX_ARRAY: Final = 4096


def load(path: str | Path) -> Dut:
    """Return what a ``dut.toml`` states.

    Args:
        path: of the file; sources and folders in it are relative to its own folder.

    Raises:
        UsageError: no such file, not TOML, or a field that is unknown, missing or not acceptable.
    """
    file = Path(path)
    where = str(path)
    try:
        document = toml.load(file, MAX_BYTES)
    except FileFormatError as error:
        raise UsageError.placed(error, where) from None
    return _read(Table(document, where), file.resolve().parent)


def parse(text: str, path: Path) -> Dut:
    """Return what a text states that is to become the file ``path``; errors as those of load."""
    try:
        document = toml.parse(text)
    except FileFormatError as error:
        raise UsageError.placed(error, str(path)) from None
    return _read(Table(document, str(path)), path.resolve().parent)


def _read(top: Table, base: Path) -> Dut:
    top.integer("schema", SCHEMA, SCHEMA)
    primitive, *others = _primitives(top)
    handshake: Handshake = top.choice("handshake", HANDSHAKES)
    reset, fixed, clocks = (top.table(name, {}) for name in ("reset", "fixed", "clocks"))
    array = top.table("array", {})
    dut = Dut(
        where=top.where,
        primitive=primitive,
        top=top.identifier("top"),
        sources=top.paths("sources", base, folders=False, default=MISSING),
        include=top.paths("include", base, folders=True, default=[]),
        defines=defines(top.table("defines", {})),
        parameters=parameters(top.table("parameters", {})),
        clock=top.identifier("clock", ""),
        reset=reset.identifier("port", ""),
        reset_active=reset.choice("active", LEVELS, "high"),
        handshake=handshake,
        latency=_latency(top, handshake),
        input=common_input(top.table("input", {}), handshake),
        output=common_output(top.table("output", {}), handshake),
        lanes=top.integer("lanes", 1, MAX_LANES, 1),
        lane_order=top.choice("lane_order", ORDERS, ORDERS[0]),
        operands=operands(top.table("operands")),
        fixed={name: fixed.integer(name, LEAST, GREATEST) for name in fixed.names()},
        results=results(top.table("results")),
        clocks={name: _ratio(clocks.table(name)) for name in clocks.names()},
        tie=constants(top.table("tie", {})),
        interfaces=interfaces(top.table("interfaces", {})),
        reset_cycles=reset.integer("cycles", 1, MAX_RESET, FIRST_RESET),
        interval=top.integer("interval", 1, MAX_INTERVAL, 1),
        settle=top.integer("settle", 0, MAX_SETTLE, 4),
        packet=top.size("packet", MAX_PACKET),
        others=tuple(others),
        rows=array.size("rows", MAX_ARRAY),
        columns=array.size("columns", MAX_ARRAY),
        custom=_custom(top, primitive, base),
    )
    for table in (top, reset, array):
        table.done()
    require_sense(dut)
    return dut


def _custom(top: Table, primitive: str, base: Path) -> custom.Spec | None:
    """Return the block of ``primitive = "custom"``."""
    if primitive != "custom":
        return None
    return custom.read(top.table("custom"), base)


def _primitives(top: Table) -> tuple[str, ...]:
    """Return what the module computes: one primitive, or several products."""
    from qsim.program import PRIMITIVES

    given = top.data.get("primitive")
    if not isinstance(given, list):
        return (top.choice("primitive", (*sorted(PRIMITIVES), "custom")),)
    names = tuple(top.take("primitive"))
    if not names or len(set(map(str, names))) < len(names) or not {*map(str, names)} <= {*PRODUCTS}:
        raise UsageError(
            **top.refused("primitive", given, f"one primitive, or a list of {', '.join(PRODUCTS)}")
        )
    return names


def _latency(top: Table, handshake: Handshake) -> int:
    if handshake == "fixed_latency":
        return top.integer("latency", 0, MAX_LATENCY)
    if "latency" in top.data:
        raise UsageError(
            **top.refused("latency", top.data["latency"], 'latency only with "fixed_latency"')
        )
    return 0


def _ratio(table: Table) -> int:
    ratio = table.integer("ratio", 1, MAX_RATIO)
    table.done()
    return ratio
