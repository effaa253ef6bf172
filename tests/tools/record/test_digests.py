"""Digests see every byte that says what a file is, and none that says when or where it was made."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tools.record import digests


def archive(path: Path, model: dict[str, object], serial: str = "1", weight: bytes = b"w") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("net/models/model.json", json.dumps(model))
        file.writestr("net/data/weights/weight_0", weight)
        file.writestr("net/.data/serialization_id", serial)
    return path


def test_a_pt2_is_its_members_without_stack_traces(tmp_path: Path) -> None:
    node = {"target": "aten.relu", "metadata": _origin("a.py", 17)}
    moved = {"target": "aten.relu", "metadata": _origin("b/a.py", 99)}
    other = {"target": "aten.relu6", "metadata": _origin("a.py", 17)}
    first = digests.of(archive(tmp_path / "a.pt2", {"nodes": [node]}))
    assert digests.of(archive(tmp_path / "b.pt2", {"nodes": [moved]}, serial="2")) == first
    assert digests.of(archive(tmp_path / "c.pt2", {"nodes": [other]})) != first
    assert digests.of(archive(tmp_path / "d.pt2", {"nodes": [node]}, weight=b"v")) != first


def _origin(file: str, graph: int) -> dict[str, str]:
    node = json.dumps([{"name": "relu", "graph_id": graph, "pass_name": "x", "from_node": []}])
    return {"stack_trace": f"File {file}, line 1", "from_node": node}


GOLDEN = {"format": "qsim-golden", "versions": {"numpy": "1"}, "sha256": "a", "cases": [1]}
HTML = "<p>hardware model {} s</p><p>{} samples</p>"
VCD = (
    "$date\n {}\n$end\n$var reg 64 ) nonce [63:0] $end\n$var wire 8 * data [7:0] $end\n"
    "#0\nb{} )\nb{} *\n"
)
SAME = [
    ("trace.json", '{"seconds": 1, "a": 2}', '{"seconds": 3, "a": 2}'),
    (
        "manifest.json",
        json.dumps(GOLDEN),
        json.dumps(GOLDEN | {"versions": {"numpy": "2"}, "sha256": "b"}),
    ),
    ("r.html", HTML.format("0.31", 8), HTML.format("1.06", 8)),
    ("w.vcd", VCD.format("Mon", "101", "1"), VCD.format("Tue", "11", "1")),
]
OTHER = [
    ("trace.json", '{"seconds": 1, "a": 2}', '{"seconds": 1, "a": 3}'),
    ("manifest.json", json.dumps(GOLDEN), json.dumps(GOLDEN | {"cases": [2]})),
    ("r.html", HTML.format("0.31", 8), HTML.format("0.31", 9)),
    ("w.vcd", VCD.format("Mon", "101", "1"), VCD.format("Mon", "101", "0")),
    ("net.qsim", "bytes", "bytes "),
]


@pytest.mark.parametrize(("name", "one", "two"), SAME, ids=[name for name, *_ in SAME])
def test_when_and_where_do_not_count(tmp_path: Path, name: str, one: str, two: str) -> None:
    assert _digests(tmp_path, name, one) == _digests(tmp_path, name, two)


@pytest.mark.parametrize(("name", "one", "two"), OTHER, ids=[name for name, *_ in OTHER])
def test_what_it_says_counts(tmp_path: Path, name: str, one: str, two: str) -> None:
    assert _digests(tmp_path, name, one) != _digests(tmp_path, name, two)


def _digests(folder: Path, name: str, content: str) -> object:
    (folder / "set").mkdir(exist_ok=True)
    (folder / "set" / name).write_text(content)
    found = digests.of(folder / "set")
    assert isinstance(found, dict)
    assert list(found) == [name]
    return found
