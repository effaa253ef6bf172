"""What waves show beside the design's own signals: operands, expected values, where it is wrong.

All under the scope ``qsim``, each held up to the rising edge that it speaks of:

* ``cycle``; ``mismatch``, high in the cycle in which a result is taken that is not as expected;
  ``violation``, high in a cycle in which a rule of a handshake is first broken;
* ``operands``: number and fields of the beat that is accepted next;
* ``result``: number, expected and actual fields of the result that is taken next, and in ``of`` the
  operands that it belongs to: of a packet, its last beat.

A field that a port of another name carries is called ``field_on_port``, a lane ``field_0``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.cosim.lanes.vcd import Signal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from qsim.cosim.jobs import Field, Job, Layout, Words
    from qsim.cosim.lanes.events import Events
    from qsim.cosim.lanes.interface import LaneResult
    from qsim.cosim.simulators import Watched

_ROOT: Final = "qsim"
_NUMBER: Final = 32  # bits of cycles and of beats' numbers


def marks(
    job: Job, result: LaneResult, events: Events, last: int, watched: Watched | None
) -> list[Signal]:
    """Return the signals of a window, up to its last cycle."""
    cycles = range(events.cycle, last + 1)
    times = [events.before(cycle) for cycle in cycles]
    wrong = {(d.cycle, d.beat): d.actual for d in result.differences}
    broken = {problem.cycle for problem in result.problems}
    ports = {} if watched is None else watched.ports
    inputs, outputs = job.unit.inputs, job.unit.outputs
    accepted, taken = _next(events.accepted, cycles), _next(events.taken, cycles)
    expected = [_digits(job.expected, outputs, beat) for _, beat in taken]
    actual = [
        _binary(wrong[moved], outputs.width) if moved in wrong else digits
        for moved, digits in zip(taken, expected, strict=True)
    ]
    owners = _owners(job)
    of = [owners[beat] if 0 <= beat < len(owners) else -1 for _, beat in taken]
    differs = [str(int((c, events.taken.get(c, -1)) in wrong)) for c in cycles]
    return [
        _signal((), "cycle", _NUMBER, times, [f"{cycle:b}" for cycle in cycles]),
        _signal((), "mismatch", 1, times, differs),
        _signal((), "violation", 1, times, [str(int(cycle in broken)) for cycle in cycles]),
        _numbers(("operands",), times, [beat for _, beat in accepted]),
        *_fields(
            ("operands",), "", inputs, ports, times,
            [_digits(job.beats, inputs, beat) for _, beat in accepted],
        ),
        _numbers(("result",), times, [beat for _, beat in taken]),
        *_fields(("result",), "expected_", outputs, ports, times, expected),
        *_fields(("result",), "actual_", outputs, ports, times, actual),
        *_fields(
            ("result", "of"), "", inputs, ports, times,
            [_digits(job.beats, inputs, beat) for beat in of],
        ),
    ]  # fmt: skip


def _next(moved: Mapping[int, int], cycles: range) -> list[tuple[int, int]]:
    """Return for each cycle the next one in which a beat moves, and that beat; -1 for none."""
    upcoming, found = (-1, -1), []
    for cycle in reversed(cycles):
        upcoming = (cycle, moved[cycle]) if cycle in moved else upcoming
        found.append(upcoming)
    return found[::-1]


def _owners(job: Job) -> list[int]:
    """Return for each result the input beat that it comes from; empty where that is not known."""
    results = len(job.expected)
    if len(job.beats) == results:
        return list(range(results))
    found: npt.NDArray[np.intp] = np.flatnonzero(job.last)
    if len(found) != results and any(f.name == "load" for f in job.unit.inputs.fields):
        found = np.flatnonzero(job.unit.inputs.unpack(job.beats)["load"][:, 0] == 0)
    return found.tolist() if len(found) == results else []


def _digits(words: Words, layout: Layout, beat: int) -> str:
    """Return the bits of a beat; x where there is none."""
    if not 0 <= beat < len(words):
        return "x" * layout.width
    value = sum(int(word) << (64 * index) for index, word in enumerate(words[beat]))
    return f"{value:0{layout.width}b}"


def _binary(actual: str, width: int) -> str:
    """Return the bits of what a bench wrote of a beat."""
    return actual[1:] if "x" in actual or "z" in actual else f"{int(actual, 16):0{width}b}"


def _signal(
    scope: tuple[str, ...], name: str, bits: int, times: Sequence[int], values: Sequence[str]
) -> Signal:
    signal = Signal((_ROOT, *scope), name, bits)
    for time, value in zip(times, values, strict=True):
        signal.show(time, value)
    return signal


def _numbers(scope: tuple[str, ...], times: Sequence[int], beats: Sequence[int]) -> Signal:
    values = [f"{beat:b}" if beat >= 0 else "x" for beat in beats]
    return _signal(scope, "number", _NUMBER, times, values)


def _fields(
    scope: tuple[str, ...],
    prefix: str,
    layout: Layout,
    ports: Mapping[str, tuple[str, ...]],
    times: Sequence[int],
    beats: Sequence[str],
) -> Iterator[Signal]:
    """Yield a signal for every lane of every field of beats, given as bits."""
    for field in layout.fields:
        start = layout.offsets()[field.name]
        for lane in range(field.lanes):
            low = start + lane * field.bits
            part = slice(layout.width - low - field.bits, layout.width - low)
            name = prefix + _name(field, lane, ports.get(field.name, ()))
            yield _signal(scope, name, field.bits, times, [bits[part] for bits in beats])


def _name(field: Field, lane: int, ports: tuple[str, ...]) -> str:
    name = field.name if field.lanes == 1 else f"{field.name}_{lane}"
    port = ports[lane] if len(ports) == field.lanes else next(iter(ports), "")
    return f"{name}_on_{port}" if port not in ("", field.name) else name
