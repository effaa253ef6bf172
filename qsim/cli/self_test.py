"""``qsim doctor --self-test``: a table of kernels, and which of them are what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from qsim.cli.listing import add_row, plain_table

if TYPE_CHECKING:
    from qsim.cli.output import Output
    from qsim.selftest import Outcome


def show_self_test(output: Output) -> int:
    """Compare every kernel with its definition and print what was found; return the exit status."""
    from qsim import selftest

    with output.stage("kernels against their definitions"):
        outcome = selftest.examine()
    _show(outcome, output)
    output.json(
        {
            "equal": outcome.equal,
            "paths": [
                {
                    "path": path.name,
                    "how": path.how,
                    "ran_here": path.ran,
                    "failed": outcome.failed.get(path.name),
                }
                for path in outcome.paths
            ],
            "kernels": [row.to_dict() for row in outcome.rows],
        }
    )
    return 0 if outcome.equal else 1


def _show(outcome: Outcome, output: Output) -> None:
    paths = plain_table("path", "how it ran")
    for path in outcome.paths:
        how = path.how if path.ran else f"not run here: {path.how}"
        add_row(paths, Text(path.name, "bold"), how)
    table = plain_table("kernel", "path", "vectors", "equal")
    table.columns[2].justify = "right"
    before = ""
    for row in outcome.rows:
        kernel = "" if row.kernel == before else row.kernel
        before = row.kernel
        verdict = Text(f"{row.differing:,} differ", "bold red") if row.differing else "yes"
        add_row(table, kernel, row.path, f"{row.vectors:,}", verdict)
    output.text(paths, table)
    wrong = [row for row in outcome.rows if row.differing]
    for row in wrong:
        output.text(Text(f"{row.kernel} ({row.path}): {row.first}", "red"))
    vectors = sum(row.vectors for row in outcome.rows)
    for name, why in outcome.failed.items():
        output.text(Text(f"{name} did not run to its end: {why}", "red"))
    if wrong:
        verdict = f"{len(wrong)} of {len(outcome.rows)} are not what the definitions say."
    elif outcome.failed:
        verdict = f"{len(outcome.failed)} of {len(outcome.paths)} paths did not run to their end."
    else:
        verdict = f"All {len(outcome.rows)} are what the definitions say: {vectors:,} comparisons."
    output.text(Text(verdict, "bold green" if outcome.equal else "bold red"))
