"""The two locked sets: what of pyproject.toml each holds, and where it lies."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

from tools.lock.pins import Pin, parse

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "requirements"
# Extras that the lock leaves out: 84 MB of weights, for an example that `make test` runs only where
# somebody installed them.
LEFT_OUT: Final = ("minilm",)
# Not in the lock: registries give different builds of one release (CPU or CUDA), which have other
# hashes, and of which only the CUDA build asks for the packages with these prefixes.
BUILD_DEPENDENT: Final = "torch"
BUILD_DEPENDENT_PREFIXES: Final = ("nvidia-", "cuda-", "triton")


@dataclass(frozen=True, kw_only=True)
class LockedSet:
    """What one command installs: ``name.txt`` holds these extras and dependency groups."""

    name: str
    extras: tuple[str, ...]
    groups: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Return where it lies."""
        return FOLDER / f"{self.name}.txt"

    def pins(self) -> dict[str, list[Pin]]:
        """Return its pins by name; several of one name where markers tell them apart."""
        return parse(self.path.read_text(encoding="utf-8"))

    def requirements(self) -> list[Requirement]:
        """Return what pyproject.toml asks for: core, extras, groups and what builds the project."""
        document = pyproject()
        project = document["project"]
        words = [*project["dependencies"], *document["build-system"]["requires"]]
        for extra in self.extras:
            words += project["optional-dependencies"][extra]
        for group in self.groups:
            words += document["dependency-groups"][group]
        return [Requirement(word) for word in words]


def pyproject() -> dict[str, Any]:
    """Return the parsed pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _extras() -> tuple[str, ...]:
    extras = pyproject()["project"]["optional-dependencies"]
    return tuple(name for name in extras if name not in LEFT_OUT)


RUN: Final = LockedSet(name="run", extras=("models",))
TEST: Final = LockedSet(name="test", extras=_extras(), groups=("alone",))
SETS: Final = (RUN, TEST)
