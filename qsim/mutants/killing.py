"""Which run tells a mutant from the module that it is of."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from qsim.cosim.lanes import SimulationError, Stimulus, run_bulk
from qsim.cosim.simulators import process
from qsim.mutants.changes import change

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.cosim.jobs import Job
    from qsim.cosim.simulators import Build

Status: TypeAlias = Literal["killed", "equivalent", "explained", "survived"]
# What is known of a survivor: its status, and why.
Judge: TypeAlias = Callable[[int], tuple[Status, str]]
SECONDS: Final = 600.0  # of the module as it is
_IDLE: Final = 4096  # cycles without a beat, of a module that answers within a packet


@dataclass(frozen=True)
class Mutant:
    """What became of one mutant.

    Attributes:
        number: of the port that chooses it.
        change: in yosys' words.
        status: ``equivalent`` is proved; ``explained`` is not, but somebody has said why no run can
            tell; ``survived`` is a gap, or nobody knows.
        note: what killed it, what the proof of equivalence said, or the explanation.
    """

    number: int
    change: str
    status: Status
    note: str


@dataclass(frozen=True)
class Score:
    """One campaign.

    Attributes:
        primitive: whose module.
        parameters: of the elaboration.
        beats: that were sent to each mutant at full rate.
        mutants: all of them.
        runs: the names of the runs that each had to pass.
        unused: runs that the module itself does not pass, with what is wrong with it there.
        calls: how many calls were sent, of how many.
    """

    primitive: str
    parameters: dict[str, Any]
    beats: int
    mutants: tuple[Mutant, ...]
    runs: tuple[str, ...] = ()
    unused: Mapping[str, str] = field(default_factory=dict)
    calls: tuple[int, int] = (0, 0)

    def count(self, status: Status) -> int:
        """Return how many mutants ended so."""
        return sum(mutant.status == status for mutant in self.mutants)

    @property
    def score(self) -> float:
        """Killed, of those that are not proved equivalent."""
        return self.count("killed") / max(len(self.mutants) - self.count("equivalent"), 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "count": len(self.mutants),
            "killed": self.count("killed"),
            "equivalent": self.count("equivalent"),
            "survived": self.count("survived"),
            "score": round(self.score, 4),
            "beats": self.beats,
            "calls": list(self.calls),
            "runs": list(self.runs),
            "unused": dict(self.unused),
            "mutants": [
                {
                    "number": mutant.number,
                    "status": mutant.status,
                    "change": str(change(mutant.change)),
                    "note": mutant.note,
                }
                for mutant in self.mutants
            ],
        }


def runs(job: Job) -> dict[str, Stimulus]:
    """Return how the beats of a job are sent: at full rate, with stalls, and so on."""
    middle = len(job.beats)
    resets = tuple(sorted({5, middle // 3, middle}))
    return {
        "full rate": Stimulus(idle_limit=_IDLE),
        "late ready": Stimulus(wait_for_valid=True, idle_limit=_IDLE),
        "stalls": Stimulus(stall_input=0.3, stall_output=0.4, idle_limit=_IDLE),
        "resets": Stimulus(stall_output=0.3, resets=resets, idle_limit=_IDLE),
    }


@dataclass
class Hunt:
    """One module, its mutants in one build, and the runs that may tell them apart.

    Attributes:
        job: what is sent.
        build: of the netlist; the seed of a run chooses the mutant.
        runs: by name.
        pace: the cycles that runs without random stalls take of the module itself.
        most: seconds that a run may take.
    """

    job: Job
    build: Build
    runs: dict[str, Stimulus]
    pace: dict[str, int] = field(default_factory=dict)
    most: float = SECONDS

    def begin(self) -> dict[str, str]:
        """Run the module itself; return what is wrong with it, by run. It sets the pace."""
        start = time.perf_counter()
        wrong = {name: said for name in self.runs if (said := self._run(name, 0))}
        # A mutant may run for ever; ten times the module's own time is enough to agree.
        self.most = 10 * (time.perf_counter() - start) + 5
        return wrong

    def all(
        self, changes: Sequence[str], judge: Judge, workers: int,
        advance: Callable[[int], None] = lambda _count: None,
    ) -> tuple[Mutant, ...]:  # fmt: skip
        """Return what became of every mutant.

        Args:
            changes: of the mutants, the first one first.
            judge: is asked of each that no run tells apart.
            workers: simulations side by side.
            advance: called with 1 when one is decided.
        """

        def one(number: int) -> Mutant:
            change, how = changes[number - 1], self._killer(number)
            if how:
                return Mutant(number, change, "killed", how)
            status, why = judge(number)
            return Mutant(number, change, status, why)

        made = []
        for mutant in process.side_by_side(one, range(1, len(changes) + 1), workers):
            made.append(mutant)
            advance(1)
        return tuple(made)

    def _killer(self, number: int) -> str:
        """Return the first run that tells a mutant from the module, and how; empty without one."""
        for name in self.runs:
            said = self._run(name, number)
            if said:
                return f"{name}: {said}"
        return ""

    def _run(self, name: str, number: int) -> str:
        stimulus = replace(self.runs[name], seed=number)
        try:
            result = run_bulk(self.job, self.build, stimulus, timeout=self.most, limit=1)
        except SimulationError as error:
            return "no end" if number else error.message
        if result.problems:
            return str(result.problems[0].kind)
        if not result.agrees:
            return f"{result.differing} beats differ"
        # The seed of random stalls chooses the mutant as well: those runs keep no pace.
        free = not (stimulus.stall_input or stimulus.stall_output)
        if free and self.pace.setdefault(name, result.cycles) != result.cycles:
            return f"{result.cycles} cycles, not {self.pace[name]}"
        return ""


def largest(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs of the unit that has most beats."""
    groups: dict[Any, list[Job]] = defaultdict(list)
    for each in jobs:
        unit = each.unit
        parameters = tuple(sorted(unit.parameters.items()))
        groups[unit.module, parameters, unit.inputs, unit.outputs].append(each)
    return max(groups.values(), key=lambda group: sum(len(each.beats) for each in group))


def beside(jobs: Sequence[Job]) -> Job:
    """Return the jobs of a block's results as one: all results of a beat side by side."""
    first = jobs[0]
    fields = tuple(field for each in jobs for field in each.unit.outputs.fields)
    outputs = replace(first.unit.outputs, fields=fields)
    values = {k: v for each in jobs for k, v in each.unit.outputs.unpack(each.expected).items()}
    return replace(
        first,
        unit=replace(first.unit, outputs=outputs),
        expected=outputs.pack(values, len(first.expected)),
    )


def merged(jobs: Sequence[Job]) -> Job:
    """Return jobs of one unit, one after the other."""
    return replace(
        jobs[0],
        beats=np.concatenate([each.beats for each in jobs]),
        last=np.concatenate([each.last for each in jobs]),
        expected=np.concatenate([each.expected for each in jobs]),
        expected_last=np.concatenate([each.expected_last for each in jobs]),
        element=np.concatenate([each.element for each in jobs]),
    )
