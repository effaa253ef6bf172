"""The proof of add: ``rtl_tb/rtl/add_core.sv`` against ``hw_models.add``.

One goal for each addition of a program: its multipliers and shifts are constants. Both operands,
the three zero points and the clamp are free.

Widths: the definition runs on bit-vectors of 160 bits. An offset code has at most 34 bits, shifted
left by 30 and multiplied by 32 bits 96; a power of two shifts a 64-bit accumulator by up to 62.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, assert_never

import z3

from hw_models.add import AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd
from hw_models.formats import FixedFormat, if_else
from hw_models.requantize import code
from qsim.cosim.jobs import add
from qsim.errors import UsageError
from qsim.formal.goal import Formula, Goal
from qsim.formal.provable import calls_of, elaboration, sources_of
from qsim.formal.run import Task
from qsim.formal.vector import seed_of, vector
from qsim.formal.words import wide
from qsim.program import decode_scheme, encode_scheme, format_from_json, format_to_json
from qsim.target import derive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hw_models.formats import Select
    from qsim.cosim.jobs import Field, Unit
    from qsim.golden import Case
    from qsim.network import Lowered
    from qsim.program import Call, Program
    from qsim.target import Target

_WIDTH: Final = 160
_INT32: Final = 1 << 31
# Fields that are ports of the core; the others, side by side, are its port `scales`.
OWN: Final = ("a", "b", "a_zero_point", "b_zero_point", "zero_point", "low", "high", "draw")

Adders: TypeAlias = ShiftedAdd | AlignedAdd | MultiplierAdd


@dataclass(frozen=True)
class AddProblem:
    """One elaboration of add_core.

    Attributes:
        unit: module, parameters and fields.
        adder: the kind of adder: class, rounding, widths; its numbers do not matter.
        output: the format of the code.
    """

    unit: Unit
    adder: Adders
    output: FixedFormat

    @property
    def ports(self) -> Mapping[str, tuple[str, ...]]:
        """The core's inputs."""
        names = [field.name for field in self.unit.inputs.fields]
        scales = tuple(name for name in names if name not in OWN)
        return {**{name: (name,) for name in names if name in OWN}, "scales": scales}

    @property
    def result(self) -> Field:
        """The core's output."""
        return self.unit.outputs.fields[0]

    @property
    def preconditions(self) -> tuple[str, ...]:
        """What is assumed, in words."""
        clamp = f"{self.output.min} <= low <= high <= {self.output.max}"
        if isinstance(self.adder, ShiftedAdd):
            rule = "shifted operands and their rescaled sum fit 32 bits (others are refused)"
            return (clamp, rule)
        if isinstance(self.adder, AlignedAdd) and self.adder.accumulator.overflow == "error":
            return (clamp, "the aligned sum fits its accumulator")
        return (clamp,)

    def formula(self, inputs: Mapping[str, Any], goal: Goal) -> Formula:
        """Return the goal over these inputs."""
        fields = self.unit.inputs.fields
        values = {field.name: wide(inputs[field.name], field, _WIDTH) for field in fields}
        low, high = values["low"], values["high"]
        a = values["a"] - values["a_zero_point"]
        b = values["b"] - values["b_zero_point"]
        adder = self.adder_of(goal.fixed)
        assumptions = [self.output.min <= low, low <= high, high <= self.output.max]
        if isinstance(adder, ShiftedAdd):
            assumptions += _in_register(adder, a, b)
        elif isinstance(adder, AlignedAdd) and adder.accumulator.overflow == "error":
            total = a * (1 << adder.left_a) + b * (1 << adder.left_b)
            assumptions += [total >= adder.accumulator.min, total <= adder.accumulator.max]
            adder = replace(adder, accumulator=replace(adder.accumulator, overflow="wrap"))
        total = _total(adder, a, b, values.get("draw", 0), z3.If)
        return Formula(tuple(assumptions), code(total, values["zero_point"], low, high, z3.If))

    def case(self, values: Mapping[str, int]) -> Case:
        """Return integers as a golden vector; ``hw_models.add`` defines its code."""
        adder = self.adder_of(values)
        offset = values["a"] - values["a_zero_point"], values["b"] - values["b_zero_point"]
        points = {name: values[name] for name in ("a_zero_point", "b_zero_point", "zero_point")}
        clamp = values["low"], values["high"]
        total = _total(adder, *offset, values.get("draw", 0), if_else)
        attributes = {
            "scheme": encode_scheme(adder, "scheme", {}),
            **points,
            "output": format_to_json(self.output),
            "clamp": list(clamp),
        }
        a, b = self.unit.inputs.fields[:2]
        operands = {f.name: (values[f.name], FixedFormat(f.bits, f.signed)) for f in (a, b)}
        expected = code(total, values["zero_point"], *clamp)
        return vector("add", attributes, operands, expected, self.output)

    def adder_of(self, values: Mapping[str, int]) -> Adders:
        """Return the adder with these numbers."""
        adder = self.adder
        if isinstance(adder, ShiftedAdd):
            parts = {name: getattr(adder, name) for name in ("a", "b", "out")}
            scales = {
                name: replace(
                    part,
                    multiplier=values[f"{name}_multiplier"],
                    right_shift=values[f"{name}_shift"],
                )
                for name, part in parts.items()
            }
            return replace(adder, **scales)
        if isinstance(adder, AlignedAdd):
            seed = seed_of(values["draw"]) if "draw" in values else 0
            out = replace(adder.out, right_shift=values["shift"], seed=seed)
            return replace(adder, left_a=values["a_left"], left_b=values["b_left"], out=out)
        if isinstance(adder, MultiplierAdd):
            return replace(
                adder,
                multiplier_a=values["a_multiplier"],
                multiplier_b=values["b_multiplier"],
                right_shift=values["shift"],
            )
        assert_never(adder)


