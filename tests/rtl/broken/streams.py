"""Flaws of the streams: a change of one file, what brings it out, and what must be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from qsim.cosim.findings import words_of
from qsim.cosim.jobs.unit import Job
from qsim.cosim.lanes.interface import LaneResult, Stimulus
from tests.rtl.broken.faults import directed_job

RESET_CYCLES = 2


def reset_at(made: Job) -> int:
    """Return a cycle in which results come out: those of a move do when it is written."""
    return 701 if made.unit.module == "move" else 401


def sink(made: Job) -> Stimulus:
    """Return a receiver that pauses."""
    return Stimulus(seed=3, stall_output=0.3, idle_limit=1000)


def source(made: Job) -> Stimulus:
    """Return a sender that pauses."""
    return Stimulus(seed=3, stall_input=0.3, idle_limit=1000)


def reset(made: Job) -> Stimulus:
    """Return a reset while a result waits."""
    return Stimulus(
        seed=4,
        stall_output=0.5,
        resets=(reset_at(made),),
        reset_cycles=RESET_CYCLES,
        idle_limit=1000,
    )


def sent(made: Job) -> list[tuple[int, ...]]:
    """Return the expected beats."""
    return [tuple(words) for words in made.expected.tolist()]


def actual(made: Job, outcome: LaneResult) -> list[tuple[int, ...]]:
    """Return the beats that came and were expected to."""
    words = made.expected.copy()
    differences = outcome.differences
    words[[d.beat for d in differences]] = words_of([d.actual for d in differences], words.shape[1])
    return [tuple(beat) for beat in words[: outcome.beats_out].tolist()]


def job(primitive: str, target: str) -> Job:
    """Return directed vectors; of several equal results of single beats in a row only the first.

    A beat that is lost before an equal one is not missed at once.
    """
    made = directed_job(primitive, target)
    if len(made.beats) != len(made.expected):
        return made
    new = np.flatnonzero(np.any(made.expected != np.roll(made.expected, 1, axis=0), axis=1))
    return replace(
        made,
        beats=made.beats[new],
        last=made.last[new],
        expected=made.expected[new],
        expected_last=made.expected_last[new],
        element=made.element[new],
    )


def is_part(some: list[tuple[int, ...]], every: list[tuple[int, ...]]) -> bool:
    """Return whether beats come in that order in others."""
    rest = iter(every)
    return all(beat in rest for beat in some)


def lost(made: Job, outcome: LaneResult) -> None:
    """Require that the first wrong beat is a later one: those before it are missing."""
    first = outcome.differences[0]
    come = actual(made, outcome)
    assert come[first.beat] in sent(made)[first.beat + 1 : first.beat + 8]
    assert is_part(come, sent(made))
    assert [problem.kind for problem in outcome.problems] == ["hang"]
    assert outcome.beats_out < outcome.beats_expected


def repeated(made: Job, outcome: LaneResult) -> None:
    """Require that the first wrong beat is the one before it again."""
    first = outcome.differences[0]
    assert actual(made, outcome)[first.beat] == sent(made)[first.beat - 1]
    assert outcome.problems[0].kind == "extra"


def changed(made: Job, outcome: LaneResult) -> None:
    """Require that a beat changes while it waits, and that it is the first wrong one."""
    problem, first = outcome.problems[0], outcome.differences[0]
    assert problem.kind == "unstable"
    assert problem.cycle <= first.cycle
    assert actual(made, outcome)[first.beat] in sent(made)[first.beat + 1 : first.beat + 8]


def survived(made: Job, outcome: LaneResult) -> None:
    """Require that a beat is still there in the reset."""
    assert outcome.problems[0].kind == "reset"
    assert 0 < outcome.problems[0].cycle - reset_at(made) <= RESET_CYCLES
    assert all(difference.cycle > reset_at(made) for difference in outcome.differences)


def remembered(made: Job, outcome: LaneResult) -> None:
    """Require that the first packet after the reset holds what came before it, and no other."""
    (first,) = outcome.differences
    assert not outcome.problems
    assert first.beat == 0
    assert first.cycle > mid_packet(made).resets[0]


def mid_packet(made: Job) -> Stimulus:
    """Return a reset in the middle of the longest packet: each beat takes a cycle."""
    ends = np.flatnonzero(made.last)
    sizes = np.diff(ends, prepend=-1)
    longest = int(np.argmax(sizes))
    return Stimulus(resets=(int(ends[longest] - sizes[longest] // 2),), idle_limit=1000)


class Fault(NamedTuple):
    """A change of one file, what disturbs the streams, and what must be found."""

    file: str
    right: str
    wrong: str
    stimulus: Callable[[Job], Stimulus]
    found: Callable[[Job, LaneResult], None]


READY = "assign s_axis_tready = !m_axis_tvalid || m_axis_tready;"
ALWAYS = "assign s_axis_tready = 1'b1;"
HOLD = "  if (s_axis_tready) begin"
WAITS = "if (rst) m_axis_tvalid <= 1'b0;"
STAYS = "if (rst) m_axis_tvalid <= m_axis_tvalid === 1'b1 && !m_axis_tready;"
BEGIN = "\n\n  always_ff @(posedge clk) begin\n"
LOAD = "    if (s_axis_tvalid && s_axis_tready && !rst && load) entries[address] <= value;\n"
FREE = "  if (!m_axis_tvalid || m_axis_tready) begin"
ONE_REGISTER = {
    "a beat is lost": Fault(
        "stream_register.sv", f"{READY}{BEGIN}  {HOLD}", f"{ALWAYS}{BEGIN}  {FREE}", sink, lost
    ),
    "a beat is repeated": Fault(
        "stream_register.sv", HOLD, "  if (s_axis_tready && s_axis_tvalid) begin", source, repeated
    ),
    "a beat is overwritten": Fault("stream_register.sv", READY, ALWAYS, sink, changed),
    "a beat survives": Fault("stream_register.sv", WAITS, STAYS, reset, survived),
}
LOOKUP = {
    name: fault._replace(file="lookup.sv") for name, fault in ONE_REGISTER.items()
} | {
    "a beat is lost": Fault(
        "lookup.sv", f"{READY}{BEGIN}{LOAD}  {HOLD}", f"{ALWAYS}{BEGIN}{LOAD}  {FREE}", sink, lost
    ),
}  # fmt: skip
FIRST = "first <= 1'b1;"
KEPT = "first <= first !== 1'b0;"


PACKET = "packet_register.sv"
LAST = "assign s_axis_tready = !m_axis_tvalid || m_axis_tready ||"
PACKETS = {
    "a result is repeated": Fault(
        PACKET, "else if (m_axis_tready) m_axis_tvalid",
        "else if (m_axis_tready && s_axis_tvalid) m_axis_tvalid", source, repeated,
    ),
    "a result is overwritten": Fault(PACKET, LAST, f"{LAST} 1'b1 ||", sink, changed),
    "a packet is remembered": Fault(PACKET, FIRST, KEPT, mid_packet, remembered),
}  # fmt: skip
AVG_POOL = {
    "a result is repeated": Fault(
        "avg_pool.sv", "else if (free) done", "else if (free && s_axis_tvalid) done",
        source, repeated,
    ),
    "a result is lost": Fault(
        "avg_pool.sv", "assign s_axis_tready = !done || free;", ALWAYS, sink, lost
    ),
    "a packet is remembered": Fault("avg_pool.sv", FIRST, KEPT, mid_packet, remembered),
}  # fmt: skip
ADVANCE = "wire advance = !m_axis_tvalid || m_axis_tready;"
MOVE = {
    "a result is overwritten": Fault("move.sv", ADVANCE, "wire advance = 1'b1;", sink, changed),
    "a result survives": Fault(
        "move.sv", "      m_axis_tvalid <= 1'b0;",
        "      m_axis_tvalid <= m_axis_tvalid === 1'b1 && !m_axis_tready;", reset, survived,
    ),
}  # fmt: skip
FAULTS = {
    ("requantize", "q7"): ONE_REGISTER,
    ("bias_add", "narrow20"): ONE_REGISTER,
    ("add", "tflite"): ONE_REGISTER,
    ("lookup", "tflite"): LOOKUP,
    ("max_pool", "tflite"): PACKETS,
    ("avg_pool", "tflite"): AVG_POOL,
    ("correlation", "narrow20"): PACKETS,
    ("gather", "tflite"): MOVE,
}
