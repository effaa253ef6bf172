"""Combinations of fields that make no sense, each refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from qsim.cosim.dut.binding import Stream
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qsim.cosim.dut.binding import Binding, Dut, Handshake

# By handshake and side: the ports that must be there, and those that may.
_ENDS: Final[Mapping[Handshake, Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]]] = {
    "axi_stream": {
        "input": (("valid",), ("ready", "last")),
        "output": (("valid",), ("ready", "last")),
    },
    "valid_only": {"input": (("valid",), ("last",)), "output": (("valid",), ("last",))},
    "fixed_latency": {"input": ((), ("valid", "last")), "output": ((), ())},
    "start_done": {"input": (("valid",), ()), "output": (("valid",), ("busy",))},
}
# Verilator would compile them, and say nothing of what they include.
_NO_VERILOG: Final = (".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".a", ".o", ".so")
_STARTS: Final = {"input": "start", "output": "done"}  # what start_done calls its valid


def require_sense(dut: Dut) -> None:
    """Require that what a file says goes together.

    Raises:
        UsageError: it does not; the error names the field.
    """
    for source in dut.sources:
        if source.suffix.lower() in _NO_VERILOG:
            _refuse(dut, f"{source.name!r} is no Verilog", "Verilog or SystemVerilog", "sources")
    _require_handshake(dut)
    _require_clock(dut)
    _require_packets(dut)
    for section, bindings in (("operands", dut.operands), ("results", dut.results)):
        for name, binding in bindings.items():
            _require_binding(dut, f"{section}.{name}", binding)
    _require_once(dut)
    _require_interfaces(dut)


def _refuse(dut: Dut, message: str, accepted: str, place: str = "") -> NoReturn:
    where = f"{dut.where}: {place}" if place else dut.where
    raise UsageError(message, where=where, accepted=accepted)


def _own(dut: Dut) -> list[Stream]:
    """Return the handshakes that operands have of their own."""
    return [b.stream for b in dut.operands.values() if b.stream != Stream()]


def _require_handshake(dut: Dut) -> None:
    """Require the ports that a handshake has, and no others."""
    own = _own(dut)
    if own and dut.handshake not in ("axi_stream", "valid_only"):
        _refuse(
            dut,
            f"operands on streams of their own need valid and ready, not {dut.handshake!r}",
            "handshake = 'axi_stream', or 'valid_only'",
        )
    for stream in own:
        _require_end(dut, stream, "input")
    # Where each operand that moves has a handshake of its own there need not be a common one.
    free = [b for b in dut.operands.values() if not b.static and b.stream == Stream()]
    if free or not own or dut.input != Stream():
        _require_end(dut, dut.input, "input")
    _require_end(dut, dut.output, "output")
    if dut.output.last and not (dut.reduces or dut.input.last or any(s.last for s in own)):
        _refuse(
            dut,
            f"{dut.primitive} makes no packets: results have 'last' only where operands do",
            '[input] last = "..."',
            "[output]",
        )
    if dut.output.last and dut.lanes > 1:
        _refuse(
            dut,
            "several operations a beat have no 'last' each",
            "lanes = 1, or no last",
            "[output]",
        )


def _require_end(dut: Dut, stream: Stream, end: str) -> None:
    wanted, allowed = _ENDS[dut.handshake][end]
    for name in ("valid", "ready", "last", "busy"):
        have = bool(getattr(stream, name))
        if (have and name not in (*wanted, *allowed)) or (name in wanted and not have):
            verb = "has no" if have else "needs a"
            called = _STARTS[end] if dut.handshake == "start_done" and name == "valid" else name
            _refuse(
                dut,
                f"handshake {dut.handshake!r} {verb} port {called!r} on its {end} side",
                ", ".join((*wanted, *allowed)) or "neither valid nor ready",
            )


def _require_clock(dut: Dut) -> None:
    if not dut.clock and not any(each.clock for each in dut.interfaces.values()):
        if dut.handshake != "fixed_latency" or dut.latency:
            _refuse(
                dut,
                "only a combinational module has no clock",
                'clock = "...", or handshake = "fixed_latency" with latency = 0',
                "clock",
            )
        for name, there in (("[reset]", dut.reset), ("[clocks]", dut.clocks)):
            if there:
                _refuse(dut, "a module without a clock has neither", "clock = ...", name)
    if not dut.reset and dut.handshake != "fixed_latency":
        _refuse(
            dut,
            f"a design with handshake {dut.handshake!r} needs a reset",
            'port = "..."',
            "[reset]",
        )
    if dut.interval > 1 and dut.handshake == "start_done":
        _refuse(
            dut, "start and done say when the next operation may begin", "no interval", "interval"
        )
    fastest = max(dut.clocks.values(), default=1)
    for name, ratio in dut.clocks.items():
        if fastest % ratio:
            _refuse(
                dut,
                f"ratio {ratio} does not divide the fastest clock's, {fastest}",
                "ratios that divide the largest of them",
                f"clocks.{name}",
            )


def _require_packets(dut: Dut) -> None:
    lasts = bool(dut.input.last) or any(stream.last for stream in _own(dut))
    if not dut.reduces:
        if dut.packet:
            _refuse(dut, f"{dut.primitive} has no packets of beats", "no packet", "packet")
        if dut.rows or dut.columns:
            _refuse(dut, f"{dut.primitive} has no array of products", "no [array]", "[array]")
        return
    if dut.columns and dut.primitive.endswith("_pool"):
        _refuse(dut, "pooling has rows alone: its lanes", "rows = ...", "[array]")
    if dut.handshake == "start_done":
        _refuse(
            dut,
            f"the beats of {dut.primitive} form packets, which start and done do not tell apart",
            "axi_stream, valid_only, fixed_latency",
            "handshake",
        )
    if lasts == bool(dut.packet):
        what = "says twice which" if lasts else "needs a port that says which"
        _refuse(
            dut,
            f"the beats of {dut.primitive} form packets: the design {what} is the last",
            'last = "...", or packet = N where it counts to N by itself',
            "packet" if lasts else "[input]",
        )


def _require_binding(dut: Dut, place: str, binding: Binding) -> None:
    if binding.shared and len(binding.ports) > 1:
        _refuse(dut, "a field that all lanes share has one port", "port = ...", f"{place}.shared")
    if binding.static and binding.stream != Stream():
        _refuse(
            dut,
            "a register of a layer has no handshake",
            "static = true without valid, ready and last",
            f"{place}.static",
        )
    if binding.loaded and (binding.static or not dut.reduces or not binding.stream.valid):
        _refuse(
            dut,
            "what is loaded before a packet has a valid of its own, in a primitive of packets",
            "loaded = true with valid = ...",
            f"{place}.loaded",
        )
    if binding.unpacked and len(binding.ports) > 1:
        _refuse(
            dut, "an unpacked array is one port of all lanes", "port = ...", f"{place}.unpacked"
        )
    if binding.sizes and not binding.unpacked:
        _refuse(dut, "only an unpacked array has sizes", "unpacked = ...", f"{place}.sizes")
    if binding.loaded and all(b.loaded or b.static for b in dut.operands.values()):
        _refuse(dut, "an operand must follow what is loaded", "loaded = false", f"{place}.loaded")


def _uses(dut: Dut) -> Iterator[tuple[str, str]]:
    """Yield (port, what it is) for every port that has one meaning."""
    yield from ((name, what) for name, what in ((dut.clock, "clock"), (dut.reset, "reset")) if name)
    for what, names in (("clocks", dut.clocks), ("tie", dut.tie), ("interfaces", dut.interfaces)):
        yield from ((name, what) for name in names)
    for stream in dict.fromkeys((dut.input, *_own(dut))):
        yield from ((name, "input") for name in stream.ports)
    yield from ((name, "output") for name in dut.output.ports)
    for section, bindings in (("operands", dut.operands), ("results", dut.results)):
        for name in dict.fromkeys(port for b in bindings.values() for port in b.ports):
            yield name, section


def _require_once(dut: Dut) -> None:
    """Require that no port has two meanings; fields may share one."""
    seen: dict[str, str] = {}
    for port, what in _uses(dut):
        if port in seen:
            _refuse(
                dut,
                f"port {port!r} is bound twice: {seen[port]} and {what}",
                "each port once",
                what,
            )
        seen[port] = what


def _require_interfaces(dut: Dut) -> None:
    """Require that dots stand in signals of interfaces alone."""
    for port, what in _uses(dut):
        base, dot, _ = port.partition(".")
        if dot and base not in dut.interfaces:
            _refuse(
                dut,
                f"{port!r} is a signal of an interface, but there is no interface {base!r}",
                f"[interfaces] {base} = {{ type = ... }}",
                what,
            )
