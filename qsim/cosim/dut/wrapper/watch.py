"""The watchers of the handshakes: ``dut_watch.sv`` on the nets at the design's own ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.wrapper.nets import nets
from qsim.cosim.dut.wrapper.places import port_widths
from qsim.cosim.simulators import Handshake, Watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.dut.wrapper.nets import Net
    from qsim.cosim.jobs import Unit

_ALWAYS: Final = "1'b1"  # where the design has no ready


def watched(dut: Dut, unit: Unit) -> Watched:
    """Return what the watchers of a design watch, by their numbers."""
    bindings = {**dut.operands, **dut.results}
    return Watched(
        tuple(handshake for handshake, _ in _groups(dut, unit)),
        {name: binding.ports for name, binding in bindings.items()},
    )


def _groups(dut: Dut, unit: Unit) -> list[tuple[Handshake, list[Net]]]:
    """Return the handshakes that a rule can be broken on, with their nets."""
    groups: dict[tuple[str, int], list[Net]] = {}
    for net in nets(dut):
        groups.setdefault((net.side, net.stream), []).append(net)
    lanes = {field.name: field.lanes * dut.lanes for field in unit.outputs.fields}
    widths = port_widths(dut.results, lanes)
    found = []
    for (side, _), group in groups.items():
        names = {net.kind: net.port for net in group}
        output = side == "output"
        if "valid" not in names or not (output or "ready" in names):
            continue  # nobody waits there, or only the design listens
        data = [(n.port, widths[n.port]) for n in group if output and n.kind == "data"]
        last = names.get("last", "") if output else ""
        handshake = Handshake(output, names["valid"], names.get("ready", ""), last, tuple(data))
        found.append((handshake, group))
    return found


def watch(dut: Dut, unit: Unit) -> Iterator[str]:
    """One watcher for each handshake."""
    for number, (handshake, group) in enumerate(_groups(dut, unit)):
        net = {n.kind: n.net for n in group}
        data = [n.net for n in group if handshake.output and n.kind == "data"]
        width = sum(bits for _, bits in handshake.data) or 1
        last = net["last"] if handshake.last else "1'b0"
        values = f"{{{', '.join(reversed(data))}}}" if data else "1'b0"
        yield (
            f"  dut_watch #(.ID({number}), .W({width}), .OUTPUT(1'b{handshake.output:d}), "
            f".LAST(1'b{bool(handshake.last):d})) watch_{number} ("
        )
        yield f"      .clk, .rst, .valid({net['valid']}), .ready({net.get('ready', _ALWAYS)}),"
        yield f"      .data({values}), .last({last}),"
        yield "      .wanted(tag_empty ? g_last : tag[COUNT_W]), .asked(issue && produces));"
