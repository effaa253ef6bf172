"""The cases of a bundled program: run in order, every bit compared with what they expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.cli.pte.result import Result
from qsim.errors import InputError, UsageError
from qsim.report import Timing, words

if TYPE_CHECKING:
    from qsim.cli.pte.opening import Opened
    from qsim.cli.run_options import RunOptions


def run_cases(opened: Opened, options: RunOptions) -> Result:
    """Run the cases of a bundled program: all of them, or those of ``--method``.

    Raises:
        UsageError: an option that cases leave no room for.
        InputError: there is no case to run.
    """
    from qsim.executorch.bundled import check

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
    timing = Timing()
    with timing.measure():
        results = check(kept, opened.pte)
    source = words.plural(len(kept), "test case")
    if len(kept) < len(wanted):
        source = f"the first {len(kept)} of {words.plural(len(wanted), 'test case')}"
    return Result(
        opened=opened,
        samples=len(kept),
        calls=len(kept),
        source=f"{source} of the file",
        random=False,
        timing=timing,
        outputs=[result.outputs for result in results],
        methods=[result.method for result in results],
        cases=results,
    )
