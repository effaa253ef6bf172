"""The nets at the ports of the design, by the names that its binding gives them.

What watches the handshake of somebody else's module watches these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from qsim.cosim.dut.wrapper.issue import streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Dut

Kind: TypeAlias = Literal["valid", "ready", "last", "data"]


@dataclass(frozen=True, slots=True)
class Net:
    """One port of a handshake, as the wrapper sees it.

    Attributes:
        port: its name in the design.
        net: the expression in module ``dut``; a handshake is 1 when it is active,
            whatever the level of the port.
        kind: what it says.
        side: ``input`` where operands go into the design, ``output`` where results come out.
        stream: the handshake that it belongs to: 0, 1, ... of the input side; 0 of the output.
    """

    port: str
    net: str
    kind: Kind
    side: Literal["input", "output"]
    stream: int = 0


def nets(dut: Dut) -> tuple[Net, ...]:
    """Return every net of the handshakes, and the data that belongs to each."""
    return (*_inputs(dut), *_outputs(dut))


def _inputs(dut: Dut) -> Iterator[Net]:
    for index, (stream, names) in enumerate(streams(dut).items()):
        if stream.valid:
            yield Net(stream.valid, f"in_{index}", "valid", "input", index)
        if stream.ready:
            yield Net(stream.ready, f"ready_{index}", "ready", "input", index)
        if stream.last:
            yield Net(stream.last, "g_last", "last", "input", index)
        ports = dict.fromkeys(port for name in names for port in dut.operands[name].ports)
        for port in ports:
            yield Net(port, f"p_{port}", "data", "input", index)


def _outputs(dut: Dut) -> Iterator[Net]:
    output = dut.output
    if output.valid:
        yield Net(output.valid, "out_valid", "valid", "output")
    if output.ready:
        yield Net(output.ready, "out_ready", "ready", "output")
    for port in dict.fromkeys(port for b in dut.results.values() for port in b.ports):
        yield Net(port, f"p_{port}", "data", "output")
