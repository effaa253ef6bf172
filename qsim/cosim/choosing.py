"""Calls picked by name."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsim.cosim.jobs import Prepared
    from qsim.golden import Case

    Call: TypeAlias = Case | Prepared


def chosen(groups: Iterable[tuple[Call, ...]], pattern: str) -> list[tuple[Call, ...]]:
    """Return the calls, or layers of calls, of which one has such a name or layer.

    Args:
        groups: calls that are simulated together.
        pattern: as in the shell, with ``*``, ``?`` and ``[ ]``.

    Raises:
        UsageError: none has.
    """
    names: list[str] = []
    kept = []
    for group in groups:
        own = [name for case in group for name in (case.name, case.layer) if name]
        names += own
        if any(fnmatchcase(name, pattern) for name in own):
            kept.append(group)
    if not kept:
        raise UsageError(
            f"no call has a name or a layer like {pattern!r}",
            where="--case",
            accepted=", ".join(dict.fromkeys(names)) or "there are no calls",
        )
    return kept
