"""``qsim targets``, ``models`` and ``doctor``: what there is, and what this machine has."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated

import typer

from qsim.cli.help import NO_METAVAR, Command, examples
from qsim.cli.options import JsonOption, argument, option
from qsim.cli.output import Output
from qsim.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        cls=Command,
        epilog=examples("qsim targets", "qsim targets narrow20", "qsim targets tflite cmsis-nn"),
    )(targets)
    app.command(
        cls=Command,
        epilog=examples(
            "qsim models", "qsim models my_net.py:make", "qsim models digits --samples ."
        ),
    )(models)
    app.command(
        cls=Command,
        epilog=examples("qsim doctor", "qsim doctor --self-test", "qsim doctor --clear-kernels"),
    )(doctor)


def targets(
    name: Annotated[str | None, argument("TARGET", "Show every field of one.")] = None,
    other: Annotated[str | None, argument("OTHER", "Show where the two differ.")] = None,
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


def models(
    model: Annotated[
        str | None,
        argument("MODEL", "A built-in name, package.module:factory or file.py:factory."),
    ] = None,
    samples: Annotated[
        Path | None,
        option("DIR", "Write its samples to this folder: x.npy, and y.npy of labels."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the built-in models, show what one brings, or write its samples as .npy files."""
    output = Output(as_json=as_json)
    if model is None:
        if samples is not None:
            raise UsageError("whose samples?", where="--samples", accepted="a MODEL before it")
        from qsim.cli.listing import show_models

        show_models(output)
        return
    from qsim.cli.samples import show_model, write_samples

    if samples is None:
        show_model(model, output)
    else:
        write_samples(model, samples, output)


def doctor(
    clear_kernels: Annotated[
        bool,
        typer.Option(
            "--clear-kernels",
            metavar=NO_METAVAR,
            help="Delete all compiled kernels that are kept, and check nothing.",
        ),
    ] = False,
    self_test: Annotated[
        bool,
        typer.Option(
            "--self-test",
            metavar=NO_METAVAR,
            help="Compare every kernel with its definition, as each kind of processor has it.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check what this machine has and what is missing; exit status 3 if something needed is."""
    output = Output(as_json=as_json)
    if clear_kernels and self_test:
        raise UsageError(
            "--clear-kernels and --self-test do not go together", accepted="one of them"
        )
    if clear_kernels:
        from qsim.cli.listing import show_cleared

        show_cleared(output)
        return
    if self_test:
        from qsim.cli.self_test import show_self_test

        status = show_self_test(output)
    else:
        from qsim.cli.listing import show_doctor

        status = show_doctor(output)
    if status:
        raise typer.Exit(status)
