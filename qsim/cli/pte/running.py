"""``qsim run net.pte``: an ExecuTorch program in Python, its delegates on the hardware models."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsim.cli.build import refuse_config, same_target
from qsim.cli.output import quiet
from qsim.cli.program_names import FIXED_IO
from qsim.cli.threads import set_threads
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cli.output import Output
    from qsim.cli.pte.opening import Opened
    from qsim.cli.pte.result import Result
    from qsim.cli.run_options import RunOptions


def run_pte(options: RunOptions, output: Output) -> int:
    """Run a program and print what it is made of; return the exit status."""
    check_options(options)
    with quiet(output):
        from qsim.executorch import adapter

        adapter.check()
        if options.threads is not None:
            set_threads(options.threads)
        from qsim.cli.pte.cases import run_cases
        from qsim.cli.pte.comparing import compare_programs
        from qsim.cli.pte.comparison_report import show
        from qsim.cli.pte.opening import open_program
        from qsim.cli.pte.work import prepare

        opened = open_program(Path(options.model), options.data, options.method)
        _check_target(options, opened)
        if options.compare is not None:
            work = prepare(opened, options)
            found = compare_programs(opened, options, work, output)
        elif opened.path.suffix == ".bpte" and not options.inputs:
            result = run_cases(opened, options)
        else:
            result = _run(opened, options, output)
    if options.compare is not None:
        show(found, opened, options, work, output)
        return 0 if found.equal else 1
    _print(result, options, output)
    return 1 if result.differing else 0


def check_options(options: RunOptions) -> None:
    """Refuse, by name, the options that mean nothing for a program that is fixed.

    Raises:
        UsageError: one of them was given.
    """
    if options.quantized_io:
        raise UsageError(
            f"{options.model} fixes the types of its inputs and outputs",
            where="--quantized-io",
            accepted=FIXED_IO,
        )
    if options.compare is not None:
        for name, value in (("--trace", options.trace), ("--labels", options.labels)):
            if value is not None:
                raise UsageError(
                    "is not for a comparison", where=name, accepted=f"{name} without --compare"
                )
    else:
        refuse_config(options.model, options.config)
    if options.report is not None:
        raise UsageError(
            "an ExecuTorch program has no float graph and no Q/DQ graph to report on",
            where="--report",
            accepted="--report with the model that it was made from, or --json here",
        )


def _check_target(options: RunOptions, opened: Opened) -> None:
    if options.target is None or options.compare is not None:
        return
    from qsim.target import Target

    asked = Target.load(options.target)
    for part in opened.parts:
        if part.network is not None:
            same_target(str(opened.path), part.network.target, asked)
    if not any(part.network for part in opened.parts):
        raise UsageError(
            f"{opened.path} has no delegate of qsim, and so no target",
            where="--target",
            accepted="no --target, or the model it was compiled from",
        )


def _run(opened: Opened, options: RunOptions, output: Output) -> Result:
    from qsim.cli.pte.result import Result, score
    from qsim.cli.pte.tracing import DelegateTracer
    from qsim.cli.pte.work import prepare
    from qsim.report import Timing

    work = prepare(opened, options)
    labels = work.samples.labels
    timing = Timing()
    outputs: list[tuple[Any, ...]] = []
    with ExitStack() as stack:
        tracer = None
        if options.trace is not None:
            tracer = stack.enter_context(DelegateTracer(options.trace, opened, work.count))
        advance = stack.enter_context(output.stage("running", len(work.calls)))
        for call, size in zip(work.calls, work.sizes, strict=True):
            if tracer is not None:
                tracer.begin(size)
            with timing.measure():
                made = opened.pte(*call, method=opened.method.name)
            outputs.append(made if isinstance(made, tuple) else (made,))
            advance(1)
        result = Result(
            opened=opened,
            samples=work.count,
            calls=len(work.calls),
            source=work.samples.source,
            random=work.samples.random,
            timing=timing,
            outputs=outputs,
            accuracy=None if labels is None else score(outputs, labels),
        )
        if tracer is not None:
            result.watched = tracer.layers()
            tracer.finish(list(work.samples.arrays), result.joined(), result.to_dict())
    return result


def _print(result: Result, options: RunOptions, output: Output) -> None:
    if output.as_json:
        output.json(result.to_dict())
        return
    from rich.text import Text

    from qsim.cli.pte.tables import report

    parts = report(result, verbose=options.verbose)
    if options.trace is not None:
        parts.append(Text(f"  Trace written to {options.trace}"))
    output.text(*parts)
