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
from qsim.cosim.simulators import cache, messages, process, reads
from qsim.cosim.simulators.compile_errors import BuildError, first_error
from qsim.cosim.simulators.recipes import MAKE, VERSION
from qsim.cosim.simulators.variants import Variant, name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qsim.cosim.simulators.recipes import Recipe

WARNINGS: Final = "warnings.json"
_ICARUS_PROGRAM: Final = "sim.vvp"
_OBJECTS: Final = "obj"  # of Verilator
_COMMANDS: Final = "commands.txt"  # of Icarus
_TIMESCALE: Final = "1ns/1ns"  # of files that state none
_SECONDS: Final = 1800.0
_runtime = threading.Lock()


def compile_design(recipe: Recipe, key: str, folder: Path) -> tuple[tuple[str, ...], Variant]:
    """Compile into a folder.

    Args:
        recipe: what to compile.
        key: its key.
        folder: an empty one.

    Returns:
        The names of the files to keep, the program first; and what was read.

    Raises:
        BuildError: it does not compile.
        UsageError: the folder cannot be written, or files change meanwhile.
    """
    texts = write_texts(recipe, folder)
    with refused(folder.parent):
        (folder / _COMMANDS).write_text(f"+timescale+{_TIMESCALE}\n", encoding="utf-8")
    sources = [*recipe.design.sources, *texts, *recipe.bench]
    commands = {"icarus": _iverilog, "verilator": _verilate}
    command = commands[recipe.simulator.name](recipe, sources, folder)
    said = ""

    def translate() -> list[Path]:
        nonlocal said
        shutil.rmtree(folder / _OBJECTS, ignore_errors=True)
        said = _run(recipe, command, folder)
        return reads.named(recipe, folder)

    files = reads.settled(translate)
    warnings = messages.dump(messages.compiled(said, folder) if recipe.design.folder else ())
    with refused(folder.parent):
        (folder / WARNINGS).write_text(warnings, encoding="utf-8")
    variant = Variant(name(key, files), files, reads.absent(recipe, files))
    kept = (WARNINGS, *(path.name for path in texts))
    match recipe.simulator.name:
        case "icarus":
            return (_ICARUS_PROGRAM, *kept), variant
        case "verilator":
            _make(recipe, folder)
            (folder / _OBJECTS / "sim").rename(folder / "sim")
            shutil.rmtree(folder / _OBJECTS)
            return ("sim", *kept), variant
        case _:
            assert_never(recipe.simulator.name)


def write_texts(recipe: Recipe, folder: Path) -> list[Path]:
    """Write the wrapper of a recipe, and its further texts; return the files."""
    # Directives of a design (default_nettype, timescale) end where it does.
    texts = {messages.WRAPPER: f"`resetall\n{recipe.design.wrapper}", **recipe.texts}
    with refused(folder.parent):
        for text_name, text in texts.items():
            (folder / text_name).write_text(text, encoding="utf-8")
    return [folder / each for each in texts]


def _iverilog(recipe: Recipe, sources: Sequence[Path], folder: Path) -> list[str]:
    return [
        str(recipe.simulator.compiler),
        "-g2012",
        "-Wall",
        "-Wno-timescale",
        f"-s{recipe.top}",
        *(f"-P{recipe.top}.{name}={value}" for name, value in recipe.parameters.items()),
        f"-c{folder / _COMMANDS}",
        f"-Mall={folder / reads.LISTED}",
        *searched(recipe),
        # Verilator finds modules in the folders of included files.
        *(f"-y{path}" for path in recipe.design.searched),
        "-Y.v",
        "-Y.sv",
        *recipe.flags,
        f"-o{folder / _ICARUS_PROGRAM}",
        *map(str, sources),
    ]


def _verilate(recipe: Recipe, sources: Sequence[Path], folder: Path) -> list[str]:
    return [
        str(recipe.simulator.compiler),
        "--cc",
        "--exe",
        "-O3",
        "-Wno-fatal",
        # To Icarus it is an error too.
        "-Werror-MODDUP",
        "--timescale",
        _TIMESCALE,
        "--prefix",
        "Vsim",
        "--top-module",
        recipe.top,
        "--Mdir",
        str(folder / _OBJECTS),
        "-o",
        "sim",
        # Coroutines: the package's makefile leaves the standard to the compiler.
        "-CFLAGS",
        "-std=c++20",
        *(f"-G{name}={value}" for name, value in recipe.parameters.items()),
        *searched(recipe),
        *(("--trace-vcd",) if recipe.waves else ()),
        *recipe.flags,
        *map(str, sources),
    ]


def searched(recipe: Recipe) -> list[str]:
    """Return folders and macros as both compilers take them to the letter.

    Verilator splits +incdir+ and +define+ at every further plus.
    """
    design = recipe.design
    folders = [f"-I{path}" for path in design.searched]
    return folders + [f"-D{name}={text}" for name, text in design.defines.items()]


def _make(recipe: Recipe, folder: Path) -> None:
    """Compile what Verilator wrote; its runtime library is compiled once and kept."""
    simulator = recipe.simulator
    facts = [VERSION, simulator.fingerprint, recipe.lane, recipe.waves, recipe.flags, MAKE]
    name = f"runtime-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}"
    kept = cache.folder("builds") / name
    command = ["make", "-C", str(folder / _OBJECTS), "-f", "Vsim.mk", *MAKE, "sim"]
    if not restore(kept, folder / _OBJECTS):
        with _alone(kept.with_name(f"{name}.lock")):  # the others wait for it
            if not restore(kept, folder / _OBJECTS):
                _run(recipe, command, folder)
                keep(folder / _OBJECTS, kept)
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


def _run(recipe: Recipe, command: Sequence[str], folder: Path) -> str:
    """Run a compiler; return what it said.

    Raises:
        BuildError: it failed.
    """
    log = folder / "build.log"
    # Compilers look up files in the current directory: there are none.
    empty = folder / "empty"
    with refused(folder.parent):
        empty.mkdir()
    done = process.run(
        command, cwd=empty, environment=recipe.simulator.environ(), log=log, timeout=_SECONDS
    )
    empty.rmdir()
    if done.status or done.timed_out:
        place, message = first_error(done.text)
        # The folder goes; what the compiler said stays.
        log = log.replace(folder.parent / f"{recipe.key()[:16]}.log")
        raise BuildError(
            f"{recipe.simulator.name}: {message or f'the compiler {done.how}'}",
            where=place.replace(f"{folder}/", ""),
            accepted=f"RTL that compiles; the whole log is in {log}",
        )
    return done.text
