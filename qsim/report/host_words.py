"""Host operators in words: grouped by their reason, their layers folded, with what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.text import Text

from qsim.report import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from qsim.report.placement import HostGroup

# A path is shortened in front, so that its last part is always there.
_LONGEST: Final = 48
_NUMBER: Final = re.compile(r"\d+")


def host_parts(
    groups: Sequence[HostGroup], total: int = 0, indent: int = 4
) -> list[RenderableType]:
    """Return a paragraph for each reason, with what may be done about it.

    Args:
        groups: as ``by_reason`` makes them.
        total: multiply-accumulates of the whole network; 0 where nobody counted.
        indent: columns in front.
    """
    parts: list[RenderableType] = []
    for group in groups:
        parts.append(Padding(Text(reason_line(group, total)), (0, 0, 0, indent)))
        parts += [
            Padding(Text(f"→ {advice}", style="cyan"), (0, 0, 0, indent + 3))
            for advice in group.advice
        ]
    return parts


def reason_line(group: HostGroup, total: int = 0, most: int = words.MOST_NAMED) -> str:
    """Return host operators of one reason: how many, why, what they cost, which, and where."""
    names = ", ".join(
        f"{name}{f' ×{number}' if number > 1 else ''}" for name, number in group.operators.items()
    )
    layers = fold(group.layers)
    shown = ", ".join(words.tail_of_path(layer, _LONGEST) for layer in layers[:most])
    rest = len(layers) - most
    where = f" in {shown}{f' and {rest} more' if rest > 0 else ''}" if layers else ""
    return f"{group.count:,}× {group.reason}{cost(group, total)}: {names}{where}"


def cost(group: HostGroup, total: int) -> str:
    """Return how much of the network's multiply-accumulates a group is; empty where none."""
    if not group.macs or not total:
        return ""
    return f" ({words.percent(group.macs / total)} of the MACs)"


def fold(layers: Sequence[str]) -> list[str]:
    """Return module paths, those that differ in one number as one: ``blocks.{0-2,5}.norm``."""
    groups: dict[tuple[str, int], list[str]] = {}
    for layer in layers:
        numbers = list(_NUMBER.finditer(layer))
        # The number that most of the others share the rest of the path with.
        keys = [(layer[: n.start()] + "*" + layer[n.end() :], i) for i, n in enumerate(numbers)]
        keys = [key for key in keys if key[0] != "*"]  # a number alone says more than a range
        best = max(keys, key=lambda key: _alike(key, layers), default=(layer, -1))
        groups.setdefault(best, []).append(layer)
    return [_folded(key, found) for key, found in groups.items()]


def _alike(key: tuple[str, int], layers: Sequence[str]) -> int:
    before, _, behind = key[0].partition("*")
    return sum(
        layer.startswith(before)
        and layer.endswith(behind)
        and layer[len(before) : len(layer) - len(behind)].isdecimal()
        for layer in layers
    )


def _folded(key: tuple[str, int], layers: Sequence[str]) -> str:
    if len(layers) == 1:
        return layers[0]
    before, _, behind = key[0].partition("*")
    numbers = sorted(int(layer[len(before) : len(layer) - len(behind)]) for layer in layers)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
    return f"{before}{{{shown}}}{behind}"
