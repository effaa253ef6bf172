"""``qsim golden check``: every case computed anew, every element compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from qsim.cli.golden.tables import digest_lines
from qsim.cli.listing import add_row, plain_table
from qsim.cli.output import quiet
from qsim.report import count, plural

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType
    from rich.table import Table

    from qsim.cli.output import Output
    from qsim.golden import Checked, Result


def check_set(directory: Path, target_name: str | None, output: Output) -> bool:
    """Check a set and print what differs; return whether all of it agrees."""
    from qsim.golden import check, load
    from qsim.target import Target

    target = None if target_name is None else Target.load(target_name)
    with quiet(output):
        golden = load(directory, target=target)
        with output.stage("checking", len(golden.entries)) as advance:
            checked = check(golden, target=target, progress=lambda _case: advance(1))
    _print(checked, output)
    return checked.ok


def _print(checked: Checked, output: Output) -> None:
    golden = checked.golden
    if not output.as_json:
        head = Text(str(golden.directory), "bold")
        head.append(f" · {golden.model or 'directed vectors'} on {golden.target.name} ")
        head.append(golden.target.short_hash, "cyan")
        parts: list[RenderableType] = [head, *digest_lines(golden), _table(checked)]
        for result in checked.differing:
            parts += _difference(result)
        cases = plural(len(checked.results), "case")
        verdict = f"{cases}, {checked.elements:,} elements: "
        if checked.ok:
            parts.append(Text(f"{verdict}every bit agrees.", "bold green"))
        else:
            parts.append(Text(f"{verdict}{len(checked.differing):,} differ.", "bold red"))
        output.text(*parts)
    output.json(
        {
            "directory": str(golden.directory),
            "target": {"name": golden.target.name, "hash": golden.target.hash},
            "model": golden.model,
            "network_sha256": golden.network,
            "seed": golden.manifest["seed"],
            "ok": checked.ok,
            "elements": checked.elements,
            "cases": [
                {
                    "name": result.name,
                    "layer": result.layer,
                    "primitive": result.primitive,
                    "elements": result.elements,
                    "first": None if result.mismatch is None else result.mismatch.to_dict(),
                }
                for result in checked.results
            ],
        }
    )


def _table(checked: Checked) -> Table:
    table = plain_table("primitive", "cases", "elements", "differing")
    for column in table.columns[1:]:
        column.justify = "right"
    for primitive in dict.fromkeys(result.primitive for result in checked.results):
        own = [result for result in checked.results if result.primitive == primitive]
        wrong = sum(result.mismatch.count for result in own if result.mismatch is not None)
        add_row(
            table,
            primitive,
            count(len(own)),
            count(sum(result.elements for result in own)),
            Text(count(wrong), "bold red" if wrong else ""),
        )
    return table


def _difference(result: Result) -> list[RenderableType]:
    layer = f" of {result.layer}" if result.layer else ""
    lines = [] if result.mismatch is None else result.mismatch.lines()
    head = Text(f"{result.name} ({result.primitive}{layer})", "bold")
    return [head, *(Padding(Text(line, no_wrap=True), (0, 0, 0, 2)) for line in lines), Text("")]
