"""``qsim run``: its options. The body imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated, Final

import typer

from qsim.cli.help import Command, examples
from qsim.cli.options import (
    MODEL_HELP,
    ConfigOption,
    JsonOption,
    LengthOption,
    QuantizedIoOption,
    TargetOption,
    argument,
    flag,
    option,
)
from qsim.cli.output import Output

_MODEL_HELP: Final = MODEL_HELP.replace(".pt2 or .qsim file", ".pt2, .qsim, .pte or .bpte file")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        cls=Command,
        epilog=examples(
            "qsim run digits",
            "qsim run resnet8 --target narrow20 --samples 16 --report review.html",
            "qsim run my_net.py:make -t my_chip.toml --inputs x.npy --labels y.npy",
            "qsim run my_net.py:make --inputs x.npy --trace traces",
            "qsim run net.qsim --inputs codes.npy --quantized-io --json",
            "qsim run net.pte --inputs x.npy --labels y.npy",
            "qsim run net.pte --compare digits",
        ),
    )(run)


def run(
    model: Annotated[str, argument("MODEL", _MODEL_HELP)],
    target: TargetOption = None,
    inputs: Annotated[
        list[Path] | None,
        option(
            "F.npy",
            "A .npy file of samples: float32, or with --quantized-io integer codes; "
            "once for each model input.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        option("F.npy", "A .npy file with the class of each sample of --inputs, as integers."),
    ] = None,
    samples: Annotated[int | None, option("N", "Stop after this many samples.")] = None,
    batch: Annotated[int | None, option("N", "Samples per batch (default: by input size).")] = None,
    length: LengthOption = None,
    quantized_io: QuantizedIoOption = False,
    trace: Annotated[
        Path | None,
        option(
            "DIR", "Write every tensor as .npy, the overflow ledger and a picture to a new folder."
        ),
    ] = None,
    report: Annotated[
        Path | None, option("F.html", "Write one self-contained HTML report.")
    ] = None,
    config: ConfigOption = None,
    compare: Annotated[
        str | None,
        option(
            "OTHER",
            "Compare a .pte operator by operator with another, or with the Q/DQ graph of a "
            "MODEL; exit status 1 on a difference.",
        ),
    ] = None,
    data: Annotated[
        list[Path] | None, option("F.ptd", "Constants that a .pte keeps outside.")
    ] = None,
    method: Annotated[
        str | None, option("NAME", "Which method of a .pte (default: forward).")
    ] = None,
    threads: Annotated[
        int | None, option("N", "Threads to use; the integers are the same.")
    ] = None,
    verbose: Annotated[
        bool, flag("--verbose", "Also show reshapes and the kernel of each layer.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a model on a target, exactly, and print what it costs, layer by layer."""
    from qsim.cli.run import run as execute
    from qsim.cli.run_options import RunOptions

    options = RunOptions(
        model=model,
        target=target,
        inputs=tuple(inputs or ()),
        labels=labels,
        samples=samples,
        batch=batch,
        length=length,
        quantized_io=quantized_io,
        trace=trace,
        report=report,
        config=config,
        threads=threads,
        verbose=verbose,
        data=tuple(data or ()),
        method=method,
        compare=compare,
    )
    status = execute(options, Output(as_json=as_json))
    if status:
        raise typer.Exit(status)
