"""Operands from the gathered beats to the ports of the design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.values import literal
from qsim.cosim.dut.wrapper.places import joined, net, places, port_width, resized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Binding, Dut, Stream
    from qsim.cosim.jobs import Unit

_CODED: Final = 104  # bits of scale * value + add: 64 of each, 32 of a scale, signs and a carry


def drive(dut: Dut, unit: Unit) -> Iterator[str]:
    """Yield what lies at each operand's port, whatever the cycle."""
    offsets, fields = unit.inputs.offsets(), {f.name: f for f in unit.inputs.fields}
    vectors: dict[str, str] = {}
    if not all(stream.valid for stream in dut.streams()):
        yield "  logic [LANES*S_W-1:0] issued = '0;"
        yield "  always_ff @(posedge clk) if (issue) issued <= g_data;"
    for index, (stream, names) in enumerate(dut.streams().items()):
        yield f"  wire [LANES*S_W-1:0] d_{index} = {_offered(dut, stream, index)};"
        vectors |= dict.fromkeys(names, f"d_{index}")
    vectors |= dict.fromkeys(dut.static, "held")
    ports: dict[str, list[tuple[int, int, str]]] = {}
    for name, binding in dut.operands.items():
        field = fields[name]
        for index, port, lsb in places(dut.operands, dut, name, field.lanes):
            operation, lane = divmod(index, field.lanes)
            start = operation * unit.inputs.width + offsets[name] + lane * field.bits
            if binding.plain:
                value = resized(vectors[name], start, field.bits, binding.bits, signed=field.signed)
            else:
                whole = resized(vectors[name], start, field.bits, _CODED, signed=field.signed)
                yield _coded(f"c_{name}_{index}", whole, binding)
                value = f"c_{name}_{index}[{binding.bits - 1}:0]"
            ports.setdefault(port, []).append((lsb, binding.bits, value))
    for port, parts in ports.items():
        end = max(lsb + bits for lsb, bits, _ in parts)
        width = port_width(dut, port, end)
        if width > end:  # as a port that is padded to bytes
            parts.append((end, width - end, f"{width - end}'b0"))
        yield f"  wire [{width - 1}:0] {net(port)} = {joined(dut, port, parts)};"


def _offered(dut: Dut, stream: Stream, index: int) -> str:
    """Return the beat as a handshake shows it: while it is not valid, every bit is wrong.

    No x: a design that computes on in vain, and throws the result away, is right. Without a valid
    operands stand from the cycle in which they are due to that of the next ones.
    """
    if not stream.valid:
        return "issue ? g_data : issued"
    valid = f"in_{index} || running" if dut.input.hold else f"in_{index}"
    return f"{valid} ? g_data : ~g_data"


def _coded(name: str, value: str, binding: Binding) -> str:
    """Return the declaration of a value in the encoding of its port."""
    scale, add = (f"({literal(number)})" for number in (binding.scale, binding.add))
    return f"  wire signed [{_CODED - 1}:0] {name} = $signed({value}) * {scale} + {add};"
