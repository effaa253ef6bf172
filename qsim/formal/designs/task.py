"""The goals about one operation of a design, and how each is decided."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qsim.formal.designs.surroundings import plain, surroundings
from qsim.formal.goal import Verdict
from qsim.formal.run import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.formal.circuit import Circuit
    from qsim.formal.designs.netlist import Netlist
    from qsim.formal.designs.problem import DesignProblem
    from qsim.formal.designs.unrolled import Unrolled
    from qsim.formal.goal import Goal
    from qsim.golden import Case
    from qsim.target import Target


@dataclass(frozen=True, kw_only=True)
class DesignTask(Task):
    """Goals about one operation of a design.

    Attributes:
        problem: the definition.
        netlist: the design.
        lane: which operation of a beat.
    """

    problem: DesignProblem
    netlist: Netlist
    lane: int

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Those that the design is given."""
        return plain(self.problem.dut)

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What was assumed of the design and of what is around it."""
        return surroundings(self.problem.dut, registered=self.netlist.registered)

    @property
    def set(self) -> Mapping[str, int]:
        """What the file has in [fixed]."""
        return self.problem.dut.fixed

    def text(self) -> str:
        """Return the design as SMT-LIB."""
        return self.netlist.smt2

    def unrolled(self, text: str) -> Unrolled:
        """Return the design over time."""
        from qsim.formal.designs.unrolled import Unrolled

        return Unrolled(self.problem.dut, self.problem.unit, text, self.lane)

    def load(self, text: str) -> Any:
        """Return the design over time, and the result that is asked for."""
        unrolled = self.unrolled(text)
        return unrolled, self.circuit(unrolled.anywhere())

    def circuit(self, result: Any) -> Circuit:
        """Return a term over the fields as a circuit."""
        from qsim.formal.circuit import Circuit

        inputs = {field.name: field.bits for field in self.problem.unit.inputs.fields}
        return Circuit(inputs, {self.problem.result.name: result})

    def decide(self, loaded: Any, goal: Goal, timeout: float) -> Verdict:
        """Prove a goal whatever the registers hold; else look for a run from a reset that fails."""
        from qsim.formal.decide import decide
        from qsim.formal.designs.refuting import in_a_row

        start = time.perf_counter()
        unrolled, anywhere = loaded
        if self._empty(unrolled, goal, timeout):
            note = "no operands meet what is assumed"
            return Verdict(goal.name, "not proven", time.perf_counter() - start, note=note)
        verdict = decide(self.problem, anywhere, goal, timeout)
        if verdict.status == "proven" or not self.netlist.registered:
            return verdict
        alone = decide(self.problem, self.circuit(unrolled.alone()), goal, timeout)
        if alone.status != "counterexample":
            alone = in_a_row(self.problem, unrolled, goal, timeout) or self._open(verdict)
        return replace(alone, seconds=time.perf_counter() - start)

    def case(self, found: Verdict) -> Case:
        """Return a counterexample as a golden vector, with the operations that it needs."""
        return self.problem.cases(found.beats or (found.values,))

    def replay(self, case: Case, target: Target) -> tuple[str, str] | None:
        """Simulate a counterexample on the design; see ``qsim.formal.replaying``."""
        from qsim.formal.replaying import replay_design

        return replay_design(self.problem.dut, case, target)

    def _empty(self, unrolled: Unrolled, goal: Goal, timeout: float) -> bool:
        """Return whether a goal's constants contradict the assumptions: then all is true of it."""
        import z3

        solver: Any = z3.SolverFor("QF_BV")
        solver.set("timeout", max(int(timeout * 1000), 1))
        for name, term in unrolled.own.items():
            if name in goal.fixed:
                solver.add(term == goal.fixed[name])
        solver.add(*self.problem.formula(unrolled.own, goal).assumptions)
        return bool(solver.check() == z3.unsat)

    def _open(self, verdict: Verdict) -> Verdict:
        """Return that a goal is not proven, and why."""
        if verdict.status == "not proven":
            return verdict
        note = (
            "wrong from a state of the registers that no short run from a reset was found to reach"
        )
        return replace(verdict, status="not proven", values={}, note=note)
