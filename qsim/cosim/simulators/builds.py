"""Builds: compiled simulations, made once and kept by what went into them.

A build is a folder of ``$XDG_CACHE_HOME/qsim/builds`` (``~/.cache`` without the variable) that is
named by a SHA-256 over every source, flag and tool. It is made under a temporary name and renamed
when it is complete: two processes may make the same one, and either is good. What is there is
checked before it runs; a damaged build is made again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from qsim.atomic import refused, scratch
from qsim.cosim.simulators import cache, process
from qsim.cosim.simulators.compilers import compile_design
from qsim.cosim.simulators.recipes import Build
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from qsim.cosim.simulators.recipes import Recipe


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
    with scratch(key[:16], place.parent) as temporary:
        names = compile_design(recipe, temporary)
        if recipe.key() != key:
            raise UsageError("sources changed while they were compiled", accepted="a second try")
        with refused(place.parent):
            cache.publish(temporary, place, names)
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
    watched = recipe.design.watched
    return Build(place, recipe.simulator, recipe.lane, recipe.waves, place / names[0], watched)
