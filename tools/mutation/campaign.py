"""One campaign: the golden vectors of a primitive against all mutants of its module."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from qsim.cosim.jobs import job
from qsim.cosim.lanes import SimulationError, Stimulus, bulk_recipe, run_bulk
from qsim.cosim.simulators import build
from tools.mutation.equivalent import equivalent
from tools.mutation.explained import EXPLAINED
from tools.mutation.netlist import mutants

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsim.cosim.jobs import Job
    from qsim.cosim.simulators import Build, Simulator
    from qsim.golden.case import Case
    from qsim.target import Target
    from tools.mutation.netlist import Mutants

Status: TypeAlias = Literal["killed", "equivalent", "explained", "survived"]
_SECONDS: Final = 600.0  # of the module as it is
_IDLE: Final = 4096  # cycles without a beat, of a module that answers within a packet
# Lanes are copies: what a changed bit of one does, another shows as well. Few of them get more
# beats each, and run many times as fast as the 256 of a real array.
ROWS, COLUMNS = 2, 4


@dataclass(frozen=True)
class Mutant:
    """What became of one mutant.

    Attributes:
        number: of the port that chooses it.
        change: in yosys' words.
        status: ``equivalent`` is proved; ``explained`` is not, but :mod:`tools.mutation.explained`
            says why no run can tell; ``survived`` is a gap, or nobody knows.
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
    """

    primitive: str
    parameters: dict[str, int]
    beats: int
    mutants: tuple[Mutant, ...]

    def count(self, status: Status) -> int:
        """Return how many mutants ended so."""
        return sum(mutant.status == status for mutant in self.mutants)

    @property
    def score(self) -> float:
        """Killed, of those that are not proved equivalent."""
        return self.count("killed") / max(len(self.mutants) - self.count("equivalent"), 1)


def run(
    cases: Iterable[Case], target: Target, simulator: Simulator, count: int, seed: int
) -> Score:
    """Mutate the module that most beats of these cases go through; send them to every mutant.

    Args:
        cases: of one primitive.
        target: that they were made for.
        simulator: runs the bulk bench.
        count: mutants.
        seed: of their choice.
    """
    small = replace(target, array=replace(target.array, rows=ROWS, columns=COLUMNS))
    whole = merged([job(case, small) for case in cases])
    made = mutants(whole.unit, count, seed)
    with tempfile.TemporaryDirectory(prefix="qsim-mutation-") as name:
        built = build(bulk_recipe(made.design(Path(name)), simulator))
        start = time.perf_counter()
        pace: dict[str, int] = {}
        _kills(whole, built, 0, _SECONDS, pace)
        # A mutant may run for ever; ten times the module's own time is enough to agree.
        most = 10 * (time.perf_counter() - start) + 5
        with ThreadPoolExecutor(2) as pool:
            numbers = range(1, len(made.changes) + 1)
            verdicts = list(
                pool.map(lambda number: _verdict(made, whole, built, number, most, pace), numbers)
            )
    return Score(whole.primitive, dict(whole.unit.parameters), len(whole.beats), tuple(verdicts))


def _verdict(
    made: Mutants, whole: Job, built: Build, number: int, most: float, pace: dict[str, int]
) -> Mutant:
    change = made.changes[number - 1]
    how = _kills(whole, built, number, most, pace)
    if how:
        return Mutant(number, change, "killed", how)
    answer = equivalent(made, number)
    if answer == "equivalent":
        return Mutant(number, change, "equivalent", answer)
    why = EXPLAINED.get(made.unit.module, {}).get(change)
    return Mutant(number, change, "explained" if why else "survived", why or answer)


def _kills(whole: Job, built: Build, number: int, most: float, pace: dict[str, int]) -> str:
    """Return which run tells a mutant from the module: at full rate, with stalls, and so on.

    Mutant 0 is the module: it must agree, within ``most`` seconds a run, and sets the pace: the
    cycles that runs without random stalls take. (The seed of those chooses the mutant as well.)
    """
    middle = len(whole.beats)
    for name, stimulus in (
        ("full rate", Stimulus(idle_limit=_IDLE)),
        ("late ready", Stimulus(wait_for_valid=True, idle_limit=_IDLE)),
        ("stalls", Stimulus(stall_input=0.3, stall_output=0.4, idle_limit=_IDLE)),
        (
            "resets",
            Stimulus(stall_output=0.3, resets=(5, middle // 3, middle), idle_limit=_IDLE),
        ),
    ):
        try:
            result = run_bulk(whole, built, replace(stimulus, seed=number), timeout=most, limit=1)
        except SimulationError:
            if not number:
                raise
            return f"{name}: no end"
        if not result.agrees:
            if not number:
                raise AssertionError(f"{whole.unit.module} itself fails with {name}: {result}")
            return f"{name}: {_what(result)}"
        free = not (stimulus.stall_input or stimulus.stall_output)
        if free and pace.setdefault(name, result.cycles) != result.cycles:
            return f"{name}: {result.cycles} cycles, not {pace[name]}"
    return ""


def _what(result: Any) -> str:
    if result.problems:
        return str(result.problems[0].kind)
    return f"{result.differing} beats differ"


def merged(jobs: list[Job]) -> Job:
    """Return the jobs of the unit that has most beats, one after the other."""
    groups: dict[Any, list[Job]] = defaultdict(list)
    for each in jobs:
        groups[each.unit.module, tuple(sorted(each.unit.parameters.items()))].append(each)
    chosen = max(groups.values(), key=lambda group: sum(len(each.beats) for each in group))
    return replace(
        chosen[0],
        beats=np.concatenate([each.beats for each in chosen]),
        last=np.concatenate([each.last for each in chosen]),
        expected=np.concatenate([each.expected for each in chosen]),
        expected_last=np.concatenate([each.expected_last for each in chosen]),
        element=np.concatenate([each.element for each in chosen]),
    )
