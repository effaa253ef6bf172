"""What a golden set holds, as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text

from qsim.cli.listing import add_row, plain_table
from qsim.report import count

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from rich.table import Table

    from qsim.golden import GoldenSet


def elements(shape: Iterable[int]) -> int:
    """Return how many elements an array of this shape has."""
    return math.prod(shape)


def digest_lines(golden: GoldenSet) -> list[Text]:
    """Return the digest of the network whose run was recorded, on a line; none for vectors."""
    if golden.network is None:
        return []
    return [Text(f"Network sha256:{golden.network}", no_wrap=True, overflow="ellipsis")]


def class_table(classes: Counter[str]) -> Table:
    """Return how many elements each class of directed vectors has."""
    table = plain_table("class", "elements")
    table.columns[1].justify = "right"
    for name in sorted(classes):
        add_row(table, name, count(classes[name]))
    return table


def primitive_table(golden: GoldenSet) -> Table:
    """Return how many cases and elements each primitive has, in the order of the run."""
    table = plain_table("primitive", "cases", "elements")
    table.columns[1].justify = table.columns[2].justify = "right"
    for primitive in dict.fromkeys(entry.primitive for entry in golden.entries):
        own = [entry for entry in golden.entries if entry.primitive == primitive]
        made = sum(elements(entry.arrays["output"][0]) for entry in own)
        add_row(table, primitive, count(len(own)), count(made))
    return table
