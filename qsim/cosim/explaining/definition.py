"""What a definition on the fields of beats is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Values = Mapping[str, Sequence[Any]]


class Compute(Protocol):
    """Computes a result from the values of its fields, in the order of the beats."""

    def __call__(self, values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        """Return the result: an integer, or a traced one where an operand is traced."""
        ...


@dataclass(frozen=True)
class Definition:
    """A primitive on the fields of its beats.

    Attributes:
        data: the fields that hold data; the others hold parameters.
        compute: the definition.
    """

    data: tuple[str, ...]
    compute: Compute
