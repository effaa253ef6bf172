"""The proof of requantize: ``rtl_tb/rtl/requantize_core.sv`` against ``hw_models.schemes``.

One goal for each right shift: of a target every one, of a program those of its layers. The
multiplier is free, and so is everything else: the accumulator, both zero points and the clamp. A
shift of a program that is not proved so is asked again for each multiplier that the layers have
with it: what fails for other multipliers does not concern them.

Widths: the definition runs on bit-vectors so wide that nothing wraps. The widest values are the
product, ``ACC_W + 1 + MUL_W`` bits, and a power of two's left shift, ``ACC_W + 1 + 62`` bits; an
addend, a rounding constant and a zero point add one bit each, ``draw`` is unsigned and has 64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, assert_never

import z3

from hw_models.formats import FixedFormat
from hw_models.requantize import code, reference
from hw_models.rounding import round_shift
from hw_models.schemes import (
    FIXED_REFERENCES,
    Converter,
    FixedPoint,
    MulAddShift,
    PowerOfTwo,
    affine_rescale,
)
from hw_models.schemes.fixed_point import TOSA
from qsim.cosim.jobs import requantize, scheme_fields
from qsim.errors import UsageError
from qsim.formal.goal import Formula, Goal
from qsim.formal.provable import calls_of, elaboration, sources_of
from qsim.formal.run import Task
from qsim.formal.vector import seed_of, vector
from qsim.formal.words import own_ports, wide
from qsim.program import decode_scheme, encode_scheme, format_from_json, format_to_json
from qsim.target import derive

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from qsim.cosim.jobs import Field, Unit
    from qsim.golden import Case
    from qsim.network import Lowered
    from qsim.program import Call, Program
    from qsim.target import Target


@dataclass(frozen=True)
class RequantizeProblem:
    """One elaboration of requantize_core.

    Attributes:
        unit: module, parameters and fields.
        scheme: the kind of requantizer: class, rounding and width; its numbers do not matter.
        output: the format of the code.
    """

    unit: Unit
    scheme: scheme_fields.IntegerScheme
    output: FixedFormat

    @property
    def ports(self) -> Mapping[str, tuple[str, ...]]:
        """One for each field."""
        return own_ports(self.unit)

    @property
    def result(self) -> Field:
        """The core's output."""
        return self.unit.outputs.fields[0]

    @property
    def operand_bits(self) -> int:
        """Width of what the definition takes as acc - input_zero_point."""
        return self.scheme.operand_bits if isinstance(self.scheme, FixedPoint) else 64

    @property
    def unsigned_multiplier(self) -> bool:
        """Whether the definition refuses negative multipliers."""
        return isinstance(self.scheme, FixedPoint) and self.scheme.rounding in TOSA

    @property
    def preconditions(self) -> tuple[str, ...]:
        """What is assumed, in words."""
        clamp = f"{self.output.min} <= low <= high <= {self.output.max}"
        told = [clamp]
        if self.operand_bits < 64:
            bits = self.operand_bits
            told.append(f"acc - input_zero_point fits {bits} bits (the definition refuses others)")
        if self.unsigned_multiplier:
            told.append("multiplier >= 0 (the definition refuses others)")
        return tuple(told)

    def formula(self, inputs: Mapping[str, Any], goal: Goal) -> Formula:
        """Return the goal over these inputs."""
        width = int(self.unit.parameters["ACC_W"]) + 64 + 8
        fields = self.unit.inputs.fields
        values = {field.name: wide(inputs[field.name], field, width) for field in fields}
        low, high = values["low"], values["high"]
        x = values["acc"] - values["input_zero_point"]
        assumptions = [self.output.min <= low, low <= high, high <= self.output.max]
        if self.operand_bits < 64:
            limit = 1 << (self.operand_bits - 1)
            assumptions += [x >= -limit, x < limit]
        if self.unsigned_multiplier:
            assumptions.append(values["multiplier"] >= 0)
        rescaled = self._rescaled(x, values | dict(goal.fixed))
        return Formula(tuple(assumptions), code(rescaled, values["zero_point"], low, high, z3.If))

    def _rescaled(self, x: Any, values: Mapping[str, Any]) -> Any:
        """Return the definition's value: what ``reference`` calls, on free numbers."""
        scheme, shift, multiplier = self.scheme, values["shift"], values.get("multiplier")
        if isinstance(scheme, PowerOfTwo):
            draw = values.get("draw", 0)
            return round_shift(x, shift, scheme.rounding, draw=draw, select=z3.If)
        if isinstance(scheme, FixedPoint):
            rescale = FIXED_REFERENCES[scheme.rounding]
            return rescale(x, multiplier, shift, scheme.bits, z3.If)
        if not isinstance(scheme, (MulAddShift, Converter)):
            assert_never(scheme)
        addend = values.get("addend", 0)
        return affine_rescale(x, multiplier, addend, shift, scheme.rounding, z3.If)

    def case(self, values: Mapping[str, int]) -> Case:
        """Return integers as a golden vector; ``hw_models.requantize`` defines its code."""
        scheme = self.scheme_of(values)
        # A converter subtracts the field itself, as its offset.
        input_zero_point = 0 if isinstance(scheme, Converter) else values["input_zero_point"]
        codes = reference(
            values["acc"],
            scheme,
            values["zero_point"],
            self.output,
            (values["low"], values["high"]),
            input_zero_point,
            draw=values.get("draw", 0),
        )
        attributes = {
            "scheme": encode_scheme(scheme, "scheme", {}),
            "zero_point": values["zero_point"],
            "input_zero_point": input_zero_point,
            "output": format_to_json(self.output),
            "clamp": [values["low"], values["high"]],
            "axis": 0,
        }
        acc = FixedFormat(self.unit.inputs.fields[0].bits)
        return vector("requantize", attributes, {"acc": (values["acc"], acc)}, codes, self.output)

    def scheme_of(self, values: Mapping[str, int]) -> scheme_fields.IntegerScheme:
        """Return the requantizer with these numbers."""
        scheme, shift = self.scheme, values["shift"]
        if isinstance(scheme, PowerOfTwo):
            seed = seed_of(values["draw"]) if "draw" in values else 0
            return PowerOfTwo(shift, scheme.rounding, seed)
        multiplier = values["multiplier"]
        if isinstance(scheme, MulAddShift):
            return MulAddShift(multiplier, values["addend"], shift, scheme.rounding)
        if isinstance(scheme, Converter):
            return Converter(values["input_zero_point"], multiplier, shift)
        if isinstance(scheme, FixedPoint):
            return FixedPoint(multiplier, shift, scheme.rounding, scheme.bits)
        assert_never(scheme)

    def all_goals(self) -> list[Goal]:
        """Return the goals of a target: every right shift, with a free multiplier."""
        low, high = scheme_fields.scheme_shifts(self.scheme)
        hints: tuple[dict[str, int], ...] = ()
        if not isinstance(self.scheme, PowerOfTwo):
            bits = int(self.unit.parameters["MUL_W"])
            found = (1, 1 << (bits - 2)) + (
                () if self.unsigned_multiplier else (-1, -1 << (bits - 1))
            )
            hints = tuple({"multiplier": m} for m in found)
        return [Goal(f"shift {s}", {"shift": s}, hints) for s in range(low, high + 1)]

    def goals_of(self, layers: Iterable[tuple[str, scheme_fields.IntegerScheme]]) -> list[Goal]:
        """Return the goals of a program: each right shift; its parts are the multipliers."""
        pairs: dict[int, dict[int | None, dict[str, None]]] = {}
        for layer, scheme in layers:
            shifts = scheme.shifts.tolist()
            numbers = scheme_fields.scheme_numbers(scheme).get("multiplier")
            multipliers = [None] * len(shifts) if numbers is None else numbers.tolist()
            for m, s in zip(multipliers, shifts, strict=True):
                pairs.setdefault(s, {}).setdefault(m, {})[layer] = None
        every = {goal.fixed["shift"]: goal for goal in self.all_goals()}
        goals = []
        for s in sorted(pairs):
            users = pairs[s].items()
            parts = tuple(_pair(m, s, tuple(names)) for m, names in users if m is not None)
            named = dict.fromkeys(name for _, names in users for name in names)
            goals.append(replace(every[s], layers=tuple(named), parts=parts))
        return goals


