"""docs/errors.md lists every exception of the project: where it is raised and how it ends."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import hw_models
from qsim.cli import failure
from tests.tree import DOCS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("hw_models", "qsim", "rtl_tb")
PAGE = (DOCS / "errors.md").read_text(encoding="utf-8")
BUILTIN = {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}


@cache
def trees() -> dict[str, ast.Module]:
    """Return every module of the packages by its path."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in paths}


@cache
def defined() -> dict[str, set[str]]:
    """Return the exception classes of the packages and all that each descends from."""
    bases: dict[str, set[str]] = {}
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                names = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                bases.setdefault(node.name, set()).update(names)
    found: dict[str, set[str]] = {}
    while more := {
        name: set().union(parents, *(found.get(parent, set()) for parent in parents))
        for name, parents in bases.items()
        if name not in found and parents & (BUILTIN | found.keys())
    }:
        found |= more
    return {name: parents for name, parents in found.items() if "Warning" not in name}


def raised() -> Iterator[tuple[str, int, str, bool]]:
    """Yield file, line and expression of each `raise`, and whether the expression is a call."""
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and node.exc is not None:
                called = isinstance(node.exc, ast.Call)
                yield (
                    path,
                    node.lineno,
                    ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc),
                    called,
                )


def room(path: str) -> str:
    """Return what the page calls the place of a file."""
    package, *rest = Path(path).with_suffix("").parts
    return rest[0] if package == "qsim" else package


def rows() -> dict[str, dict[str, str]]:
    """Return the page's rows about classes: cells by column."""
    found: dict[str, dict[str, str]] = {}
    columns: list[str] = []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| class |"):
            columns = cells
        elif not line.startswith("|"):
            columns = []
        elif columns and line.startswith("| `"):
            name = cells[0].strip("`")
            assert name not in found, f"{name} stands twice"
            found[name] = dict(zip(columns, cells, strict=True))
    return found


def test_every_class_stands_on_the_page_and_no_other() -> None:
    assert set(rows()) == set(defined())


def test_rooms_are_those_that_raise_it() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for path, _, expression, _ in raised():
        for name in expression.split("."):
            found[name].add(room(path))
    told = {name: set(re.findall(r"`(\w+)`", row["raised in"])) for name, row in rows().items()}
    assert told == {name: found[name] for name in told}


def leaving() -> dict[str, BaseException]:
    """Return one exception of each class that a command may end with."""
    made: dict[str, BaseException] = {}
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and "QsimError" in {
                node.name,
                *defined().get(node.name, ()),
            }:
                module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
                made[node.name] = getattr(module, node.name)("a rule is broken")
    made["ContractError"] = hw_models.ContractError("a rule is broken")
    made["AccumulatorOverflowError"] = hw_models.AccumulatorOverflowError("add", (0,), 9, "0..7")
    made["CachePositionError"] = hw_models.CachePositionError(8, 0, 8)
    made["NonFiniteError"] = hw_models.NonFiniteError("choose_qparams", "the range", (0,), "inf")
    made["IndexRangeError"] = hw_models.IndexRangeError("embedding", (0,), 9, 8)
    return made


def test_kinds_and_statuses_are_those_of_the_commands() -> None:
    made = leaving()
    told = {name: row for name, row in rows().items() if "status" in row}
    assert set(told) == set(made)
    for name, row in told.items():
        found = failure.describe(made[name])
        assert (row["kind"], row["status"]) == (f"`{found.kind}`", str(found.status)), name


def test_what_stays_inside_is_no_error_of_a_command() -> None:
    inside = {name for name, row in rows().items() if "caught by" in row}
    assert inside | set(leaving()) == set(defined())
    for name in inside:
        assert "QsimError" not in defined()[name]
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                for name in inside & set(re.findall(r"\w+", ast.unparse(node.type))):
                    assert f"`{room(path)}`" in rows()[name]["caught by"]


def statuses(text: str) -> dict[str, str]:
    return {
        status: words.strip() for status, words in re.findall(r"^\| (\d+) +\| ([^|]+)", text, re.M)
    }


def test_statuses_are_those_of_the_command_line() -> None:
    assert failure.__doc__ is not None
    assert statuses(PAGE) == statuses(failure.__doc__)
    for error, status in (
        (RuntimeError(), failure.INTERNAL),
        (KeyboardInterrupt(), failure.INTERRUPTED),
        (MemoryError(), failure.USAGE),
    ):
        found = failure.describe(error)
        assert found.status == status
        assert str(status) in statuses(PAGE)
        assert f"`{found.kind}`" in PAGE


def test_an_error_is_raised_by_its_class() -> None:
    known = BUILTIN | set(defined()) | {"Exit"}
    odd = [
        f"{path}:{line}: raise {expression}"
        for path, line, expression, called in raised()
        if called and not known & set(expression.split("."))
    ]
    assert odd == []


def test_compiled_kernels_alone_warn() -> None:
    calls = {
        str(Path(path).parent)
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("warnings.warn", "warn")
    }
    assert calls == {"hw_models/compiled"}
    assert "`KernelsNotKeptWarning`" in PAGE
    assert not any(name.endswith("Warning") for parents in defined().values() for name in parents)


def test_the_page_is_found() -> None:
    assert "(errors.md)" in (DOCS / "cli.md").read_text("utf-8")
    assert "(docs/errors.md)" in (ROOT / "README.md").read_text("utf-8")
