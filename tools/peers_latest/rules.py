"""Which tests use a peer, and what a test's rule says: read from the sources of tests/peers."""

from __future__ import annotations

import ast
import functools
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from tools.lock.sets import ROOT

TESTS: Final = ROOT / "tests" / "peers"


def using(peer: str) -> list[str]:
    """Return the test modules that import a peer, directly or through another module of tests/."""
    return [
        str(path.relative_to(ROOT))
        for path in sorted(TESTS.rglob("test_*.py"))
        if peer in _distributions(path, frozenset())
    ]


def rule(test: str) -> str:
    """Return a test's rule: the first line of its docstring, or its name."""
    path, _, rest = test.partition("::")
    name = rest.partition("[")[0].rpartition("::")[2]
    for node in ast.walk(_tree(ROOT / path)):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or name).splitlines()[0]
    return name or "the module can be collected"


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _distributions(path: Path, seen: frozenset[Path]) -> set[str]:
    found: set[str] = set()
    for module in _imports(_tree(path)):
        local = ROOT / Path(*module.split(".")).with_suffix(".py")
        top = module.partition(".")[0]
        if top == "tests" and local.exists() and local not in seen:
            found |= _distributions(local, seen | {path})
        elif top != "tests":  # tosa-tools has a package of this name, too
            found |= {canonicalize_name(name) for name in _owners().get(top, ())}
    return found


@functools.cache
def _owners() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif _is_importorskip(node):
            found.add(node.args[0].value)  # type: ignore[attr-defined]
    return found


def _is_importorskip(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("importorskip", "import_module")
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    )
