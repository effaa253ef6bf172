"""The commands and their options. Each body imports what it needs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

import qsim
from qsim.cli import prove
from qsim.cli.cosim import app as cosim_app
from qsim.cli.failure import CLOSED_PIPE, INTERNAL, USAGE, Failure, describe, only_help
from qsim.cli.golden.app import golden_app
from qsim.cli.options import (
    NO_METAVAR,
    Command,
    ConfigOption,
    Group,
    JsonOption,
    TargetOption,
    examples,
)
from qsim.cli.output import ClosedPipeError, Output, write

if TYPE_CHECKING:
    from collections.abc import Sequence

_MODEL_HELP: Final = (
    "A built-in name (`qsim models`), package.module:factory, file.py:factory, or a .pt2 or .qsim "
    "file. A factory returns the float module and its example inputs."
)
_RUN_MODEL_HELP: Final = _MODEL_HELP.replace(
    ".pt2 or .qsim file", ".pt2, .qsim, .pte or .bpte file"
)

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help=_MODEL_HELP, show_default=False)
]
QuantizedIoOption = Annotated[
    bool,
    typer.Option(
        "--quantized-io",
        metavar=NO_METAVAR,
        help="Integer inputs and outputs: no float at the boundary.",
    ),
]

app = typer.Typer(
    cls=Group,
    name="qsim",
    help="Run a quantized PyTorch network bit for bit as a fixed-point accelerator computes it.",
    epilog="Start with: qsim run digits",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        write(f"qsim {qsim.__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar=NO_METAVAR,
            callback=_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Run a quantized PyTorch network bit for bit as a fixed-point accelerator computes it."""


@app.command(
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
)
def run(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help=_RUN_MODEL_HELP, show_default=False)
    ],
    target: TargetOption = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="F.npy",
            help="A .npy file of samples: float32, or with --quantized-io integer codes; "
            "once for each model input.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="F.npy",
            help="A .npy file with the class of each sample of --inputs, as integers.",
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(metavar="N", help="Stop after this many samples.", show_default=False),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Samples per batch (default: by input size).",
            show_default=False,
        ),
    ] = None,
    quantized_io: QuantizedIoOption = False,
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write every tensor as .npy, the overflow ledger and a picture to a new folder.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="F.html", help="Write one self-contained HTML report.")
    ] = None,
    config: ConfigOption = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="OTHER",
            help="Compare a .pte operator by operator with another, or with the Q/DQ graph of a "
            "MODEL; exit status 1 on a difference.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="F.ptd", help="Constants that a .pte keeps outside.", show_default=False
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Which method of a .pte (default: forward).", show_default=False
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Threads to use; the integers are the same.",
            show_default=False,
        ),
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            metavar=NO_METAVAR,
            help="Also show reshapes and the kernel of each layer.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a model on a target, exactly, and print what it costs, layer by layer."""
    from qsim.cli.run import RunOptions
    from qsim.cli.run import run as execute

    options = RunOptions(
        model=model,
        target=target,
        inputs=tuple(inputs or ()),
        labels=labels,
        samples=samples,
        batch=batch,
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


@app.command(
    name="compile",
    cls=Command,
    epilog=examples(
        "qsim compile digits -o digits.qsim",
        "qsim compile my_net.py:make -o net.qsim --target q7 --quantized-io",
        "qsim compile digits -o digits.pt2   [dim](the Q/DQ graph, for PyTorch)[/dim]",
        "qsim compile digits -o digits.pte --max-batch 8   [dim](an ExecuTorch program)[/dim]",
    ),
)
def compile_(
    model: ModelArgument,
    destination: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="A .qsim, .pt2 or .pte file.",
            show_default=False,
        ),
    ],
    target: TargetOption = None,
    config: ConfigOption = None,
    quantized_io: QuantizedIoOption = False,
    batch: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="The batch size of a .pte (default: that of the example inputs).",
            show_default=False,
        ),
    ] = None,
    max_batch: Annotated[
        int | None,
        typer.Option(metavar="N", help="A .pte that takes batches of 1 to N.", show_default=False),
    ] = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole",
            metavar=NO_METAVAR,
            help="One delegate for all of a .pte, or an error that names what does not fit.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Quantize and lower a model, and write it to one file."""
    from qsim.cli.compiling import compile_model
    from qsim.cli.pte.compiling import PteOptions

    compile_model(
        model,
        destination,
        target,
        config,
        Output(as_json=as_json),
        PteOptions(batch, max_batch, whole),
        quantized_io=quantized_io,
    )


