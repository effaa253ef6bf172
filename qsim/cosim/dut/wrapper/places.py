"""Where the values of a field lie: ports, bits and lanes, as text of concatenations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qsim.cosim.dut.binding import Binding, Dut, Order, Range


@dataclass(frozen=True, slots=True)
class Port:
    """A port of operands or results.

    Attributes:
        width: the bits that are bound, all elements together.
        element: bits of an element of an unpacked array; 0 of a vector.
        range: the direction of the array's range; empty of a vector.
        signed: whether the elements are.
        sizes: of the array, in each dimension; the last one is fastest.
    """

    width: int
    element: int = 0
    range: Range = ""
    signed: bool = False
    sizes: tuple[int, ...] = ()


def net(port: str) -> str:
    """Return the vector with what lies at a port: the first element of an array lowest."""
    return f"p_{port.replace('.', '__')}"


def ports_of(
    dut: Dut, bindings: Mapping[str, Binding], lanes: Mapping[str, int]
) -> dict[str, Port]:
    """Return every port of the bindings.

    Args:
        dut: the design.
        bindings: its operands, or its results.
        lanes: by field, the lanes that a beat of the unit has.

    Raises:
        UsageError: fields that share a port do not agree on whether it is an array.
    """
    found: dict[str, Port] = {}
    for name, binding in bindings.items():
        for port in binding.ports:
            element = _element(bindings, port)
            width = max(
                lsb + binding.bits
                for _, each, lsb in places(bindings, dut, name, lanes[name])
                if each == port
            )
            before = found.get(port)
            if before is not None and before.range != binding.unpacked:
                raise UsageError(
                    f"port {port!r} is an array for one field and a vector for another",
                    where=f"{dut.where}: {name}.unpacked",
                    accepted="unpacked in each field of a port, or in none",
                )
            if binding.unpacked:
                count = 1 if binding.shared else lanes[name] * dut.lanes
                sizes = binding.sizes or (count,)
                found[port] = Port(
                    count * element, element, binding.unpacked, binding.declared_signed, sizes
                )
            else:
                width = max(width, 0 if before is None else before.width)
                found[port] = Port(
                    port_width(dut, port, width) if bindings is dut.operands else width
                )
    return found


def port_width(dut: Dut, port: str, end: int) -> int:
    """Return the bits of an operand's port: those below ``end``, or more where it is padded.

    Raises:
        UsageError: fields lie above what the binding says the port has.
    """
    stated = [(n, b.width) for n, b in dut.operands.items() if port in b.ports and b.width]
    for name, width in stated:
        if width < end:
            raise UsageError(
                f"its fields take {end} bits of port {port!r}, not {width}",
                where=f"{dut.where}: operands.{name}.width",
                accepted=f"at least {end}, or no width",
            )
    return max([end, *(width for _, width in stated)])


def _element(bindings: Mapping[str, Binding], port: str) -> int:
    """Return the bits of one element of a port: what the fields in it need."""
    return max(b.lsb + b.bits for b in bindings.values() if port in b.ports)


def places(
    bindings: Mapping[str, Binding], dut: Dut, name: str, lanes: int
) -> Iterator[tuple[int, str, int]]:
    """Yield (operation * lanes + lane, port, lowest bit) of every value of a field."""
    binding = bindings[name]
    total = 1 if binding.shared else lanes * dut.lanes
    rising = _rises(dut.lane_order)
    stride = _element(bindings, binding.ports[0]) if binding.unpacked else binding.stride
    for position in range(total):
        index = position if rising else total - 1 - position
        if len(binding.ports) > 1:
            yield index, binding.ports[position], binding.lsb
        else:
            yield index, binding.ports[0], binding.lsb + position * stride


def _rises(order: Order) -> bool:
    match order:
        case "first_lowest":
            return True
        case "first_highest":
            return False
        case _:
            assert_never(order)


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
