"""How ``--help`` looks: flags without a type, and worked examples at the end."""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

# Typer would print `<bool>` beside every flag, as if it took a value.
NO_METAVAR: Final = ""


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
