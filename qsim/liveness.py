"""When a value may be dropped: after the last step that uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def last_uses(uses: Sequence[Sequence[str]], kept: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Return, for every step, the values that nothing needs after it.

    Args:
        uses: for every step, in order, the names of the values that it reads or makes.
        kept: names that are never dropped.
    """
    last = {name: index for index, names in enumerate(uses) for name in names}
    dying: list[list[str]] = [[] for _ in uses]
    for name, index in last.items():
        if name not in kept:
            dying[index].append(name)
    return tuple(tuple(names) for names in dying)
