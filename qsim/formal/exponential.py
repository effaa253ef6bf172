"""The proof of the integer exponential: ``rtl_tb/rtl/exponential.sv`` against ``hw_models``.

One goal for each shift and ln 2: of a target a scale in every octave, of a program those of its
layers. Number and other constants are free. It is what softmax, exp, sigmoid and SiLU are made of.

Widths: a number of 17 bits shifted left by up to 15; the product has 30 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import z3

from hw_models.formats import FixedFormat
from hw_models.integer.exponential import SCALES, Exponential, exponential
from qsim.cosim.jobs import Field, Layout, Unit
from qsim.formal.goal import Formula, Goal
from qsim.formal.provable import sources_of
from qsim.formal.run import Task
from qsim.formal.vector import vector
from qsim.formal.words import own_ports, wide
from qsim.program import encode_scheme, format_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from qsim.golden import Case

    Layers = Iterable[tuple[str, Exponential]]

_WIDTH: Final = 40
_INPUTS: Final = Layout(
    (
        Field("x", 17, signed=True),
        Field("left_shift", 6, signed=True),
        Field("ln2", 13, signed=False),
        Field("b", 15, signed=False),
        Field("one", 28, signed=False),
    )
)
_OUTPUTS: Final = Layout((Field("value", 30, signed=True),))


@dataclass(frozen=True)
class ExponentialProblem:
    """The exponential of a number that is not positive, as a primitive has it.

    Attributes:
        primitive: what is proved: ``softmax`` or ``integer_function``.
        sources: the files of its RTL.
    """

    primitive: str
    sources: tuple[str, ...]

    @property
    def unit(self) -> Unit:
        """Module and fields."""
        return Unit(self.primitive, "exponential", self.sources, {}, _INPUTS, _OUTPUTS)

    @property
    def ports(self) -> Mapping[str, tuple[str, ...]]:
        """One for each field."""
        return own_ports(self.unit)

    @property
    def result(self) -> Field:
        """The core's output."""
        return _OUTPUTS.fields[0]

    @property
    def preconditions(self) -> tuple[str, ...]:
        """What is assumed, in words."""
        return ("-2**16 < x <= 0: a difference of codes", "ln2 <= b and b * ln2 <= one")

    def formula(self, inputs: Mapping[str, Any], goal: Goal) -> Formula:
        """Return the goal over these inputs."""
        x, _, ln2, b, one = (wide(inputs[field.name], field, _WIDTH) for field in _INPUTS.fields)
        expected = exponential(x, ln2, b, one, goal.fixed["left_shift"], z3.If)
        least = goal.fixed["ln2"]
        return Formula((x > -(1 << 16), x <= 0, b >= least, b * least <= one), expected)

    def case(self, values: Mapping[str, int]) -> Case:
        """Return integers as a call of exp whose codes are the exponential's values."""
        from hw_models.integer_function import IbertExp
        from hw_models.schemes import PowerOfTwo

        made = Exponential(values["ln2"], values["b"], values["one"], values["left_shift"])
        unit = IbertExp(made, PowerOfTwo(0), (1 << 15) - 1)
        codes, output = FixedFormat(16), FixedFormat(32)
        attributes = {"scheme": encode_scheme(unit, "scheme", {}), "output": format_to_json(output)}
        code = values["x"] + unit.top
        expected = unit.reference(code, output)
        return vector("integer_function", attributes, {"x": (code, codes)}, expected, output)


def octaves() -> list[float]:
    """Return a scale in every octave that units take."""
    low, high = SCALES
    found = [low * 1.37]
    while found[-1] * 2 <= high:
        found.append(found[-1] * 2)
    return found


def task(
    primitive: str, sources: tuple[str, ...], rtl: Path | None, layers: Layers | None = None
) -> Task:
    """Return what there is to prove of a primitive's exponential.

    Args:
        primitive: that is made of it.
        sources: the files of its RTL.
        rtl: a folder or a file that replaces shipped RTL.
        layers: names of layers, each with its constants; None for those of a target.
    """
    problem = ExponentialProblem(primitive, sources)
    if layers is None:
        layers = [("", Exponential.from_scale(scale)) for scale in octaves()]
    users: dict[tuple[int, int], list[tuple[str, Exponential]]] = {}
    for layer, made in layers:
        users.setdefault((made.left_shift, made.ln2), []).append((layer, made))
    goals = tuple(_goal(shift, ln2, held) for (shift, ln2), held in sorted(users.items()))
    named = tuple(dict.fromkeys(name for goal in goals for name in goal.layers))
    return Task(problem, "exponential", sources_of(problem.unit, rtl), goals, named)


def _goal(shift: int, ln2: int, users: list[tuple[str, Exponential]]) -> Goal:
    """Return one goal; a counterexample is looked for with the constants of real scales first."""
    layers = tuple(dict.fromkeys(name for name, _ in users if name))
    hints = tuple({"b": made.b, "one": made.one} for _, made in users[:1])
    fixed = {"left_shift": shift, "ln2": ln2}
    return Goal(f"left shift {shift}, ln2 {ln2}", fixed, hints, layers)
