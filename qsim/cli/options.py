"""Options and arguments, and the three forms in which a command states one of its own.

What several commands take is defined here once; what one command takes stands in its signature.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from qsim.cli.help import NO_METAVAR


def argument(metavar: str, text: str) -> Any:
    """Return a positional argument."""
    return typer.Argument(metavar=metavar, help=text, show_default=False)


def option(metavar: str, text: str, *names: str, show_default: bool = False) -> Any:
    """Return an option with a value, named like the parameter unless names are given."""
    return typer.Option(*names, metavar=metavar, help=text, show_default=show_default)


def flag(name: str, text: str) -> Any:
    """Return an option without a value, off unless given."""
    return typer.Option(name, metavar=NO_METAVAR, help=text)


MODEL_HELP: Final = (
    "A built-in name (`qsim models`), package.module:factory, file.py:factory, or a .pt2 or .qsim "
    "file. A factory returns the float module and its example inputs."
)

ModelArgument = Annotated[str, argument("MODEL", MODEL_HELP)]
SetArgument = Annotated[Path, argument("DIR", "The folder of a golden set.")]
TargetOption = Annotated[
    str | None,
    option(
        "T",
        "A shipped target (`qsim targets`) or a .toml file "
        "(default: tflite, or what the file was made for).",
        "--target",
        "-t",
    ),
]
ConfigOption = Annotated[
    Path | None,
    option("F.toml", "How to quantize, in TOML: observers, bits and skips by type or name."),
]
InputsOption = Annotated[
    list[Path] | None,
    option(
        "F.npy",
        "A .npy file of samples: float32 or integer codes; once for each model input.",
    ),
]
QuantizedIoOption = Annotated[
    bool, flag("--quantized-io", "Integer inputs and outputs: no float at the boundary.")
]
LengthOption = Annotated[
    int | None,
    option("N", "Length of the sequences, where a network takes several (default: the samples')."),
]
FolderOption = Annotated[Path, option("DIR", "The folder to make.", "-o", "--output")]
ForceOption = Annotated[bool, flag("--force", "Replace a golden set that is there.")]
JsonOption = Annotated[bool, flag("--json", "Print one JSON object on stdout and nothing else.")]
