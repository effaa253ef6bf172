"""Widths that a ``dut.toml`` and its module contradict each other about: the compilers see them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.errors import field_of
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qsim.cosim.dut.binding import Binding, Dut
    from qsim.cosim.simulators import Message

_PORTS: Final = (
    # Icarus
    re.compile(
        r"Port \d+ \((?P<port>\w+)\) of (?P<module>\w+) expects (?P<have>\d+) bits?, "
        r"got (?P<got>\d+)"
    ),
    # Verilator
    re.compile(
        r"(?:Input|Output|Inout) port connection '(?P<port>\w+)' expects (?P<have>\d+) bits? on "
        r"the pin connection, but pin connection's .* generates (?P<got>\d+) bits?"
    ),
)


def require_widths(dut: Dut, warnings: Iterable[Message]) -> list[str]:
    """Require that every port is as wide as its binding says.

    Args:
        dut: the binding.
        warnings: of a compiler, about the design and the wrapper around it.

    Returns:
        What is no contradiction, but worth to be told: results read from a part of a port.

    Raises:
        UsageError: a port has another width; says both.
    """
    told = []
    for message in warnings:
        match = _match(message)
        if match is None or match.groupdict().get("module", dut.top) != dut.top:
            continue
        port, have, got = match["port"], int(match["have"]), int(match["got"])
        if port in _ports(dut.results) and have > got:
            told.append(
                f"{dut.where}: {field_of(dut, port)}: port {port!r} of {dut.top} has {have} bits, "
                f"of which the lowest {got} are read"
            )
            continue
        if port in dut.tie and have > got:
            continue  # filled up with zeros, or with the sign: as documented
        raise UsageError(
            f"port {port!r} of {dut.top} has {have} bits, not {got}",
            where=f"{dut.where}: {field_of(dut, port)}",
            accepted=_accepted(_bindings(dut).get(port), have, got),
        )
    return told


def _match(message: Message) -> re.Match[str] | None:
    if not message.of_wrapper:
        return None
    return next((m for p in _PORTS if (m := p.search(message.text))), None)


def _bindings(dut: Dut) -> dict[str, list[Binding]]:
    found: dict[str, list[Binding]] = {}
    for binding in (*dut.operands.values(), *dut.results.values()):
        for port in binding.ports:
            found.setdefault(port, []).append(binding)
    return found


def _ports(bindings: Mapping[str, Binding]) -> set[str]:
    return {port for binding in bindings.values() for port in binding.ports}


def _accepted(bindings: Sequence[Binding] | None, have: int, got: int) -> str:
    if bindings is None:
        return "a port of one bit"
    padded = f"width = {have} where zeros are above them"
    if len(bindings) == 1 and bindings[0].lsb == 0:
        lanes = max(got // bindings[0].bits, 1)
        if have % lanes == 0:
            more = f", or {padded}" if lanes > 1 and have > got else ""
            return f"bits = {have // lanes}{more}"
    more = f", or {padded}" if have > got else ""
    return f"lsb, stride and bits that fill {have} bits{more}"
