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

_MOST: Final = 4  # ranges of bits that are told of one port


def require_widths(dut: Dut, warnings: Iterable[Message]) -> dict[str, int]:
    """Require that every port is as wide as its binding says.

    Args:
        dut: the binding.
        warnings: of a compiler, about the design and the wrapper around it.

    Returns:
        The ports of results that are wider, with their bits: no contradiction (see ``unread``).

    Raises:
        UsageError: a port has another width; says both.
    """
    wider = {}
    for message in warnings:
        match = _match(message)
        if match is None or match.groupdict().get("module", dut.top) != dut.top:
            continue
        port, have, got = match["port"], int(match["have"]), int(match["got"])
        if port in _ports(dut.results) and have > got:
            wider[port] = have
            continue
        raise UsageError(
            f"port {port!r} of {dut.top} has {have} bits, not {got}",
            where=f"{dut.where}: {field_of(dut, port)}",
            accepted=_accepted(_bindings(dut).get(port), have),
        )
    return wider


def unread(dut: Dut, read: Iterable[tuple[str, int, int]], wider: Mapping[str, int]) -> list[str]:
    """Return a line for each port of results of which bits are compared with nothing.

    Args:
        dut: the binding.
        read: (port, lowest bit, bits) of every value, of all calls.
        wider: bits of the ports that are wider than what is bound of them.
    """
    bits: dict[str, set[int]] = {}
    for port, lsb, count in read:
        bits.setdefault(port, set()).update(range(lsb, lsb + count))
    told = []
    for port, held in bits.items():
        gaps = _runs(set(range(max(max(held) + 1, wider.get(port, 0)))) - held)
        if gaps:
            more = f" and {len(gaps) - _MOST} more ranges" if len(gaps) > _MOST else ""
            told.append(
                f"{dut.where}: {field_of(dut, port)}: bits {', '.join(gaps[:_MOST])}{more} of port "
                f"{port!r} of {dut.top} are not read"
            )
    return told


def _runs(bits: set[int]) -> list[str]:
    """Return numbers as ranges."""
    starts = sorted(bit for bit in bits if bit - 1 not in bits)
    ends = sorted(bit for bit in bits if bit + 1 not in bits)
    return [f"{a}..{b}" if a < b else f"{a}" for a, b in zip(starts, ends, strict=True)]


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
