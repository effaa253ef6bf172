"""``qsim run``: a model on a target, bit for bit, and what that costs."""

from __future__ import annotations

import os
import shlex
import sys
import warnings
from contextlib import ExitStack, nullcontext, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qsim.cli.build import Built, build, check_model_name, target_of
from qsim.cli.output import Output, width
from qsim.cli.pte import is_executorch
from qsim.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cli.inputs import Samples
    from qsim.report.result import Evaluation
    from qsim.target import Target


@dataclass(frozen=True)
class RunOptions:
    """The options of ``qsim run``; see its ``--help``."""

    model: str
    target: str | None
    inputs: tuple[Path, ...]
    labels: Path | None
    samples: int | None
    batch: int | None
    quantized_io: bool
    trace: Path | None
    report: Path | None
    config: Path | None
    threads: int | None
    verbose: bool
    data: tuple[Path, ...] = ()
    method: str | None = None
    compare: str | None = None


def run(options: RunOptions, output: Output) -> int:
    """Run a model and print what it costs; return the exit status."""
    _check_numbers(options)
    if is_executorch(options.model):
        _check_destinations(options)
        from qsim.cli.pte.running import run_pte

        return run_pte(options, output)
    _check_form(options)
    target = target_of(options.model, options.target)
    check_model_name(options.model)
    _check_destinations(options)
    if target is not None:
        _first_line(options.model, target, output)
    with quiet(output):
        if options.threads is not None:
            set_threads(options.threads)
        built = build(
            options.model, target, options.config, output, quantized_io=options.quantized_io
        )
        if target is None:
            _first_line(options.model, built.lowered.target, output)
        evaluation, samples = _evaluate(built, options, output)
        _write_report(options, evaluation, built, samples)
    _print(evaluation, samples, options, output)
    return 0


def _check_form(options: RunOptions) -> None:
    """Refuse what only an ExecuTorch program has."""
    given = {"data": options.data, "method": options.method, "compare": options.compare}
    for name, value in given.items():
        if value:
            raise UsageError(
                f"{options.model} is not an ExecuTorch program",
                where=f"--{name}",
                accepted="with a .pte or .bpte file",
            )


def _check_numbers(options: RunOptions) -> None:
    numbers = {"samples": options.samples, "batch": options.batch, "threads": options.threads}
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise UsageError(f"--{name} must be at least 1, not {value}", accepted="1 or more")
    if options.labels is not None and not options.inputs:
        raise UsageError(
            "labels are of samples that were not given",
            where="--labels",
            accepted="--labels with --inputs",
        )


def _check_destinations(options: RunOptions) -> None:
    """Find out that a result cannot be written before the work, not after it."""
    from qsim.atomic import check_fresh

    if options.trace is not None:
        check_fresh(options.trace)
        _check_parent(options.trace, "--trace")
    if options.report is not None:
        if options.report.is_dir():
            raise UsageError("is a directory", where=str(options.report), accepted="a file name")
        if options.report.suffix.lower() != ".html":
            raise UsageError(
                "the report is an HTML page",
                where=str(options.report),
                accepted="a name that ends in .html",
            )
        _check_parent(options.report, "--report")


def _check_parent(path: Path, option: str) -> None:
    parent = path.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UsageError(
            f"{parent} is not a writable directory", where=option, accepted="a path in one"
        )


def _first_line(model: str, target: Target, output: Output) -> None:
    if output.as_json:
        return
    from qsim.report.table import headline

    columns = width(terminal=sys.stdout.isatty())
    output.text(headline(model, target, columns))


def quiet(output: Output) -> ExitStack:
    """Keep other libraries' warnings off stderr, and whatever they print off a JSON stdout."""
    stack = ExitStack()
    if os.environ.get("QSIM_DEBUG") != "1":
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", message="compiled kernels are not kept")
    stack.enter_context(redirect_stdout(sys.stderr) if output.as_json else nullcontext())
    return stack


def set_threads(count: int) -> None:
    """Use this many threads in Numba and in torch.

    Raises:
        UsageError: more than Numba can start on this machine.
    """
    import numba
    import torch

    most = int(numba.config.NUMBA_NUM_THREADS)
    if not 1 <= count <= most:
        raise UsageError(f"{count} threads", where="--threads", accepted=f"1..{most}")
    numba.set_num_threads(count)
    torch.set_num_threads(count)


def _evaluate(built: Built, options: RunOptions, output: Output) -> tuple[Evaluation, Samples]:
    from qsim.cli.inputs import batches, choose
    from qsim.cli.traces import TraceWriter
    from qsim.report.evaluate import Evaluator

    lowered = built.lowered
    samples = choose(options.inputs, built.model, lowered, options.labels).first(options.samples)
    formula = lowered.target.quantize.formula
    slices, stream = batches(samples, lowered, formula, options.batch)
    with ExitStack() as stack:
        writer = None
        if options.trace is not None:
            writer = stack.enter_context(TraceWriter(options.trace, lowered, samples.count))
        evaluator = Evaluator(lowered, built.quantized, writer.add if writer else None)
        advance = stack.enter_context(output.stage("running", len(slices)))
        for batch in stream:
            evaluator.add(batch)
            advance(1)
        evaluation = evaluator.result()
        evaluation.model, evaluation.random = options.model, samples.random
        if writer is not None:
            writer.finish(_document(evaluation, samples, options))
    return evaluation, samples


def _document(evaluation: Evaluation, samples: Samples, options: RunOptions) -> dict[str, Any]:
    """Return the object of ``--json``."""
    extra = {"source": samples.source, "quantized_io": options.quantized_io}
    return evaluation.to_dict() | extra


def _write_report(
    options: RunOptions, evaluation: Evaluation, built: Built, samples: Samples
) -> None:
    from qsim.atomic import write_bytes
    from qsim.report.html import render_html

    if options.report is not None:
        page = render_html(evaluation, built.lowered.target, samples.source, command(options))
        write_bytes(options.report, page.encode("utf-8"))


def command(options: RunOptions) -> str:
    """Return the command line that gives the same integers again."""
    words = ["qsim", "run", options.model]
    words += ["--target", options.target] if options.target else []
    for path in options.inputs:
        words += ["--inputs", str(path)]
    words += ["--labels", str(options.labels)] if options.labels else []
    words += ["--samples", str(options.samples)] if options.samples else []
    words += ["--quantized-io"] if options.quantized_io else []
    words += ["--config", str(options.config)] if options.config else []
    return shlex.join(words)


def _print(evaluation: Evaluation, samples: Samples, options: RunOptions, output: Output) -> None:
    if output.as_json:
        output.json(_document(evaluation, samples, options))
        return
    from rich.text import Text

    from qsim.report.table import run_report

    columns = width(terminal=sys.stdout.isatty())
    source = samples.source
    if options.quantized_io:
        source += "; integer inputs and outputs"
    parts = run_report(evaluation, source=source, columns=columns, verbose=options.verbose)
    for what, path in (("Trace", options.trace), ("Report", options.report)):
        if path is not None:
            parts.append(Text(f"  {what} written to {path}"))
    output.text(*parts)
