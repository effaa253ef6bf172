"""One campaign: the golden vectors of a primitive against all mutants of its module."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from qsim.atomic import scratch
from qsim.cosim.jobs import job
from qsim.cosim.lanes import bulk_recipe
from qsim.cosim.simulators import build
from qsim.mutants import Hunt, Score, largest, merged, runs
from tools.mutation.equivalent import equivalent
from tools.mutation.explained import EXPLAINED
from tools.mutation.netlist import mutants

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsim.cosim.simulators import Simulator
    from qsim.golden.case import Case
    from qsim.mutants import Status
    from qsim.target import Target

_WORKERS: Final = 2
# Lanes are copies: what a changed bit of one does, another shows as well. Few of them get more
# beats each, and run many times as fast as the 256 of a real array.
ROWS, COLUMNS = 2, 4


def run(
    cases: Iterable[Case], target: Target, simulator: Simulator, count: int, seed: int
) -> Score:
    """Mutate the module that most beats of these cases go through; send them to every mutant.

    Args:
        cases: of one primitive, or of several that run on one module.
        target: that they were made for.
        simulator: runs the bulk bench.
        count: mutants.
        seed: of their choice.
    """
    small = replace(target, array=replace(target.array, rows=ROWS, columns=COLUMNS))
    whole = merged(largest([job(case, small) for case in cases]))
    made = mutants(whole.unit, count, seed)
    changes = made.made.changes

    def judge(number: int) -> tuple[Status, str]:
        answer = equivalent(made, number)
        if answer == "equivalent":
            return "equivalent", answer
        why = EXPLAINED.get(made.unit.module, {}).get(changes[number - 1])
        return ("explained", why) if why else ("survived", answer)

    with scratch("mutation") as folder:
        hunt = Hunt(whole, build(bulk_recipe(made.design(folder), simulator)), runs(whole))
        wrong = hunt.begin()
        if wrong:
            raise AssertionError(f"{whole.unit.module} itself fails: {wrong}")
        found = hunt.all(changes, judge, _WORKERS)
    return Score(whole.unit.module, dict(whole.unit.parameters), len(whole.beats), found)
