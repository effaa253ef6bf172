"""Integers that remember how they were computed.

A definition that also takes bit-vectors of an SMT solver takes these as well: ``reference()`` of a
:class:`Traced`, with :func:`choose` as its ``select``, computes as it does of an integer, and what
comes out knows every operation that it was made by. So a step that is shown is one that the
definition took; there is no second formula. :func:`step` in a definition gives a value the name by
which later steps speak of it, and does nothing to integers and bit-vectors.
"""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# How tightly an operator binds, as in Python; a value that is written as it is binds tightest.
_OR, _XOR, _AND, SHIFT, _SUM, _PRODUCT, SIGN, ATOM = range(8)
_serial = itertools.count()

Part: TypeAlias = "str | int | Traced"


class Traced:
    """An integer with what it was computed from.

    Attributes:
        value: the integer.
        parts: its formula: operators as text, and operands.
        rank: how tightly the formula's last operator binds.
        name, note: of a step of a definition; empty between two steps.
        reason: the comparison by which it was chosen, or None.
        serial: ascends in the order of computing.
    """

    __slots__ = ("name", "note", "parts", "rank", "reason", "serial", "value")

    def __init__(
        self,
        value: int,
        parts: tuple[Part, ...],
        rank: int = ATOM,
        *,
        name: str = "",
        note: str = "",
        reason: Condition | None = None,
    ) -> None:
        self.value, self.parts, self.rank = value, parts, rank
        self.name, self.note, self.reason = name, note, reason
        self.serial = next(_serial)

    @classmethod
    def operand(cls, value: int, name: str = "") -> Traced:
        """Return what enters a definition: shown by its name, or as the integer that it is."""
        return cls(int(value), (name or int(value),))

    def __repr__(self) -> str:
        return f"Traced({self.value})"

    def __index__(self) -> int:
        return self.value

    def __int__(self) -> int:
        return self.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __neg__(self) -> Traced:
        return Traced(-self.value, ("-", self), SIGN)

    def __divmod__(self, other: int) -> tuple[Traced, Traced]:
        return self // other, self % other

    def __eq__(self, other: object) -> Any:
        return _compared(self, other, "==")

    def __ne__(self, other: object) -> Any:
        return _compared(self, other, "!=")

    def __lt__(self, other: Any) -> Condition:
        return _compared(self, other, "<")

    def __le__(self, other: Any) -> Condition:
        return _compared(self, other, "<=")

    def __gt__(self, other: Any) -> Condition:
        return _compared(self, other, ">")

    def __ge__(self, other: Any) -> Condition:
        return _compared(self, other, ">=")

    def __add__(self, other: Any) -> Traced:
        return _computed(self, other, "+", _SUM, operator.add)

    def __radd__(self, other: Any) -> Traced:
        if isinstance(other, int) and other == 0:  # where sums begin
            return self
        return _computed(other, self, "+", _SUM, operator.add)

    def __sub__(self, other: Any) -> Traced:
        return _computed(self, other, "-", _SUM, operator.sub)

    def __rsub__(self, other: Any) -> Traced:
        return _computed(other, self, "-", _SUM, operator.sub)

    def __mul__(self, other: Any) -> Traced:
        return _computed(self, other, "*", _PRODUCT, operator.mul)

    def __rmul__(self, other: Any) -> Traced:
        return _computed(other, self, "*", _PRODUCT, operator.mul)

    def __floordiv__(self, other: Any) -> Traced:
        return _computed(self, other, "//", _PRODUCT, operator.floordiv)

    def __mod__(self, other: Any) -> Traced:
        return _computed(self, other, "%", _PRODUCT, operator.mod)

    def __lshift__(self, other: Any) -> Traced:
        return _computed(self, other, "<<", SHIFT, operator.lshift)

    def __rshift__(self, other: Any) -> Traced:
        return _computed(self, other, ">>", SHIFT, operator.rshift)

    def __and__(self, other: Any) -> Traced:
        return _computed(self, other, "&", _AND, operator.and_)

    def __xor__(self, other: Any) -> Traced:
        return _computed(self, other, "^", _XOR, operator.xor)

    def __or__(self, other: Any) -> Traced:
        return _computed(self, other, "|", _OR, operator.or_)


class Condition:
    """A comparison with a traced value in it: true or false, and how it reads."""

    __slots__ = ("left", "right", "symbol", "value")

    def __init__(self, left: Any, symbol: str, right: Any, value: bool) -> None:
        self.left, self.symbol, self.right, self.value = left, symbol, right, value

    def __bool__(self) -> bool:
        return self.value

    def __int__(self) -> int:
        return int(self.value)


_COMPARED: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
OPPOSITE: Final = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


class Table:
    """A table whose entries know where they were read."""

    __slots__ = ("entries",)

    def __init__(self, entries: Sequence[int]) -> None:
        self.entries = entries

    def __getitem__(self, index: SupportsIndex) -> Traced:
        at = index.__index__()
        shown: Part = index if isinstance(index, Traced) else at
        return Traced(int(self.entries[at]), ("table[", shown, "]"))


def step(value: Any, name: str, *note: object) -> Any:
    """Return a value; if it is traced, it is a step of that name from now on.

    Args:
        value: an integer, a bit-vector or a traced value.
        name: one word, by which later steps speak of it.
        note: text and numbers that explain the step, put together.
    """
    if type(value) is not Traced:  # isinstance() takes twice as long, and definitions are run often
        return value
    said = "".join(str(each.value) if isinstance(each, Traced) else str(each) for each in note)
    if value.name:
        return Traced(value.value, (value,), name=name, note=said)
    return Traced(value.value, value.parts, value.rank, name=name, note=said, reason=value.reason)


def outlined(function: Callable[..., Any], *arguments: Any, select: Any) -> Any:
    """Return ``function(*arguments, select)``; of traced arguments as one operation.

    For loops over digits: what each of them did would be told of every one that follows.
    """
    if not any(type(each) is Traced for each in arguments):
        return function(*arguments, select)
    shown: list[Part] = [function.__name__, "("]
    for each in arguments:
        shown += [_part(each), ", "]
    value = function(*(_number(each) for each in arguments))
    return Traced(int(value), (*shown[:-1], ")"))


def choose(condition: Any, then: Any, other: Any) -> Any:
    """Choose as Python does, and remember why: the ``select`` of a definition that is traced."""
    taken = then if condition else other
    if not isinstance(condition, Condition):
        return taken
    # A value that a limit left alone needs no reason; another formula, or a limit, does.
    plain = isinstance(taken, Traced) and bool(taken.name or taken.rank == ATOM)
    if plain and not condition:
        return taken
    said = condition
    if not condition:
        said = Condition(condition.left, OPPOSITE[condition.symbol], condition.right, True)
    return Traced(_number(taken), (taken,), reason=said)


def _number(value: Any) -> int:
    return value.value if isinstance(value, Traced) else int(value)


def _part(value: Any) -> Part:
    return value if isinstance(value, Traced) else int(value)


def _computed(
    left: Any, right: Any, symbol: str, rank: int, function: Callable[[int, int], int]
) -> Traced:
    value = function(_number(left), _number(right))
    return Traced(value, (_part(left), f" {symbol} ", _part(right)), rank)


def _compared(left: Any, right: Any, symbol: str) -> Condition:
    value = _COMPARED[symbol](_number(left), _number(right))
    return Condition(left, symbol, right, value)
