"""Reading one table of a configuration: every value is checked, every error names its field."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Made = TypeVar("_Made")


def whole(least: int, most: int | None = None) -> Callable[[Any], str]:
    """Accept integers from least to most."""

    def check(value: Any) -> str:
        fits = type(value) is int and value >= least and (most is None or value <= most)
        return "" if fits else f"{least} or more" if most is None else f"{least} to {most}"

    return check


def number(least: float, most: float = math.inf, *, above: bool = False) -> Callable[[Any], str]:
    """Accept finite numbers from least to most; above: not the least itself."""

    def check(value: Any) -> str:
        known = type(value) in (int, float) and math.isfinite(value) and value <= most
        fits = known and (value > least if above else value >= least)
        begins = f"more than {least:g}" if above else f"{least:g} or more"
        ends = "" if math.isinf(most) else f", at most {most:g}"
        return "" if fits else begins + ends

    return check


def one_of(*names: str) -> Callable[[Any], str]:
    """Accept these words."""
    return lambda value: "" if value in names else ", ".join(names)


def flag(value: Any) -> str:
    """Accept true and false."""
    return "" if type(value) is bool else "true or false"


def read(
    made: type[_Made], table: object, checks: Mapping[str, Callable[[Any], str]], where: str
) -> _Made:
    """Return a table as the dataclass that has its fields.

    Args:
        made: the dataclass.
        table: what the file says.
        checks: of each field.
        where: the table's name, for messages.

    Raises:
        UsageError: no table, an unknown field, a value that its check does not accept.
    """
    if isinstance(table, made):
        return table
    if not isinstance(table, dict):
        raise UsageError(f"is {table!r}", where=where, accepted="a table of named settings")
    for name, value in table.items():
        if name not in checks:
            raise UsageError(f"unknown name {name!r}", where=where, accepted=", ".join(checks))
        accepted = checks[name](value)
        if accepted:
            raise UsageError(f"is {value!r}", where=f"{where}.{name}", accepted=accepted)
    return made(**table)
