"""Running a compiler: in a folder that holds nothing it could take, with its errors told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.atomic import refused
from qsim.cosim.simulators import process
from qsim.cosim.simulators.compile_errors import BuildError, first_error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsim.cosim.simulators.recipes import Recipe

_SECONDS: Final = 1800.0


def run(recipe: Recipe, command: Sequence[str], folder: Path) -> str:
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
