"""The proof of rotary: ``rtl_tb/rtl/rotary_core.sv`` against ``hw_models.rotary``.

One goal for each of the two sums of a pair, with everything free: codes, zero point and turn. Their
rescale is that of requantize, which has its own proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import z3

from hw_models.formats import FixedFormat
from hw_models.rotary import sums
from hw_models.schemes import PowerOfTwo
from qsim.cosim.jobs import Field, Layout, Unit
from qsim.cosim.jobs import rotary as jobs
from qsim.formal.goal import Formula, Goal
from qsim.formal.provable import calls_of, sources_of
from qsim.formal.run import Task
from qsim.formal.words import own_ports, wide
from qsim.golden import Case
from qsim.program import encode_scheme, format_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qsim.network import Lowered
    from qsim.target import Target

_TURN = 16  # bits of a table's code


@dataclass(frozen=True)
class RotaryProblem:
    """One sum of rotary_core.

    Attributes:
        unit: module, parameters and fields.
        codes: the format of the codes.
        element: of the pair: 0 or 1.
    """

    unit: Unit
    codes: FixedFormat
    element: int

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
        low, high = self.codes.min, self.codes.max
        told = f"{low} <= a, b, x_zero_point <= {high}"
        return (told, f"the sum fits {jobs.ACC} bits (the definition refuses others)")

    def formula(self, inputs: Mapping[str, Any], goal: Goal) -> Formula:
        """Return the goal over these inputs."""
        del goal
        fields = self.unit.inputs.fields
        width = fields[0].bits + _TURN + 4
        a, b, cos, sin, zero = (wide(inputs[f.name], f, max(width, 34)) for f in fields)
        low, high = self.codes.min, self.codes.max
        given = [z3.And(x >= low, x <= high) for x in (a, b, zero)]
        total = sums(a - zero, b - zero, cos, sin)[self.element]
        end = 1 << (jobs.ACC - 1)
        return Formula((*given, total >= -end, total < end), total)

    def case(self, values: Mapping[str, int]) -> Case:
        """Return integers as a golden vector of a pair: the sums as they are, in 32 bits."""
        turn, output = FixedFormat(_TURN), FixedFormat(jobs.ACC)
        attributes = {
            "scheme": encode_scheme(PowerOfTwo(0), "scheme", {}),
            "pairing": "half",
            "x_zero_point": values["x_zero_point"],
            "zero_point": 0,
            "output": format_to_json(output),
        }
        zero = values["x_zero_point"]
        both = sums(values["a"] - zero, values["b"] - zero, values["cos"], values["sin"])
        operands = {
            "x": np.array([values["a"], values["b"]], self.codes.dtype),
            "cos": np.array([values["cos"]], turn.dtype),
            "sin": np.array([values["sin"]], turn.dtype),
        }
        return Case(
            name="counterexample",
            layer="",
            primitive="rotary",
            attributes=attributes,
            operands=operands,
            constants={},
            formats={"x": self.codes, "cos": turn, "sin": turn, "output": output},
            expected=np.array(both, output.dtype),
        )


def tasks(target: Target, lowered: Lowered | None, rtl: Path | None) -> list[Task]:
    """Return what there is to prove: see ``qsim.formal.provable``."""
    formats = {target.input.format}
    if lowered is not None:  # the goals hold for every turn
        calls = calls_of(lowered, "rotary")
        formats = {program.tensors[call.inputs[0]].codes for program, call in calls}
    return [
        _task(target, codes, element, rtl)
        for codes in sorted(formats, key=repr)
        for element in range(2)
    ]


def _task(target: Target, codes: FixedFormat, element: int, rtl: Path | None) -> Task:
    parameters, fields = jobs.parts(target, codes, 0, _TURN)
    name = ("first", "second")[element]
    outputs = Layout((Field(name, jobs.ACC, signed=True),))
    inputs = Layout(tuple(fields))
    unit = Unit("rotary", "rotary_core", jobs.SOURCES, parameters, inputs, outputs)
    goal = Goal(f"every {name} sum of a pair", {})
    problem, sources = RotaryProblem(unit, codes, element), sources_of(unit, rtl)
    return Task(problem, "rotary_core", sources, (goal,), (), f"of the {name} sum")
