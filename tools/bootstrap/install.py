"""Install a set of the lock into `.venv`: nothing is resolved, every file's hash is checked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tools.bootstrap.say import run, say
from tools.bootstrap.state import PYTHON, ROOT, installed, lock, pinned

if TYPE_CHECKING:
    from collections.abc import Mapping

# Not in the lock, whose hashes it would break: registries give different builds (CPU or CUDA) of
# the one release that pyproject.toml pins. It goes in after the lock, which has all that a CPU
# build asks for: nothing else widens the choice. A CUDA build brings the NVIDIA packages it pins.
TORCH = "torch"


def install(which: str, old: Mapping[str, str]) -> dict[str, str]:
    """Install a set and the project, editable; return the releases that the lock gave.

    Nothing is built with tools that the lock does not name either: `run`, which has setuptools, is
    all wheels, and goes in before the few packages of `test` that are built here. ``old`` are the
    releases of the lock before: what this one no longer has is removed.
    """
    pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    locked = (*pip, "--require-hashes", "--no-deps", "--requirement")
    pins = pinned(which)
    stale = sorted(set(old) - set(pins) - {TORCH})
    if stale:
        say(f"removing what the lock no longer has: {', '.join(stale)}")
        run(PYTHON, "-m", "pip", "uninstall", "--quiet", "--yes", *stale)
    say(f"installing the lock's {len(pins)} packages ({lock(which).relative_to(ROOT)})")
    run(*locked, lock("run"), "--only-binary", ":all:")
    if which != "run":
        run(*locked, lock(which), "--no-build-isolation")
    torch = torch_requirement()
    say(f"installing {torch}, then qsim")
    run(*pip, torch)
    run(*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT)
    now = installed()
    for name in pins:
        if name in now and now[name] not in pins[name]:
            sys.exit(f"bootstrap: {name} is {now[name]}, the lock has {' or '.join(pins[name])}")
    return {name: now[name] for name in (*pins, TORCH) if name in now}


def torch_requirement() -> str:
    """Return the release of torch that pyproject.toml pins."""
    import tomllib  # here, so that an older Python gets as far as the message about its version

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    words: list[str] = project["dependencies"]
    return next(word for word in words if word.startswith(f"{TORCH}=="))
