"""The watchers of the handshakes: ``qsim_watch.sv`` on the nets at the design's own ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsim.cosim.dut.wrapper.boundary import nets
from qsim.cosim.dut.wrapper.places import places, ports_of
from qsim.cosim.dut.wrapper.results import wanted_last
from qsim.cosim.simulators import Handshake, Watched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.dut.wrapper.boundary import Kind, Net
    from qsim.cosim.jobs import Unit


@dataclass(frozen=True, slots=True)
class _Watcher:
    """A handshake, and what its watcher is connected to."""

    handshake: Handshake
    valid: str
    ready: str
    data: str = "1'b0"
    last: str = "1'b0"


def watched(dut: Dut, unit: Unit) -> Watched:
    """Return what the watchers of a design watch, by their numbers."""
    bindings = {**dut.operands, **dut.results}
    results = [(field, dut.results[field.name]) for field in unit.outputs.fields]
    read = (
        (port, lsb, binding.bits)
        for field, binding in results
        for _, port, lsb in places(dut.results, dut, field.name, field.lanes)
    )
    return Watched(
        tuple(watcher.handshake for watcher in _watchers(dut, unit)),
        {name: binding.ports for name, binding in bindings.items()},
        tuple(read),
        any(stream.valid or stream.last for stream in dut.streams()),
        dut.reset_cycles * max(dut.clocks.values(), default=1),
    )


def watch(dut: Dut, unit: Unit) -> Iterator[str]:
    """Yield a watcher for each handshake on which the design can break a rule."""
    for number, each in enumerate(_watchers(dut, unit)):
        names = each.handshake
        width = sum(bits for _, bits in names.data) or 1
        yield (
            f"  qsim_watch #(.ID({number}), .W({width}), .OUTPUT(1'b{names.output:d}), "
            f".LAST(1'b{bool(names.last):d})) watch_{number} ("
        )
        yield f"      .clk, .rst, .valid({each.valid}), .ready({each.ready}),"
        yield (
            f"      .data({each.data}), .last({each.last}), .wanted({wanted_last(dut)}), "
            ".asked(asks));"
        )


def _watchers(dut: Dut, unit: Unit) -> Iterator[_Watcher]:
    groups: dict[tuple[str, int], list[Net]] = {}
    for net in nets(dut):
        groups.setdefault((net.side, net.stream), []).append(net)
    for (side, _), group in groups.items():
        by_kind = {net.kind: net for net in group}
        if side == "output":
            yield from _output(dut, unit, by_kind, [net for net in group if net.kind == "data"])
        elif "valid" in by_kind and "ready" in by_kind:
            valid, ready = by_kind["valid"], by_kind["ready"]
            yield _Watcher(Handshake(False, valid.port, ready.port), valid.net, ready.net)
    if dut.output.busy:
        start = Handshake(False, dut.input.valid, dut.output.busy, busy=True)
        yield _Watcher(start, "g_valid && go && !running", "!busy")


def _output(
    dut: Dut, unit: Unit, by_kind: Mapping[Kind, Net], data: list[Net]
) -> Iterator[_Watcher]:
    valid = by_kind.get("valid") or by_kind.get("done")
    if valid is None:
        return
    shapes = ports_of(dut, dut.results, {f.name: f.lanes for f in unit.outputs.fields})
    ready, last = by_kind.get("ready"), by_kind.get("last")
    names = Handshake(
        True,
        valid.port,
        "" if ready is None else ready.port,
        "" if last is None else last.port,
        tuple((net.port, shapes[net.port].width) for net in data),
    )
    yield _Watcher(
        names,
        # Of done, which may stay, what counts is that a result was made.
        valid.net if valid.kind == "valid" else "out_made",
        "1'b1" if ready is None else ready.net,
        f"{{{', '.join(net.net for net in reversed(data))}}}",
        "1'b0" if last is None else last.net,
    )
