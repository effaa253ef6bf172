"""The proof of integer_function: the exponential, and the curves that are made of it or of erf.

``rtl_tb/rtl/integer_function_core.sv`` against ``hw_models.integer.curves``: one goal for each
unit, whose constants are fixed: of a target a scale in every fourth octave, of a program those of
its layers. Code and origin are free. A rescale is that of requantize, which has its own proof;
reciprocals are not proved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import z3

from hw_models.formats import FixedFormat
from hw_models.integer.exponential import Exponential
from hw_models.integer_function import ExpSigmoid, ExpSilu, IbertExp, IbertGelu
from hw_models.schemes import PowerOfTwo
from qsim.cosim.jobs import Field, Layout, Unit
from qsim.cosim.jobs import integer_function as jobs
from qsim.errors import UsageError
from qsim.formal import exponential
from qsim.formal.goal import Formula, Goal
from qsim.formal.provable import calls_of, sources_of
from qsim.formal.run import Task
from qsim.formal.vector import vector
from qsim.formal.words import wide
from qsim.program import decode_scheme, encode_scheme, format_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from qsim.golden import Case
    from qsim.network import Lowered
    from qsim.target import Target

CURVES: Final = (ExpSigmoid, ExpSilu, IbertGelu)
_WIDTH: Final = 40  # of 17 bits shifted by 15, and of a product of 33
_AS_IS: Final = PowerOfTwo(0)


@dataclass(frozen=True)
class CurveProblem:
    """One KIND of integer_function_core.

    Attributes:
        kind: its number.
        codes: the format of the input.
    """

    kind: int
    codes: FixedFormat

    @property
    def numbers(self) -> Mapping[str, tuple[int, bool]]:
        """The numbers of its units: bits, and whether they are signed."""
        sample = CURVES[self.kind - 1].from_scales(0.5, 0.5)
        return jobs.number_widths(jobs.unit_numbers(sample))

    @property
    def unit(self) -> Unit:
        """Module, parameters and fields."""
        bits, signed = self.codes.bits, self.codes.signed
        fields = [Field("code", bits, signed), Field("origin", bits + 1, signed=True)]
        fields += [Field(name, *of) for name, of in self.numbers.items()]
        parameters = {"IN_W": bits, "IN_SIGNED": int(signed), "KIND": self.kind}
        outputs = Layout((Field("value", 32, signed=True),))
        inputs = Layout(tuple(fields))
        name = "integer_function"
        return Unit(name, f"{name}_core", jobs.SOURCES, parameters, inputs, outputs)

    @property
    def ports(self) -> Mapping[str, tuple[str, ...]]:
        """The numbers share a port."""
        return {"code": ("code",), "origin": ("origin",), "numbers": tuple(self.numbers)}

    @property
    def result(self) -> Field:
        """The core's output."""
        return self.unit.outputs.fields[0]

    @property
    def preconditions(self) -> tuple[str, ...]:
        """What is assumed, in words."""
        low, high = self.codes.min, self.codes.max
        return (f"{low} <= code, origin <= {high}",)

    def formula(self, inputs: Mapping[str, Any], goal: Goal) -> Formula:
        """Return the goal over these inputs."""
        code, origin = (
            wide(inputs[field.name], field, _WIDTH) for field in self.unit.inputs.fields[:2]
        )
        low, high = self.codes.min, self.codes.max
        given = tuple(z3.And(x >= low, x <= high) for x in (code, origin))
        return Formula(given, self.function(goal.fixed).curve(code - origin, z3.If))

    def function(self, numbers: Mapping[str, int]) -> Any:
        """Return the unit with these numbers, its origin at 0 and nothing rescaled."""
        values = {name: numbers[name] for name in self.numbers if name != "drop"}
        if self.kind == jobs.KINDS.index("IbertGelu"):
            return IbertGelu(rescale=_AS_IS, **values)
        gated = ExpSilu if self.kind == jobs.KINDS.index("ExpSilu") else ExpSigmoid
        return gated(Exponential(**values), _AS_IS)

    def case(self, values: Mapping[str, int]) -> Case:
        """Return integers as a golden vector: the curve as it is, in 32 bits."""
        unit = replace(self.function(values), input_zero_point=values["origin"])
        output = FixedFormat(32)
        attributes = {"scheme": encode_scheme(unit, "scheme", {}), "output": format_to_json(output)}
        expected = unit.reference(values["code"], output)
        operands = {"x": (values["code"], self.codes)}
        return vector("integer_function", attributes, operands, expected, output)


def tasks(target: Target, lowered: Lowered | None, rtl: Path | None) -> list[Task]:
    """Return what there is to prove: see ``qsim.formal.provable``."""
    if lowered is None:
        made = [exponential.task("integer_function", jobs.SOURCES, rtl)]
        for curve in CURVES:
            units = [("", curve.from_scales(s, s)) for s in exponential.octaves()[::4]]
            made.append(_curve(curve, target.input.format, units, rtl))
        return made
    exps: list[tuple[str, Exponential]] = []
    curves: dict[Any, list[tuple[str, Any]]] = {}
    for program, call in calls_of(lowered, "integer_function"):
        unit = decode_scheme(call.attributes["scheme"], program.constants)
        layer, codes = call.layer or call.name, program.tensors[call.inputs[0]].codes
        if isinstance(unit, IbertExp):
            exps.append((layer, unit.exponential))
        elif isinstance(unit, CURVES):
            curves.setdefault((type(unit), codes), []).append((layer, unit))
    made = [_curve(curve, codes, units, rtl) for (curve, codes), units in curves.items()]
    if exps:
        made.insert(0, exponential.task("integer_function", jobs.SOURCES, rtl, exps))
    if not made:
        accepted = "a model with exp, GELU, sigmoid or SiLU"
        raise UsageError("reciprocals have no proof", where="--model", accepted=accepted)
    return made


def _curve(
    curve: type, codes: FixedFormat, units: Iterable[tuple[str, Any]], rtl: Path | None
) -> Task:
    problem = CurveProblem(jobs.KINDS.index(curve.__name__), codes)
    users: dict[tuple[tuple[str, int], ...], dict[str, None]] = {}
    for layer, unit in units:
        users.setdefault(tuple(jobs.unit_numbers(unit).items()), {})[layer] = None
    goals = tuple(
        Goal(
            ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in numbers),
            dict(numbers), (), tuple(filter(None, names)),
        )
        for numbers, names in users.items()
    )  # fmt: skip
    named = tuple(dict.fromkeys(name for goal in goals for name in goal.layers))
    sources = sources_of(problem.unit, rtl)
    return Task(problem, "integer_function_core", sources, goals, named)
