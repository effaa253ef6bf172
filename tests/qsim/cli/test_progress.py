"""A terminal is told which kernel is compiled; nobody else is told anything."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import ROOT

CHECK = ("golden", "check", "golden/add-q7")
KERNEL = "hw_models.addition.kernels.shifted"


def command(kernels: Path, *arguments: str, **keywords: object) -> subprocess.Popen[str]:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(kernels), "TERM": "xterm", "COLUMNS": "160"}
    line = [sys.executable, "-m", "qsim", *arguments]
    return subprocess.Popen(line, env=environment, cwd=ROOT, text=True, **keywords)  # type: ignore[call-overload, no-any-return]


def on_a_terminal(kernels: Path, *arguments: str) -> str:
    """Return what a command writes to stderr where that is a terminal."""
    own, theirs = pty.openpty()
    process = command(kernels, *arguments, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(own, 1 << 16):
            shown += part
    except OSError:  # Linux's way to say that nobody writes any more
        pass
    os.close(own)
    assert process.wait() == 0, shown
    return shown.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no terminals to open")
def test_compiling_has_a_line_of_its_own_the_first_time_only(tmp_path: Path) -> None:
    first = on_a_terminal(tmp_path, *CHECK)
    assert "checking" in first
    assert "compiling" in first
    assert KERNEL in first
    second = on_a_terminal(tmp_path, *CHECK)
    assert "checking" in second
    assert "compiling" not in second
    assert KERNEL not in second


def test_no_terminal_is_told_nothing(tmp_path: Path) -> None:
    process = command(tmp_path, *CHECK, "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)
    assert list((tmp_path / "qsim-kernels").iterdir())  # it did compile
