"""The nets at the ports of the design, by the names that its binding gives them.

What watches the handshake of somebody else's module watches these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from qsim.cosim.dut.wrapper.places import net

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Dut, Level

Kind: TypeAlias = Literal["valid", "ready", "last", "data", "start", "done", "busy"]


@dataclass(frozen=True, slots=True)
class Net:
    """One port of a handshake, as the wrapper sees it.

    Attributes:
        port: its name in the design, or ``interface.signal``.
        net: the expression in the wrapper; a handshake is 1 when it is active, whatever the level
            of the port. An unpacked array is a vector, its first element lowest.
        kind: what it says.
        side: ``input`` where operands go into the design, ``output`` where results come out.
        stream: the handshake that it belongs to: 0, 1, ... of the input side; 0 of the output.
        level: of the port.
    """

    port: str
    net: str
    kind: Kind
    side: Literal["input", "output"]
    stream: int = 0
    level: Level = "high"


def nets(dut: Dut) -> tuple[Net, ...]:
    """Return every net of the handshakes, and the data that belongs to each.

    Registers of a layer belong to none.
    """
    return (*_inputs(dut), *_outputs(dut))


def _inputs(dut: Dut) -> Iterator[Net]:
    starts = dut.handshake == "start_done"
    for index, (stream, names) in enumerate(dut.streams().items()):
        if stream.valid:
            kind: Kind = "start" if starts else "valid"
            yield Net(stream.valid, f"in_{index}", kind, "input", index, stream.valid_active)
        if stream.ready:
            level = stream.ready_active
            yield Net(stream.ready, f"ready_{index}", "ready", "input", index, level)
        if stream.last:
            yield Net(stream.last, "g_last", "last", "input", index)
        for port in dict.fromkeys(port for name in names for port in dut.operands[name].ports):
            yield Net(port, net(port), "data", "input", index)


def _outputs(dut: Dut) -> Iterator[Net]:
    output = dut.output
    if dut.handshake == "start_done":
        yield Net(output.valid, "out_done", "done", "output", level=output.valid_active)
        if output.busy:
            yield Net(output.busy, "busy", "busy", "output", level=output.busy_active)
    elif output.valid:
        yield Net(output.valid, "out_valid", "valid", "output", level=output.valid_active)
    if output.ready:
        yield Net(output.ready, "out_ready", "ready", "output", level=output.ready_active)
    if output.last:
        yield Net(output.last, "out_last", "last", "output")
    for port in dict.fromkeys(port for b in dut.results.values() for port in b.ports):
        yield Net(port, net(port), "data", "output")
