"""What a comparison of two programs found, as a table or as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from qsim.cli.output import width
from qsim.cli.pte import facts
from qsim.report import words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from qsim.cli.output import Output
    from qsim.cli.pte.comparing import Compared, Difference
    from qsim.cli.pte.opening import Opened
    from qsim.cli.pte.work import Work
    from qsim.cli.run_options import RunOptions

# A narrower terminal gets no types and shapes.
_WIDE: Final = 100
# Of what has no partner, so many are named; the JSON has them all.
_NAMED: Final = 3


def show(found: Compared, opened: Opened, options: RunOptions, work: Work, output: Output) -> None:
    """Print what a comparison found."""
    if output.as_json:
        output.json(_document(found, opened, options, work))
    else:
        output.text(*_text(found, opened, options, work))


def _document(found: Compared, opened: Opened, options: RunOptions, work: Work) -> dict[str, Any]:
    target = opened.target()
    return {
        "model": str(opened.path),
        "target": None if target is None else facts.named(target),
        "other": options.compare,
        "samples": work.count,
        "source": work.samples.source,
        "method": opened.method.name,
        "calls": len(work.calls),
        "equal": found.equal,
        "rows": [each.to_dict() for each in found.differences],
        "alone": {"left": list(found.alone[0]), "right": list(found.alone[1])},
    }


def _text(found: Compared, opened: Opened, options: RunOptions, work: Work) -> list[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    from qsim.cli.listing import add_row, plain_table
    from qsim.cli.pte.tables import headline

    wide = width(terminal=sys.stdout.isatty()) >= _WIDE
    titles = ("type", "shape") if wide else ()
    table = plain_table("name", "operator", *titles, "elements", "differing", "largest")
    for column in table.columns[2 + len(titles) :]:
        column.justify = "right"
    for each in found.differences:
        row = each.row
        cells = [
            Text(words.tail(row.name, 26)),
            Text(words.tail(row.operator, 22 if wide else 14)),
            *(Text(cell) for cell in (row.dtype, row.shape) if wide),
            *(Text(words.count(number)) for number in (each.elements, each.differing)),
            Text(_largest(each)),
        ]
        for cell in cells:
            cell.stylize("yellow" if each.differing else "")
        add_row(table, *cells)
    other = f"{options.compare}{f' for {options.target}' if options.target else ''}"
    lines = [headline(opened), Text(f"{work.samples.source}; compared with {other}")]
    lines[1].stylize("dim")
    parts: list[RenderableType] = [*lines, table]
    for side, names in zip((str(opened.path), options.compare), found.alone, strict=True):
        if names:
            shown = ", ".join(names[:_NAMED])
            more = len(names) - _NAMED
            rest = f" and {more:,} more" if more > 0 else ""
            line = f"Only in {side}: {shown}{rest}."
            parts.append(Padding(Text(line), (0, 0, 0, 2)))
    style = "bold green" if found.equal else "bold red"
    return [*parts, *(Padding(Text(line, style), (0, 0, 0, 2)) for line in _verdict(found, work))]


def _verdict(found: Compared, work: Work) -> list[str]:
    rows = found.differences
    first = next((each for each in rows if each.differing), None)
    if first is None:
        return [f"All {words.plural(len(rows), 'row')} are equal in every bit."]
    count = sum(1 for each in rows if each.differing)
    row = first.row
    title = f"{row.name} ({row.operator})"
    where = f"{count:,} of {words.plural(len(rows), 'row')} differ, the first: {title}"
    if row.index is None:
        return [f"{where}; types or shapes differ: {row.dtype} {row.shape}."]
    call = f"call {first.call}, " if len(work.calls) > 1 else ""
    return [f"{where}, {call}at {list(row.index)}: {row.left!r}, other {row.right!r}."]


def _largest(each: Difference) -> str:
    if not each.differing or each.largest is None:
        return words.NONE
    return f"{each.largest:.4g}"
