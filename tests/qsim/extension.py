"""The worked example of docs/extending.md, written to a folder as the page shows it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.tree import DOCS, ROOT

_BLOCK = re.compile(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def write(folder: Path) -> None:
    """Write the package, its metadata as an installer would, the model and the target."""
    page = (DOCS / "extending.md").read_text(encoding="utf-8")
    files = dict(_BLOCK.findall(page))
    assert set(files) == {
        "quick_gelu/unit.py",
        "quick_gelu/primitive.py",
        "quick_gelu/graph.py",
        "pyproject.toml",
        "net.py",
    }
    (folder / "quick_gelu").mkdir()
    (folder / "quick_gelu" / "__init__.py").write_text("")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    install(folder, project["name"], project["version"], project["entry-points"])
    (folder / "own.toml").write_text(own_target(), encoding="utf-8")


def install(folder: Path, name: str, version: str, points: dict[str, dict[str, str]]) -> None:
    """Write the metadata of an installed package."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = (
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for group, entries in points.items()
    )
    (info / "entry_points.txt").write_text("\n".join(groups))


def own_target() -> str:
    """Return q7 with the unit at the end of its primitives."""
    text = (ROOT / "qsim" / "targets" / "q7.toml").read_text(encoding="utf-8")
    text = text.replace('name = "q7"', 'name = "own"')
    names = re.compile(r"^(available = \[[^]]*?),?\s*\]", flags=re.MULTILINE)
    found = names.sub(r'\1, "quick_gelu"]', text)
    assert found != text
    return found
