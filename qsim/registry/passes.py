"""The order of the rewrites of an exported graph, and where registered ones stand in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.fx import GraphModule

    from qsim.target import Target

    GraphPass: TypeAlias = Callable[[GraphModule, Target], None]


@dataclass(frozen=True, slots=True)
class Pass:
    """One rewrite.

    Attributes:
        name: unique.
        run: changes the graph; it is told the target.
        before: the pass that it runs right before, or None.
        after: the pass that it runs right after, or None; without either it runs last.
    """

    name: str
    run: GraphPass
    before: str | None = None
    after: str | None = None

    def __post_init__(self) -> None:
        if not callable(self.run):
            raise UsageError(
                f"its run is a {type(self.run).__name__}", where=self._place, accepted="a function"
            )
        if self.before is not None and self.after is not None:
            raise UsageError("has two places", where=self._place, accepted="before or after")

    @property
    def _place(self) -> str:
        return f"pass {self.name!r}"

    @property
    def anchor(self) -> str | None:
        """The pass that its place refers to."""
        return self.before or self.after


_registered: dict[str, Pass] = {}


def register(new: Pass) -> None:
    """Add a pass to those that run.

    Raises:
        UsageError: another pass has its name.
    """
    if _registered.get(new.name, new) != new:
        raise UsageError("is registered already", where=f"pass {new.name!r}", accepted="a new name")
    _registered[new.name] = new


def unregister(name: str) -> None:
    """Remove a registered pass."""
    _registered.pop(name, None)


def ordered(builtin: Sequence[Pass]) -> tuple[Pass, ...]:
    """Return the built-in passes with the registered ones at their places.

    Several behind one pass run in the order of their registration, and so do several before one.

    Raises:
        UsageError: a place refers to a pass that there is not, or a name is a built-in one's.
    """
    line = list(builtin)
    waiting = list(_registered.values())
    while waiting:
        known = [item.name for item in line]
        found = next((p for p in waiting if p.anchor is None or p.anchor in known), None)
        if found is None or found.name in known:
            odd = found or waiting[0]
            message = "a built-in pass has its name" if found else f"there is no {odd.anchor!r}"
            raise UsageError(message, where=f"pass {odd.name!r}", accepted=", ".join(known))
        line.insert(_position(line, found), found)
        waiting.remove(found)
    return tuple(line)


def _position(line: Sequence[Pass], new: Pass) -> int:
    if new.anchor is None:
        return len(line)
    at = [item.name for item in line].index(new.anchor)
    if new.before is not None:
        return at
    followers = at + 1
    while followers < len(line) and line[followers].after == new.after:
        followers += 1
    return followers
