"""Golden sets and cases for the tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from qsim.golden import Case, GoldenSet, record
from qsim.golden import manifest as text
from qsim.golden.writing import _serialize
from qsim.program.attributes import format_from_json
from tests.qsim.network import nets as net


def small_set(path: Path, batch: int = 2, **options: Any) -> GoldenSet:
    return record(net.lowered(), net.reals(batch), path, **options)


def clamp_case(name: str = "clamp", codes: Any = (-3, 0, 5), **changes: Any) -> Case:
    x = np.array(codes, np.int8)
    parts: dict[str, Any] = {
        "name": name,
        "layer": "",
        "primitive": "clamp",
        "attributes": {"lo": -2, "hi": 4},
        "operands": {"x": x},
        "constants": {},
        "formats": dict.fromkeys(("x", "output"), format_from_json(net.OUT)),
        "expected": np.clip(x, -2, 4),
        "classes": {"low": 1, "high": 1, "inside": 1},
    }
    return Case(**(parts | changes))


def document_of(folder: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return held


def sign(folder: Path, document: dict[str, Any]) -> None:
    """Write a manifest with a digest that matches, as somebody who wants to be believed would."""
    (folder / "manifest.json").write_bytes(text.to_text(document))


def rewrite(
    folder: Path, index: int, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
) -> None:
    """Change the arrays of one case, with digests that match."""
    import hashlib

    from qsim.network.store import read_arrays

    document = document_of(folder)
    item = document["cases"][index]
    path = folder / item["file"]
    data = _serialize(change(read_arrays(path.read_bytes())))
    path.write_bytes(data)
    item["bytes"], item["sha256"] = len(data), hashlib.sha256(data).hexdigest()
    sign(folder, document)
