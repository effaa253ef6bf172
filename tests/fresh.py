"""Runs code in an interpreter of its own, where nothing is loaded yet."""

from __future__ import annotations

import subprocess
import sys

from tests.tree import ROOT


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )


def loaded(code: str, *modules: str) -> list[str]:
    """Return which of the modules are loaded once the code has run."""
    shown = f"import sys; print(*(m for m in {modules!r} if m in sys.modules))"
    return run(f"{code}\n{shown}").stdout.split()
