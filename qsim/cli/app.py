"""The program: its commands in the order of ``--help``, and how it ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

import qsim
from qsim.cli.commands import (
    compile,  # noqa: A004 - the command's name
    inspect,
    lists,
    prove,
    quantize,
    run,
)
from qsim.cli.cosim import app as cosim
from qsim.cli.failure import CLOSED_PIPE, INTERNAL, USAGE, Failure, describe, only_help
from qsim.cli.golden.app import golden_app
from qsim.cli.help import NO_METAVAR, Group
from qsim.cli.output import Output, write
from qsim.cli.streams import ClosedPipeError, guarded, lost, require_open
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

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


for _command in (run, compile, quantize, inspect, cosim, prove, lists):
    _command.register(app)
app.add_typer(golden_app, name="golden")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; nothing but bugs escapes as a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    with guarded():
        try:
            status = _run(arguments, as_json=as_json)
            sys.stdout.flush()  # what a user's model printed may still be on its way
        except ClosedPipeError:
            sys.stderr.write("qsim: the reader of stdout went away\n")
            return CLOSED_PIPE
        except UsageError as error:  # stdout does not take the error either
            return _fail(error, as_json=False)
        return status


def _run(arguments: list[str], *, as_json: bool) -> int:
    try:
        require_open()
        status: Any = app(arguments, prog_name="qsim", standalone_mode=False)
    except ClosedPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        if only_help(error):
            return USAGE
        return _fail(error, as_json=as_json)
    if status == 130:
        return _fail(KeyboardInterrupt(), as_json=as_json)
    return status if isinstance(status, int) else 0


def _fail(error: BaseException, *, as_json: bool) -> int:
    import os

    failure: Failure = describe(error)
    if failure.status == INTERNAL and os.environ.get("QSIM_DEBUG") == "1":
        import traceback

        sys.stderr.write("".join(traceback.format_exception(error)))
    if as_json and not lost():
        Output(as_json=True).json(failure.to_dict())
    else:
        sys.stderr.write(f"qsim: {failure.line}\n")
    return failure.status
