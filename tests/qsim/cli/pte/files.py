"""ExecuTorch files that the tests of the commands share, made by the commands themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qsim.cli import main
from tests.qsim.cli.models import samples, write_models

# What `qsim run net.pte --json` has beyond the other forms.
PTE_KEYS = ["method", "calls", "delegates", "cases"]


def make(folder: Path, factory: str, name: str, *options: str) -> Path:
    """Compile a model of `tests.qsim.cli.models`."""
    path = folder / name
    assert main(["compile", f"{folder}/net.py:{factory}", "-o", str(path), *options]) == 0
    return path


_FOLDERS: list[Path] = []


def folder_of_files(factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one network as net.qsim, net.pte (batch open up to 8) and codes.pte.

    One folder serves all modules of tests: compiling takes seconds.
    """
    if not _FOLDERS:
        folder = write_models(factory)
        make(folder, "make", "net.qsim")
        make(folder, "make", "net.pte", "--max-batch", "8")
        make(folder, "make", "codes.pte", "--batch", "4", "--quantized-io")
        np.save(folder / "x.npy", samples())
        np.save(folder / "y.npy", np.arange(20) % 3)
        _FOLDERS.append(folder)
    return _FOLDERS[0]


def told(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> dict[str, Any]:
    """Return the JSON object that a command prints."""
    capsys.readouterr()
    assert main([*arguments, "--json"]) == status
    out, err = capsys.readouterr()
    # What the factory of one of the models prints goes there.
    assert err in ("", "a factory may print\n")
    found: dict[str, Any] = json.loads(out)
    return found


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 2) -> str:
    """Return the one line of a command that refuses."""
    capsys.readouterr()
    assert main(list(arguments)) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("qsim: ")
    assert err.count("\n") == 1
    assert len(err) < 700
    return err
