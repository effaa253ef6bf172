"""A run of a ``.pte`` for people: what is delegated, layer by layer, and what is not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from qsim.cli.listing import add_row, plain_table
from qsim.cli.output import width
from qsim.cli.pte import facts
from qsim.report import delegate_layers, short_hash, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from qsim.cli.pte.facts import Part
    from qsim.cli.pte.opening import Opened
    from qsim.cli.pte.result import Result
    from qsim.executorch.bundled import CaseResult
    from qsim.executorch.pte import Method


def report(result: Result, *, verbose: bool) -> list[RenderableType]:
    """Return the report of ``qsim run`` on a ``.pte``."""
    opened = result.opened
    columns = width(terminal=sys.stdout.isatty())
    layers = [(index, layer) for index, layer in result.layers() if verbose or not layer.shape_only]
    parts: list[RenderableType] = [headline(opened), Text(_source(result), style="dim")]
    if result.accuracy is not None:
        score = Text("\n  accuracy", "bold").append(f"    {opened.path.name} ", "not bold")
        parts.append(score.append(words.percent(result.accuracy), "bold green"))
    parts += [delegates(opened.parts)] if opened.parts else []
    if layers:
        parts.append(delegate_layers(layers, columns, watched=bool(result.watched)))
    parts += operators_outside(opened.method)
    parts += _case_lines(result.cases or ())
    digest = Text(f"Output sha256:{result.outputs_sha256}", no_wrap=True, overflow="ellipsis")
    parts.append(Padding(digest, (0, 0, 0, 2)))
    found = words.overflowed([layer for _, layer in result.watched])
    return [*parts, *(Padding(Text(line, "bold yellow"), (0, 0, 0, 2)) for line in found)]


def headline(opened: Opened) -> Text:
    """Return the first line: the file, and what it is for."""
    text = Text(str(opened.path), "bold", overflow="ellipsis", no_wrap=True)
    text.append(" · ExecuTorch program", "not bold")
    target = opened.target()
    if target is not None:
        text.append(" on ", "not bold").append(target.name)
        text.append(f" {short_hash(target.hash)}", "not bold cyan")
    return text


def _source(result: Result) -> str:
    if result.cases is not None:
        return f"{result.source}; {result.timing.seconds:.2f} s"
    calls = words.plural(result.calls, "call")
    name = result.opened.method.name
    return f"{result.source}; {calls} of {name} in {result.timing.seconds:.2f} s"


def delegates(parts: Sequence[Part]) -> RenderableType:
    """Return the table of delegates."""
    table = plain_table("delegate", "target", "calls", "bytes", "primitives", "MACs")
    for column in table.columns[2:]:
        column.justify = "right"
    for part in parts:
        target = Text(words.NONE)
        if part.network is not None:
            target = Text(f"{part.network.target.name} ")
            target.append(short_hash(part.network.target.hash, 8), "cyan")
        add_row(
            table,
            f"{part.index} {part.backend}",
            target,
            words.count(part.calls),
            words.count(part.size),
            words.count(part.primitives) if part.network is not None else words.NONE,
            words.compact(part.macs) if part.network is not None else words.NONE,
        )
    return table


def operators_outside(method: Method) -> list[RenderableType]:
    """Return what runs outside the delegates, one line an operator."""
    found = facts.outside(method)
    if not found:
        everything = "Everything runs in delegates." if method.delegates else "It computes nothing."
        return [Padding(Text(everything), (0, 0, 0, 2))]
    place = "outside the delegates" if method.delegates else "run, none in a delegate"
    title = f"{words.plural(len(found), 'operator')} {place}:"
    lines = [f"{name}{f' ×{calls}' if calls > 1 else ''}" for name, calls in found.items()]
    return [
        Padding(Text(title), (0, 0, 0, 2)),
        *(Padding(Text(line), (0, 0, 0, 4)) for line in lines),
    ]


def _case_lines(cases: Sequence[CaseResult]) -> list[RenderableType]:
    """Return what the cases gave: those that differ in a table, the others counted."""
    compared = [case for case in cases if case.compared]
    bad = [case for case in compared if not case.ok]
    parts: list[RenderableType] = []
    if bad:
        table = plain_table("method", "case", "difference")
        for case in bad:
            for difference in case.differences:
                add_row(table, case.method, str(case.index), str(difference))
        parts.append(table)
    if compared:
        equal = f"{len(compared) - len(bad):,} of {words.plural(len(compared), 'case')}"
        verdict = Text(f"{equal} equal in every bit.", "bold red" if bad else "green")
        parts.append(Padding(verdict, (0, 0, 0, 2)))
    if len(compared) < len(cases):
        rest = words.plural(len(cases) - len(compared), "case")
        parts.append(Padding(Text(f"{rest} without an expected output: only run."), (0, 0, 0, 2)))
    return parts
