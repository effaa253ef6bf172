"""Two tables that stand below the layers': every register, and every output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from qsim.report import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from qsim.report.outputs import OutputUse
    from qsim.report.result import Layer


@dataclass(frozen=True)
class RegisterRow:
    """One register: layer, call, register, rule, bits used and there, overflows, the first.

    Attributes:
        cells: as a reader sees them.
        name: the primitive and the register.
        alarm: whether it overflowed.
    """

    cells: tuple[str, ...]
    name: str
    alarm: bool


def register_rows(layers: Sequence[Layer]) -> list[RegisterRow]:
    """Return every register of every layer."""
    return [
        RegisterRow(
            (
                layer.name,
                use.call,
                use.register,
                use.overflow,
                words.register_bits(use),
                words.count(use.overflows) if use.watched else words.NONE,
                words.place(use.first),
            ),
            use.name,
            use.overflows > 0,
        )
        for layer in layers
        for use in layer.accumulators
    ]


def register_table(layers: Sequence[Layer], columns: int) -> list[RenderableType]:
    """Return the table of every register; nothing where there is none."""
    rows = register_rows(layers)
    if not rows:
        return []
    table = _table("layer", "register", "rule", "bits", "overflows", right=2)
    for row in rows:
        layer, rest = words.tail(row.cells[0], max(12, columns // 3)), row.cells[3:6]
        table.add_row(*map(Text, (layer, row.name, *rest)), style="yellow" if row.alarm else "")
    return [Padding(table, (1, 0, 1, 1))]


def output_cells(use: OutputUse) -> tuple[str, ...]:
    """Return one output: name, shape, SQNR, values that differ, of how many, what they are."""
    return (
        use.name,
        words.dimensions(use.shape),
        words.decibel(use.sqnr_db),
        words.count(use.differing) if use.has_qdq else words.NONE,
        words.count(use.elements),
        use.holds,
    )


def output_table(uses: Sequence[OutputUse], columns: int) -> list[RenderableType]:
    """Return the table of outputs; nothing where no graph was compared."""
    if not any(use.compared for use in uses):
        return []
    table = _table("output", "shape", "SQNR dB", "differing", "of", "holds", right=4, first=1)
    for use in uses:
        name, *cells = output_cells(use)
        table.add_row(*map(Text, (words.tail(name, max(12, columns // 4)), *cells)))
    return [Padding(table, (1, 0, 0, 1))]


def _table(*titles: str, right: int, first: int | None = None) -> Table:
    """Return an empty table with so many columns of numbers, the last unless ``first`` is one."""
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    start = len(titles) - right if first is None else first
    for position, title in enumerate(titles):
        table.add_column(
            title,
            justify="right" if start <= position < start + right else "left",
            no_wrap=True,
            overflow="ellipsis",
            header_style="bold",
        )
    return table
