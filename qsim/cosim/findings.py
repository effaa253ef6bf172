"""From output beats that differ to elements of the call's result that differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qsim.mismatch import Mismatch, compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from qsim.cosim.jobs import Field, Job, Words
    from qsim.cosim.lanes import Difference, LaneResult


@dataclass(frozen=True, slots=True)
class Findings:
    """What the differing beats of a job mean.

    Attributes:
        mismatch: the first element, in C order, that differs; how many do.
        others: differences outside of elements: tlast, lanes that carry none. One line each kind.
    """

    mismatch: Mismatch | None
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A lane that holds another value than expected: an integer, or bits with an x or z."""

    element: int
    actual: int | str
    difference: Difference


def findings(job: Job, result: LaneResult) -> Findings:
    """Return what the differences of a job mean."""
    if not result.differences:
        return Findings(None, ())
    known = [d for d in result.differences if not _unknown(d)]
    unknown = [d for d in result.differences if _unknown(d)]
    wrong = [*_known_lanes(job, known), *_unknown_lanes(job, unknown)]
    return Findings(_mismatch(job, wrong), _others(result, wrong))


def _unknown(difference: Difference) -> bool:
    return "x" in difference.actual or "z" in difference.actual


def words_of(texts: Sequence[str], words: int) -> Words:
    """Return hexadecimal texts as [n, words], least significant word first."""
    raw = bytes.fromhex("".join(text.rjust(16 * words, "0") for text in texts))
    return np.frombuffer(raw, ">u8").reshape(-1, words)[:, ::-1].astype(np.uint64)


def _known_lanes(job: Job, found: Sequence[Difference]) -> list[_Wrong]:
    if not found:
        return []
    layout = job.unit.outputs
    beats = np.array([d.beat for d in found])
    expected = layout.unpack(job.expected[beats])[job.field]
    actual = layout.unpack(words_of([d.actual for d in found], layout.words))[job.field]
    elements = job.element[beats]
    rows, lanes = np.nonzero((expected != actual) & (elements >= 0))
    owners = [found[row] for row in rows.tolist()]
    pairs = zip(elements[rows, lanes].tolist(), actual[rows, lanes].tolist(), strict=True)
    return [_Wrong(e, a, d) for (e, a), d in zip(pairs, owners, strict=True)]


def _unknown_lanes(job: Job, found: Sequence[Difference]) -> list[_Wrong]:
    """Return every lane with an x or z in it, and those beside it that differ."""
    field = _field(job)
    offset = job.unit.outputs.offsets()[field.name]
    wrong = []
    for difference in found:
        bits = difference.actual[:0:-1]  # without the b, the lowest first
        wanted = f"{int(difference.expected, 16):0{len(bits)}b}"[::-1]
        for lane, element in enumerate(job.element[difference.beat].tolist()):
            part = slice(offset + lane * field.bits, offset + (lane + 1) * field.bits)
            text = bits[part][::-1]
            if element < 0 or bits[part] == wanted[part]:
                continue
            if "x" in text or "z" in text:
                wrong.append(_Wrong(element, text, difference))
            else:
                sign = int(text, 2) >> (field.bits - 1) if field.signed else 0
                wrong.append(_Wrong(element, int(text, 2) - (sign << field.bits), difference))
    return wrong


def _field(job: Job) -> Field:
    return next(field for field in job.unit.outputs.fields if field.name == job.field)


def _mismatch(job: Job, wrong: Sequence[_Wrong]) -> Mismatch | None:
    """Return the first element that differs; an x is one that does, and never an integer."""
    if not wrong:
        return None
    bits, expected = _field(job).bits, _result(job)
    actual = expected.copy()
    for each in wrong:
        if isinstance(each.actual, int):
            actual.flat[each.element] = each.actual
    known = compare(expected, actual, bits=bits)
    # After a reset an element comes again: the first one in C order, then in time, is shown.
    first = min(wrong, key=lambda each: (each.element, each.difference.cycle))
    return Mismatch(
        index=tuple(int(i) for i in np.unravel_index(first.element, job.shape)),
        expected=int(expected.flat[first.element]),
        actual=first.actual,
        count=len({each.element for each in wrong}),
        total=job.elements,
        histogram=() if known is None else known.histogram,
        bits=bits,
        cycle=first.difference.cycle,
    )


def _result(job: Job) -> npt.NDArray[np.int64 | np.uint64]:
    """Return the result that the expected beats carry."""
    values = job.unit.outputs.unpack(job.expected)[job.field]
    carried = job.element >= 0
    result = np.zeros(int(np.prod(job.shape)), values.dtype)
    result[job.element[carried]] = values[carried]
    return result.reshape(job.shape)


def _others(result: LaneResult, wrong: Sequence[_Wrong]) -> tuple[str, ...]:
    """Return one line for wrong tlasts, and one for bits that belong to no element."""
    lines = []
    last = next((d for d in result.differences if d.actual_last != d.expected_last), None)
    if last is not None:
        lines.append(
            f"tlast is {last.actual_last}, not {last.expected_last}, "
            f"at output beat {last.beat} (cycle {last.cycle})"
        )
    explained = {(each.difference.beat, each.difference.cycle) for each in wrong}
    unused = next(
        (
            d
            for d in result.differences
            if d.actual != d.expected and (d.beat, d.cycle) not in explained
        ),
        None,
    )
    if unused is not None:
        lines.append(
            f"a lane that carries no element is {unused.actual}, not {unused.expected} (all of "
            f"tdata), at output beat {unused.beat} (cycle {unused.cycle})"
        )
    return tuple(lines)
