"""`qsim inspect`: the memory map as a table, as JSON and as a picture; `qsim compile` refuses."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

import qsim
from qsim.cli import main
from qsim.memory import Space
from qsim.stream.picture import plot_memory
from tests.qsim.cli.models import write_models
from tests.qsim.stream.programs import random_program

KEYS = ["bytes", "bound", "limit", "alignment", "banks", "planner", "across_banks", "steps"]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory)


def target(folder: Path, size: int, banks: int) -> str:
    """The target tflite with another memory."""
    text = (Path(qsim.__file__).parent / "targets" / "tflite.toml").read_text()
    head, tail = text.split("[memory]")
    rest = tail[tail.index("\n[") :]
    memory = f"[memory]\nbytes = {size}\nalignment = 16\nbanks = {banks}\n"
    path = folder / f"memory-{size}-{banks}.toml"
    path.write_text(head.replace('name = "tflite"', 'name = "small"') + memory + rest)
    return str(path)


@pytest.fixture(scope="module")
def compiled(folder: Path) -> Path:
    file = folder / "banked.qsim"
    model = f"{folder}/net.py:make"
    assert main(["compile", model, "-o", str(file), "--target", target(folder, 256, 2)]) == 0
    return file


def test_the_table(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(compiled)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 100 for line in lines)
    (start,) = (i for i, line in enumerate(lines) if line.startswith("memory of one sample"))
    assert "228 bytes of 256 in 2 banks, at most 200 live at once" in lines[start]
    assert lines[start + 2].split() == [
        *("tensor", "offset", "bytes", "steps", "bank", "in", "place", "of", "made", "by"),
    ]
    rows = [line.split() for line in lines[start + 4 : start + 8]]
    assert [row[0] for row in rows] == ["x", "relu", "flatten", "linear"]
    assert [row[2:] for row in rows] == [
        ["25", "0..1", "1", "–", "(input)"],
        ["100", "1..2", "0", "–", "conv"],
        ["100", "2..3", "1", "–", "flatten.reshape"],
        ["3", "3..4", "0", "–", "head"],
    ]


@pytest.mark.parametrize(
    ("size", "banks", "found", "end"),
    [
        (256, 4, {"relu": "0-1", "flatten": "2-3"}, "greedy-by-size"),
        (216, 2, {"relu": "0-1", "flatten": "1"}, "1 tensor across banks for lack of bytes"),
    ],
)
def test_tensors_larger_than_a_bank(
    folder: Path, size: int, banks: int, found: dict[str, str], end: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    file = folder / f"wide-{banks}.qsim"
    arguments = [f"{folder}/net.py:make", "--target", target(folder, size, banks)]
    assert main(["compile", *arguments, "-o", str(file)]) == 0
    capsys.readouterr()
    assert main(["inspect", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("memory of one sample"))
    table = next(i for i in range(start, len(lines)) if "offset" in lines[i])
    assert " ".join(lines[start:table]).strip().endswith(end)
    rows = {line.split()[0]: line.split() for line in lines[table + 2 : table + 6]}
    assert {name: rows[name][4] for name in found} == found


def test_the_json(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(compiled), "--json"]) == 0
    (program,) = json.loads(capsys.readouterr().out)["programs"]
    memory = program["memory"]
    assert list(memory) == [*KEYS, "tensors"]
    assert memory["across_banks"] == []
    assert [memory[key] for key in ("limit", "alignment", "banks")] == [256, 16, 2]
    held = qsim.load(compiled).programs[0]
    assert held.memory == Space(256, 16, 2)
    plan = held.plan()
    assert (memory["bytes"], memory["bound"]) == (plan.size, plan.bound)
    assert [step["kind"] for step in memory["steps"]] == [
        *("input", "layer", "call", "layer", "output"),
    ]
    found = {item["tensor"]: item for item in memory["tensors"]}
    assert found["relu"] == {
        "tensor": "relu", "offset": plan.offsets["relu"], "bytes": 100, "first": 1, "last": 2,
        "banks": list(plan.banks("relu")), "in_place_of": None, "within": None,
    }  # fmt: skip


def test_the_picture(compiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("map.png", "map.svg", "again.svg"):
        assert main(["inspect", str(compiled), "--memory", str(tmp_path / name)]) == 0
        assert f"{tmp_path / name}: " in capsys.readouterr().out.replace("\n", "")
    assert (tmp_path / "map.png").read_bytes().startswith(PNG)
    assert (tmp_path / "map.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()
    ElementTree.parse(tmp_path / "map.svg")  # noqa: S314 - our own file


def test_the_picture_has_one_rectangle_for_each_tensor() -> None:
    from matplotlib.patches import Rectangle

    program = random_program(4)
    allocation = program.allocate()
    figure = plot_memory({"one": allocation, "two": allocation})
    assert len(figure.axes) == 2
    for axes in figure.axes:
        drawn = {
            (patch.get_y(), patch.get_height())
            for patch in axes.patches
            if isinstance(patch, Rectangle)
        }
        assert drawn == {(place.offset, place.size) for place in allocation.places()}
        assert len(axes.patches) == len(allocation.places())


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("map.gif", "accepted: a name that ends in .png or .svg"),
        ("nowhere/map.png", "cannot be written"),
    ],
)
def test_a_picture_that_cannot_be_drawn(
    compiled: Path, tmp_path: Path, name: str, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(compiled), "--memory", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert (out, wanted in err, err.count("\n")) == ("", True, 1)


def test_a_target_has_no_map(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", target(folder, 0, 1), "--memory", "map.png"]) == 2
    assert "has no memory to draw (accepted: a .qsim or .pte file)" in capsys.readouterr().err
    assert not Path("map.png").exists()


@pytest.mark.parametrize(
    ("size", "banks", "message"),
    [
        (120, 1, "call 'flatten.reshape': tensors of 200 bytes live at once, 80 more than"),
        (192, 2, "call 'flatten.reshape': tensors of 200 bytes live at once, 8 more than the"),
    ],
)
def test_what_does_not_fit_is_refused(
    folder: Path, size: int, banks: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "none.qsim"
    arguments = [f"{folder}/net.py:make", "--target", target(folder, size, banks)]
    assert main(["compile", *arguments, "-o", str(file)]) == 2
    out, err = capsys.readouterr()
    assert (out, message in err, err.count("\n")) == ("", True, 1)
    assert not file.exists()
