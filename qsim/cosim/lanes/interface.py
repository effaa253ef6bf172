"""What a lane is: the way beats get into a design on a simulator, and what it found there.

Two lanes exist: ``bulk`` (a plain SystemVerilog bench, for millions of beats) and ``cocotb`` (for
the protocol). Both run one :class:`~qsim.cosim.jobs.unit.Job` on one build and return a
:class:`LaneResult`. A *cycle* is a rising edge of the clock, counted from 0 at the first one at
which reset is low.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol, TypeAlias

from qsim.errors import QsimError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qsim.cosim.jobs import Job
    from qsim.cosim.simulators import Build

ProblemKind: TypeAlias = Literal["hang", "extra", "unstable", "dropped", "unknown", "reset", "last"]
# A hang is so many cycles without a beat, or so many times the longest pause that was seen.
_PATIENCE: Final = 20_000
_FACTOR: Final = 32
_MOST: Final = (1 << 31) - 1  # of the bulk bench


# What a run of the cocotb bench can show without a reset in mid-stream.
STALLS: Final = ("input_paused", "input_held", "output_held")


class SimulationError(QsimError):
    """A simulation did not run to its end: its result is not known. Exit status 2."""

    kind = "simulation"


@dataclass(frozen=True, slots=True)
class Difference:
    """An output beat that is not what was expected.

    Attributes:
        beat: its index among the output beats.
        cycle: when it was taken.
        expected, actual: tdata, as hexadecimal digits. Where a bit of ``actual`` is x or z it is
            a ``b`` and binary digits: only then it contains an x or a z.
        expected_last, actual_last: tlast: 0, 1, x or z.
    """

    beat: int
    cycle: int
    expected: str
    actual: str
    expected_last: str
    actual_last: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule of the stream that the design broke; each kind is told once, where it began.

    Attributes:
        kind: ``hang`` (no progress), ``extra`` (a beat that nobody expects), ``unstable`` (tdata
            or tlast changed while it waited), ``dropped`` (tvalid fell while it waited),
            ``unknown`` (x or z on tvalid or tready), ``reset`` (tvalid high in reset), ``last``
            (a wrong last of a design that is not ours; of ours it is a difference).
        cycle: when.
        message: one line with the figures.
    """

    EXPLAINED: ClassVar[dict[ProblemKind, str]] = {
        "hang": "made no progress",
        "extra": "sent a beat more than expected",
        "unstable": "changed tdata or tlast while tvalid waited for tready",
        "dropped": "took tvalid back before tready",
        "unknown": "has x or z on tvalid or tready",
        "reset": "keeps tvalid high in reset",
        "last": "gave a wrong tlast",
    }
    kind: ProblemKind
    cycle: int
    message: str


@dataclass(frozen=True, slots=True)
class Stimulus:
    """How beats are offered and taken.

    Attributes:
        seed: of everything random in the bench.
        stall_input, stall_output: probability, 0 to below 1, that a cycle offers no new beat, and
            that tready is low in it.
        wait_for_valid: tready stays low until tvalid is high: a design that waits for tready
            before it raises tvalid hangs.
        resets: cycles at which reset goes high for ``reset_cycles``. The stream then starts again
            from its first beat, and so does what is expected; beats taken before count too.
        reset_cycles: at least 1.
        idle_limit: cycles without a beat on either side after which the design is said to hang; in
            proportion to the longest pause seen (see ``patience``) if None.
    """

    seed: int = 0
    stall_input: float = 0.0
    stall_output: float = 0.0
    wait_for_valid: bool = False
    resets: tuple[int, ...] = ()
    reset_cycles: int = 2
    idle_limit: int | None = None

    def __post_init__(self) -> None:
        for name in ("stall_input", "stall_output"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(
                    f"{name} must be a probability, not {getattr(self, name)}",
                    accepted="0 to below 1",
                )
        if not 0 <= self.seed < 1 << 32:
            raise UsageError(f"seed must have 32 bits, not {self.seed}", accepted="0..4294967295")
        if list(self.resets) != sorted(set(self.resets)) or min(self.resets, default=0) < 0:
            raise UsageError(f"resets must be ascending cycles, not {self.resets}")
        if self.reset_cycles < 1 or (self.idle_limit is not None and self.idle_limit < 1):
            raise UsageError("reset_cycles and idle_limit must be at least 1")

    @property
    def patience(self) -> tuple[int, int]:
        """Cycles without a beat that are a hang, and times the longest pause, if that is more.

        A side that stalls nearly always does not make a design hang: a pause of 50 times the
        average has a probability of exp(-50).
        """
        if self.idle_limit is not None:
            return self.idle_limit, 0
        pauses = 50 / (1 - max(self.stall_input, self.stall_output))
        return min(_PATIENCE + math.ceil(pauses), _MOST), _FACTOR

    @property
    def stalls(self) -> str:
        """What is not at full rate, in the words of the options; empty where nothing is."""
        words = []
        if self.stall_input != self.stall_output:
            words.append(
                f"stalls of {self.stall_input:g} before it, {self.stall_output:g} behind it"
            )
        elif self.stall_input:
            words.append(f"stalls of {self.stall_input:g}")
        if self.wait_for_valid:
            words.append("a receiver that waits for valid")
        return f"{' and '.join(words)}, seed {self.seed}" if words else ""


@dataclass(frozen=True, slots=True)
class Window:
    """Cycles whose waves are kept; the simulation ends with them.

    Attributes:
        first, last: both included.
        path: the VCD file to write.
    """

    first: int
    last: int
    path: Path


@dataclass(frozen=True, slots=True)
class LaneResult:
    """What one job did.

    Attributes:
        cycles: from the end of reset to the last output beat, both included.
        beats_in, beats_out: beats that were accepted by the design, and taken from it, since the
            last reset.
        beats_expected: output beats that should have been taken.
        differing: output beats that differ, all of them.
        differences: the first of them, in the order of cycles; as many as the limit.
        problems: rules that were broken, in the order of cycles.
        seconds: the simulation with the loading of its files, without the build.
        warnings: of somebody else's design while it ran, one line each, with file and line.
        events: cycles in which a side waited: on a watched design's own ports, else those of the
            cocotb bench; None where nobody counts.
    """

    cycles: int
    beats_in: int
    beats_out: int
    beats_expected: int
    differing: int
    differences: tuple[Difference, ...]
    problems: tuple[Problem, ...]
    seconds: float
    warnings: tuple[str, ...] = ()
    events: Mapping[str, int] | None = None

    @property
    def agrees(self) -> bool:
        """Whether every beat came, as expected, by the rules."""
        return not self.differing and not self.problems and self.beats_out >= self.beats_expected


class Lane(Protocol):
    """The signature of ``run_bulk`` and ``run_cocotb``."""

    def __call__(
        self,
        job: Job,
        build: Build,
        stimulus: Stimulus = ...,
        *,
        window: Window | None = None,
        timeout: float = ...,
        limit: int = ...,
    ) -> LaneResult:
        """Run one job.

        Args:
            job: what to send and to expect.
            build: made for this lane from the job's unit.
            stimulus: stalls, resets and their seed.
            window: keep waves of these cycles; the build must have been made with waves.
            timeout: seconds of wall clock after which the simulator is killed.
            limit: how many differences are kept; all are counted.

        Raises:
            SimulationError: the simulator ended early, was killed, or took too long.
        """
        ...
