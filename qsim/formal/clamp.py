"""The definition of clamp, on the beats of a requantization by a shift of 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hw_models.activation import reference
from hw_models.schemes import PowerOfTwo
from qsim.cosim.jobs import requantize
from qsim.formal.goal import Formula, Goal
from qsim.formal.requantize import RequantizeProblem
from qsim.formal.vector import vector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.golden import Case
    from qsim.target import Target

# What a beat of clamp holds beside the code and its limits.
CONSTANTS = {"shift": 0, "input_zero_point": 0, "zero_point": 0}


@dataclass(frozen=True)
class ClampProblem(RequantizeProblem):
    """Codes of the output's format, clamped."""

    @property
    def preconditions(self) -> tuple[str, ...]:
        """What is assumed, in words."""
        form = self.output
        return (*super().preconditions, f"{form.min} <= acc <= {form.max}: it is a code")

    def formula(self, inputs: Mapping[str, Any], goal: Goal) -> Formula:
        """Return the goal over these inputs."""
        import z3

        from qsim.formal.words import wide

        formula = super().formula(inputs, goal)
        field = self.unit.inputs.fields[0]
        acc = wide(inputs["acc"], field, field.bits + 1)
        code = z3.And(acc >= self.output.min, acc <= self.output.max)
        return Formula((*formula.assumptions, code), formula.expected)

    def case(self, values: Mapping[str, int]) -> Case:
        """Return integers as a golden vector; ``hw_models.activation`` defines its code."""
        low, high = values["low"], values["high"]
        expected = reference(values["acc"], low, high)
        operands = {"x": (values["acc"], self.output)}
        return vector("clamp", {"lo": low, "hi": high}, operands, expected, self.output)


def of_target(target: Target) -> ClampProblem:
    """Return the problem of a target's codes."""
    scheme = PowerOfTwo(0, "floor")
    output = target.output.format
    return ClampProblem(requantize.unit("clamp", target, scheme, output, output), scheme, output)
