"""``qsim inspect``: its options. The body imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated

from qsim.cli.help import Command, examples
from qsim.cli.options import JsonOption, argument, option
from qsim.cli.output import Output

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        cls=Command,
        epilog=examples(
            "qsim inspect digits.qsim",
            "qsim inspect digits.qsim --memory map.png",
            "qsim inspect net.pte",
            "qsim inspect my_chip.toml --json",
        ),
    )(inspect)


def inspect(
    file: Annotated[Path, argument("FILE", "A .qsim, .pt2, .pte, .bpte or target .toml file.")],
    memory: Annotated[
        Path | None,
        option(
            "F.png", "Draw where the tensors of a .qsim or .pte file lie, and when; .png or .svg."
        ),
    ] = None,
    delegate: Annotated[
        int | None, option("N", "Which delegate's memory, of a .pte that has several.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a file holds: target, inputs, outputs, calls, memory map, host operators."""
    from qsim.cli.inspecting import inspect_file

    inspect_file(file, Output(as_json=as_json), memory, delegate)
