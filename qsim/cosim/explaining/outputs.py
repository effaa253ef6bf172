"""Hints that need the results alone: what was expected, in another place or another form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.explaining.observed import Observed

MOST: Final = 32  # beats by which results may be shifted
# By fewer differences, or different values among them, chance may agree.
EVIDENCE: Final = 4


def enough(values: Any) -> bool:
    """Return whether values are so many, and so different, that no chance gives them."""
    return len(values) >= EVIDENCE and len(np.unique(values)) >= min(EVIDENCE, 3)


def found(seen: Observed) -> Iterator[str]:
    """Give what explains all differences."""
    if not enough(seen.expected[seen.wrong]):
        return
    known = not seen.unknown.any()
    constant = _constant(seen) if known else ""
    if constant:
        yield constant
        return  # a constant is the same in another place and in another order
    # What the first beats hold may be x where results are late: no beat of the call made it.
    yield from filter(None, [_shifted(seen)])
    if known:
        yield from filter(None, (_reversed(seen), _bytes(seen), _sign(seen), _extension(seen)))


def _constant(seen: Observed) -> str:
    values = np.unique(seen.actual[seen.carried])
    idle = ~seen.carried  # lanes without an element: that they move is seen where a beat differs
    if len(values) != 1 or (seen.actual[idle] != seen.expected[idle]).any():
        return ""
    text = f"the result never changes: it is always {values[0]}"
    dut = seen.dut
    if not values[0] and dut is not None and dut.reset:
        text += (
            ", as of a design that is still in reset ([reset] says that "
            f"{dut.reset} = {int(dut.reset_active == 'high')} resets)"
        )
    return text


def _shifted(seen: Observed) -> str:
    """Return the hint that each result is that of another beat, always as many away."""
    count = len(seen.expected)
    for distance in sorted(range(-MOST, MOST + 1), key=abs):
        if not distance or abs(distance) >= count - EVIDENCE:
            continue
        # What the first beats (or the last ones) hold was made by no beat of the job.
        own = slice(max(distance, 0), count + min(distance, 0))
        other = slice(max(-distance, 0), count - max(distance, 0))
        expected, carried = seen.expected[other], seen.carried[other]
        same = (seen.actual[own] == expected) | ~seen.carried[own]
        if not same.all() or seen.unknown[own].any() or (carried != seen.carried[own]).any():
            continue
        ends = seen.wrong[:distance] if distance > 0 else seen.wrong[distance:]
        if not ends.any():
            continue  # they are right: something else moved the others
        wrong = seen.wrong[own]
        if enough(seen.expected[own][wrong]) and np.any(expected != seen.expected[own]):
            return _shift_text(seen, distance)
    return ""


def _shift_text(seen: Observed, distance: int) -> str:
    size = abs(distance)
    beats = f"{size} beat{'s' if size > 1 else ''}"
    late = "late" if distance > 0 else "early"
    ends = "first" if distance > 0 else "last"
    text = f"results are {beats} {late} (the {ends} {size} of them belong to no beat of the call)"
    dut = seen.dut
    if dut is None or dut.handshake != "fixed_latency":
        return text
    stated = f"latency = {dut.latency} is too {'small' if distance > 0 else 'large'}"
    stalled = seen.stimulus.stall_input or seen.stimulus.stall_output
    # A beat is a cycle only where one enters in each, and makes a result.
    if dut.lanes > 1 or dut.interval > 1 or dut.reduces or dut.static or stalled:
        return f"{text}; {stated}"
    return f"{text}; {stated} by {size}: latency = {dut.latency + distance} explains them"


def mirrored(seen: Observed) -> Any | None:
    """Return, of each beat, the beat in the opposite lane of a design of several operations a beat.

    None of another design, or where it is not known which beats share one of the design's.
    """
    size = 1 if seen.dut is None else seen.dut.lanes
    if size == 1 or len(seen.job.beats) != len(seen.expected):
        return None
    if seen.stimulus.stall_input or seen.stimulus.stall_output:
        return None  # a group may have left before it was full
    count = len(seen.expected)
    source, start = np.zeros(count, np.int64), 0
    for last in (*np.flatnonzero(seen.job.last).tolist(), count - 1):
        for first in range(start, last + 1, size):
            filled = min(size, last + 1 - first)
            opposite = size - 1 - np.arange(filled)
            # Lanes that no beat fills repeat the first one.
            source[first : first + filled] = first + np.where(opposite < filled, opposite, 0)
        start = last + 1
    return source


def _reversed(seen: Observed) -> str:
    """Return the hint that the lanes of a beat are in the opposite order."""
    lanes = seen.expected.shape[1]
    if lanes > 1:
        wanted, size = seen.expected[:, ::-1], lanes
        if (seen.carried != seen.carried[:, ::-1]).any():
            # Results lie where no element is; what is there is known of beats that differ.
            rows = seen.wrong.any(axis=1)
            turned = seen.actual[rows][:, ::-1] != seen.expected[rows]
            if (turned & seen.carried[rows]).any():
                return ""
    else:
        source = mirrored(seen)
        if source is None or seen.dut is None:
            return ""
        wanted, size = seen.expected[source], seen.dut.lanes
    if ((seen.actual != wanted) & seen.carried).any():
        return ""
    return f"the {size} lanes of a beat are reversed (lane_order, or the order of ports)"


def _bytes(seen: Observed) -> str:
    """Return the hint that the bytes of each result are in the opposite order."""
    field = next(each for each in seen.job.unit.outputs.fields if each.name == seen.job.field)
    if field.bits % 8 or field.bits == 8:
        return ""
    if (swapped(seen.expected, field.bits, signed=field.signed) != seen.actual)[seen.carried].any():
        return ""
    return f"the {field.bits // 8} bytes of each result are reversed"


def _sign(seen: Observed) -> str:
    """Return the hint that each result is the absolute value."""
    if (
        seen.expected.dtype.kind == "u"
        or (seen.actual != np.abs(seen.expected))[seen.carried].any()
    ):
        return ""
    return "the sign of the result is lost: each is the absolute value"


def _extension(seen: Observed) -> str:
    """Return the hint that zeros stand above each code, where its port needs its sign."""
    field = next(each for each in seen.job.unit.outputs.fields if each.name == seen.job.field)
    carried = seen.carried
    for bits in range(2, min(field.bits, 63)):
        if ((seen.expected.astype(np.int64) & ((1 << bits) - 1)) == seen.actual)[carried].all():
            return (
                f"the sign of the result is not extended: above its {bits} bits the port of "
                f"{field.bits} bits has zeros"
            )
    return ""


def swapped(values: Any, bits: int, *, signed: bool) -> Any:
    """Return integers of whole bytes with their bytes in the opposite order."""
    unsigned = np.asarray(values).astype(np.int64).view(np.uint64)
    turned = np.zeros_like(unsigned)
    for byte in range(bits // 8):
        part = (unsigned >> np.uint64(8 * byte)) & np.uint64(0xFF)
        turned |= part << np.uint64(bits - 8 - 8 * byte)
    if not signed:
        return turned if bits == 64 else turned.astype(np.int64)
    drop = np.uint64(64 - bits)
    return (turned << drop).view(np.int64) >> np.int64(drop)
