"""What the ports of control are: clocks, reset, handshake, ties. The rest is data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.init import words as w

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsim.cosim.dut.binding import Handshake, Level
    from qsim.cosim.dut.init.module import Module, Port

_KINDS: Final = {"valid": w.VALID, "ready": w.READY, "last": w.LAST}


@dataclass
class Channel:
    """The ports of one handshake.

    Attributes:
        stem: what their names have in common.
        ports: by ``valid``, ``ready``, ``last``, ``start``, ``done`` and ``busy``.
    """

    stem: str
    ports: dict[str, Port] = field(default_factory=dict)

    def name(self, kind: str) -> str:
        """Return the name of a port, empty where there is none."""
        return self.ports[kind].name if kind in self.ports else ""


@dataclass
class Roles:
    """What each port of control is.

    Attributes:
        clock: the first clock; empty of a combinational module.
        clocks: the others.
        reset, active: the reset and the level that resets.
        handshake: how operands and results are accepted.
        inputs: handshakes of operands: one, or one for each stream.
        output: handshake of the results.
        ties: inputs of one bit that are constants, with their value.
        operands, results: the ports that are left.
        said: what was guessed, one line each.
        todo: what is to be looked at.
    """

    clock: str = ""
    clocks: list[str] = field(default_factory=list)
    reset: str = ""
    active: Level = "high"
    handshake: Handshake = "fixed_latency"
    inputs: list[Channel] = field(default_factory=list)
    output: Channel = field(default_factory=lambda: Channel(""))
    ties: dict[str, int] = field(default_factory=dict)
    operands: list[Port] = field(default_factory=list)
    results: list[Port] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    todo: list[str] = field(default_factory=list)


def roles(module: Module) -> Roles:
    """Return what the ports of a module are, guessed from its processes and names."""
    made = Roles()
    inputs, outputs = module.named("input"), module.named("output")
    free = _clocks(module, made, inputs)
    free = _reset(module, made, free)
    single = [port for port in free if port.width == 1]
    flags = [port for port in outputs if port.width == 1]
    taken = _started(made, single, flags) or _streams(made, single, flags)
    left = [port for port in free if port.name not in taken]
    for port in left:
        tie = _tie(port)
        if tie is None:
            made.operands.append(port)
        else:
            made.ties[port.name] = tie
            made.said.append(f"{port.name} is tied to {tie}: by its name")
    made.results = [port for port in outputs if port.name not in taken]
    for port in module.named("inout"):
        made.todo.append(f"{port.name} is an inout, which a binding cannot drive")
    made.todo += module.unbound
    return made


def _clocks(module: Module, made: Roles, inputs: list[Port]) -> list[Port]:
    """Take the clocks; return the other inputs."""
    names = [port.name for port in inputs if port.width == 1]
    found = [name for name in names if name in module.edges and not w.has(name, w.RESET)]
    why = "processes wait for its edge"
    if not found:
        found = [name for name in names if w.has(name, w.CLOCK) and not w.has(name, w.ONE)]
        why = "by its name"
    of_interfaces = {each.clock for each in module.interfaces}
    if found:
        # The one that is called as a clock, and shortest, is the first.
        found.sort(key=lambda name: (not w.has(name, w.CLOCK), len(name)))
        made.clock, made.clocks = found[0], found[1:]
        made.said.append(f"clock {made.clock}: {why}")
        for name in made.clocks:
            made.todo.append(f"clock {name} is taken to have the rate of {made.clock}: check ratio")
        for name in found:
            if module.edges.get(name) == "negedge":
                made.todo.append(
                    f"{name} is used at its falling edge; benches drive the rising one"
                )
    elif not of_interfaces - {""}:
        made.said.append("no clock: the module is taken as combinational")
    return [port for port in inputs if port.name not in found]


def _reset(module: Module, made: Roles, inputs: list[Port]) -> list[Port]:
    """Take the reset; return the other inputs."""
    found = [port for port in inputs if port.width == 1 and w.has(port.name, w.RESET)]
    if not found:
        edged = [port for port in inputs if port.name in module.edges and port.width == 1]
        found = [port for port in edged if port.name in module.conditions]
    if not found:
        return inputs
    reset = next((port for port in found if port.name in module.conditions), found[0])
    made.reset = reset.name
    asked = module.conditions.get(reset.name)
    made.active = asked or ("low" if w.is_low(reset.name) else "high")
    why = "a process asks for it" if asked else "by its name"
    made.said.append(f"reset {reset.name}, active {made.active}: {why}")
    others = [port for port in found if port is not reset]
    for port in others:
        level = module.conditions.get(port.name) or ("low" if w.is_low(port.name) else "high")
        made.ties[port.name] = int(level == "low")
        made.todo.append(f"{port.name} looks like a second reset: tied to where it does not reset")
    return [port for port in inputs if port not in found]


def _started(made: Roles, inputs: Iterable[Port], outputs: Iterable[Port]) -> set[str]:
    """Take start, done and busy, where a module has start and done."""
    start = next((port for port in inputs if w.has(port.name, w.START)), None)
    done = next((port for port in outputs if w.has(port.name, w.DONE)), None)
    done = done or next((port for port in outputs if w.has(port.name, w.VALID)), None)
    if start is None or done is None:
        return set()
    busy = next((port for port in outputs if w.has(port.name, w.BUSY)), None)
    made.handshake = "start_done"
    made.inputs = [Channel("", {"start": start})]
    made.output = Channel("", {"done": done} | ({"busy": busy} if busy else {}))
    made.said.append("start_done: " + ", ".join(p.name for p in (start, done, busy) if p))
    return {port.name for port in (start, done, busy) if port}


def _streams(made: Roles, inputs: list[Port], outputs: list[Port]) -> set[str]:
    """Take valid, ready and last of every stream."""
    incoming = _channels([("valid", inputs), ("ready", outputs), ("last", inputs)])
    outgoing = _channels([("valid", outputs), ("ready", inputs), ("last", outputs)])
    into = [channel for channel in incoming if "valid" in channel.ports]
    out = next((channel for channel in outgoing if "valid" in channel.ports), None)
    _adopt(into, incoming)
    if into and out is None:  # done for one cycle is a valid by another name
        done = next((port for port in outputs if w.has(port.name, w.DONE)), None)
        out = None if done is None else Channel("", {"valid": done})
    if out is not None:
        _adopt([out], outgoing)
        made.output = out
    if into and out:
        waits = any("ready" in channel.ports for channel in (*into, out))
        made.handshake = "axi_stream" if waits else "valid_only"
    elif made.clock or into:
        made.todo.append(
            "latency: no port says when a result is there; count the cycles from operands to result"
        )
    made.inputs = into
    channels = [*into, *([out] if out else [])]
    names = [port.name for channel in channels for port in channel.ports.values()]
    if names:
        made.said.append(f"{made.handshake}: {', '.join(names)}: by their names")
    else:
        made.said.append("fixed_latency: no valid on either side")
    return set(names)


def _adopt(channels: list[Channel], every: list[Channel]) -> None:
    """Give the only channel the ports whose names have nothing in common with any."""
    if len(channels) != 1:
        return
    for other in every:
        for kind, port in other.ports.items():
            channels[0].ports.setdefault(kind, port)


def _channels(sides: list[tuple[str, list[Port]]]) -> list[Channel]:
    found: dict[str, Channel] = {}
    for kind, ports in sides:
        for port in ports:
            others = frozenset().union(*(v for k, v in _KINDS.items() if k != kind))
            if w.is_kind(port.name, _KINDS[kind], others):
                stem = w.stem(port.name, _KINDS[kind])
                channel = found.setdefault(stem, Channel(stem))
                channel.ports.setdefault(kind, port)
    return list(found.values())


def _tie(port: Port) -> int | None:
    """Return the constant of an input of one bit that is no operand."""
    if port.width != 1:
        return None
    for wanted, value in ((w.ONE, 1), (w.ZERO, 0)):
        if w.has(port.name, wanted):
            return 1 - value if w.is_low(port.name) else value
    return None
