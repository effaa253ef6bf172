"""``qsim run``: a model on a target, bit for bit, and what that costs."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from qsim.cli.build import Built, build, check_model_name, target_of
from qsim.cli.lengths import at_length
from qsim.cli.output import Output, quiet, width
from qsim.cli.program_names import is_executorch
from qsim.cli.run_options import (
    RunOptions,
    check_destinations,
    check_form,
    check_numbers,
    check_sources,
    command,
)
from qsim.cli.threads import set_threads

if TYPE_CHECKING:
    from qsim.cli.inputs import Samples
    from qsim.report import Evaluation
    from qsim.target import Target


def run(options: RunOptions, output: Output) -> int:
    """Run a model and print what it costs; return the exit status."""
    check_numbers(options)
    check_sources(options)
    if is_executorch(options.model):
        check_destinations(options)
        from qsim.cli.pte import run_pte

        return run_pte(options, output)
    check_form(options)
    target = target_of(options.model, options.target)
    check_model_name(options.model)
    check_destinations(options)
    with quiet(output):
        if options.threads is not None:
            set_threads(options.threads)
        built = build(
            options.model, target, options.config, output, quantized_io=options.quantized_io
        )
        built = at_length(built, options.length, options.inputs)
        evaluation, samples = _evaluate(built, options, output)
        samples = _with_length(samples, built)
        _write_report(options, evaluation, built, samples)
    _print(evaluation, samples, options, output)
    return 0


def _first_line(model: str, target: Target, output: Output) -> None:
    if output.as_json:
        return
    from qsim.report import headline

    columns = width(terminal=sys.stdout.isatty())
    output.text(headline(model, target, columns))


def _evaluate(built: Built, options: RunOptions, output: Output) -> tuple[Evaluation, Samples]:
    from qsim.cli.inputs import batches, choose
    from qsim.cli.traces import TraceWriter
    from qsim.report import Evaluator

    lowered = built.lowered
    samples = choose(options.inputs, built.model, lowered, options.labels).first(options.samples)
    formula = lowered.target.quantize.formula
    slices, stream = batches(samples, lowered, formula, options.batch)
    # Nothing is printed before what was given is found to be acceptable.
    _first_line(options.model, lowered.target, output)
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


def _with_length(samples: Samples, built: Built) -> Samples:
    """Say of samples how long their sequences are, where the network takes other lengths too."""
    if built.length is None:
        return samples
    length, least, most = built.length
    source = f"{samples.source}; sequences of {length} (the network takes {least} to {most})"
    return dataclasses.replace(samples, source=source)


def _document(evaluation: Evaluation, samples: Samples, options: RunOptions) -> dict[str, Any]:
    """Return the object of ``--json``."""
    extra = {"source": samples.source, "quantized_io": options.quantized_io}
    return evaluation.to_dict() | extra


def _write_report(
    options: RunOptions, evaluation: Evaluation, built: Built, samples: Samples
) -> None:
    from qsim.atomic import write_bytes
    from qsim.report import render_html

    if options.report is not None:
        page = render_html(evaluation, built.lowered.target, samples.source, command(options))
        write_bytes(options.report, page.encode("utf-8"))


def _print(evaluation: Evaluation, samples: Samples, options: RunOptions, output: Output) -> None:
    if output.as_json:
        output.json(_document(evaluation, samples, options))
        return
    from rich.text import Text

    from qsim.report import run_report

    columns = width(terminal=sys.stdout.isatty())
    source = samples.source
    if options.quantized_io:
        source += "; integer inputs and outputs"
    parts = run_report(evaluation, source=source, columns=columns, verbose=options.verbose)
    for what, path in (("Trace", options.trace), ("Report", options.report)):
        if path is not None:
            parts.append(Text(f"  {what} written to {path}"))
    output.text(*parts)
