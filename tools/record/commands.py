"""One command of ``qsim``, in this process, and what it printed."""

from __future__ import annotations

import io
import json
import shlex
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from tools.record import digests, normal

Record = dict[str, Any]


def document(*arguments: str, files: tuple[str, ...] = ()) -> Record:
    """Run a command with ``--json``; return its exit status, its object and its files' digests."""
    record, out = _run((*arguments, "--json"))
    try:
        record["document"] = normal.value(json.loads(out))
    except json.JSONDecodeError:
        record["text"] = normal.text(out)
    return _with_files(record, files)


def text(*arguments: str, timed: bool = False, files: tuple[str, ...] = ()) -> Record:
    """Run a command; return its exit status and its lines, without times where it prints some."""
    record, out = _run(arguments)
    record["text"] = normal.text(out, timed=timed)
    return _with_files(record, files)


def _run(arguments: tuple[str, ...]) -> tuple[Record, str]:
    from qsim.cli import main

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(list(arguments))
    command = normal.paths(shlex.join(("qsim", *arguments)))
    record: Record = {"command": command, "status": status}
    if status and err.getvalue():  # warnings of other libraries come once a process, errors always
        record["errors"] = normal.text(err.getvalue())
    return record, out.getvalue()


def _with_files(record: Record, files: tuple[str, ...]) -> Record:
    made = {name: digests.of(Path(name)) for name in files if Path(name).exists()}
    return record | {"files": made} if made else record
