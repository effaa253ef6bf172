"""Paths and dotted names that the documents give are there."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.tree import ROOT

PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *ROOT.glob("*/*.md"))
    if page.parent.name not in (".venv", "build") and page.name != "CHANGELOG.md"
)
TOPS = (
    "qsim",
    "hw_models",
    "rtl_tb",
    "tests",
    "tools",
    "golden",
    "docs",
    "benchmarks",
    "notebooks",
)
PATH = re.compile(rf"`((?:{'|'.join(TOPS)})/[\w./*-]*)`")
NAME = re.compile(r"`((?:qsim|hw_models)(?:\.\w+)+)(?:\([^`]*)?`")
LINK = re.compile(r"\]\(([\w./-]+\.md)\)")
# Groups of entry points, and keys of a delegate's compile specs: no modules of those names.
OTHERS = ("qsim.primitives", "qsim.patterns", "qsim.passes", "qsim.format", "qsim.target_hash")


def named(page: Path, pattern: re.Pattern[str]) -> list[str]:
    return sorted(set(pattern.findall(page.read_text(encoding="utf-8"))))


@cache
def found(name: str) -> bool:
    """Return whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            value: object = import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            if not hasattr(value, part):
                return part in getattr(value, "__annotations__", {})
            value = getattr(value, part)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_is_there(page: Path) -> None:
    paths = [path.rstrip("/") for path in named(page, PATH)]
    there = [any(list(ROOT.glob(path + end)) for end in ("", ".py")) for path in paths]
    assert [path for path, is_there in zip(paths, there, strict=True) if not is_there] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_page(page: Path) -> None:
    assert [link for link in named(page, LINK) if not (page.parent / link).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_is_there(page: Path) -> None:
    names = [name for name in named(page, NAME) if name not in OTHERS]
    assert [name for name in names if not found(name)] == []


def test_every_arrow_of_the_architecture_is_there() -> None:
    """``rooms: functions``: each is a name of one of these packages."""
    drawing = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("```")[1]
    labels = [label.split(": ") for label in re.findall(r'\|"(\w[\w, ]*: [\w., ]+)"\|', drawing)]
    assert len(labels) > 10
    missing = [
        (rooms, name)
        for rooms, names in labels
        for name in names.split(", ")
        if rooms not in ("yes", "no")  # the fork below Lowered
        and not any(found(f"qsim.{room}.{name}") for room in rooms.split(", "))
    ]
    assert missing == []
