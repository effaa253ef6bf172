"""One goal, decided by z3."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import z3

from qsim.formal.clocked import functions
from qsim.formal.cut import cut
from qsim.formal.goal import Formula, Goal, Verdict
from qsim.formal.words import integer, joined, wide

if TYPE_CHECKING:
    from qsim.cosim.jobs import Field
    from qsim.formal.circuit import Circuit
    from qsim.formal.goal import Problem, Status


def decide(problem: Problem, circuit: Circuit, goal: Goal, timeout: float) -> Verdict:
    """Prove a goal or find a counterexample.

    Args:
        problem: the definition.
        circuit: its core.
        goal: what is fixed.
        timeout: seconds for each query to the solver.
    """
    start = time.perf_counter()
    milliseconds = max(int(timeout * 1000), 1)
    status, count = _without_products(problem, circuit, goal, milliseconds)
    if status == z3.unsat:
        return Verdict(goal.name, "proven", time.perf_counter() - start, count)
    if goal.parts:
        verdicts = (decide(problem, circuit, part, timeout) for part in goal.parts)
        failed = next((verdict for verdict in verdicts if verdict.status != "proven"), None)
        return failed or Verdict(goal.name, "proven", time.perf_counter() - start)
    if count:
        # The products that fail may not exist: look for real operands, easy ones first.
        for hint in goal.hints:
            narrowed = Goal(goal.name, {**goal.fixed, **hint})
            status, model = _exact(problem, circuit, narrowed, milliseconds)
            if status == z3.sat:
                return _counterexample(problem, circuit, narrowed, model, start)
    status, model = _exact(problem, circuit, goal, milliseconds)
    if status == z3.sat:
        return _counterexample(problem, circuit, goal, model, start)
    word: Status = "proven" if status == z3.unsat else "not proven"
    return Verdict(goal.name, word, time.perf_counter() - start)


def _terms(problem: Problem, circuit: Circuit, goal: Goal) -> tuple[dict[str, Any], Formula, Any]:
    inputs = {
        field.name: z3.BitVecVal(goal.fixed[field.name], field.bits)
        if field.name in goal.fixed
        else z3.BitVec(field.name, field.bits)
        for field in problem.unit.inputs.fields
    }
    ports = {
        port: joined([inputs[name] for name in names]) for port, names in problem.ports.items()
    }
    return inputs, problem.formula(inputs, goal), circuit.apply(problem.result.name, ports)


def _differs(rtl: Any, formula: Formula, result: Field) -> Any:
    return wide(rtl, result, formula.expected.size()) != formula.expected


def _without_products(
    problem: Problem, circuit: Circuit, goal: Goal, milliseconds: int
) -> tuple[Any, int]:
    _, formula, rtl = _terms(problem, circuit, goal)
    terms = cut(rtl, formula.expected, formula.assumptions, milliseconds)
    if terms is None:
        return z3.unknown, 0
    solver = solver_of(terms.rtl, milliseconds)
    after = Formula(terms.assumptions, terms.spec)
    solver.add(*after.assumptions, _differs(terms.rtl, after, problem.result))
    return solver.check(), terms.products


def _exact(problem: Problem, circuit: Circuit, goal: Goal, milliseconds: int) -> tuple[Any, Any]:
    _, formula, rtl = _terms(problem, circuit, goal)
    solver = solver_of(rtl, milliseconds)
    solver.add(*formula.assumptions, _differs(rtl, formula, problem.result))
    status = solver.check()
    return status, solver.model() if status == z3.sat else None


def solver_of(term: Any, milliseconds: int) -> Any:
    """Return a solver for a design's term: that of bit-vectors knows nothing of memories."""
    memories = any(map(z3.is_array, functions(term)))
    solver = z3.Solver() if memories else z3.SolverFor("QF_BV")
    solver.set("timeout", milliseconds)
    return solver


def _counterexample(
    problem: Problem, circuit: Circuit, goal: Goal, model: Any, start: float
) -> Verdict:
    """Return a counterexample, its expected code computed anew on integers."""
    inputs, _, rtl = _terms(problem, circuit, goal)
    values = {
        field.name: integer(_word(model, inputs[field.name]), field)
        for field in problem.unit.inputs.fields
    }
    actual = integer(_word(model, rtl), problem.result)
    element = getattr(problem, "element", 0)
    expected = int(problem.case(values).expected.reshape(-1)[element])
    if actual == expected:
        raise AssertionError(f"{goal.name}: bit-vectors and integers disagree at {values}")
    seconds = time.perf_counter() - start
    return Verdict(goal.name, "counterexample", seconds, 0, values, expected, actual)


def _word(model: Any, term: Any) -> int:
    return int(model.eval(term, model_completion=True).as_long())
