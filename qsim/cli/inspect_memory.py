"""The part of ``qsim inspect`` that says where tensors lie."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from qsim.cli.listing import add_row, plain_table
from qsim.cli.output import width
from qsim.report import NONE, count, plural, tail

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from qsim.network import Lowered
    from qsim.stream import Allocation, Place

_TITLES: Final = ("tensor", "offset", "bytes", "steps", "bank", "in place of", "made by")
_NUMBERS: Final = range(1, 5)
_GAP: Final = 3  # between columns, as rich's table has it


def memory_map(allocation: Allocation, unit: str = "one sample") -> list[RenderableType]:
    """Return a line and a table: every tensor, where it lies and when.

    Args:
        allocation: of a Program at a batch of 1.
        unit: what that is for; where a Program's batch is fixed, a whole call.
    """
    plan = allocation.plan
    line = Text(f"memory of {unit}: ")
    line.append(f"{plan.size:,} bytes", "bold")
    if plan.space.limited:
        line.append(f" of {plan.space.bytes:,} in {plural(plan.space.banks, 'bank')}")
    line.append(f", at most {plan.bound:,} live at once; {plan.planner}")
    if plan.astray:
        line.append(f"; {plural(len(plan.astray), 'tensor')} across banks for lack of bytes")
    rows = _fitted([_row(place, allocation) for place in allocation.places()])
    table = plain_table(*_TITLES)
    for index, column in enumerate(table.columns):
        column.overflow = "ellipsis"
        if index in _NUMBERS:
            column.justify, column.no_wrap = "right", True
            column.min_width = max(len(row[index]) for row in [_TITLES, *rows])
    for row in rows:
        add_row(table, *row)
    return [line, table]


def _fitted(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return rows whose names are cut to the terminal: their ends tell one from another."""
    widths = [max(len(row[index]) for row in [_TITLES, *rows]) for index in range(len(_TITLES))]
    names = [index for index in range(len(_TITLES)) if index not in _NUMBERS]
    spare = width(terminal=sys.stdout.isatty()) - _GAP * len(_TITLES)
    while sum(widths) > spare:
        longest = max(names, key=widths.__getitem__)
        if widths[longest] <= len(_TITLES[longest]):
            break
        widths[longest] -= 1
    return [
        tuple(
            tail(cell, widths[index]) if index in names else cell for index, cell in enumerate(row)
        )
        for row in rows
    ]


def _row(place: Place, allocation: Allocation) -> tuple[str, ...]:
    maker = allocation.steps[place.first]
    return (
        place.tensor,
        count(place.offset),
        count(place.size),
        f"{place.first}..{place.last}",
        "-".join(str(bank) for bank in dict.fromkeys(place.banks)),
        place.instead or (f"within {place.within}" if place.within else NONE),
        maker.name if maker.calls else "(input)",
    )


def memory_document(allocation: Allocation) -> dict[str, Any]:
    """Return what ``--json`` says of a Program's memory."""
    plan = allocation.plan
    return {
        "bytes": plan.size,
        "bound": plan.bound,
        "limit": plan.space.bytes or None,
        "alignment": plan.space.alignment,
        "banks": plan.space.banks if plan.space.limited else 1,
        "planner": plan.planner,
        "across_banks": list(plan.astray),
        "steps": [{"kind": step.kind, "name": step.name} for step in allocation.steps],
        "tensors": [
            {
                "tensor": place.tensor,
                "offset": place.offset,
                "bytes": place.size,
                "first": place.first,
                "last": place.last,
                "banks": list(place.banks),
                "in_place_of": place.instead or None,
                "within": place.within or None,
            }
            for place in allocation.places()
        ],
    }


def draw_memory(lowered: Lowered, path: Path) -> str:
    """Write the picture of all Programs; return the line that says so."""
    from qsim.stream import plot_memory

    plot_memory({program.name: program.allocate() for program in lowered.programs}, path)
    return f"{path}: {count(path.stat().st_size)} bytes"
