"""A module's ports as the text of a ``dut.toml``, with what was guessed in its comments."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.init import words as w
from qsim.cosim.dut.init.array import own_array
from qsim.cosim.dut.init.match import Matched, match
from qsim.cosim.dut.init.roles import roles
from qsim.cosim.dut.init.slots import slots

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

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


@dataclass(frozen=True)
class Draft:
    """A draft.

    Attributes:
        text: of the file.
        unit: what it must fit: that of the primitive, with the design's own array.
        said: what was guessed, one line each.
        todo: what is missing or uncertain, one line each.
    """

    text: str
    unit: Unit | None
    said: tuple[str, ...]
    todo: tuple[str, ...]


@dataclass
class _Work:
    """What is known of the draft: see :func:`draft`."""

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


def draft(
    module: Module,
    primitive: str,
    unit: Unit | None,
    folder: Path,
    *,
    reduces: bool = False,
    defines: Sequence[str] = (),
    include: Sequence[Path] = (),
) -> Draft:
    """Return the draft of a binding.

    Args:
        module: what is bound.
        primitive: what it computes, or ``custom``.
        unit: the fields of the primitive; None of ``custom``, whose fields are the ports.
        folder: where the file will lie.
        reduces: whether beats form packets with one result each.
        defines: macros with which the sources were read.
        include: folders of what they include.
    """
    made = roles(module)
    array: dict[str, int] = {}
    inputs, outputs = slots(made.operands), slots(made.results)
    if unit is None:
        operands = Matched({w_name(slot.name): slot for slot in inputs})
        results = Matched({w_name(slot.name): slot for slot in outputs})
        lanes = 1
    else:
        operands, results = match(unit.inputs, inputs), match(unit.outputs, outputs)
        unit, array = own_array(unit, operands, results)
        lanes = _lanes(unit, operands, results, made)
        _settle(unit, operands, results, lanes, made)
    frames = unit is not None and bool(unit.packet)
    work = _Work(
        module, made, primitive, operands, results, lanes, array, reduces, frames, defines, include
    )
    if reduces:
        _load(work)
    for name, slot in (*operands.places.items(), *results.places.items()):
        where = ", ".join(slot.ports)
        made.said.append(f"{name} is {where}{_bits(slot)}")
    body = [*_head(work, folder), *_control(work), *_values(work, unit)]
    notes = [*made.todo, *(f"the parser: {note}" for note in module.notes)]
    absent = ", ".join(dict.fromkeys(module.missing))
    if absent:
        notes.append(f"no source has {absent}, which the module needs: add the files to sources")
    top = [
        f"# Draft of a binding of {module.name}, made by `qsim cosim --init` from its ports.",
        "# What was guessed is said here; docs/bring-your-own-rtl.md explains every field.",
        "#",
        *(f"#   {line}" for line in made.said),
        *(["#", *(f"# TODO: {line}" for line in notes)] if notes else []),
        "",
    ]
    return Draft("\n".join([*top, *body, ""]), unit, tuple(made.said), tuple(notes))


def _load(work: _Work) -> None:
    """Take a write enable for weights that are sent before what they are multiplied with."""
    weight = work.operands.places.get("weight")
    enable = next(
        (s for s in work.operands.left if s.width == 1 and set(w.words(s.name)) & w.LOAD), None
    )
    if weight is None or enable is None:
        return
    work.operands.left.remove(enable)
    note = f"{enable.ports[0]} is no field: tied to 0, or name what it is"
    work.roles.todo = [line for line in work.roles.todo if line != note]
    work.roles.said.append(f"weight is loaded before a packet, while {enable.ports[0]} is 1")
    work.loaded = enable.ports[0]


def w_name(name: str) -> str:
    """Return the name of a port as that of a field."""
    return name.rpartition(".")[2].replace("$", "_")[:64]


def _bits(slot: Slot) -> str:
    top, count = slot.lsb + slot.bits - 1, f", {slot.count} lanes" if slot.count > 1 else ""
    return f" [{top}:{slot.lsb}]{count}" if slot.lsb or slot.bits > 1 else count


def _lanes(unit: Unit, operands: Matched, results: Matched, made: Roles) -> int:
    """Return how many operations a beat of the design has."""
    fields = {field.name: field for field in (*unit.inputs.fields, *unit.outputs.fields)}
    for matched in (results, operands):
        for name, slot in matched.places.items():
            field = fields[name]
            count = slot.count // field.lanes
            if slot.count == 1 and len(slot.ports) == 1 and slot.bits > field.bits:
                count = slot.bits // field.bits if slot.bits % field.bits == 0 else 1
                others = [s for n, s in operands.places.items() if n != name]
                if matched is operands or not any(
                    o.bits % count == 0 and o.bits > count for o in others
                ):
                    count = 1
            if count > 1 and field.lanes == 1:
                made.said.append(f"{count} lanes: the width of {', '.join(slot.ports[:1])}")
                return count
    return 1


def _settle(unit: Unit, operands: Matched, results: Matched, lanes: int, made: Roles) -> None:
    """Divide places into lanes, give them the signs of their fields, and tell what is odd."""
    for matched, layout in ((operands, unit.inputs), (results, unit.outputs)):
        for field in layout.fields:
            if field.name in matched.places:
                slot = _divided(matched.places[field.name], field, lanes)
                matched.places[field.name] = _signed(slot, field, made)
    for slot in operands.left:
        tied = "nothing drives it" if "." in slot.ports[0] else "tied to 0"
        made.todo.append(f"{', '.join(slot.ports)} is no field: {tied}, or name what it is")
    for slot in results.left:
        made.said.append(f"{', '.join(slot.ports)} is left open")
    for field in results.missing:
        made.todo.append(f"no output was found for {field.name}: name it in [results]")


def _divided(slot: Slot, field: Field, lanes: int) -> Slot:
    count = lanes * field.lanes
    if slot.count == 1 and count > 1 and slot.bits > field.bits and slot.bits % count == 0:
        return slot.lanes(count)
    return slot


def _signed(slot: Slot, field: Field, made: Roles) -> Slot:
    if slot.bits > MAX_BITS:
        made.todo.append(
            f"{slot.ports[0]} has {slot.bits} bits: say where {field.name} ({field.bits} bits) lies"
        )
        slot = replace(slot, bits=min(field.bits, MAX_BITS))
    # A plain port says nothing of the sign; a narrow shift is one that is never negative.
    signed = slot.signed or (field.signed and field.name != "shift")
    if signed and not slot.signed:
        made.said.append(f"{field.name} is signed, though {slot.ports[0]} is not declared so")
    return replace(slot, signed=signed)


def _head(work: _Work, folder: Path) -> Iterator[str]:
    module, made = work.module, work.roles
    sources = [_relative(path, folder) for path in module.sources]
    yield "schema = 1"
    yield f'primitive = "{work.primitive}"'
    yield f'top = "{module.name}"'
    yield f"sources = {json.dumps(sources)}"
    if work.include:
        yield f"include = {json.dumps([_relative(path, folder) for path in work.include])}"
    if made.clock:
        yield f'clock = "{made.clock}"'
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
            name, _, text = each.partition("=")
            yield f"{name} = {json.dumps(text or '1')}"
    if module.parameters:
        yield "\n# Parameters with their defaults: uncomment to set.\n[parameters]"
        for parameter in module.parameters:
            note = f"  # {parameter.note}" if parameter.note else ""
            yield f"# {parameter.name} = {parameter.value or '...'}{note}"


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.resolve(), folder.resolve())


def _control(work: _Work) -> Iterator[str]:
    made = work.roles
    if made.clocks:
        yield "\n[clocks]  # in phase with clock, a multiple of its rate"
        yield from (f"{name} = {{ ratio = 1 }}" for name in made.clocks)
    if made.reset:
        yield f'\n[reset]\nport = "{made.reset}"\nactive = "{made.active}"'
    if work.module.interfaces:
        yield "\n[interfaces]"
        for each in work.module.interfaces:
            modport = f', modport = "{each.modport}"' if each.modport else ""
            clock = f', clock = "{each.clock}"' if each.clock else ""
            yield f'{each.name} = {{ type = "{each.type}"{modport}{clock} }}'
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
        yield from (f"{name} = {value}" for name, value in ties.items())


def _lasts(made: Roles) -> bool:
    return any("last" in channel.ports for channel in made.inputs)


def _channel(channel: Channel, *, last: bool = True) -> Iterator[str]:
    for kind, port in channel.ports.items():
        if kind == "last" and not last:
            continue
        yield f'{kind} = "{port.name}"'
        if w.is_low(port.name) and kind in ("valid", "ready", "start", "done", "busy"):
            yield f'{kind}_active = "low"'


def _values(work: _Work, unit: Unit | None) -> Iterator[str]:
    if unit is None:
        yield from _custom(work)
    yield "\n[operands]"
    for name, slot in work.operands.places.items():
        yield f"{name} = {{ {_place(slot)}{_moving(work, name, slot)} }}"
    if unit is not None and work.operands.missing:
        yield "\n[fixed]  # fields that no port has: the value that the module computes with"
        for field in work.operands.missing:
            yield _fixed(work, field)
    yield "\n[results]"
    for name, slot in work.results.places.items():
        yield f"{name} = {{ {_place(slot)} }}"


def _place(slot: Slot) -> str:
    ports = json.dumps(slot.ports[0] if len(slot.ports) == 1 else list(slot.ports))
    text = f"port = {ports}, bits = {slot.bits}, signed = {str(slot.signed).lower()}"
    if slot.lsb:
        text += f", lsb = {slot.lsb}"
    if slot.unpacked:
        text += f', unpacked = "{slot.unpacked}"'
    return text


def _moving(work: _Work, name: str, slot: Slot) -> str:
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
            text += f', {kind} = "{port.name}"'
    if work.lanes > 1 and slot.count == 1 and work.operands.places[name].count == 1:
        text += ", shared = true"
    return text


def _stream_of(channels: Sequence[Channel], slot: Slot) -> Channel:
    """Return the stream whose name an operand's port shares most words with."""
    own = set(w.words(slot.ports[0].replace(".", "_")))
    return max(channels, key=lambda each: len(own & set(w.words(each.stem.replace(".", "_")))))


def _fixed(work: _Work, field: Field) -> str:
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


def _custom(work: _Work) -> Iterator[str]:
    """The block's own fields: its ports."""
    yield '\n[custom]\nname = "' + work.module.name + '"'
    lasts = _lasts(work.roles)
    if lasts:
        yield 'packets = "reduce"  # TODO: "frame" where packets come out, "none" without packets'
        work.roles.todo.append("packets: say whether a packet has one result or many")
    for title, places in (("fields", work.operands.places), ("results", work.results.places)):
        yield f"[custom.{title}]"
        for name, slot in places.items():
            lanes = f", lanes = {slot.count}" if slot.count > 1 else ""
            signed = str(slot.signed).lower()
            yield f"{name} = {{ bits = {min(slot.bits, MAX_BITS)}, signed = {signed}{lanes} }}"