@app.command(
    cls=Command,
    epilog=examples(
        "qsim inspect digits.qsim",
        "qsim inspect digits.qsim --memory map.png",
        "qsim inspect net.pte",
        "qsim inspect my_chip.toml --json",
    ),
)
def inspect(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A .qsim, .pt2, .pte, .bpte or target .toml file."),
    ],
    memory: Annotated[
        Path | None,
        typer.Option(
            metavar="F.png",
            help="Draw where the tensors of a .qsim or .pte file lie, and when; .png or .svg.",
            show_default=False,
        ),
    ] = None,
    delegate: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Which delegate's memory, of a .pte that has several.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a file holds: target, inputs, outputs, calls, memory map, host operators."""
    from qsim.cli.inspecting import inspect_file

    inspect_file(file, Output(as_json=as_json), memory, delegate)


app.add_typer(golden_app, name="golden")
cosim_app.register(app)
prove.register(app)


@app.command(
    cls=Command,
    epilog=examples("qsim targets", "qsim targets narrow20", "qsim targets tflite cmsis-nn"),
)
def targets(
    name: Annotated[
        str | None,
        typer.Argument(metavar="TARGET", help="Show every field of one.", show_default=False),
    ] = None,
    other: Annotated[
        str | None,
        typer.Argument(metavar="OTHER", help="Show where the two differ.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the shipped targets, show one, or show the differences of two (exit status 1)."""
    output = Output(as_json=as_json)
    if name is None or other is None:
        from qsim.cli.listing import show_targets

        show_targets(name, output)
        return
    from qsim.cli.target_difference import show_difference

    status = show_difference(name, other, output)
    if status:
        raise typer.Exit(status)


@app.command(cls=Command, epilog=examples("qsim models", "qsim models --json"))
def models(as_json: JsonOption = False) -> None:
    """List the built-in models."""
    from qsim.cli.listing import show_models

    show_models(Output(as_json=as_json))


@app.command(
    cls=Command,
    epilog=examples("qsim doctor", "qsim doctor --json", "qsim doctor --clear-kernels"),
)
def doctor(
    clear_kernels: Annotated[
        bool,
        typer.Option(
            "--clear-kernels",
            metavar=NO_METAVAR,
            help="Delete all compiled kernels that are kept, and check nothing.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check what this machine has and what is missing; exit status 3 if something needed is."""
    from qsim.cli.listing import show_cleared, show_doctor

    if clear_kernels:
        show_cleared(Output(as_json=as_json))
        return
    status = show_doctor(Output(as_json=as_json))
    if status:
        raise typer.Exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; nothing but bugs escapes as a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    try:
        try:
            status: Any = app(arguments, prog_name="qsim", standalone_mode=False)
        except ClosedPipeError:
            return CLOSED_PIPE
        except (Exception, KeyboardInterrupt) as error:
            if only_help(error):
                return USAGE
            return _fail(error, as_json=as_json)
        if status == 130:
            return _fail(KeyboardInterrupt(), as_json=as_json)
        return status if isinstance(status, int) else 0
    except ClosedPipeError:
        return CLOSED_PIPE


def _fail(error: BaseException, *, as_json: bool) -> int:
    import os

    failure: Failure = describe(error)
    if failure.status == INTERNAL and os.environ.get("QSIM_DEBUG") == "1":
        import traceback

        sys.stderr.write("".join(traceback.format_exception(error)))
    if as_json:
        Output(as_json=True).json(failure.to_dict())
    else:
        sys.stderr.write(f"qsim: {failure.line}\n")
    return failure.status
