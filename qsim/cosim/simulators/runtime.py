"""What Verilator wrote, compiled; its own library and headers are compiled once and kept."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from qsim.atomic import refused, scratch
from qsim.cosim.simulators import cache, compiling
from qsim.cosim.simulators.recipes import MAKE, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from qsim.cosim.simulators.recipes import Recipe

# Half of the time of a small design goes into the headers of the library: GCC takes them compiled
# from a file of this name with .gch behind it. Large designs have precompiled headers of their own.
_HEADERS: Final = "qsim.fast"
_SPLIT: Final = "VM_PARALLEL_BUILDS = 1"
_lock = threading.Lock()


def make(recipe: Recipe, folder: Path) -> None:
    """Compile what Verilator wrote into a folder.

    Raises:
        BuildError: it does not compile.
        UsageError: the cache is not writable.
    """
    simulator = recipe.simulator
    facts = [VERSION, simulator.fingerprint, recipe.lane, recipe.waves, recipe.flags, MAKE]
    name = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    builds = cache.folder("builds")
    command = ["make", "-C", str(folder), "-f", "Vsim.mk", *MAKE]

    def run(*more: str) -> None:
        compiling.run(recipe, [*command, *more], folder.parent)

    options = []
    if _SPLIT not in (folder / "Vsim_classes.mk").read_text("utf-8"):
        _write_headers(recipe, folder)
        headers = [f"{_HEADERS}.gch"]
        _once(builds / f"headers-{name}", folder, lambda: run(*headers), headers)
        fast = next(word for word in MAKE if word.startswith("OPT_FAST="))
        options = [f"{fast} -include {_HEADERS}"]
    if not _once(builds / f"runtime-{name}", folder, lambda: run(*options, "sim"), ()):
        run(*options, "sim")


def _write_headers(recipe: Recipe, folder: Path) -> None:
    lines = ['#include "verilated.h"']
    if "--timing" in recipe.flags:
        lines.append('#include "verilated_timing.h"')
    text = "".join(f"{line}\n" for line in lines)
    with refused(folder):
        # The rule of the makefile: NAME.fast.gch from NAME. NAME.fast is for want of it.
        for name in (_HEADERS.removesuffix(".fast"), _HEADERS):
            (folder / name).write_text(text, encoding="utf-8")


def _once(kept: Path, folder: Path, compile_it: Callable[[], None], names: Sequence[str]) -> bool:
    """Put kept files into a folder, or compile them there and keep them; tell whether it compiled.

    Args:
        kept: where they are kept.
        folder: where they are needed.
        compile_it: makes them there.
        names: of the files; the objects of the runtime library if empty.
    """
    if restore(kept, folder):
        return False
    with _alone(kept.with_name(f"{kept.name}.lock")):  # the others wait for it
        if restore(kept, folder):
            return False
        compile_it()
        keep(folder, kept, names)
        return True


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one thread of one process at a time inside; the lock goes with a process that ends."""
    with _lock, lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def restore(kept: Path, folder: Path) -> bool:
    """Copy kept files, newer than what they would be made from."""
    names = cache.contents(kept)
    with refused(kept.parent):
        for name in names:
            _place(kept / name, folder / name)
    with suppress(OSError):
        os.utime(kept)
    return bool(names)


def _place(source: Path, path: Path) -> None:
    if source.suffix == ".gch":  # large, and only read
        with suppress(OSError):
            os.link(source, path)
            return
    shutil.copyfile(source, path)


def keep(folder: Path, kept: Path, names: Sequence[str] = ()) -> None:
    """Keep files of a folder: those named, or the compiled runtime."""
    with scratch("runtime", kept.parent) as temporary, refused(kept.parent):
        paths = [folder / name for name in names] or sorted(folder.glob("verilated*.o"))
        for path in paths:
            _place(path, temporary / path.name)
        cache.publish(temporary, kept, [path.name for path in paths])
