"""The cases of a bundled program: run in order, every bit compared with what they expect."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from qsim.cli.listing import add_row, plain_table
from qsim.errors import InputError, UsageError
from qsim.report import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from qsim.cli.pte.opening import Opened
    from qsim.cli.pte.result import Result
    from qsim.cli.run import RunOptions
    from qsim.executorch.bundled.check import CaseResult


def run_cases(opened: Opened, options: RunOptions) -> Result:
    """Run the cases of a bundled program: all of them, or those of ``--method``.

    Raises:
        UsageError: an option that cases leave no room for.
        InputError: there is no case to run.
    """
    from qsim.cli.pte.result import Result
    from qsim.executorch.bundled.check import check

    if options.trace is not None:
        raise UsageError(
            "the cases of a bundled program are not traced",
            where="--trace",
            accepted="--trace with --inputs",
        )
    if options.batch is not None:
        raise UsageError(
            "each case of a bundled program is a batch of its own",
            where="--batch",
            accepted="--batch with --inputs",
        )
    wanted = [case for case in opened.cases if options.method in (None, case.method)]
    kept = wanted[: options.samples]
    if not kept:
        raise InputError(
            "it has no test case" + (f" of {options.method}" if options.method else ""),
            where=str(opened.path),
            accepted="a bundled program with cases, or --inputs",
        )
    start = time.perf_counter()
    results = check(kept, opened.pte)
    seconds = time.perf_counter() - start
    source = words.plural(len(kept), "test case")
    if len(kept) < len(wanted):
        source = f"the first {len(kept)} of {words.plural(len(wanted), 'test case')}"
    return Result(
        opened=opened,
        samples=len(kept),
        calls=len(kept),
        source=f"{source} of the file",
        random=False,
        seconds=seconds,
        outputs=[result.outputs for result in results],
        methods=[result.method for result in results],
        cases=results,
    )


def described(result: CaseResult) -> dict[str, Any]:
    """Return the JSON object of one case; ``equal`` is null where it expects nothing."""
    return {
        "method": result.method,
        "index": result.index,
        "equal": result.ok if result.compared else None,
        "differences": [difference.to_dict() for difference in result.differences],
    }


def case_lines(cases: Sequence[CaseResult]) -> list[RenderableType]:
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
