"""``qsim quantize``: its options. The body imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated

from qsim.cli.help import Command, examples
from qsim.cli.options import ConfigOption, JsonOption, ModelArgument, TargetOption, option
from qsim.cli.output import Output

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        name="quantize",
        cls=Command,
        epilog=examples(
            "qsim quantize digits --config quant.toml -o digits.pt2",
            "qsim quantize my_net.py:make --target q7 --config quant.toml -o net.qsim",
            "qsim quantize digits --config quant.toml -o digits.pt2   "
            "[dim](again, after an interrupt: goes on)[/dim]",
        ),
    )(quantize)


def quantize(
    model: ModelArgument,
    destination: Annotated[Path, option("FILE", "A .pt2 or .qsim file.", "-o", "--output")],
    target: TargetOption = None,
    config: ConfigOption = None,
    checkpoint: Annotated[
        Path | None,
        option("FILE", "Where learning is kept until it is done (default: FILE.checkpoint)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Quantize a model as a configuration says, learn what it says, and measure the result."""
    from qsim.cli.quantizing import quantize_model

    quantize_model(model, destination, target, config, checkpoint, Output(as_json=as_json))
