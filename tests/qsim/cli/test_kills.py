"""Every command that writes, killed at random: what is there is whole, and the rest goes.

``tests/qsim/test_parts.py`` has the small version, for what all of them write through.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.qsim.cli.models import FACTORY
from tests.tree import ROOT

# Loads what the commands load, and forks a child for each: no start of Python in between.
SERVER = """
import json, os, signal, sys, time
import torch, torch.export, matplotlib.figure
import qsim.cli, qsim.quantizer, qsim.lowering, qsim.network, qsim.report, qsim.golden, qsim.cosim

print("ready", flush=True)
for line in sys.stdin:
    command, seconds = json.loads(line)
    child = os.fork()
    if not child:
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(2):
            os.dup2(null, number)
        os._exit(qsim.cli.main(command))
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)  # where it has ended by itself, nobody else has its number
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Server:
    def __init__(self, folder: Path) -> None:
        environment = os.environ | {
            "TMPDIR": str(folder / "tmp"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHONPATH": str(ROOT),
        }
        environment.pop("NUMBA_CACHE_DIR", None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def run(self, command: list[str], seconds: float | None = None) -> int:
        """Run a command, killed after so many seconds; return how it ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([command, seconds]) + "\n")
        self.process.stdin.flush()
        return int(self._line())


def same_bytes(path: Path) -> object:
    if path.is_file():
        return path.read_bytes()
    return {str(each.relative_to(path)): each.read_bytes() for each in sorted(path.rglob("*.*"))}


def archive(path: Path) -> object:
    with zipfile.ZipFile(path) as held:
        assert held.testzip() is None
        return sorted(held.namelist())


def trace(path: Path) -> object:
    document = json.loads((path / "trace.json").read_text())
    assert (path / "trace.png").read_bytes().endswith(b"IEND\xaeB`\x82")
    return document["outputs_sha256"], same_bytes(path / "tensors")


def page(path: Path) -> object:
    assert path.read_text().rstrip().endswith("</html>")
    return True


def picture(path: Path) -> object:
    assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    return True


JOBS: list[tuple[list[str], dict[str, Callable[[Path], object]]]] = [
    (["compile", "net.py:make", "-o", "out.qsim"], {"out.qsim": same_bytes}),
    (["compile", "net.py:make", "-o", "out.pt2"], {"out.pt2": archive}),
    (
        ["run", "net.qsim", "--trace", "traces", "--report", "page.html"],
        {"traces": trace, "page.html": page},
    ),
    (["golden", "record", "net.qsim", "-o", "set", "--force"], {"set": same_bytes}),
    (["golden", "record", "add", "-o", "added"], {"added": same_bytes}),
    (["golden", "export", "set", "-o", "hex"], {"hex": same_bytes}),
    (["inspect", "net.qsim", "--memory", "map.png"], {"map.png": picture}),
    (["cosim", "add", "--simulator", "icarus", "--vectors", "50"], {}),
]


def leftovers(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if ".qsim-" in path.name]


@pytest.mark.soak
def test_a_hundred_kills(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    (tmp_path / "net.py").write_text(FACTORY)
    (tmp_path / "tmp").mkdir()
    server = Server(tmp_path)
    assert server.run(["compile", "net.py:make", "-o", "net.qsim"]) == 0
    assert server.run(["golden", "record", "net.qsim", "-o", "set"]) == 0
    lasts, whole = [], []
    for command, made in JOBS:
        for _ in range(2):  # kernels and builds are made in the first
            for name in made:
                remove(tmp_path / name)
            begun = time.monotonic()
            assert server.run(command) == 0, command
            taken = time.monotonic() - begun
        lasts.append(taken)
        whole.append({name: read(tmp_path / name) for name, read in made.items()})
    killed = left = 0
    for turn in range(100):
        at = turn % len(JOBS)
        command, made = JOBS[at]
        for name in made:
            remove(tmp_path / name)
        if not made:
            remove(tmp_path / "cache" / "qsim" / "builds", even=True)
        status = server.run(command, draw.uniform(0.0, lasts[at]))
        killed += os.WIFSIGNALED(status)
        left += len(leftovers(tmp_path))
        for name, read in made.items():
            if (tmp_path / name).exists():
                assert read(tmp_path / name) == whole[at][name], (command, name)
            else:
                assert name != "set"
    for command, made in JOBS:
        for name in made:
            remove(tmp_path / name)
        assert server.run(command) == 0, command
    assert leftovers(tmp_path) == []
    assert killed > 50
    assert left
    print(f"{killed} killed of 100; {left} parts were left and removed")
    server.process.communicate()


def remove(path: Path, *, even: bool = False) -> None:
    """Remove a result, but not the set that --force replaces."""
    if path.name == "set" and not even:
        return
    if path.is_dir():
        subprocess.run(["/bin/rm", "-r", str(path)], check=True)
    else:
        path.unlink(missing_ok=True)
