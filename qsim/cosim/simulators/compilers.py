"""How a recipe is compiled: the command lines, and Verilator's runtime library, compiled once."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, assert_never

from qsim.atomic import refused, scratch
from qsim.cosim.simulators import cache, process
from qsim.cosim.simulators.compile_errors import BuildError, first_error
from qsim.cosim.simulators.recipes import MAKE, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qsim.cosim.simulators.recipes import Recipe

_SECONDS: Final = 1800.0
_runtime = threading.Lock()


def compile_design(recipe: Recipe, folder: Path) -> tuple[str, ...]:
    """Compile into a folder; return the names of the files to keep, the program first."""
    texts = {"dut.sv": recipe.design.wrapper, **recipe.texts}
    with refused(folder.parent):
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    sources = [*recipe.design.sources, *(folder / name for name in texts), *recipe.bench]
    match recipe.simulator.name:
        case "icarus":
            _run(recipe, _iverilog(recipe, sources, folder), folder)
            return ("sim.vvp", *texts)
        case "verilator":
            _run(recipe, _verilate(recipe, sources, folder), folder)
            _make(recipe, folder)
            (folder / "obj" / "sim").rename(folder / "sim")
            shutil.rmtree(folder / "obj")
            return ("sim", *texts)
        case _:
            assert_never(recipe.simulator.name)


def _iverilog(recipe: Recipe, sources: Sequence[Path], folder: Path) -> list[str]:
    return [
        str(recipe.simulator.compiler),
        "-g2012",
        "-Wall",
        "-Wno-timescale",
        f"-s{recipe.top}",
        *(f"-P{recipe.top}.{name}={value}" for name, value in recipe.parameters.items()),
        *(f"-I{path}" for path in recipe.design.include),
        *(f"-D{name}={text}" for name, text in recipe.design.defines.items()),
        *recipe.flags,
        f"-o{folder / 'sim.vvp'}",
        *map(str, sources),
    ]


def _verilate(recipe: Recipe, sources: Sequence[Path], folder: Path) -> list[str]:
    return [
        str(recipe.simulator.compiler),
        "--cc",
        "--exe",
        "-O3",
        "-Wno-fatal",
        "--timescale",
        "1ns/1ns",
        "--prefix",
        "Vsim",
        "--top-module",
        recipe.top,
        "--Mdir",
        str(folder / "obj"),
        "-o",
        "sim",
        # Coroutines: the package's makefile leaves the standard to the compiler.
        "-CFLAGS",
        "-std=c++20",
        *(f"-G{name}={value}" for name, value in recipe.parameters.items()),
        *(f"+incdir+{path}" for path in recipe.design.include),
        *(f"+define+{name}={text}" for name, text in recipe.design.defines.items()),
        *(("--trace-vcd",) if recipe.waves else ()),
        *recipe.flags,
        *map(str, sources),
    ]


def _make(recipe: Recipe, folder: Path) -> None:
    """Compile what Verilator wrote; its runtime library is compiled once and kept."""
    simulator = recipe.simulator
    facts = [VERSION, simulator.fingerprint, recipe.lane, recipe.waves, recipe.flags, MAKE]
    name = f"runtime-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}"
    kept = cache.folder("builds") / name
    command = ["make", "-C", str(folder / "obj"), "-f", "Vsim.mk", *MAKE, "sim"]
    if not restore(kept, folder / "obj"):
        with _alone(kept.with_name(f"{name}.lock")):  # the others wait for it
            if not restore(kept, folder / "obj"):
                _run(recipe, command, folder)
                keep(folder / "obj", kept)
                return
    _run(recipe, command, folder)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one thread of one process at a time inside; the lock goes with a process that ends."""
    with _runtime, lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def restore(kept: Path, folder: Path) -> bool:
    """Copy a kept runtime, newer than what it would be made from."""
    names = cache.contents(kept)
    with refused(kept.parent):
        for name in names:
            shutil.copyfile(kept / name, folder / name)
    with suppress(OSError):
        os.utime(kept)
    return bool(names)


def keep(folder: Path, kept: Path) -> None:
    """Keep the compiled runtime of a folder."""
    with scratch("runtime", kept.parent) as temporary, refused(kept.parent):
        objects = sorted(folder.glob("verilated*.o"))
        for path in objects:
            shutil.copyfile(path, temporary / path.name)
        cache.publish(temporary, kept, [path.name for path in objects])


def _run(recipe: Recipe, command: Sequence[str], folder: Path) -> None:
    """Run a compiler.

    Raises:
        BuildError: it failed.
    """
    log = folder / "build.log"
    done = process.run(
        command, cwd=folder, environment=recipe.simulator.environ(), log=log, timeout=_SECONDS
    )
    if done.status or done.timed_out:
        place, message = first_error(done.text)
        # The folder goes; what the compiler said stays.
        log = log.replace(folder.parent / f"{recipe.key()[:16]}.log")
        raise BuildError(
            f"{recipe.simulator.name}: {message or f'the compiler {done.how}'}",
            where=place.replace(f"{folder}/", ""),
            accepted=f"RTL that compiles; the whole log is in {log}",
        )
