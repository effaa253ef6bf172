"""What a compiler read beside what it was told to: included files, modules found in folders.

The compilers say it themselves. A build holds only while each of these files is as it was, and
while no other one has come into a folder that is searched before its own.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qsim.cosim.simulators import cache
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from qsim.cosim.simulators.recipes import Recipe

LISTED: Final = "read.txt"  # by Icarus
OBJECTS: Final = "obj"  # folder of what Verilator writes
_VERILATORS: Final = Path(OBJECTS, "Vsim__verFiles.dat")
# `S size inode ... "path"` of a source that was read; Verilator's .d file leaves spaces unquoted.
_SOURCE: Final = re.compile(r'^S .* "([^"]*)"$', re.MULTILINE)
_TRIES: Final = 4
_CLOCK_NS: Final = 50_000_000  # that the time of a file may be behind


def named(recipe: Recipe, folder: Path) -> list[Path]:
    """Return the files that the compiler of a recipe says it read, but for those named to it.

    Args:
        recipe: what was compiled.
        folder: where: what lies there is of the recipe.
    """
    if recipe.simulator.name == "icarus":
        found = (folder / LISTED).read_text("utf-8", "surrogateescape").splitlines()
    else:
        text = (folder / _VERILATORS).read_text("utf-8", "surrogateescape")
        found = _SOURCE.findall(text)
    told = {*recipe.design.sources, *recipe.bench}
    roots = [folder.resolve(), *([recipe.simulator.root] if recipe.simulator.root else [])]
    paths = {_straight(folder / name) for name in found}
    return sorted(
        path
        for path in paths - told
        if not any(Path(os.path.normpath(path)).is_relative_to(root) for root in (folder, *roots))
    )


def _straight(path: Path) -> Path:
    """Return a path without dots, but for those that lead out of what may be a link."""
    return path if ".." in path.parts else Path(os.path.normpath(path))


def settled(translate: Callable[[], Iterable[Path]]) -> dict[str, str]:
    """Compile until what was read is known for certain; return the SHA-256 of each file.

    A file that was touched meanwhile may have been read before or after: then once more.

    Raises:
        UsageError: files change all the time.
    """
    before: dict[str, str] | None = None
    for _ in range(_TRIES):
        started = time.time_ns() - _CLOCK_NS
        files = {str(path): cache.digest(path)[1] for path in translate()}
        if files == before or all(_touched(path) < started for path in files):
            return files
        before = files
    raise UsageError("sources changed while they were compiled", accepted="a second try")


def _touched(path: str) -> int:
    try:
        found = Path(path).stat()
    except OSError:
        return time.time_ns()
    return max(found.st_mtime_ns, found.st_ctime_ns)


def absent(recipe: Recipe, files: Iterable[str]) -> list[str]:
    """Return files that are not there, and of which the compiler would have read one if it were.

    Each file was found in some folder, under the name that it has seen from there; under the same
    name it could lie in any other folder that is searched.
    """
    found = [Path(path) for path in files]
    folders = recipe.design.searched
    names = {_seen(path, folder) for path in found for folder in folders}
    # A module may be in a file of either suffix.
    names |= {str(Path(name).with_suffix(end)) for name in names for end in ("", ".v", ".sv")}
    places = {str(_straight(folder / name)) for folder in folders for name in names}
    return sorted(place for place in places if not os.path.lexists(place))


def _seen(path: Path, folder: Path) -> str:
    """Return the name of a file as it is seen from a folder: to the letter, if it lies there."""
    text, start = str(path), f"{folder}/"
    return text[len(start) :] if text.startswith(start) else os.path.relpath(path, folder)


def hold(files: Mapping[str, str], gone: Iterable[str]) -> bool:
    """Tell whether files are as they were, and others still absent."""
    if any(os.path.lexists(path) for path in gone):
        return False
    try:
        return all(cache.digest(Path(path))[1] == wanted for path, wanted in files.items())
    except UsageError:
        return False
