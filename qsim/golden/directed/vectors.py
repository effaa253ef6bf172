"""What directed vectors share: elements with the class they were made for, edges, exact ties.

An element belongs to one class only. Where two reasons ask for the same operand in one place, the
first keeps it.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models import FixedFormat
from qsim.target import has_zero_point

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from qsim.golden.case import Case
    from qsim.program import Array, Json
    from qsim.target import Target
    from qsim.target.words import Scheme

TIE_UP: Final = "tie, positive"
TIE_DOWN: Final = "tie, negative"
BESIDE: Final = "beside a tie"
EDGE: Final = "saturation edge"
EXTREME: Final = "extreme operand"
ZERO: Final = "zero or one"
MULTIPLE: Final = "exact multiple, negative"
OVERFLOW: Final = "overflow edge"
CARRY: Final = "carry"
SIGNS: Final = "sign combination"
WINDOW: Final = "window at a border"
ONE_BIT: Final = "one bit"
EVERY: Final = "every code"
WHOLE: Final = "all in order"
PART: Final = "a part"
STEP: Final = "step above 1"
BACKWARD: Final = "step below 0"
REPEATED: Final = "read again"
END: Final = "first or last position"
WRAP: Final = "round a ring"
EQUAL: Final = "row of equal codes"
ROOT: Final = "edge of a root"
MASKED: Final = "masked codes"
RANDOM: Final = "random"
POSITION: Final = FixedFormat(32)  # of a table of positions


def zero_point(scheme: Scheme, code: int) -> int:
    """Return a zero point that a tensor of that scheme can have: 0 where it has none."""
    return code if has_zero_point(scheme) else 0


@dataclass
class Sheet:
    """Elements that share their parameters (a channel, a call), each with its class.

    Attributes:
        elements: operand, or tuple of operands, to its class; in the order in which they came.
    """

    elements: dict[Any, str] = field(default_factory=dict)

    def add(self, element: Hashable, label: str) -> None:
        """Add an element, unless it is there already."""
        self.elements.setdefault(element, label)

    def add_all(self, elements: Iterable[Hashable], label: str) -> None:
        """Add elements of one class."""
        for element in elements:
            self.add(element, label)

    def fill(self, size: int, draw: Callable[[], Hashable]) -> list[tuple[Any, str]]:
        """Return ``size`` elements: the directed ones, then random ones."""
        found: list[tuple[Any, str]] = list(self.elements.items())[:size]
        found += [(draw(), RANDOM) for _ in range(size - len(found))]
        return found


def stream(*names: object) -> random.Random:
    """Return random numbers that depend on these names only, on every platform."""
    return random.Random(":".join(map(str, names)))  # noqa: S311 - reproducible vectors


def first_at_least(f: Callable[[int], int], value: int, low: int, high: int) -> int:
    """Return the smallest x in low..high with f(x) >= value, f rising; high + 1 if none is."""
    while low <= high:
        middle = (low + high) // 2
        if f(middle) >= value:
            high = middle - 1
        else:
            low = middle + 1
    return low


def odd_part(value: int) -> tuple[int, int]:
    """Return (odd, twos) with ``value = odd * 2**twos``; value is not 0."""
    twos = (value & -value).bit_length() - 1
    return value >> twos, twos


def array(codes: Iterable[int], shape: Sequence[int], form: FixedFormat) -> Array:
    """Return codes as an array in the container of their format."""
    return np.array(list(codes), dtype=form.dtype).reshape(shape)


class OneScheme:
    """What makes the vectors of a primitive that has no other schemes."""

    @staticmethod
    def variants(target: Target, seed: int, count: int) -> list[Case]:
        """Return nothing: the target's own scheme is all that is made."""
        del target, seed, count
        return []


def make_case(
    primitive: str,
    name: str,
    attributes: Mapping[str, Json],
    operands: Mapping[str, Array],
    formats: Mapping[str, FixedFormat],
    expected: Array,
    labels: Iterable[str],
    constants: Mapping[str, Array] | None = None,
) -> Case:
    """Return a directed case; labels holds the class of every element of the output."""
    from qsim.golden.case import Case

    classes = dict(sorted(Counter(labels).items()))
    return Case(
        f"{primitive}.{name}", "", primitive, attributes, operands, constants or {}, formats,
        expected, classes,
    )  # fmt: skip


def renamed(case: Case, prefix: str) -> Case:
    """Return a case with a prefix in its name, after the primitive's."""
    head, _, tail = case.name.partition(".")
    return replace(case, name=f"{head}.{prefix}{tail}")


def lists(value: Any) -> Any:
    """Return tuples as the lists of JSON."""
    return [lists(item) for item in value] if isinstance(value, tuple) else value
