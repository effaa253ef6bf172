"""Hints that need the definition: results of other operands than those that were sent.

Each supposes that the design read one thing wrongly, computes every result of the call from what it
would then have read, and holds if all of them are those that came out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.explaining.outputs import enough, mirrored, swapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qsim.cosim.explaining.definition import Definition
    from qsim.cosim.explaining.observed import Observed
    from qsim.cosim.jobs import Field

    Columns = Mapping[str, Any]

_MOST: Final = 1 << 16  # elements of a call that is computed again
_LATE: Final = 8  # beats by which parameters may be late
_WIDEST: Final = 63  # bits of an operand that is read as unsigned


@dataclass(frozen=True)
class _Supposed:
    """What a design may have read instead of what was sent.

    Attributes:
        text: the hint.
        fields: what it then read, by field.
        free: so many first beats read what was there before the first one: nobody knows what.
    """

    text: str
    fields: Columns
    free: int = 0


def found(seen: Observed, definition: Definition) -> Iterator[str]:
    """Give what explains all differences of a call whose results are made of one beat each."""
    if len(seen.job.beats) != len(seen.expected) or not len(seen.expected) <= _MOST:
        return
    if seen.expected.shape[1] != 1 or not enough(seen.expected[seen.wrong]):
        return
    held = seen.job.unit.inputs.unpack(seen.job.beats)
    columns = {name: values[:, 0] for name, values in held.items()}
    for supposed in _suppositions(seen, definition, columns):
        if _explains(seen, definition, columns, supposed):
            yield supposed.text
            return


def _suppositions(seen: Observed, definition: Definition, columns: Columns) -> Iterator[_Supposed]:
    parameters = {name: held for name, held in columns.items() if name not in definition.data}
    changing = {name: held for name, held in parameters.items() if len(np.unique(held)) > 1}
    for some in [changing, *({name: held} for name, held in changing.items())]:
        if some:
            yield from _late(some)
    for field in seen.job.unit.inputs.fields:
        yield from _misread(seen, field, columns[field.name])
    source = mirrored(seen)
    if source is not None and seen.dut is not None:
        for name, held in columns.items():
            text = f"the {seen.dut.lanes} lanes of operand {name} are reversed"
            yield _Supposed(text, {name: held[source]})


def _late(some: Columns) -> Iterator[_Supposed]:
    """Give parameters of earlier beats: some beats ago, of the set before, of the first beat."""
    names = ", ".join(some)
    count = len(next(iter(some.values())))
    for late in range(1, min(_LATE, count - 1) + 1):
        beats = "1 beat" if late == 1 else f"{late} beats"
        source = np.maximum(np.arange(count) - late, 0)
        yield _Supposed(f"parameters are {beats} late ({names})", _at(some, source), late)
    changes = np.zeros(count, np.bool_)
    for held in some.values():
        changes[1:] |= held[1:] != held[:-1]
    starts = np.concatenate([[0], np.flatnonzero(changes)])
    before = starts[np.maximum(np.cumsum(changes) - 1, 0)]
    text = f"parameters are those of the channel or layer before: one set late ({names})"
    yield _Supposed(text, _at(some, before), int(starts[1]))
    text = f"parameters stay what they were for the first beat ({names})"
    yield _Supposed(text, _at(some, np.zeros(count, np.int64)))


def _at(columns: Columns, source: Any) -> dict[str, Any]:
    return {name: held[source] for name, held in columns.items()}


def _misread(seen: Observed, field: Field, held: Any) -> Iterator[_Supposed]:
    """Give a field without its sign, with a sign that it does not have, or with bytes turned."""
    name = field.name
    binding = None if seen.dut is None else seen.dut.operands.get(name)
    for bits in dict.fromkeys((field.bits, field.bits if binding is None else binding.bits)):
        if bits > _WIDEST:
            continue
        low = held.astype(np.int64) & ((1 << bits) - 1)
        sign = low >> (bits - 1)
        if field.signed:
            text = f"the sign of operand {name} is lost: its {bits} bits are read as unsigned"
            yield _Supposed(text, {name: low})
        else:
            text = f"operand {name} is read as signed, and its {bits} bits are not"
            yield _Supposed(text, {name: low - (sign << bits)})
        if bits % 8 == 0 and bits > 8:
            turned = swapped(held, bits, signed=field.signed)
            yield _Supposed(f"the {bits // 8} bytes of operand {name} are reversed", {name: turned})


def _explains(
    seen: Observed, definition: Definition, columns: Columns, supposed: _Supposed
) -> bool:
    """Return whether the definition makes of the supposed operands what came out, everywhere."""
    changed = np.zeros(len(seen.expected), np.bool_)
    for name, held in supposed.fields.items():
        changed |= held != columns[name]
    wrong, carried, actual = seen.wrong[:, 0], seen.carried[:, 0], seen.actual[:, 0]
    known = np.arange(len(seen.expected)) >= supposed.free
    if (known & (seen.unknown | (wrong & ~changed))).any():
        return False
    if not enough(seen.expected[:, 0][wrong & known]):
        return False
    read = {name: held.tolist() for name, held in {**columns, **supposed.fields}.items()}
    # Those that differ first: a supposition that is none is soon found out.
    rows = [*np.flatnonzero(wrong & known), *np.flatnonzero(changed & known & carried & ~wrong)]
    return all(
        _result(definition, {name: (held[row],) for name, held in read.items()}) == actual[row]
        for row in rows
    )


def _result(definition: Definition, values: Any) -> int | None:
    """Return a result; None where the definition refuses such operands."""
    from hw_models.errors import AccumulatorOverflowError, ContractError
    from hw_models.formats import if_else

    try:
        return int(definition.compute(values, if_else))
    except (ContractError, AccumulatorOverflowError):
        return None
