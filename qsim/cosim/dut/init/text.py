"""The tables of a draft, as TOML."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.init import words as w

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qsim.cosim.dut.init.match import Matched
    from qsim.cosim.dut.init.module import Module
    from qsim.cosim.dut.init.roles import Channel, Roles
    from qsim.cosim.dut.init.slots import Slot
    from qsim.cosim.jobs import Field, Unit

# What a design without the field most likely computes with.
_ZERO: Final = frozenset(
    (
        "input_zero_point",
        "zero_point",
        "x_zero_point",
        "weight_zero_point",
        "a_zero_point",
        "b_zero_point",
        "addend",
        "shift",
    )
)
MAX_BITS: Final = 64
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")  # a key of TOML that needs no quotes


@dataclass
class Work:
    """What is known of a draft.

    Attributes:
        module: what is bound.
        roles: its ports of control.
        primitive: what it computes.
        operands, results: its ports of data, by field.
        lanes: operations side by side.
        array: rows and columns, where it has an array.
        reduces: whether a packet of beats has one result.
        frames: whether packets go in and come out.
        defines: macros with which the sources were read.
        include: folders of what they include.
        loaded: write enable of weights that are sent before a packet; empty where there is none.
    """

    module: Module
    roles: Roles
    primitive: str
    operands: Matched
    results: Matched
    lanes: int
    array: dict[str, int]
    reduces: bool
    frames: bool
    defines: Sequence[str]
    include: Sequence[Path]
    loaded: str = ""


def quoted(value: str | Sequence[str]) -> str:
    """Return text, or a list of it, as TOML writes it."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else quoted(name)


def tables(work: Work, unit: Unit | None, folder: Path) -> Iterator[str]:
    """Yield the lines of a draft that lies in a folder; what they leave open goes to ``roles``."""
    yield from _head(work, folder)
    yield from _control(work)
    yield from _values(work, unit)


def _head(work: Work, folder: Path) -> Iterator[str]:
    module, made = work.module, work.roles
    sources = [_relative(path, folder) for path in module.sources]
    yield "schema = 1"
    yield f'primitive = "{work.primitive}"'
    yield f"top = {quoted(module.name)}"
    yield f"sources = {quoted(sources)}"
    if work.include:
        yield f"include = {quoted([_relative(path, folder) for path in work.include])}"
    if made.clock:
        yield f"clock = {quoted(made.clock)}"
    yield f'handshake = "{made.handshake}"'
    if made.handshake == "fixed_latency":
        guess = 1 if made.clock else 0
        yield f"latency = {guess}{'  # TODO: cycles from operands to result' if guess else ''}"
    if work.lanes > 1:
        yield f"lanes = {work.lanes}"
    lasts = any("last" in channel.ports for channel in made.inputs)
    if work.reduces and not lasts:
        yield "# packet = 9  # TODO: no port says which beat is the last: what the design counts to"
        made.todo.append("packets: no input is the last of a packet: set packet = N")
    if work.array:
        yield "\n[array]  # of products, or of planes"
        yield from (f"{name} = {size}" for name, size in work.array.items())
    if work.defines:
        yield "\n[defines]"
        for each in work.defines:
            name, given, text = each.partition("=")
            yield f"{_key(name)} = {quoted(text if given else '1')}"
    if module.parameters:
        yield "\n# Parameters with their defaults: uncomment to set.\n[parameters]"
        for parameter in module.parameters:
            note = f"  # {parameter.note}" if parameter.note else ""
            yield f"# {_key(parameter.name)} = {parameter.value or '...'}{note}"


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.resolve(), folder.resolve())


def _control(work: Work) -> Iterator[str]:
    made = work.roles
    if made.clocks:
        yield "\n[clocks]  # in phase with clock, a multiple of its rate"
        yield from (f"{_key(name)} = {{ ratio = 1 }}" for name in made.clocks)
    if made.reset:
        yield f'\n[reset]\nport = {quoted(made.reset)}\nactive = "{made.active}"'
    if work.module.interfaces:
        yield "\n[interfaces]"
        for each in work.module.interfaces:
            modport = f', modport = "{each.modport}"' if each.modport else ""
            clock = f', clock = "{each.clock}"' if each.clock else ""
            yield f'{_key(each.name)} = {{ type = "{each.type}"{modport}{clock} }}'
    shared = made.inputs[0] if len(made.inputs) == 1 else None
    if shared is not None and shared.ports:
        yield "\n[input]"
        yield from _channel(shared)
    if made.output.ports:
        yield "\n[output]"
        yield from _channel(made.output, last=work.reduces or work.frames or _lasts(made))
    ties = dict(made.ties)
    for slot in work.operands.left:
        ties |= dict.fromkeys((port for port in slot.ports if "." not in port), 0)
    if ties:
        yield "\n[tie]  # constants on inputs"
        yield from (f"{_key(name)} = {value}" for name, value in ties.items())