def _pair(multiplier: int, shift: int, layers: tuple[str, ...]) -> Goal:
    fixed = {"multiplier": multiplier, "shift": shift}
    return Goal(f"multiplier {multiplier}, shift {shift}", fixed, (), layers)


def tasks(target: Target, lowered: Lowered | None, rtl: Path | None) -> list[Task]:
    """Return what there is to prove: see ``qsim.formal.provable``."""
    if lowered is None:
        problem = _of_target(target)
        goals = problem.all_goals()
        sources = sources_of(problem.unit, rtl)
        return [Task(problem, "requantize_core", sources, tuple(goals))]
    groups: dict[Any, tuple[RequantizeProblem, list[tuple[str, scheme_fields.IntegerScheme]]]] = {}
    for program, call in calls_of(lowered, "requantize"):
        problem, scheme = _of_call(target, program, call)
        layers = groups.setdefault(elaboration(problem.unit), (problem, []))[1]
        layers.append((call.layer or call.name, scheme))
    return [_of_layers(problem, layers, rtl) for problem, layers in groups.values()]


def _of_layers(
    problem: RequantizeProblem,
    layers: list[tuple[str, scheme_fields.IntegerScheme]],
    rtl: Path | None,
) -> Task:
    goals = problem.goals_of(layers)
    pairs = sum(len(goal.parts) for goal in goals)
    note = f"covers the {pairs} pairs (multiplier, shift) of the layers" if pairs else ""
    sources = sources_of(problem.unit, rtl)
    names = tuple(dict.fromkeys(name for name, _ in layers))
    return Task(problem, "requantize_core", sources, tuple(goals), names, note)


def _of_target(target: Target) -> RequantizeProblem:
    scheme = derive.requantizer(target, 1.0, 1.0, 2.0)
    if not isinstance(scheme, scheme_fields.INTEGER_SCHEMES):
        raise UsageError(_no_rtl(target.requantize.scheme), accepted=scheme_fields.ACCEPTED)
    output = target.output.format
    made = requantize.unit("requantize", target, scheme, target.sum.accumulator.format, output)
    return RequantizeProblem(made, scheme, output)


def _of_call(
    target: Target, program: Program, call: Call
) -> tuple[RequantizeProblem, scheme_fields.IntegerScheme]:
    attributes: Any = call.attributes
    scheme = decode_scheme(attributes["scheme"], program.constants)
    if not isinstance(scheme, scheme_fields.INTEGER_SCHEMES):
        raise UsageError(_no_rtl(attributes["scheme"]["kind"]), accepted=scheme_fields.ACCEPTED)
    output = format_from_json(attributes["output"])
    points = attributes["zero_point"], attributes["input_zero_point"]
    acc = program.tensors[call.inputs[0]].codes
    made = requantize.unit("requantize", target, scheme, acc, output, points)
    return RequantizeProblem(made, scheme, output), scheme


def _no_rtl(scheme: str) -> str:
    return f"no RTL for the scheme {scheme}"
