"""A definition asked of somebody else's design: its ports, and what they cannot take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.formal.designs.encoding import expected_on, fits, result_on, takes, told
from qsim.formal.goal import Formula, Goal
from qsim.formal.words import own_ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qsim.cosim.dut import Dut
    from qsim.cosim.jobs import Field, Unit
    from qsim.formal.goal import Problem
    from qsim.golden import Case


@dataclass(frozen=True)
class DesignProblem:
    """One operation of a design, and its definition.

    Attributes:
        base: the definition.
        dut: the design.
    """

    base: Problem
    dut: Dut

    @property
    def unit(self) -> Unit:
        """The beats that the design is bound to."""
        return self.base.unit

    @property
    def ports(self) -> Mapping[str, tuple[str, ...]]:
        """One for each field."""
        return own_ports(self.unit)

    @property
    def result(self) -> Field:
        """The result in the full width of its port."""
        return result_on(self.base.result, self.dut.results[self.base.result.name])

    @property
    def preconditions(self) -> tuple[str, ...]:
        """What is assumed, in words."""
        ports = [
            told(field, self.dut.operands[field.name])
            for field in self.unit.inputs.fields
            if field.name in self.dut.operands
        ]
        return (*self.base.preconditions, *filter(None, ports))

    def formula(self, inputs: Mapping[str, Any], goal: Goal) -> Formula:
        """Return the goal over these inputs; each fits its port."""
        formula = self.base.formula(inputs, goal)
        ranges = [
            bound
            for name, binding in self.dut.operands.items()
            for bound in fits(inputs[name], self.unit, name, binding)
        ]
        result = self.base.result
        expected = expected_on(formula.expected, result, self.dut.results[result.name])
        return Formula((*formula.assumptions, *ranges), expected)

    def case(self, values: Mapping[str, int]) -> Case:
        """Return integers as a golden vector of one element."""
        return self.base.case(values)

    def cases(self, beats: Sequence[Mapping[str, int]]) -> Case:
        """Return a golden vector of several elements, of equal attributes."""
        made = [self.case(values) for values in beats]
        operands = {
            name: np.concatenate([each.operands[name] for each in made])
            for name in made[0].operands
        }
        expected = np.concatenate([each.expected for each in made])
        return replace(made[0], operands=operands, expected=expected)

    def moving(self, goal: Goal) -> tuple[str, ...]:
        """Return the fields that may differ from element to element of one call."""
        beat = {f.name: goal.fixed.get(f.name, 0) for f in self.unit.inputs.fields}
        names = {"x": "acc"}  # what a clamp calls its operand
        operands = [names.get(name, name) for name in self.case(beat).operands]
        return tuple(name for name in operands if name not in goal.fixed)

    def adapted(self, goals: Iterable[Goal]) -> list[Goal]:
        """Return the goals for a design can be asked: with what it has fixed, within its ports."""
        return [made for goal in goals if (made := self._adapted(goal)) is not None]

    def _adapted(self, goal: Goal) -> Goal | None:
        if not self._takes(goal.fixed):
            return None
        return replace(
            goal,
            fixed={**goal.fixed, **self.dut.fixed},
            hints=tuple(hint for hint in goal.hints if self._takes(hint)),
            parts=tuple(self.adapted(goal.parts)),
        )

    def _takes(self, values: Mapping[str, int]) -> bool:
        return all(
            takes(self.dut.operands[name], value)
            if name in self.dut.operands
            else self.dut.fixed[name] == value
            for name, value in values.items()
        )
