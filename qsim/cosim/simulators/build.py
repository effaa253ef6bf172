"""Builds: compiled simulations, made once and kept by what went into them.

A build is a folder of ``$XDG_CACHE_HOME/qsim/builds`` (``~/.cache`` without the variable) that is
named by a SHA-256 over every source, flag and tool. It is made under a temporary name and renamed
when it is complete: two processes may make the same one, and either is good. What is there is
checked before it runs; a damaged build is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qsim.cosim.simulators import cache, process
from qsim.cosim.simulators.compile_errors import BuildError as BuildError
from qsim.cosim.simulators.compilers import MAKE, VERSION, compile_design
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from qsim.cosim.lanes.lane import LaneName
    from qsim.cosim.simulators.toolchain import Simulator
    from qsim.cosim.simulators.wrapper import Design

_INCLUDED: Final = frozenset({".v", ".vh", ".sv", ".svh", ".h", ".inc", ".hex", ".mem"})


@dataclass(frozen=True)
class Recipe:
    """All that decides a build.

    Attributes:
        simulator: compiles it.
        lane: whose bench it is.
        top: module of the bench.
        design: module ``dut`` and below.
        bench: files of the bench.
        parameters: of the top module.
        flags: of the compiler, beside those that every build has.
        waves: whether the build can write waves.
        texts: further files to compile, by name; they are written into the build.
    """

    simulator: Simulator
    lane: LaneName
    top: str
    design: Design
    bench: tuple[Path, ...]
    parameters: Mapping[str, int]
    flags: tuple[str, ...]
    waves: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)

    def key(self) -> str:
        """Return the name of the build: a SHA-256 over contents, not over paths."""
        simulator, design = self.simulator, self.design
        facts = {
            "version": VERSION,
            "simulator": [simulator.name, simulator.fingerprint],
            "lane": self.lane,
            "top": self.top,
            "wrapper": design.wrapper,
            "sources": [cache.digest(path) for path in (*design.sources, *self.bench)],
            "included": [cache.digest(path) for path in _included(design.include)],
            "defines": dict(design.defines),
            "parameters": dict(self.parameters),
            "flags": list(self.flags),
            "waves": self.waves,
            "texts": dict(self.texts),
            "make": list(MAKE),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Build:
    """A compiled simulation.

    Attributes:
        path: its folder.
        simulator: runs it.
        lane: whose bench it has.
        waves: whether it can write waves.
        program: the executable, or the file that ``vvp`` reads.
    """

    path: Path
    simulator: Simulator
    lane: LaneName
    waves: bool
    program: Path


def build(recipe: Recipe) -> Build:
    """Return the build of a recipe, made now if it is not there.

    Raises:
        BuildError: the compiler's first error, with file and line; names the whole log.
        UsageError: a source cannot be read or changes meanwhile, or the cache is not writable.
    """
    key = recipe.key()
    place = cache.folder("builds") / key
    found = _open(place, recipe)
    if found is not None:
        return found
    temporary = Path(tempfile.mkdtemp(prefix=f".{key[:16]}.", dir=place.parent))
    try:
        names = compile_design(recipe, temporary)
        if recipe.key() != key:
            raise UsageError("sources changed while they were compiled", accepted="a second try")
        cache.publish(temporary, place, names)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    cache.prune(place.parent, keep=place)
    made = _open(place, recipe)
    if made is None:
        raise UsageError("a finished build cannot be read back", where=str(place))
    return made


def build_all(
    recipes: Iterable[Recipe],
    workers: int = 2,
    progress: Callable[[int], None] = lambda _count: None,
) -> dict[str, Build]:
    """Return builds by key, made side by side; each key once.

    Raises:
        BuildError: of a recipe that does not compile; the others are not finished.
    """
    wanted = {recipe.key(): recipe for recipe in recipes}

    def make(recipe: Recipe) -> Build:
        made = build(recipe)
        progress(1)
        return made

    made = process.side_by_side(make, wanted.values(), workers)
    return dict(zip(wanted, made, strict=True))


def _open(place: Path, recipe: Recipe) -> Build | None:
    """Return the build in a folder if it is whole; its program is the first file."""
    names = cache.contents(place)
    if not names:
        return None
    with suppress(OSError):
        os.utime(place)  # when it was last used
    return Build(place, recipe.simulator, recipe.lane, recipe.waves, place / names[0])


def _included(folders: Iterable[Path]) -> list[Path]:
    """Return the files that may be included from folders."""
    return [
        path
        for folder in folders
        for path in sorted(folder.iterdir() if folder.is_dir() else ())
        if path.suffix in _INCLUDED and path.is_file()
    ]
