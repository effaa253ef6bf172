"""``qsim inspect net.pte``: where tensors lie inside the delegates of qsim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from rich.text import Text

from qsim.cli.inspect_memory import draw_memory, memory_document, memory_map
from qsim.cli.listing import add_row, plain_table
from qsim.errors import UsageError
from qsim.report import words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from qsim.cli.pte.contents import Contents
    from qsim.cli.pte.facts import Part
    from qsim.network import Lowered


@dataclass(frozen=True)
class Wanted:
    """Of which delegate the whole map is shown: the one asked for, or the only one.

    Attributes:
        part: None where there are several and none was asked for, or there is none.
    """

    part: Part | None

    @classmethod
    def of(cls, found: Contents, delegate: int | None) -> Self:
        """Return what is wanted of a file.

        Raises:
            UsageError: it has no such delegate of qsim, or several methods have one.
        """
        ours = _ours(found)
        if delegate is None:
            return cls(ours[0] if len(ours) == 1 else None)
        named = [part for part in ours if part.index == delegate]
        if len(named) == 1:
            return cls(named[0])
        numbers = ", ".join(str(index) for index in sorted({part.index for part in ours}))
        if named:
            problem, cure = f"{len(named)} methods have a delegate {delegate}", "--json, for all"
        else:
            problem = f"{found.path} has no delegate {delegate} of qsim"
            cure = numbers or "a program of `qsim compile`"
        raise UsageError(problem, where="--delegate", accepted=cure)


def _ours(found: Contents) -> list[Part]:
    return [part for parts in found.parts.values() for part in parts if part.network is not None]


def memory_parts(parts: Sequence[Part], wanted: Wanted) -> list[RenderableType]:
    """Return what is said of the memory inside a method's delegates: maps, or a line for each."""
    ours = [(part, part.network) for part in parts if part.network is not None]
    shown = [(part, network) for part, network in ours if part is wanted.part]
    found: list[RenderableType] = []
    if wanted.part is None and ours:
        found += [
            _summary(ours),
            Text("`--delegate N` shows where the tensors of one lie, and when.", "dim"),
            Text(),
        ]
    for part, network in shown:
        for program in network.programs:
            head = Text("inside delegate ").append(str(part.index), "bold")
            found += [head, *memory_map(program.allocate(), _unit(network))]
    return found


def _unit(network: Lowered) -> str:
    """Return what a plan is for: with a fixed batch, all of it."""
    is_open = any(spec.shape[:1] == (-1,) for spec in network.inputs)
    return "one sample" if is_open else "one call"


def _summary(ours: Sequence[tuple[Part, Lowered]]) -> RenderableType:
    table = plain_table("inside delegate", "memory of", "bytes", "live at once", "limit", "banks")
    for column in table.columns[2:]:
        column.justify = "right"
    for part, network in ours:
        for program in network.programs:
            plan = program.allocate().plan
            space = plan.space
            add_row(
                table,
                str(part.index),
                _unit(network),
                words.count(plan.size),
                words.count(plan.bound),
                words.count(space.bytes) if space.limited else words.NONE,
                words.count(space.banks) if space.limited else words.NONE,
            )
    return table


def programs_document(part: Part) -> list[dict[str, Any]] | None:
    """Return the JSON array of a delegate's Programs; None for another backend's."""
    if part.network is None:
        return None
    return [
        {"name": program.name, "memory": memory_document(program.allocate())}
        for program in part.network.programs
    ]


def draw(found: Contents, wanted: Wanted, path: Path) -> str:
    """Draw the memory of one delegate; return the line that says so.

    Raises:
        UsageError: there is none, or none of several was chosen.
    """
    if wanted.part is None or wanted.part.network is None:
        ours = _ours(found)
        raise UsageError(
            f"{found.path} has {words.plural(len(ours), 'delegate')} of qsim",
            where="--memory",
            accepted="--memory with --delegate N" if ours else "a program of `qsim compile`",
        )
    return draw_memory(wanted.part.network, path)