def _total(adder: Adders, a: Any, b: Any, draw: Any, select: Select) -> Any:
    if isinstance(adder, AlignedAdd):
        return adder.reference(a, b, draw=draw, select=select)
    if isinstance(adder, (ShiftedAdd, MultiplierAdd)):
        return adder.reference(a, b, select=select)
    assert_never(adder)


def _in_register(adder: ShiftedAdd, a: Any, b: Any) -> list[Any]:
    """Return that what is shifted, and the sum, fit TFLite's 32-bit register."""
    lifted = [x * (1 << adder.left_shift) for x in (a, b)]
    total = adder.a.reference(lifted[0], select=z3.If) + adder.b.reference(lifted[1], select=z3.If)
    return [bound for x in (*lifted, total) for bound in (x >= -_INT32, x < _INT32)]


def tasks(target: Target, lowered: Lowered | None, rtl: Path | None) -> list[Task]:
    """Return what there is to prove: see ``qsim.formal.provable``."""
    if lowered is None:
        raise UsageError(
            "the proof of add is about the constants of a model's additions",
            where="--model",
            accepted="a model, such as digits",
        )
    groups: dict[Any, tuple[AddProblem, list[Goal]]] = {}
    for program, call in calls_of(lowered, "add"):
        problem, goal = _of_call(target, program, call)
        groups.setdefault(elaboration(problem.unit), (problem, []))[1].append(goal)
    return [
        Task(
            problem,
            "add_core",
            sources_of(problem.unit, rtl),
            tuple(goals),
            tuple(dict.fromkeys(name for goal in goals for name in goal.layers)),
        )
        for problem, goals in groups.values()
    ]


def of_target(target: Target) -> AddProblem:
    """Return the problem of a target's adder, in the target's formats; its numbers are no model's.

    Raises:
        TargetError: the target has no adder.
        UsageError: an adder without RTL.
    """
    scheme = encode_scheme(derive.adder(target, 1.0, 1.0, 1.0), "scheme", {})
    points = dict.fromkeys(("a_zero_point", "b_zero_point", "zero_point"), 0)
    output, codes = target.output.format, target.input.format
    attributes = {
        "scheme": scheme,
        **points,
        "output": format_to_json(output),
        "clamp": [output.min, output.max],
    }
    return _problem(target, attributes, {}, dict.fromkeys("ab", (codes.min, codes)))[0]


def _of_call(target: Target, program: Program, call: Call) -> tuple[AddProblem, Goal]:
    """Return a call's adder, and its numbers as they lie in a beat."""
    operands = {
        name: (spec.codes.min, spec.codes)
        for name, spec in zip(
            ("a", "b"), (program.tensors.get(name) for name in call.inputs), strict=True
        )
        if spec is not None
    }
    for name in ("a", "b"):  # one that is a constant has the input's format
        operands.setdefault(name, (target.input.format.min, target.input.format))
    problem, fixed = _problem(target, call.attributes, program.constants, operands)
    return problem, Goal(call.name, fixed, (), (call.layer,))


def _problem(
    target: Target,
    attributes: Any,
    constants: Any,
    operands: Mapping[str, tuple[int, FixedFormat]],
) -> tuple[AddProblem, dict[str, int]]:
    """Return the problem of one addition, and its numbers as they lie in a beat."""
    adder = decode_scheme(attributes["scheme"], constants)
    if isinstance(adder, FloatAdd):
        raise UsageError("no RTL for the scheme float_add", accepted=add.ACCEPTED)
    output = format_from_json(attributes["output"])
    case = vector("add", attributes, {n: operands[n] for n in "ab"}, output.min, output)
    job = add.job(case, target)
    beat = {name: int(value[0, 0]) for name, value in job.unit.inputs.unpack(job.beats).items()}
    fixed = {name: value for name, value in beat.items() if name not in OWN}
    return AddProblem(job.unit, adder, output), fixed
