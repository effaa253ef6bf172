"""A digest of the sources that a kernel's module can reach by its imports.

What is imported only for type checkers counts too: one module too many costs a compilation, one too
few costs wrong bits. Files are read when their kernels are defined, right after Python has read
them itself: an edit while the process runs changes nothing of what it keeps.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE: Final = __name__.partition(".")[0]
# Parsing all files would take 20 times as long as all else here; the tests compare with ast.
# A newline at its head is found several times faster than the beginning of a line.
_IMPORT: Final = re.compile(
    r"\n[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\((?:[^)#]|#[^\n]*)*\)|[^\n]+)"
    r"|import[ \t]+([^\n]+))"
)
_COMMENT: Final = re.compile(r"#[^\n]*")
_NAMED: Final = re.compile(r"([\w.]+)([ \t]+as[ \t]+\w+)?")


class _Source(NamedTuple):
    digest: bytes
    imports: tuple[str, ...]  # modules, of whatever package


@cache
def digest(module: str) -> str | None:
    """Return a SHA-256 of all sources that a module can reach of its package and of this one.

    Args:
        module: name of a module that is being imported, or was.

    Returns:
        None where there is no way to know: at a prompt, in a script, in an archive.
    """
    found = reachable(module)
    if not found or module == "__main__":
        return None
    joined = hashlib.sha256()
    for name in sorted(found):
        joined.update(name.encode() + b"\0" + found[name])
    return joined.hexdigest()


def reachable(module: str) -> dict[str, bytes]:
    """Return the modules that a module can reach, itself among them, each with its digest.

    Empty where one of their sources cannot be read.
    """
    roots = {_PACKAGE, module.partition(".")[0]}
    found: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        source = _read(name)
        if source is None:
            return {}
        found[name] = source.digest
        waiting.extend(each for each in source.imports if each.partition(".")[0] in roots)
    return found


@cache
def _read(module: str) -> _Source | None:
    path = _locate(module)
    if path is None:
        return None
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    package = module if _is_package(path) else module.rpartition(".")[0]
    modules = dict.fromkeys(_modules(data.decode("utf-8", "replace"), package))
    return _Source(hashlib.sha256(data).digest(), tuple(modules))


def _modules(text: str, package: str) -> Iterator[str]:
    """Yield the modules that a source imports: those that files are found of."""
    own = {_PACKAGE, package.partition(".")[0]}
    for origin, names, plain in _IMPORT.findall("\n" + text.replace("\\\n", " ")):
        if plain:
            yield from (n for n in _plain(plain) if n.partition(".")[0] in own and _locate(n))
            continue
        name = _absolute(origin, package)
        # The rest of the world is no package of ours: not even looked for.
        path = _locate(name) if name.partition(".")[0] in own else None
        if path is None:
            continue
        yield name
        if _is_package(path):
            parts = re.findall(r"\w+", _COMMENT.sub("", names))
            yield from filter(_locate, (f"{name}.{part}" for part in parts))


def _plain(text: str) -> Iterator[str]:
    for match in _NAMED.finditer(_COMMENT.sub("", text)):
        name, renamed = match.groups()
        # ``import a.b`` gives the name a; ``import a.b as c`` only a.b.
        ends = [] if renamed else [i for i, letter in enumerate(name) if letter == "."]
        yield from (name[:end] for end in (*ends, len(name)))


def _absolute(origin: str, package: str) -> str:
    name = origin.lstrip(".")
    if name == origin:
        return name
    parts = package.split(".")
    parts = parts[: len(parts) - (len(origin) - len(name) - 1)]
    return ".".join([*parts, name] if name else parts)


def _is_package(path: str) -> bool:
    return path.endswith("__init__.py")


@cache
def _locate(module: str) -> str | None:
    """Return a module's file as Python finds it, without importing anything."""
    root, *rest = module.split(".")
    loaded = sys.modules.get(root)
    folders = getattr(loaded, "__path__", None)
    if folders is None:
        file = getattr(loaded, "__file__", None)
        return file if file and not rest else None
    for folder in folders:
        base = os.path.join(folder, *rest)  # noqa: PTH118 - this many paths would cost
        for path in (f"{base}/__init__.py", f"{base}.py")[: 1 + bool(rest)]:
            if os.path.isfile(path):  # noqa: PTH113 - as above
                return path
    return None
