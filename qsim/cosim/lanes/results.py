"""What a bench wrote, read strictly: a line that is not understood is no result.

The format is in the header of ``rtl_tb/bulk/stream_bulk_tb.sv``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never, get_args

from qsim.cosim.lanes.interface import (
    Difference,
    LaneResult,
    Problem,
    ProblemKind,
    SimulationError,
    Stimulus,
)
from qsim.cosim.lanes.watch import State, read_watch
from qsim.cosim.simulators import simulated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsim.cosim.simulators import Build, Watched

# The benches write a kind as its position in this tuple: a new name goes last.
_KINDS: Final[tuple[ProblemKind, ...]] = get_args(ProblemKind)
_DIFFERENCE: Final = re.compile(
    r"D (\d+) (\d+) ([01]) ([0-9a-f]+) ([01xz]) ([0-9a-f]+|b[01xz]+)", re.ASCII
)
_PROBLEM: Final = re.compile(r"P (\d) (\d+) (\d+)", re.ASCII)
_END: Final = re.compile(r"end ([0-9a-f]{16}) (\d+) (\d+) (\d+) (\d+) (\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a results file must agree with.

    Attributes:
        nonce: of this run.
        width: bits of the output's tdata.
        inputs, outputs: beats of the job.
        stimulus: of the run.
        watched: of a design that is not ours; None of ours.
    """

    nonce: str
    width: int
    inputs: int
    outputs: int
    stimulus: Stimulus
    watched: Watched | None = None


def read_results(path: Path, wanted: Expectation, seconds: float) -> LaneResult:
    """Return the result in a file.

    Raises:
        SimulationError: there is none, it is of another run, it has no end, or a line of it is
            not what the bench writes.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeError):
        raise SimulationError("the simulator ended without a result") from None
    if not lines or lines[0] != f"bulk {wanted.nonce}":
        raise SimulationError("the simulator's result is not of this run")
    end = _END.fullmatch(lines[-1])
    if end is None:
        raise SimulationError("the simulator ended before the bench did")
    if end[1] != wanted.nonce:
        raise SimulationError("the simulator's result is not of this run")
    cycles, sent, taken, differing, zero = map(int, end.groups()[1:])
    told, states = read_watch(path.parent, wanted.watched, zero) if wanted.watched else ([], [])
    # What the design's own nets showed is not told again of the stream behind them; how a reset
    # must end is for their watchers alone.
    silent = {problem.kind for problem in told} | ({"reset"} if wanted.watched else set())
    differences, problems = [], list(told)
    for line in lines[1:-1]:
        found = _PROBLEM.fullmatch(line)
        if found and int(found[1]) < len(_KINDS):
            kind = _KINDS[int(found[1])]
            if kind not in silent:
                cycle, idle = int(found[2]), int(found[3])
                problems.append(_problem(kind, cycle, idle, wanted, (sent, taken), states))
        else:
            differences.append(_difference(line, wanted))
    problems = _without_consequences(problems, differences)
    if len(differences) > differing:
        raise SimulationError("the simulator counts fewer differences than it wrote")
    return LaneResult(
        cycles=cycles,
        beats_in=sent,
        beats_out=taken,
        beats_expected=wanted.outputs,
        differing=differing,
        differences=tuple(differences),
        problems=tuple(problems),
        seconds=seconds,
        events={k: v for state in states for k, v in state.stalls().items()} or None,
    )


def _without_consequences(
    problems: Sequence[Problem], differences: Sequence[Difference]
) -> list[Problem]:
    """Return problems in the order of cycles, without what follows from results that moved.

    Behind a result that was lost, or came twice, every last belongs to another one.
    """
    moved = {"extra", "hang"} & {problem.kind for problem in problems}
    begin = differences[0].cycle if moved and differences else None
    kept = [p for p in problems if p.kind != "last" or begin is None or p.cycle < begin]
    return sorted(kept, key=lambda problem: problem.cycle)


def warnings(build: Build, said: str) -> tuple[str, ...]:
    """Return what a simulation printed of somebody else's design: missing memory files, $error."""
    if build.folder is None:
        return ()
    return tuple(dict.fromkeys(message.line() for message in simulated(said)))


def _difference(line: str, wanted: Expectation) -> Difference:
    # Simulators differ in the case of digits.
    found = _DIFFERENCE.fullmatch(line.replace("X", "x").replace("Z", "z"))
    if found is None:
        raise SimulationError(f"the simulator's result has a line {line[:80]!r}")
    beat, cycle = int(found[1]), int(found[2])
    actual = found[6]
    digits = -(-wanted.width // 4)
    length = 1 + wanted.width if "x" in actual or "z" in actual else digits
    if beat >= wanted.outputs or len(actual) != length or len(found[4]) != digits:
        raise SimulationError(f"the simulator's result has a line {line[:80]!r}")
    return Difference(beat, cycle, found[4], actual, found[3], found[5])


def _problem(
    kind: ProblemKind,
    cycle: int,
    idle: int,
    wanted: Expectation,
    counts: tuple[int, int],
    states: Sequence[State],
) -> Problem:
    sent, taken = counts
    message = f"the design {Problem.EXPLAINED[kind]}"
    match kind:
        case "hang":
            owed = f"{wanted.outputs - taken} of {wanted.outputs} results outstanding"
            parts = [
                f"cycle {cycle}",
                f"{sent} of {wanted.inputs} beats accepted, {owed}",
                *filter(None, (state.stuck() for state in states)),
            ]
            message += f" for {idle} cycles ({'; '.join(parts)})"
        case "extra":
            message += f" (cycle {cycle}; {taken} beats taken, {wanted.outputs} expected)"
        case "unstable" | "dropped" | "unknown" | "reset" | "last":
            message += f" (cycle {cycle})"
        case _:
            assert_never(kind)
    return Problem(kind, cycle, message)
