"""When values live: from the step that makes them to the last one that uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


def live_ranges(uses: Sequence[Iterable[str]]) -> dict[str, tuple[int, int]]:
    """Return the first and the last step that uses each value, in the order of first use.

    Args:
        uses: for every step, in order, the names of the values that it reads or makes.
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for step, names in enumerate(uses):
        for name in names:
            first.setdefault(name, step)
            last[name] = step
    return {name: (step, last[name]) for name, step in first.items()}


def last_uses(uses: Sequence[Sequence[str]], kept: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Return, for every step, the values that nothing needs after it.

    Args:
        uses: for every step, in order, the names of the values that it reads or makes.
        kept: names that are never dropped.
    """
    dying: list[list[str]] = [[] for _ in uses]
    for name, (_, last) in live_ranges(uses).items():
        if name not in kept:
            dying[last].append(name)
    return tuple(tuple(names) for names in dying)
