"""``qsim golden fields``: what a beat of a primitive holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from qsim.cli.build import DEFAULT_TARGET
from qsim.cli.listing import add_row, plain_table
from qsim.cli.output import quiet
from qsim.report import plural

if TYPE_CHECKING:
    from rich.table import Table

    from qsim.cli.output import Output
    from qsim.cosim import Fields
    from qsim.cosim.jobs import Layout


def show_fields(primitive: str, target_name: str | None, output: Output) -> None:
    """Print the fields of both beats of a primitive on a target."""
    from qsim.cosim import fields
    from qsim.target import Target

    target = Target.load(target_name or DEFAULT_TARGET)
    with quiet(output):
        found = fields(primitive, target)
    output.text(*_parts(found))
    output.json(found.to_dict())


def _parts(found: Fields) -> list[Text | Table]:
    unit, target = found.unit, found.target
    head = Text(found.primitive, "bold")
    head.append(f" on {target.name} {target.short_hash}: {found.beats}", "not bold")
    parts: list[Text | Table] = [head]
    for what, layout in (("in", unit.inputs), ("out", unit.outputs)):
        bits = plural(layout.width, "bit")
        parts += [Text(f"{what}: {bits}, the first field lowest"), _table(found, layout)]
    if not target.has(found.primitive):
        parts.append(Text(f"{target.name} does not list {found.primitive}: these are its widths."))
    if not unit.module and found.served:
        parts.append(Text("RTL of qsim takes other beats for it; these are for --dut."))
    elif not unit.module:
        parts.append(Text("qsim has no RTL of its own for it: bind one with --dut."))
    return parts


def _table(found: Fields, layout: Layout) -> Table:
    table = plain_table("field", "lowest bit", "width", "range", "meaning")
    table.columns[0].no_wrap = table.columns[3].no_wrap = True
    table.columns[1].justify = "right"
    offsets = layout.offsets()
    for field in layout.fields:
        kind = "signed" if field.signed else "unsigned"
        lanes = f"{field.lanes} x " if field.lanes > 1 else ""
        ends = _number(field.min), _number(field.max)
        add_row(
            table,
            field.name,
            str(offsets[field.name]),
            f"{lanes}{field.bits} {kind}",
            "..".join(ends),
            found.meaning(field),
        )
    return table


def _number(value: int) -> str:
    """Return an integer, a large one as a power of two."""
    if abs(value) < 1 << 20:
        return str(value)
    power = (abs(value) + 1).bit_length() - 1 if value > 0 else abs(value).bit_length() - 1
    return f"2^{power}-1" if value > 0 else f"-2^{power}"
