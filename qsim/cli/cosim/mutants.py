"""What the vectors notice of mutants of the user's module, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from qsim.mutants import change
from qsim.report import count, plural

if TYPE_CHECKING:
    from rich.console import RenderableType

    from qsim.mutants import Score

_MOST_SHOWN = 20  # survivors


def mutant_parts(score: Score | None) -> list[RenderableType]:
    """Return the lines about mutants; None stands for a design that differs itself."""
    if score is None:
        return [Text("Mutants: none were made, for the design itself differs.", "bold red")]
    survived = [mutant for mutant in score.mutants if mutant.status == "survived"]
    made, killed, same = len(score.mutants), score.count("killed"), score.count("equivalent")
    head = f"Mutants: {killed} of {made} killed, {same} proved equivalent, {len(survived)} survived"
    parts: list[RenderableType] = [
        Text(f"{head}: {100 * score.score:.1f} % of those that could be noticed.", "bold")
    ]
    sent, calls = score.calls
    of = f"{count(score.beats)} beats of {sent} of {plural(calls, 'call')}"
    lines = [f"  {of}, each at: {', '.join(score.runs)}"]
    lines += [f"  not used, the module itself fails: {n} ({w})" for n, w in score.unused.items()]
    parts += [Text(line) for line in lines]
    parts += [
        Text(f"  survived: {change(mutant.change)}; {mutant.note}")
        for mutant in survived[:_MOST_SHOWN]
    ]
    if len(survived) > _MOST_SHOWN:
        parts.append(Text(f"  {len(survived) - _MOST_SHOWN} more survived; see --json."))
    parts += [
        Text(f"  equivalent: {change(mutant.change)}")
        for mutant in score.mutants
        if mutant.status == "equivalent"
    ]
    return parts