def _lasts(made: Roles) -> bool:
    return any("last" in channel.ports for channel in made.inputs)


def _channel(channel: Channel, *, last: bool = True) -> Iterator[str]:
    for kind, port in channel.ports.items():
        if kind == "last" and not last:
            continue
        yield f"{kind} = {quoted(port.name)}"
        if w.is_low(port.name) and kind in ("valid", "ready", "start", "done", "busy"):
            yield f'{kind}_active = "low"'


def _values(work: Work, unit: Unit | None) -> Iterator[str]:
    if unit is None:
        yield from _custom(work)
    yield "\n[operands]"
    for name, slot in work.operands.places.items():
        yield f"{_key(name)} = {{ {_place(slot)}{_moving(work, name, slot)} }}"
    if unit is not None and work.operands.missing:
        yield "\n[fixed]  # fields that no port has: the value that the module computes with"
        for field in work.operands.missing:
            yield _fixed(work, field)
    yield "\n[results]"
    for name, slot in work.results.places.items():
        yield f"{_key(name)} = {{ {_place(slot)} }}"


def _place(slot: Slot) -> str:
    ports = quoted(slot.ports[0] if len(slot.ports) == 1 else list(slot.ports))
    text = f"port = {ports}, bits = {slot.bits}, signed = {str(slot.signed).lower()}"
    if slot.lsb:
        text += f", lsb = {slot.lsb}"
    if slot.unpacked:
        text += f', unpacked = "{slot.unpacked}"'
    if slot.sizes:
        text += f", sizes = {list(slot.sizes)}"
    if slot.declared is not None:
        text += f", elements_signed = {str(slot.declared).lower()}"
    return text


def _moving(work: Work, name: str, slot: Slot) -> str:
    """Return what else is said of an operand: its own stream, a register, one for all lanes."""
    text = ""
    if name == "weight" and work.loaded:
        return f', loaded = true, valid = "{work.loaded}"'
    if slot.static:
        text += ", static = true"
        work.roles.said.append(f"{name} is a register of the layer: by the name of its port")
    elif len(work.roles.inputs) > 1:
        channel = _stream_of(work.roles.inputs, slot)
        for kind, port in channel.ports.items():
            text += f", {kind} = {quoted(port.name)}"
    if work.lanes > 1 and slot.count == 1 and work.operands.places[name].count == 1:
        text += ", shared = true"
    return text


def _stream_of(channels: Sequence[Channel], slot: Slot) -> Channel:
    """Return the stream whose name an operand's port shares most words with."""
    own = set(w.words(slot.ports[0].replace(".", "_")))
    return max(channels, key=lambda each: len(own & set(w.words(each.stem.replace(".", "_")))))


def _fixed(work: Work, field: Field) -> str:
    result = next(iter(work.results.places.values()), None)
    shifts = field.name != "shift" or work.primitive == "clamp"
    value: int | None = 0 if field.name in _ZERO and shifts else None
    if field.name in ("low", "high") and result is not None:
        bits = min(result.bits, field.bits - 1)
        low = -(1 << (bits - 1)) if result.signed else 0
        high = (1 << (bits - result.signed)) - 1
        if {"relu", "relu6"} & set(w.words(work.module.name)):
            low = 0
        value = low if field.name == "low" else high
    if value is None:
        work.roles.todo.append(f"{field.name}: no port was found: name it, or fix its value")
        return f"# TODO: {field.name} = ... ({field.bits} bits), or a port in [operands]"
    work.roles.said.append(f"{field.name} is fixed to {value}: no port was found")
    return f"{field.name} = {value}"


def _custom(work: Work) -> Iterator[str]:
    """The block's own fields: its ports."""
    yield f"\n[custom]\nname = {quoted(work.module.name)}"
    lasts = _lasts(work.roles)
    if lasts:
        yield 'packets = "reduce"  # TODO: "frame" where packets come out, "none" without packets'
        work.roles.todo.append("packets: say whether a packet has one result or many")
    for title, places in (("fields", work.operands.places), ("results", work.results.places)):
        yield f"[custom.{title}]"
        for name, slot in places.items():
            lanes = f", lanes = {slot.count}" if slot.count > 1 else ""
            bits, signed = min(slot.bits, MAX_BITS), str(slot.signed).lower()
            yield f"{_key(name)} = {{ bits = {bits}, signed = {signed}{lanes} }}"
