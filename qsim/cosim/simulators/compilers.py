"""How a recipe is compiled: the command lines of both compilers."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final, assert_never

from qsim.atomic import refused
from qsim.cosim.simulators import compiling, messages, reads, runtime
from qsim.cosim.simulators.reads import OBJECTS
from qsim.cosim.simulators.variants import Variant, name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsim.cosim.simulators.recipes import Recipe

WARNINGS: Final = "warnings.json"
_ICARUS_PROGRAM: Final = "sim.vvp"
_COMMANDS: Final = "commands.txt"  # of Icarus
_TIMESCALE: Final = "1ns/1ns"  # of files that state none


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
        shutil.rmtree(folder / OBJECTS, ignore_errors=True)
        said = compiling.run(recipe, command, folder)
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
            runtime.make(recipe, folder / OBJECTS)
            (folder / OBJECTS / "sim").rename(folder / "sim")
            shutil.rmtree(folder / OBJECTS)
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
        str(folder / OBJECTS),
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
