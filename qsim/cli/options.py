"""What commands share: options, and how ``--help`` looks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

# Typer would print `<bool>` beside every flag, as if it took a value.
NO_METAVAR: Final = ""

TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        help="A shipped target (`qsim targets`) or a .toml file "
        "(default: tflite, or what the file was made for).",
        metavar="T",
        show_default=False,
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        metavar="F.toml",
        help="How to quantize, in TOML: observers, bits and skips by type or name.",
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json", metavar=NO_METAVAR, help="Print one JSON object on stdout and nothing else."
    ),
]


class Command(TyperCommand):
    """A command whose ``--help`` is shown as the flag that it is."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option without a metavar."""
        return _as_flag(super().get_help_option(ctx))


class Group(TyperGroup):
    """The program: as :class:`Command`."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option without a metavar."""
        return _as_flag(super().get_help_option(ctx))


def _as_flag(option: Any) -> Any:
    if option is not None:
        option.metavar = NO_METAVAR
    return option


def examples(*lines: str) -> str:
    """Return an epilog with one worked example a line."""
    return "Examples:\n\n" + "\n\n".join(lines)
