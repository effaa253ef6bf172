"""What `qsim prove` prints of proofs: text of at most 100 columns, and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import RenderableType

    from qsim.formal.goal import Goal, Verdict
    from qsim.formal.run import Task


@dataclass(frozen=True)
class Result:
    """What came of the goals about one module.

    Attributes:
        core: the module.
        parameters: of the module.
        facts: pairs of a word and what it says, of everything that a reader must know to know
            what was proved: what is free, what is assumed.
        assumed: the preconditions.
        goals: how many there are.
        layers: for each layer of a model, its goals.
        verdicts: of the goals that were decided.
        seconds: of all.
        shown: the counterexample, as pairs for people; empty where there is none.
        simulated: the simulator and what it gave for the counterexample.
    """

    core: str
    parameters: Mapping[str, int]
    facts: tuple[tuple[str, str], ...]
    assumed: tuple[str, ...]
    goals: int
    layers: Mapping[str, Sequence[Goal]]
    verdicts: Sequence[Verdict]
    seconds: float
    shown: tuple[tuple[str, str], ...] = ()
    simulated: tuple[str, str] | None = None

    @property
    def found(self) -> Verdict | None:
        """The first counterexample."""
        return next((v for v in self.verdicts if v.status == "counterexample"), None)


def facts_of(task: Task) -> tuple[tuple[str, str], ...]:
    """Return what is free, fixed and assumed in a task's goals."""
    fixed = tuple(name for name in task.goals[0].fixed if name not in task.set)
    names = [field.name for field in task.problem.unit.inputs.fields]
    rows = [("free", ", ".join(name for name in names if name not in task.goals[0].fixed))]
    if fixed:
        rows.append(("fixed", f"{', '.join(fixed)}: one goal for each"))
    if task.set:
        rows.append(("set", ", ".join(f"{name} = {value}" for name, value in task.set.items())))
    rows += [("assumed", text) for text in task.problem.preconditions]
    return (*rows, ("note", task.note)) if task.note else tuple(rows)


def layers_of(task: Task) -> dict[str, list[Goal]]:
    """Return the goals of each layer, in the order of the layers."""
    return {name: [goal for goal in task.goals if name in goal.layers] for name in task.layers}


def verdict_of(results: Iterable[Result]) -> str:
    """Return ``proven``, ``counterexample`` or ``not proven``."""
    found = {verdict.status for result in results for verdict in result.verdicts}
    return next((word for word in ("counterexample", "not proven") if word in found), "proven")


def text(title: str, results: Sequence[Result]) -> list[RenderableType]:
    """Return the parts that people read."""
    verdict = verdict_of(results)
    style = "bold green" if verdict == "proven" else "bold red"
    parts: list[RenderableType] = [Text(title, "bold").append(": ").append(verdict, style)]
    for result in results:
        parts += _result(result)
    return parts


def _result(result: Result) -> list[RenderableType]:
    parameters = " ".join(f"{name}={value}" for name, value in result.parameters.items())
    proven = sum(v.status == "proven" for v in result.verdicts)
    slowest = max(v.seconds for v in result.verdicts)
    count = (
        f"{proven} of {result.goals} proven in {result.seconds:.0f} s, "
        f"the slowest in {slowest:.1f} s"
    )
    open_goals = [v for v in result.verdicts if v.status == "not proven"]
    rows = [*result.facts, ("goals", count)]
    rows += [("open", f"{v.note or 'not proven in time'}: {v.goal}") for v in open_goals]
    parts: list[RenderableType] = [Text(f"{result.core} {parameters}"), _grid(rows)]
    if result.layers:
        parts.append(_indented(_layers(result)))
    if result.shown:
        parts += [Text("  counterexample", "bold"), _grid(result.shown)]
    if result.found is not None and result.found.cycles:
        heading = f"  counterexample to: {result.found.goal} (one column a cycle; hexadecimal)"
        parts += [Text(heading, "bold"), _indented(_cycles(result.found.cycles))]
    return parts


def _grid(rows: Iterable[tuple[str, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for name, said in rows:
        table.add_row(Text(name), Text(said))
    return _indented(table)


def _indented(table: Table) -> RenderableType:
    return Padding(table, (0, 0, 0, 2))


def _layers(result: Result) -> Table:
    """Return a row for each layer; a goal that layers share counts in each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shifts = all("shift" in goal.fixed for goals in result.layers.values() for goal in goals)
    table.add_column("layer", header_style="bold", overflow="fold")
    for heading in ("constants", *(["shift"] if shifts else []), "goals", "proven"):
        table.add_column(heading, header_style="bold", justify="right")
    verdicts = {verdict.goal: verdict for verdict in result.verdicts}
    for layer, goals in result.layers.items():
        decided = [verdicts[goal.name] for goal in goals if goal.name in verdicts]
        proven = sum(verdict.status == "proven" for verdict in decided)
        cells = [layer, str(sum(_constants(goal, layer) for goal in goals))]
        if shifts:
            values = [goal.fixed["shift"] for goal in goals]
            low, high = min(values), max(values)
            cells.append(str(low) if low == high else f"{low}..{high}")
        table.add_row(*map(Text, (*cells, str(len(goals)), str(proven))))
    return table


def _constants(goal: Goal, layer: str) -> int:
    """Return how many of a layer's constants a goal covers."""
    return sum(layer in part.layers for part in goal.parts) or 1


def _cycles(cycles: Sequence[Mapping[str, int]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("signal", header_style="bold")
    for number in range(len(cycles)):
        table.add_column(str(number), header_style="bold", justify="right")
    for name in cycles[0]:
        table.add_row(Text(name), *(f"{cycle[name]:x}" for cycle in cycles))
    return table


def document(result: Result) -> dict[str, Any]:
    """Return the JSON object of one result."""
    found = result.found
    counterexample: dict[str, Any] | None = None
    if found is not None and found.cycles:
        counterexample = {"goal": found.goal, "cycles": [dict(cycle) for cycle in found.cycles]}
    elif found is not None:
        counterexample = {
            "goal": found.goal,
            "values": dict(found.values),
            "expected": found.expected,
            "actual": found.actual,
            "simulated": result.simulated,
            "beats": [dict(beat) for beat in found.beats],
        }
    return {
        "core": result.core,
        "parameters": dict(result.parameters),
        "assumed": list(result.assumed),
        "facts": [list(pair) for pair in result.facts],
        "goals": result.goals,
        "seconds": round(result.seconds, 3),
        "verdicts": [
            {
                "goal": v.goal,
                "status": v.status,
                "seconds": round(v.seconds, 3),
                "after_products": v.products,
                "note": v.note,
            }
            for v in result.verdicts
        ],
        "counterexample": counterexample,
    }
