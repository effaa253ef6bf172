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
        if port in dut.tie and have > got:
            continue  # filled up with zeros, or with the sign: as documented
        raise UsageError(
            f"port {port!r} of {dut.top} has {have} bits, not {got}",
            where=f"{dut.where}: {field_of(dut, port)}",
            accepted=_accepted(_bindings(dut).get(port), have, got),
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
