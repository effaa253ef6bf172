"""The proof of requantize: ``rtl_tb/rtl/requantize_core.sv`` against ``hw_models.schemes``.

One goal for each right shift: of a target every one, of a program those of its layers. The
multiplier is free, and so is everything else: the accumulator, both zero points and the clamp. A
shift of a program that is not proved so is asked again for each multiplier that the layers have
with it: what fails for other multipliers does not concern them.

Widths: the definition runs on bit-vectors so wide that nothing wraps. The widest values are the
product, ``ACC_W + 1 + MUL_W`` bits, and a power of two's left shift, ``ACC_W + 1 + 62`` bits; a
rounding constant and a zero point add one bit each, ``draw`` is unsigned and has 64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

import z3

from hw_models.formats import FixedFormat
from hw_models.requantize import code, reference
from hw_models.schemes import FIXED_REFERENCES, MAX_SHIFT, FixedPoint, PowerOfTwo
from qsim.attributes import format_from_json, format_to_json
from qsim.cosim.job_requantize import ACCEPTED, unit
from qsim.errors import UsageError
from qsim.formal.goal import Formula, Goal
from qsim.formal.plan import calls_of, elaboration, sources_of
from qsim.formal.run import Task
from qsim.formal.vector import seed_of, vector
from qsim.formal.words import own_ports, wide
from qsim.schemes import decode_scheme, encode_scheme

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hw_models.rounding import Rounding
    from hw_models.schemes import FixedRounding
    from qsim.calls import Call
    from qsim.cosim.beats import Field
    from qsim.cosim.unit import Unit
    from qsim.golden.case import Case
    from qsim.network import Lowered
    from qsim.program import Program
    from qsim.target import Target

_INT32: Final = 1 << 31


@dataclass(frozen=True)
class RequantizeProblem:
    """One elaboration of requantize_core.

    Attributes:
        unit: module, parameters and fields.
        scheme: the kind of requantizer: class, rounding and width; its numbers do not matter.
        output: the format of the code.
    """

    unit: Unit
    scheme: FixedPoint | PowerOfTwo
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
    def double(self) -> bool:
        """Whether the scheme rounds twice, in a 32-bit register."""
        return self.scheme.rounding == "double"

    @property
    def preconditions(self) -> tuple[str, ...]:
        """What is assumed, in words."""
        clamp = f"{self.output.min} <= low <= high <= {self.output.max}"
        if self.double:
            return (clamp, "acc - input_zero_point fits 32 bits (the definition refuses others)")
        return (clamp,)

    def formula(self, inputs: Mapping[str, Any], goal: Goal) -> Formula:
        """Return the goal over these inputs."""
        width = int(self.unit.parameters["ACC_W"]) + 64 + 8
        fields = self.unit.inputs.fields
        values = {field.name: wide(inputs[field.name], field, width) for field in fields}
        low, high = values["low"], values["high"]
        x = values["acc"] - values["input_zero_point"]
        assumptions = [self.output.min <= low, low <= high, high <= self.output.max]
        if self.double:
            assumptions += [x >= -_INT32, x < _INT32]
        shift = goal.fixed["shift"]
        if isinstance(self.scheme, FixedPoint) and "multiplier" not in goal.fixed:
            # FixedPoint holds integers; this is the function that its reference() calls.
            rescale, bits = FIXED_REFERENCES[self.scheme.rounding], self.scheme.bits
            rescaled = rescale(x, values["multiplier"], shift, bits, z3.If)
        else:
            draw = values.get("draw", 0)
            rescaled = self.scheme_of(goal.fixed).reference(x, draw=draw, select=z3.If)
        return Formula(tuple(assumptions), code(rescaled, values["zero_point"], low, high, z3.If))

    def case(self, values: Mapping[str, int]) -> Case:
        """Return integers as a golden vector; ``hw_models.requantize`` defines its code."""
        scheme = self.scheme_of(values)
        codes = reference(
            values["acc"],
            scheme,
            values["zero_point"],
            self.output,
            (values["low"], values["high"]),
            values["input_zero_point"],
            draw=values.get("draw", 0),
        )
        attributes = {
            "scheme": encode_scheme(scheme, "scheme", {}),
            "zero_point": values["zero_point"],
            "input_zero_point": values["input_zero_point"],
            "output": format_to_json(self.output),
            "clamp": [values["low"], values["high"]],
            "axis": 0,
        }
        acc = FixedFormat(self.unit.inputs.fields[0].bits)
        return vector("requantize", attributes, {"acc": (values["acc"], acc)}, codes, self.output)

    def scheme_of(self, values: Mapping[str, int]) -> FixedPoint | PowerOfTwo:
        """Return the requantizer with these numbers."""
        if isinstance(self.scheme, PowerOfTwo):
            seed = seed_of(values["draw"]) if "draw" in values else 0
            return PowerOfTwo(values["shift"], self.scheme.rounding, seed)
        numbers = values["multiplier"], values["shift"]
        return FixedPoint(*numbers, self.scheme.rounding, self.scheme.bits)

    def all_goals(self) -> list[Goal]:
        """Return the goals of a target: every right shift, with a free multiplier."""
        if isinstance(self.scheme, PowerOfTwo):
            return [Goal(f"shift {s}", {"shift": s}) for s in range(-MAX_SHIFT, MAX_SHIFT + 1)]
        bits = self.scheme.bits
        top = bits + 30 if self.double else MAX_SHIFT
        hints = tuple({"multiplier": m} for m in (1, -1, 1 << (bits - 2), -(1 << (bits - 1))))
        return [Goal(f"shift {s}", {"shift": s}, hints) for s in range(top + 1)]

    def goals_of(self, layers: Iterable[tuple[str, FixedPoint | PowerOfTwo]]) -> list[Goal]:
        """Return the goals of a program: each right shift; its parts are the multipliers."""
        pairs: dict[int, dict[int | None, dict[str, None]]] = {}
        for layer, scheme in layers:
            shifts = scheme.shifts.tolist()
            multipliers: list[int | None] = [None] * len(shifts)
            if isinstance(scheme, FixedPoint):
                multipliers = scheme.multipliers.tolist()
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
    """Return what there is to prove: see ``qsim.formal.plan``."""
    if lowered is None:
        problem = _of_target(target)
        goals = problem.all_goals()
        sources = sources_of(problem.unit, rtl)
        return [Task(problem, "requantize_core", sources, tuple(goals))]
    groups: dict[Any, tuple[RequantizeProblem, list[tuple[str, FixedPoint | PowerOfTwo]]]] = {}
    for program, call in calls_of(lowered, "requantize"):
        problem, scheme = _of_call(target, program, call)
        layers = groups.setdefault(elaboration(problem.unit), (problem, []))[1]
        layers.append((call.layer or call.name, scheme))
    return [_of_layers(problem, layers, rtl) for problem, layers in groups.values()]


def _of_layers(
    problem: RequantizeProblem,
    layers: list[tuple[str, FixedPoint | PowerOfTwo]],
    rtl: Path | None,
) -> Task:
    goals = problem.goals_of(layers)
    pairs = sum(len(goal.parts) for goal in goals)
    note = f"covers the {pairs} pairs (multiplier, shift) of the layers" if pairs else ""
    sources = sources_of(problem.unit, rtl)
    names = tuple(dict.fromkeys(name for name, _ in layers))
    return Task(problem, "requantize_core", sources, tuple(goals), names, note)


def _of_target(target: Target) -> RequantizeProblem:
    r = target.requantize
    scheme: FixedPoint | PowerOfTwo
    if r.scheme == "fixed_point":
        rounding = cast("FixedRounding", r.rounding)
        scheme = FixedPoint(0, 0, rounding, r.multiplier_bits)
    elif r.scheme == "power_of_two":
        scheme = PowerOfTwo(0, cast("Rounding", r.rounding))
    else:
        raise _no_rtl(r.scheme)
    output = target.output.format
    made = unit("requantize", target, scheme, target.sum.accumulator.format, output)
    return RequantizeProblem(made, scheme, output)


def _of_call(
    target: Target, program: Program, call: Call
) -> tuple[RequantizeProblem, FixedPoint | PowerOfTwo]:
    attributes: Any = call.attributes
    scheme = decode_scheme(attributes["scheme"], program.constants)
    if not isinstance(scheme, (FixedPoint, PowerOfTwo)):
        raise _no_rtl(attributes["scheme"]["kind"])
    output = format_from_json(attributes["output"])
    points = attributes["zero_point"], attributes["input_zero_point"]
    acc = program.tensors[call.inputs[0]].format
    made = unit("requantize", target, scheme, acc, output, points)
    return RequantizeProblem(made, scheme, output), scheme


def _no_rtl(scheme: str) -> UsageError:
    return UsageError(f"no RTL for the scheme {scheme}", accepted=ACCEPTED)
