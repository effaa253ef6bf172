"""Values of a ``dut.toml`` that end up in Verilog: parameters, constants, macros."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.binding import Wide
from qsim.cosim.dut.table import NAME
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cosim.dut.binding import Parameter
    from qsim.cosim.dut.table import Table

WIDEST: Final = 1 << 16  # bits of a parameter
_HEX: Final = re.compile(r"(0x)?[0-9A-Fa-f][0-9A-Fa-f_]*")
_TEXT: Final = re.compile(r"[ -~]{0,4096}")  # of a parameter
LEAST: Final = -(1 << 63)  # of an integer in TOML
GREATEST: Final = (1 << 64) - 1


def parameters(table: Table) -> dict[str, Parameter]:
    """Return the values of parameters, by name."""
    return {name: _parameter(table, name) for name in table.names()}


def _parameter(table: Table, name: str) -> Parameter:
    value = table.data[name]
    if isinstance(value, dict):
        return _wide(table.table(name))
    value = table.take(name)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and LEAST <= value <= GREATEST:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str) and _TEXT.fullmatch(value):
        return value
    raise UsageError(
        **table.refused(
            name, value, 'an integer, a number, text in ASCII, or { bits = 128, hex = "..." }'
        )
    )


def _wide(table: Table) -> Wide:
    """Return a parameter of any width: TOML's own integers have 64 bits."""
    bits = table.integer("bits", 1, WIDEST)
    text = table.take("hex")
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise UsageError(**table.refused("hex", text, "hexadecimal digits"))
    value = int(text, 16)
    if value >> bits:
        raise UsageError(**table.refused("hex", text, f"at most {bits} bits"))
    table.done()
    return Wide(value, bits)


def constants(table: Table) -> dict[str, Wide]:
    """Return what inputs are tied to, each in its width.

    A plain integer takes the least width that holds it: a wider port is filled with zeros, or with
    the sign of a negative one.
    """
    found = {}
    for name in table.names():
        if isinstance(table.data[name], dict):
            inner = table.table(name)
            bits = inner.integer("bits", 1, WIDEST)
            value = inner.integer("value", max(LEAST, -(1 << (bits - 1))), (1 << bits) - 1)
            inner.done()
        else:
            value = table.integer(name, LEAST, GREATEST)
            bits = max(value.bit_length(), 1) if value >= 0 else (~value).bit_length() + 1
        found[name] = Wide(value, bits)
    return found


def defines(table: Table) -> dict[str, str]:
    """Return macros and their text."""
    return {name: _define(table, name) for name in list(table.data)}


def _define(table: Table, name: str) -> str:
    value = table.data[name]
    if not NAME.fullmatch(name):
        raise UsageError(**table.refused("a macro's name", name, "a Verilog identifier"))
    if not isinstance(value, str) or not value.isprintable():
        raise UsageError(**table.refused(name, value, f'text on one line, as {name} = "1"'))
    return value


def literal(value: Parameter) -> str:
    """Return a value as Verilog writes it.

    Plain integers stay plain, as a parameter takes the width of what it is given.
    """
    if isinstance(value, Wide):
        sign = "s" if value.value < 0 else ""
        return f"{'-' if value.value < 0 else ''}{value.bits}'{sign}d{abs(value.value)}"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, float):
        return repr(value) if "e" in repr(value) or "." in repr(value) else f"{value!r}.0"
    if -(1 << 31) < value < 1 << 31:
        return str(value)
    bits = value.bit_length() + 1
    return f"-{bits}'sd{-value}" if value < 0 else f"{bits}'sd{value}"
