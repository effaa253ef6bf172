"""No function of the tree is compiled past the decorators, and their digests miss no import."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest
from numba.extending import is_jitted

from hw_models.compiled import SUPPORTED, sources
from hw_models.compiled.adapter import KernelCache
from tests.tree import ROOT

FOLDERS = ("hw_models", "qsim", "rtl_tb", "benchmarks", "tools", "notebooks", "tests")
COMPILERS = {
    "njit", "jit", "vectorize", "guvectorize", "cfunc", "stencil", "generated_jit", "jit_module",
    "overload", "overload_method", "overload_attribute", "register_jitable",
}  # fmt: skip
# The one place that may.
ADAPTER = ROOT / "hw_models" / "compiled" / "adapter.py"


def offenders(source: str) -> list[str]:
    """Return what compiles past the decorators of hw_models.compiled."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("numba"):
            found += [alias.name for alias in node.names if alias.name in COMPILERS]
        if isinstance(node, ast.Attribute) and node.attr in COMPILERS:
            base = node.value
            while isinstance(base, ast.Attribute):
                base = base.value
            found += [node.attr] * (isinstance(base, ast.Name) and base.id in ("numba", "nb"))
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            kept = any(word.arg == "cache" for word in node.keywords)
            found += ["cache"] * (kept and name in {*COMPILERS, "kernel", "part"})
    return found


def kernel_modules() -> list[str]:
    files = [*(ROOT / "hw_models").rglob("*.py"), *(ROOT / "qsim" / "executorch").rglob("*.py")]
    decorators = "from hw_models.compiled import"
    named = [path for path in files if decorators in path.read_text(encoding="utf-8")]
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in named)


def test_nothing_is_compiled_past_the_decorators():
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if path != ADAPTER and ("numba" in text or "cache=" in text):
                assert offenders(text) == [], path


@pytest.mark.parametrize("source", [
    "from numba import njit", "import numba\n@numba.njit\ndef f(): pass",
    "import numba\ng = numba.core.decorators.jit(f)", "@njit(cache=True)\ndef f(): pass",
    "from numba.extending import overload", "@kernel(cache=True)\ndef f(): pass",
])  # fmt: skip
def test_the_search_finds_offenders(source):
    assert offenders(source)


def test_every_kernel_is_kept_by_a_digest_of_its_module():
    assert SUPPORTED
    modules = kernel_modules()
    assert len(modules) > 25
    found = 0
    for name in modules:
        module = importlib.import_module(name)
        for function in vars(module).values():
            if is_jitted(function) and function.__module__ == name:
                assert isinstance(function._cache, KernelCache), function
                assert function._cache._sources in (None, sources.digest(name))
                found += function._cache._sources is not None
    assert found > 60


def imported(path: Path, package: str) -> set[str]:
    """Return the modules of the project that a file imports, as Python's parser sees it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, path
            names |= {str(node.module)}
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.partition(".")[0] in ("hw_models", package)
            and sources._locate(name)}  # fmt: skip


def test_a_digest_reaches_all_that_a_module_imports():
    for name in kernel_modules():
        importlib.import_module(name)
        found = sources.reachable(name)
        assert name in found
        for each in found:
            path = Path(sys.modules[each].__file__ or "")
            assert imported(path, name.partition(".")[0]) <= set(found), (name, each)


SHAPES = """
import own.plain
import own.first as f, own.second  # and a comment
from own import third, nothing
from own.inner import (
    fourth,  # (a comment)
    fifth,
)
from . import sixth
from .inner.deep import value
from own \\
    import seventh
import elsewhere.kernels
if True:
    from own.eighth import x; y = 1
"""


def test_every_shape_of_import_counts(tmp_path, monkeypatch):
    reached = "plain first second third inner.fourth inner.fifth sixth inner.deep seventh eighth"
    for name in ("kernels", "unused", *reached.split()):
        path = (tmp_path / "own" / name.replace(".", "/")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("value = x = 1\n")
    (tmp_path / "own" / "__init__.py").write_text("")
    (tmp_path / "own" / "inner" / "__init__.py").write_text("")
    (tmp_path / "own" / "kernels.py").write_text(SHAPES)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("own")
    found = {name.removeprefix("own.") for name in sources.reachable("own.kernels")}
    assert found == {"own", "kernels", "inner", *reached.split()}
    assert sources.digest("own.missing") is None
    assert sources.digest("__main__") is None
