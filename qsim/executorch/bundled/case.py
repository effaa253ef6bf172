"""One case of a bundled program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class BundledCase:
    """One call of a method, and what it must return.

    Attributes:
        method: ``forward``, for one.
        inputs: one value per input: a tensor (or an array), or the number or flag that the program
            was made with.
        expected: one tensor per output; None for a case that is only run.
    """

    method: str
    inputs: tuple[Any, ...]
    expected: tuple[Any, ...] | None = None
