"""``qsim golden export``: hex files for ``$readmemh``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from qsim.cli.listing import add_row, plain_table
from qsim.cli.output import quiet
from qsim.report import count, plural

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from qsim.cli.output import Output
    from qsim.golden import Exported


def export_set(directory: Path, destination: Path, names: tuple[str, ...], output: Output) -> None:
    """Write the hex files of a set and say what they are."""
    from qsim.golden import export_hex, load

    with quiet(output), output.stage("exporting"):
        exported = export_hex(load(directory), destination, names)
    _print(exported, output)


def _print(exported: Exported, output: Output) -> None:
    if not output.as_json:
        table = plain_table("case", "module", "beats in", "bits", "beats out", "bits")
        for column in table.columns[2:]:
            column.justify = "right"
        for case in exported.cases:
            sides = [case[side][what] for side in ("in", "out") for what in ("beats", "width")]
            add_row(table, case["case"], case["module"] or "–", *map(count, sides))
        parts: list[RenderableType] = [table]
        if exported.skipped:
            parts.append(Text(f"{plural(len(exported.skipped), 'case')} without beats:"))
            parts += [Text(f"  {name}: {why}") for name, why in exported.skipped.items()]
        what = plural(len(exported.cases), "case")
        parts.append(Text(f"{exported.directory}: {what}; README.txt says how beats are packed."))
        output.text(*parts)
    output.json(
        {
            "directory": str(exported.directory),
            "cases": [dict(case) for case in exported.cases],
            "skipped": dict(exported.skipped),
        }
    )
