"""A module's ports as the text of a ``dut.toml``, with what was guessed in its comments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qsim.cosim.dut.init import words as w
from qsim.cosim.dut.init.array import own_array
from qsim.cosim.dut.init.match import Matched, match
from qsim.cosim.dut.init.roles import roles
from qsim.cosim.dut.init.slots import slots
from qsim.cosim.dut.init.text import MAX_BITS, Work, tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsim.cosim.dut.init.module import Module
    from qsim.cosim.dut.init.roles import Roles
    from qsim.cosim.dut.init.slots import Slot
    from qsim.cosim.jobs import Field, Unit


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
    work = Work(
        module, made, primitive, operands, results, lanes, array, reduces, frames, defines, include
    )
    if reduces:
        _load(work)
    for name, slot in (*operands.places.items(), *results.places.items()):
        where = ", ".join(slot.ports)
        made.said.append(f"{name} is {where}{_bits(slot)}")
    body = list(tables(work, unit, folder))
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


def _load(work: Work) -> None:
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
                if slot.count == 1:
                    count = _whole_operands(count, slot, unit, operands, made)
                made.said.append(f"{count} lanes: the width of {', '.join(slot.ports[:1])}")
                return count
    return 1


def _whole_operands(count: int, result: Slot, unit: Unit, operands: Matched, made: Roles) -> int:
    """Return fewer lanes where so many would cut an operand: results may be wider than codes."""
    fields = {field.name: field for field in unit.inputs.fields}
    for name, slot in operands.places.items():
        bits = fields[name].bits
        other = slot.bits // bits
        if slot.count > 1 or len(slot.ports) > 1 or slot.bits % bits or not 1 < other < count:
            continue
        if not result.bits % other:
            made.todo.append(
                f"lanes: {other} of {bits} bits in {slot.ports[0]} are taken, not {count} of "
                f"{slot.bits // count}: check lanes, and bits of {name}"
            )
            return other
    return count


def _settle(unit: Unit, operands: Matched, results: Matched, lanes: int, made: Roles) -> None:
    """Divide places into lanes, give them the signs of their fields, and tell what is odd."""
    for matched, layout in ((operands, unit.inputs), (results, unit.outputs)):
        for field in layout.fields:
            if field.name in matched.places:
                slot = _divided(matched.places[field.name], field, lanes)
                matched.places[field.name] = _signed(slot, field, made)
    _words(unit, operands, lanes, made)
    for slot in operands.left:
        tied = "nothing drives it" if "." in slot.ports[0] else "tied to 0"
        made.todo.append(f"{', '.join(slot.ports)} is no field: {tied}, or name what it is")
    for slot in results.left:
        made.said.append(f"{', '.join(slot.ports)} is left open")
    for field in results.missing:
        made.todo.append(f"no output was found for {field.name}: name it in [results]")


def _words(unit: Unit, operands: Matched, lanes: int, made: Roles) -> None:
    """Tell of a port that may hold fields that no port was found for."""
    for field in unit.inputs.fields:
        slot = operands.places.get(field.name)
        if slot is not None and operands.missing and slot.bits >= 2 * field.bits and lanes == 1:
            made.todo.append(
                f"{slot.ports[0]} has {slot.bits} bits, {field.name} needs {field.bits}: where it "
                "holds other fields too, give each its bits and lsb"
            )


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
    declared = slot.signed if slot.unpacked and slot.signed != signed else None
    return replace(slot, signed=signed, declared=declared)
