"""A terminal is told which kernel is compiled; nobody else is told anything."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.tree import ROOT

KERNEL = "hw_models.pools.max_pool._max_pool"
WORK = """
import numpy as np
import hw_models
from qsim.cli.output import Output

with Output(as_json=False).stage("working", 2) as advance:
    advance(1)
    hw_models.max_pool(np.zeros((1, 1, 2, 2), np.int8), 2)
    advance(1)
"""


def started(kernels: Path, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(kernels), "TERM": "xterm", "COLUMNS": "160"}
    line = [sys.executable, "-c", WORK]
    return subprocess.Popen(line, env=environment, cwd=ROOT, stdout=stdout, stderr=stderr)


def on_a_terminal(kernels: Path) -> str:
    """Return what WORK writes to stderr where that is a terminal."""
    own, theirs = pty.openpty()
    process = started(kernels, subprocess.DEVNULL, theirs)
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


def test_compiling_has_a_line_of_its_own_the_first_time_only(tmp_path: Path) -> None:
    first = on_a_terminal(tmp_path)
    assert "working" in first
    assert "2/2" in first
    assert "compiling" in first
    assert f"{KERNEL}, 0 done" in first
    second = on_a_terminal(tmp_path)
    assert "working" in second
    assert "compiling" not in second


def test_no_terminal_is_told_nothing(tmp_path: Path) -> None:
    process = started(tmp_path, subprocess.PIPE, subprocess.PIPE)
    assert process.communicate() == (b"", b"")
    assert process.returncode == 0
    assert list((tmp_path / "qsim-kernels").iterdir())  # it did compile
