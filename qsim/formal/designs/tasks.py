"""What there is to prove of somebody else's design: the definition's goals, a task an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import UsageError
from qsim.formal import add, clamp, provable
from qsim.formal.designs.netlist import netlist
from qsim.formal.designs.problem import DesignProblem
from qsim.formal.designs.task import DesignTask
from qsim.formal.goal import Goal
from qsim.formal.run import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsim.cosim.dut import Dut
    from qsim.cosim.jobs import Unit
    from qsim.network import Lowered
    from qsim.target import Target

ELEMENTWISE: Final = ("requantize", "bias_add", "add", "clamp")
PRIMITIVES: Final = (*ELEMENTWISE, "lookup")


def require_provable(dut: Dut) -> None:
    """Require a design that proofs can follow.

    Raises:
        UsageError: its primitive, its handshake or its clocks are not among those; with the reason.
    """
    if dut.primitive not in PRIMITIVES:
        raise UsageError(
            f"no proof of {dut.primitive!r}",
            where=f"{dut.where}: primitive",
            accepted=", ".join(PRIMITIVES),
        )
    if dut.handshake != "fixed_latency":
        raise UsageError(
            f"with handshake {dut.handshake!r} a result has no cycle of its own to be proved in",
            where=f"{dut.where}: handshake",
            accepted='"fixed_latency", of any latency (0 is combinational)',
        )
    for name, ratio in dut.clocks.items():
        if ratio != 1:
            raise UsageError(
                f"proofs know one clock, and {name} is {ratio} times as fast",
                where=f"{dut.where}: clocks.{name}",
                accepted="clocks of ratio 1",
            )


def design_tasks(dut: Dut, target: Target, lowered: Lowered | None) -> list[DesignTask]:
    """Return what there is to prove of an element-wise design.

    Args:
        dut: the design, of ``ELEMENTWISE``.
        target: states the definition.
        lowered: the network whose layers' constants are meant; None for all constants.

    Raises:
        MissingToolError: yosys is not installed.
        FileFormatError: yosys refuses a file.
        UsageError: the design does not fit the primitive, or nothing of it can be proved.
    """
    require_provable(dut)
    made: list[DesignTask] = []
    for task in _defined(dut, target, lowered):
        unit = task.problem.unit
        problem = DesignProblem(task.problem, dut)
        # First of all yosys: it tells fields and ports that do not fit.
        read = netlist(dut, unit)
        _require_fields(dut, unit)
        goals = [goal for goal in problem.adapted(task.goals) if goal.parts or not task.parted]
        if not goals:
            continue
        notes = list(filter(None, [_covers(task, goals), _left_out(len(task.goals) - len(goals))]))
        for lane in range(dut.lanes):
            where = [f"operation {lane} of a beat's {dut.lanes}"] if dut.lanes > 1 else []
            made.append(
                DesignTask(
                    problem=problem,
                    core=dut.top,
                    sources=dut.sources,
                    goals=tuple(goals),
                    layers=tuple(n for n in task.layers if any(n in g.layers for g in goals)),
                    note="; ".join([*where, *notes]),
                    netlist=read,
                    lane=lane,
                )
            )
    if not made:
        raise UsageError(
            f"no goal fits what the design takes: {_fixed(dut)}",
            where=dut.where,
            accepted="constants, or ports, of the target's or of the model's",
        )
    return made


def _require_fields(dut: Dut, unit: Unit) -> None:
    for field in unit.inputs.fields:
        value = dut.fixed.get(field.name, 0)
        if not field.min <= value <= field.max:
            raise UsageError(
                f"the field {field.name} never is {value}",
                where=f"{dut.where}: fixed.{field.name}",
                accepted=f"{field.min}..{field.max}",
            )


def _left_out(count: int) -> str:
    if not count:
        return ""
    return f"{count} goals left out: their constants are none that the design takes"


def _covers(task: Task, goals: list[Goal]) -> str:
    """Return a task's note; of pairs that a design does not take, it tells how many are left."""
    pairs, left = (sum(len(goal.parts) for goal in each) for each in (task.goals, goals))
    if pairs == left:
        return task.note
    return (
        f"covers {left} of the {pairs} pairs (multiplier, shift) of the layers: the others are "
        "none that the design takes"
    )


def _fixed(dut: Dut) -> str:
    return ", ".join(f"{name} = {value}" for name, value in dut.fixed.items()) or "nothing is fixed"


def needs_model(dut: Dut) -> bool:
    """Return whether the goals are about a model's constants: additions whose numbers are ports."""
    return dut.primitive == "add" and not _has_numbers(dut)


def _has_numbers(dut: Dut) -> bool:
    return not [name for name in dut.operands if name not in add.OWN]


def _defined(dut: Dut, target: Target, lowered: Lowered | None) -> Iterable[Task]:
    if dut.primitive == "clamp":
        problem: Any = clamp.of_target(target)
        goal = Goal("every code and clamp", clamp.CONSTANTS)
        return [Task(problem, dut.top, dut.sources, (goal,))]
    if dut.primitive == "add" and _has_numbers(dut):
        problem = add.of_target(target)
        goal = Goal("the constants of [fixed]", {})
        return [Task(problem, dut.top, dut.sources, (goal,))]
    return provable.tasks(dut.primitive, target, lowered, None)
