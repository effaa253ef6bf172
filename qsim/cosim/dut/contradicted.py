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
            if _read(dut, port) >= have:  # each result is a call of its own, with a part of it
                continue
            told.append(
                f"{dut.where}: {field_of(dut, port)}: port {port!r} of {dut.top} has {have} bits, "
                f"of which the lowest {got} are read"
            )
            continue
        raise UsageError(
            f"port {port!r} of {dut.top} has {have} bits, not {got}",
            where=f"{dut.where}: {field_of(dut, port)}",
            accepted=_accepted(_bindings(dut).get(port), have),
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


def _read(dut: Dut, port: str) -> int:
    """Return how many bits of a port results are read from."""
    return max(each.lsb + each.bits for each in dut.results.values() if port in each.ports)


def _accepted(bindings: Sequence[Binding] | None, have: int) -> str:
    if bindings is None:
        return "a port of one bit"
    if len(bindings) == 1 and bindings[0].lsb == 0:
        return f"bits = {have}"
    return f"lsb, stride and bits that fill {have} bits"
