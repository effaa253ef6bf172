"""One rule between the fields of a target."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """It holds, or the field named is in contradiction.

    Attributes:
        holds: whether the target keeps it.
        where: the field.
        message: what is wrong.
        accepted: what it should say instead.
    """

    holds: bool
    where: str
    message: str
    accepted: str
