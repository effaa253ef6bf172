"""The steps of a traced value, as text that a person reads from top to bottom."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hw_models.tracing.values import ATOM, SHIFT, SIGN, Traced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hw_models.tracing.values import Part

_POWERS: Final = 1 << 10  # powers of two from here on are written as such


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a definition.

    Attributes:
        name: of the step; the second one of a name ends in ``.2``, and so on.
        formula: what it computed, of operands, constants and the names of steps before it.
        value: what came out.
        note: what the definition says about it; may be empty.
    """

    name: str
    formula: str
    value: int
    note: str = ""


def steps(result: Traced) -> tuple[Step, ...]:
    """Return the steps that a result depends on, in the order in which they were computed."""
    named = sorted(_named(result), key=lambda each: each.serial)
    if not result.name:
        named.append(result)
    counts = Counter(each.name for each in named)
    seen: Counter[str] = Counter()
    names: dict[int, str] = {}
    for each in named:
        word = each.name or "result"
        seen[word] += 1
        names[each.serial] = f"{word}.{seen[word]}" if counts[each.name] > 1 else word
    return tuple(
        Step(names[each.serial], _formula(each, names), each.value, each.note) for each in named
    )


def _named(result: Traced) -> Iterator[Traced]:
    """Give every step that a result depends on, each once. Not recursive: sums may be long."""
    seen, waiting = {result.serial}, [result]
    while waiting:
        value = waiting.pop()
        if value.name:
            yield value
        for part in _parts(value):
            if isinstance(part, Traced) and part.serial not in seen:
                seen.add(part.serial)
                waiting.append(part)


def _parts(value: Traced) -> tuple[Part, ...]:
    if value.reason is None:
        return value.parts
    return (*value.parts, value.reason.left, value.reason.right)


def _formula(value: Traced, names: Mapping[int, str]) -> str:
    """Return what a value was computed by; steps in it by their names."""
    text = "".join(
        part if isinstance(part, str) else _operand(part, names, value, last=index > 0)
        for index, part in enumerate(value.parts)
    )
    if value.reason is None:
        return text
    sides = (_operand(side, names, value) for side in (value.reason.left, value.reason.right))
    return f"{text} as {f' {value.reason.symbol} '.join(sides)}"


def _operand(part: Part, names: Mapping[int, str], outer: Traced, *, last: bool = False) -> str:
    """Return an operand, in parentheses where a reader or Python needs them."""
    if isinstance(part, str):
        return part
    alone = outer.rank == ATOM  # nothing stands beside it
    if not isinstance(part, Traced):
        return f"({number(part)})" if part < 0 and not alone else number(part)
    if part.name:
        return names[part.serial]
    text = _formula(part, names)
    if part.rank == ATOM and part.reason is None:
        return f"({text})" if text.startswith("-") and not alone else text
    # Shifts and what works on bits bind in an order that few know by heart.
    bits = outer.rank <= SHIFT and part.rank != SIGN
    loose = part.rank < outer.rank or (last and part.rank == outer.rank) or part.reason is not None
    return f"({text})" if (loose or bits) and not alone else text


def number(value: int) -> str:
    """Return a constant: a large power of two, or one less, as such."""
    size, sign = abs(value), "-" if value < 0 else ""
    if size >= _POWERS and size & (size - 1) == 0:
        return f"{sign}2**{size.bit_length() - 1}"
    if size >= _POWERS and size & (size + 1) == 0:
        return f"({sign}2**{size.bit_length()} {'+' if sign else '-'} 1)"
    return str(value)
