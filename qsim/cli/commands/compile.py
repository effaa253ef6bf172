"""``qsim compile``: its options. The body imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated

from qsim.cli.help import Command, examples
from qsim.cli.options import (
    ConfigOption,
    JsonOption,
    ModelArgument,
    QuantizedIoOption,
    TargetOption,
    flag,
    option,
)
from qsim.cli.output import Output

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        name="compile",
        cls=Command,
        epilog=examples(
            "qsim compile digits -o digits.qsim",
            "qsim compile my_net.py:make -o net.qsim --target q7 --quantized-io",
            "qsim compile digits -o digits.pt2   [dim](the Q/DQ graph, for PyTorch)[/dim]",
            "qsim compile digits -o digits.pte --max-batch 8   [dim](an ExecuTorch program)[/dim]",
        ),
    )(compile_)


def compile_(
    model: ModelArgument,
    destination: Annotated[Path, option("FILE", "A .qsim, .pt2 or .pte file.", "-o", "--output")],
    target: TargetOption = None,
    config: ConfigOption = None,
    quantized_io: QuantizedIoOption = False,
    batch: Annotated[
        int | None,
        option("N", "The batch size of a .pte (default: that of the example inputs)."),
    ] = None,
    max_batch: Annotated[int | None, option("N", "A .pte that takes batches of 1 to N.")] = None,
    whole: Annotated[
        bool,
        flag(
            "--whole", "One delegate for all of a .pte, or an error that names what does not fit."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Quantize and lower a model, and write it to one file."""
    from qsim.cli.compiling import compile_model
    from qsim.cli.pte import PteOptions

    compile_model(
        model,
        destination,
        target,
        config,
        Output(as_json=as_json),
        PteOptions(batch, max_batch, whole),
        quantized_io=quantized_io,
    )
