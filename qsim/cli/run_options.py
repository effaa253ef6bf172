"""The options of ``qsim run``, whatever MODEL is: as data, and checked before any work."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsim import files
from qsim.errors import FileFormatError, InputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class RunOptions:
    """The options of ``qsim run``; see its ``--help``."""

    model: str
    target: str | None
    inputs: tuple[Path, ...]
    labels: Path | None
    samples: int | None
    batch: int | None
    quantized_io: bool
    trace: Path | None
    report: Path | None
    config: Path | None
    threads: int | None
    verbose: bool
    data: tuple[Path, ...] = ()
    method: str | None = None
    compare: str | None = None
    length: int | None = None


def check_form(options: RunOptions) -> None:
    """Refuse what only an ExecuTorch program has.

    Raises:
        UsageError: an option of its was given.
    """
    given = {"data": options.data, "method": options.method, "compare": options.compare}
    for name, value in given.items():
        if value:
            raise UsageError(
                f"{options.model} is not an ExecuTorch program",
                where=f"--{name}",
                accepted="with a .pte or .bpte file",
            )


def check_numbers(options: RunOptions) -> None:
    """Refuse numbers that count nothing, and labels of samples that nobody gave.

    Raises:
        UsageError: one of them was given.
    """
    numbers = {"samples": options.samples, "batch": options.batch, "threads": options.threads}
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise UsageError(f"--{name} must be at least 1, not {value}", accepted="1 or more")
    if options.labels is not None and not options.inputs:
        raise UsageError(
            "labels are of samples that were not given",
            where="--labels",
            accepted="--labels with --inputs",
        )


def check_sources(options: RunOptions) -> None:
    """Find out that samples or labels are no file before the work, not after it.

    Raises:
        InputError: they are not.
    """
    labels = () if options.labels is None else (options.labels,)
    for path in (*options.inputs, *labels):
        try:
            with files.opened(path, accepted="a .npy file"):
                pass
        except FileFormatError as error:
            raise InputError.placed(error, error.where) from None


def check_destinations(options: RunOptions) -> None:
    """Find out that a result cannot be written before the work, not after it.

    Raises:
        UsageError: it cannot.
    """
    from qsim.atomic import check_fresh

    if options.trace is not None:
        check_fresh(options.trace)
        _check_parent(options.trace, "--trace")
    if options.report is not None:
        if options.report.is_dir():
            raise UsageError("is a directory", where=str(options.report), accepted="a file name")
        if options.report.suffix.lower() != ".html":
            raise UsageError(
                "the report is an HTML page",
                where=str(options.report),
                accepted="a name that ends in .html",
            )
        _check_parent(options.report, "--report")


def _check_parent(path: Path, option: str) -> None:
    parent = path.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UsageError(
            f"{parent} is not a writable directory", where=option, accepted="a path in one"
        )


def command(options: RunOptions) -> str:
    """Return the command line that gives the same integers again."""
    words = ["qsim", "run", options.model]
    words += ["--target", options.target] if options.target else []
    for path in options.inputs:
        words += ["--inputs", str(path)]
    words += ["--labels", str(options.labels)] if options.labels else []
    words += ["--samples", str(options.samples)] if options.samples else []
    words += ["--length", str(options.length)] if options.length else []
    words += ["--quantized-io"] if options.quantized_io else []
    words += ["--config", str(options.config)] if options.config else []
    return shlex.join(words)
