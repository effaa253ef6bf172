"""Where the values of a field lie: ports, bits and lanes, as text of concatenations."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qsim.cosim.dut.binding import Binding, Dut, Order


def places(dut: Dut, binding: Binding, lanes: int) -> Iterator[tuple[int, str, int]]:
    """Yield (operation * lanes + lane, port, lowest bit) of every value of a field."""
    total = lanes * dut.lanes
    rising = _rises(dut.lane_order)
    for position in range(total):
        index = position if rising else total - 1 - position
        if len(binding.ports) > 1:
            yield index, binding.ports[position], binding.lsb
        else:
            yield index, binding.ports[0], binding.lsb + position * binding.stride


def _rises(order: Order) -> bool:
    match order:
        case "first_lowest":
            return True
        case "first_highest":
            return False
        case _:
            assert_never(order)


def port_widths(bindings: Mapping[str, Binding], lanes: Mapping[str, int]) -> dict[str, int]:
    """Return every port of the bindings with the number of bits that they need of it."""
    widths: dict[str, int] = {}
    for name, binding in bindings.items():
        each = 1 if len(binding.ports) > 1 else lanes[name]
        for port in binding.ports:
            top = binding.lsb + (each - 1) * binding.stride + binding.bits
            widths[port] = max(widths.get(port, 0), top)
    return widths


def joined(dut: Dut, port: str, parts: list[tuple[int, int, str]]) -> str:
    """Return the concatenation of (lowest bit, bits, value), zeros between them."""
    words, end = [], 0
    for lsb, bits, value in sorted(parts):
        if lsb < end:
            raise UsageError(
                f"two operands share bit {lsb} of port {port!r}",
                where=f"{dut.where}: [operands]",
                accepted="fields side by side",
            )
        if lsb > end:
            words.append(f"{lsb - end}'b0")
        words.append(value)
        end = lsb + bits
    return "{" + ", ".join(reversed(words)) + "}"


def resized(vector: str, start: int, have: int, want: int, *, signed: bool) -> str:
    """Return the ``have`` bits of a vector from start on, as ``want`` bits."""
    part = f"{vector}[{start}+:{min(have, want)}]"
    if want <= have:
        return part
    fill = f"{vector}[{start + have - 1}]" if signed else "1'b0"
    return f"{{{{{want - have}{{{fill}}}}}, {part}}}"
