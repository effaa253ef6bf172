"""A counterexample that needs more than one operation: what else is in the pipeline decides."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import z3

from qsim.formal.decide import solver_of
from qsim.formal.goal import Goal, Verdict
from qsim.formal.words import integer, wide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.formal.designs.problem import DesignProblem
    from qsim.formal.designs.unrolled import Unrolled


def in_a_row(
    problem: DesignProblem, unrolled: Unrolled, goal: Goal, timeout: float
) -> Verdict | None:
    """Return a row of operations after a reset, one of which has a wrong result; None without one.

    They are elements of one call: only its operands differ from one to the next.
    """
    reach = unrolled.reach
    moving = problem.moving(goal)
    if not reach or not moving or "draw" in unrolled.own:
        return None
    start = time.perf_counter()
    for hint in (*goal.hints, {}):
        narrowed = Goal(goal.name, {**goal.fixed, **hint})
        found = _row(problem, unrolled, narrowed, timeout, moving)
        if found is not None:
            values, beats, actual = found
            expected = int(problem.case(values).expected.reshape(-1)[0])
            if actual == expected:
                raise AssertionError(f"{goal.name}: bit-vectors and integers disagree at {values}")
            seconds = time.perf_counter() - start
            return Verdict(
                goal.name, "counterexample", seconds, 0, values, expected, actual, beats=beats
            )
    return None


def _row(
    problem: DesignProblem,
    unrolled: Unrolled,
    goal: Goal,
    timeout: float,
    moving: tuple[str, ...],
) -> tuple[Mapping[str, int], tuple[Mapping[str, int], ...], int] | None:
    fields = problem.unit.inputs.fields
    constants = [
        (z3.BitVec(name, field.bits), z3.BitVecVal(goal.fixed[name], field.bits))
        for field in fields
        if (name := field.name) in goal.fixed
    ]
    own = {name: z3.substitute(term, *constants) for name, term in unrolled.own.items()}
    places = [place for place in range(-unrolled.reach, unrolled.reach + 1) if place]
    others = {place: {**own, **_moved(own, place, moving)} for place in places}
    rtl = z3.substitute(unrolled.row(others), *constants)
    formula = problem.formula(own, goal)
    solver = solver_of(rtl, max(int(timeout * 1000), 1))
    solver.add(*formula.assumptions)
    for operands in others.values():
        solver.add(*problem.formula(operands, goal).assumptions)
    solver.add(wide(rtl, problem.result, formula.expected.size()) != formula.expected)
    if solver.check() != z3.sat:
        return None
    model = solver.model()

    def numbers(operands: Mapping[str, Any]) -> dict[str, int]:
        return {f.name: integer(_word(model, operands[f.name]), f) for f in fields}

    row = {**others, 0: own}
    beats = tuple(numbers(row[place]) for place in sorted(row))
    return numbers(own), beats, integer(_word(model, rtl), problem.result)


def _moved(own: Mapping[str, Any], place: int, moving: tuple[str, ...]) -> dict[str, Any]:
    """Return the operands of another operation that are its own."""
    return {name: z3.BitVec(f"{name} of operation {place}", own[name].size()) for name in moving}


def _word(model: Any, term: Any) -> int:
    return int(model.eval(term, model_completion=True).as_long())
