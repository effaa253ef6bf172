"""Programs in interpreters of their own, with a folder of compiled kernels of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.tree import ROOT

# A module of a user's, with a kernel that is compiled in no time.
MODULE = """
from hw_models.compiled import kernel, part


@part
def _twice(x):
    return 2 * x


@kernel
def scaled(x, y):
    return _twice(x) + y
"""
# Prints what `result` is, and each kernel's states, as JSON.
_FRAME = """
import json
import numpy as np
from hw_models.compiled import observe
events = []
with observe(events.append):
{code}
print(json.dumps([result, [[e.kernel.rpartition(".")[2], e.state] for e in events]]))
"""


def start(code: str, folder: Path, cache: Path, **variables: str) -> subprocess.Popen[str]:
    """Start code that sets ``result``, with the packages of a folder before those of this tree."""
    kept = {name: text for name, text in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    path = os.pathsep.join((str(folder), str(ROOT)))
    environment = kept | {"XDG_CACHE_HOME": str(cache), "PYTHONPATH": path} | variables
    block = "".join(f"    {line}\n" for line in code.strip().splitlines())
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _FRAME.format(code=block)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[Any, list[list[str]], str]:
    """Return the result, what happened to the kernels, and what stderr got."""
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    result, events = json.loads(out)
    return result, events, errors
