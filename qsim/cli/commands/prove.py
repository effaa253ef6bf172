"""``qsim prove``: its options. The body imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated

import typer

from qsim.cli.help import Command, examples
from qsim.cli.options import JsonOption, TargetOption, argument, option
from qsim.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        cls=Command,
        epilog=examples(
            "qsim prove requantize --target tflite",
            "qsim prove requantize --target tflite --model digits",
            "qsim prove bias_add --target narrow20 --rtl my_rtl/bias_add_core.sv",
            "qsim prove lookup",
            "qsim prove add --target q7 --model resnet8 --json",
            "qsim prove --dut my_requantizer.toml --target tflite",
        ),
    )(prove)


def prove(
    primitive: Annotated[
        str | None,
        argument(
            "PRIMITIVE",
            "requantize, bias_add, add, lookup or stream_register; "
            "with --dut what the file says, of these or clamp.",
        ),
    ] = None,
    target: TargetOption = None,
    model: Annotated[
        str | None,
        option(
            "MODEL",
            "Prove for the constants of this model's layers "
            "(default: for all constants; add: those of digits).",
        ),
    ] = None,
    rtl: Annotated[
        Path | None,
        option(
            "DIR|FILE",
            "Changed RTL: a folder, or one file, with the names of the shipped files.",
        ),
    ] = None,
    dut: Annotated[
        Path | None,
        option("F.toml", "Your RTL instead of the repository's: combinational, or fixed latency."),
    ] = None,
    timeout: Annotated[
        float, option("S", "Seconds for each query to the solver.", show_default=True)
    ] = 120.0,
    workers: Annotated[int, option("N", "Processes.", "--jobs", show_default=True)] = 2,
    write: Annotated[Path | None, option("DIR", "Write a counterexample as a golden set.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove with yosys and z3 that the RTL equals its definition, for all inputs."""
    from qsim.cli.prove import ProveOptions
    from qsim.cli.prove import prove as execute

    options = ProveOptions(primitive or "", target, model, rtl, timeout, workers, write, dut)
    status = execute(options, Output(as_json=as_json))
    if status:
        raise typer.Exit(status)
