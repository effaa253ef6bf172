"""Let uv resolve pyproject.toml anew and write both files of the lock."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.lock.pins import parse
from tools.lock.sets import (
    BUILD_DEPENDENT,
    BUILD_DEPENDENT_PREFIXES,
    FOLDER,
    ROOT,
    RUN,
    TEST,
    pyproject,
)

if TYPE_CHECKING:
    from tools.lock.sets import LockedSet


def renew(*, newest: bool) -> None:
    """Write the lock; without ``newest``, keep every locked release that is still allowed.

    A file is replaced only when both were resolved. uv takes what the output holds already where it
    may: so `run.txt`, begun as a copy of `test.txt`, gets the same releases.
    """
    build = ROOT / "build" / "lock"
    build.mkdir(parents=True, exist_ok=True)
    FOLDER.mkdir(exist_ok=True)
    test, run = build / TEST.path.name, build / RUN.path.name
    test.unlink(missing_ok=True)
    if not newest and TEST.path.exists():
        shutil.copyfile(TEST.path, test)
    _compile(TEST, test)
    shutil.copyfile(test, run)
    _compile(RUN, run)
    test.replace(TEST.path)
    run.replace(RUN.path)


def _compile(which: LockedSet, output: Path) -> None:
    choice = [word for extra in which.extras for word in ("--extra", extra)]
    choice += [word for group in which.groups for word in ("--group", group)]
    everything = uv_compile(choice)
    left_out = [BUILD_DEPENDENT]
    left_out += [name for name in parse(everything) if name.startswith(BUILD_DEPENDENT_PREFIXES)]
    choice += [word for name in left_out for word in ("--no-emit-package", name)]
    uv_compile([*choice, "--generate-hashes", "--output-file", str(output)])


def uv_compile(options: list[str]) -> str:
    """Resolve pyproject.toml and what builds the project for every platform; return the lock."""
    build = [str(word) for word in pyproject()["build-system"]["requires"]]
    return uv_resolve(build, ["pyproject.toml", "--universal", *options])


def uv_resolve(requirements: list[str], options: list[str]) -> str:
    """Let uv resolve requirements, as `[tool.uv]` of pyproject.toml says; return what it prints.

    Raises:
        SystemExit: no solution exists; uv's own message says why.
    """
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    command = [uv, "pip", "compile", "--quiet", "--custom-compile-command", "make lock", "-"]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, input="\n".join(requirements), text=True,
        stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"lock: uv found no solution, see above: {' '.join([*command, *options])}")
    return done.stdout
