"""Reading one table of a configuration: every value is checked, every error names its field."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

from qsim.errors import UsageError

# Returns what is accepted where a value is not; nothing where it is.
Check: TypeAlias = Callable[[Any], str]
Checks: TypeAlias = Mapping[str, Check]


class Table(Protocol):
    """A dataclass whose fields are those of a table."""

    CHECKS: ClassVar[Checks]


_Made = TypeVar("_Made", bound=Table)


def whole(least: int, most: int | None = None) -> Check:
    """Accept integers from least to most."""

    def check(value: Any) -> str:
        fits = type(value) is int and value >= least and (most is None or value <= most)
        return "" if fits else f"{least} or more" if most is None else f"{least} to {most}"

    return check


def number(least: float, most: float = math.inf) -> Check:
    """Accept finite numbers from least to most."""

    def check(value: Any) -> str:
        fits = type(value) in (int, float) and math.isfinite(value) and least <= value <= most
        ends = "" if math.isinf(most) else f", at most {most:g}"
        return "" if fits else f"{least:g} or more{ends}"

    return check


def one_of(*names: str) -> Check:
    """Accept these words."""
    return lambda value: "" if value in names else ", ".join(names)


def read(made: type[_Made], table: object, where: str) -> _Made:
    """Return a table as the dataclass that has its fields.

    Args:
        made: the dataclass.
        table: what the file says.
        where: the table's name, for messages.

    Raises:
        UsageError: no table, an unknown field, a value that its check does not accept.
    """
    if isinstance(table, made):
        return table
    if not isinstance(table, dict):
        raise UsageError(f"is {table!r}", where=where, accepted="a table of named settings")
    for name, value in table.items():
        if name not in made.CHECKS:
            known = ", ".join(made.CHECKS)
            raise UsageError(f"unknown name {name!r}", where=where, accepted=known)
        accepted = made.CHECKS[name](value)
        if accepted:
            raise UsageError(f"is {value!r}", where=f"{where}.{name}", accepted=accepted)
    return made(**table)
