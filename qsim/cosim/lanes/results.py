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
from qsim.cosim.simulators import simulated

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cosim.simulators import Build

# The benches write a kind as its position in this tuple: a new name goes last.
_KINDS: Final[tuple[ProblemKind, ...]] = get_args(ProblemKind)
_DIFFERENCE: Final = re.compile(
    r"D (\d+) (\d+) ([01]) ([0-9a-f]+) ([01xz]) ([0-9a-f]+|b[01xz]+)", re.ASCII
)
_PROBLEM: Final = re.compile(r"P (\d) (\d+)", re.ASCII)
_END: Final = re.compile(r"end ([0-9a-f]{16}) (\d+) (\d+) (\d+) (\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a results file must agree with.

    Attributes:
        nonce: of this run.
        width: bits of the output's tdata.
        inputs, outputs: beats of the job.
        stimulus: of the run.
    """

    nonce: str
    width: int
    inputs: int
    outputs: int
    stimulus: Stimulus


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
    cycles, sent, taken, differing = map(int, end.groups()[1:])
    differences, problems = [], []
    for line in lines[1:-1]:
        found = _PROBLEM.fullmatch(line)
        if found and int(found[1]) < len(_KINDS):
            kind = _KINDS[int(found[1])]
            problems.append(_problem(kind, int(found[2]), wanted, (sent, taken)))
        else:
            differences.append(_difference(line, wanted))
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
    )


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
    kind: ProblemKind, cycle: int, wanted: Expectation, counts: tuple[int, int]
) -> Problem:
    sent, taken = counts
    message = f"the design {Problem.EXPLAINED[kind]}"
    match kind:
        case "hang":
            message += (
                f" for {wanted.stimulus.idle_limit} cycles "
                f"(cycle {cycle}; {sent} of {wanted.inputs} beats accepted, "
                f"{wanted.outputs - taken} of {wanted.outputs} results outstanding)"
            )
        case "extra":
            message += f" (cycle {cycle}; {taken} beats taken, {wanted.outputs} expected)"
        case "unstable" | "dropped" | "unknown" | "reset":
            message += f" (cycle {cycle})"
        case _:
            assert_never(kind)
    return Problem(kind, cycle, message)
