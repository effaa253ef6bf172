"""The proof of bias_add: ``rtl_tb/rtl/bias_add_core.sv`` against ``hw_models.bias_add``.

One goal, with everything free. Of an accumulator whose rule is ``error``, only sums that do not
overflow are compared: a run that completed has no others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import z3

from hw_models.bias_add import reference
from hw_models.formats import Accumulator, FixedFormat
from qsim.cosim.jobs import bias_add
from qsim.formal.goal import Formula, Goal
from qsim.formal.provable import sources_of
from qsim.formal.run import Task
from qsim.formal.vector import vector
from qsim.formal.words import own_ports, wide
from qsim.program import accumulator_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qsim.cosim.jobs import Field, Unit
    from qsim.golden import Case
    from qsim.network import Lowered
    from qsim.target import Target


@dataclass(frozen=True)
class BiasAddProblem:
    """One elaboration of bias_add_core.

    Attributes:
        unit: module, parameters and fields.
        accumulator: of the sum.
    """

    unit: Unit
    accumulator: Accumulator

    @property
    def ports(self) -> Mapping[str, tuple[str, ...]]:
        """One for each field."""
        return own_ports(self.unit)

    @property
    def result(self) -> Field:
        """The core's output."""
        return self.unit.outputs.fields[0]

    @property
    def preconditions(self) -> tuple[str, ...]:
        """What is assumed, in words."""
        if self.accumulator.overflow != "error":
            return ()
        return (f"{self.accumulator.min} <= acc + bias <= {self.accumulator.max}",)

    def formula(self, inputs: Mapping[str, Any], goal: Goal) -> Formula:
        """Return the goal over these inputs."""
        del goal
        fields = self.unit.inputs.fields
        width = max(self.accumulator.bits, *(field.bits for field in fields)) + 2
        acc, bias = (wide(inputs[field.name], field, width) for field in fields)
        if self.accumulator.overflow != "error":
            return Formula((), reference(acc, bias, self.accumulator, select=z3.If))
        low, high = self.accumulator.min, self.accumulator.max
        silent = replace(self.accumulator, overflow="wrap")
        expected = reference(acc, bias, silent, select=z3.If)
        return Formula((acc + bias >= low, acc + bias <= high), expected)

    def case(self, values: Mapping[str, int]) -> Case:
        """Return integers as a golden vector."""
        operands = {
            field.name: (values[field.name], FixedFormat(field.bits))
            for field in self.unit.inputs.fields
        }
        total = reference(values["acc"], values["bias"], self.accumulator)
        attributes = {"axis": 0, "accumulator": accumulator_to_json(self.accumulator)}
        return vector("bias_add", attributes, operands, total, self.accumulator.format)


def tasks(target: Target, lowered: Lowered | None, rtl: Path | None) -> list[Task]:
    """Return what there is to prove: see ``qsim.formal.provable``."""
    del lowered  # the one goal holds for every bias
    accumulator = target.sum.accumulator
    formats = {"acc": target.correlation.accumulator.format, "bias": target.bias.format}
    made = bias_add.unit(target, accumulator, formats)
    goal = Goal("every acc and bias", {})
    problem = BiasAddProblem(made, accumulator)
    return [Task(problem, "bias_add_core", sources_of(made, rtl), (goal,))]
