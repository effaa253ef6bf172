"""Golden cases as hex files, read back from the layout that is written beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qsim import Target
from qsim.cli import main
from qsim.errors import UsageError
from qsim.golden import GoldenSet, export_hex, write
from tests.qsim.golden.cases import clamp_case, small_set


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> GoldenSet:
    return small_set(tmp_path_factory.mktemp("hex") / "set")


def read_side(folder: Path, side: dict[str, Any]) -> tuple[dict[str, np.ndarray], list[int]]:
    """Read a hex file as README.txt says: an implementation of its own, in Python integers."""
    lines = (folder / side["file"]).read_text().splitlines()
    assert len(lines) == side["beats"]
    assert all(len(line) == side["digits"] == -(-(side["width"] + 1) // 4) for line in lines)
    beats = [int(line, 16) for line in lines]
    fields = {}
    for field in side["fields"]:
        bits, rows = field["bits"], []
        for beat in beats:
            lanes = [
                beat >> (field["offset"] + lane * bits) & ((1 << bits) - 1)
                for lane in range(field["lanes"])
            ]
            sign = 1 << (bits - 1) if field["signed"] else 0
            rows.append([(value ^ sign) - sign for value in lanes])
        fields[field["name"]] = np.array(rows, object)
    return fields, [beat >> side["width"] for beat in beats]


def test_every_case_can_be_read_back(golden: GoldenSet, tmp_path: Path) -> None:
    exported = export_hex(golden, tmp_path / "hex")
    layout = json.loads((tmp_path / "hex" / "layout.json").read_bytes())
    assert exported.skipped == {}
    assert layout["target"] == {"name": "tflite", "hash": golden.target.hash}
    assert [item["case"] for item in layout["cases"]] == list(golden.names)
    modules = {item["case"]: item["module"] for item in layout["cases"]}
    assert modules["flat.reshape"] == modules["flat.permute"] == ""  # beats for RTL of others
    for item in layout["cases"]:
        case = golden.case(item["case"])
        outputs, last = read_side(tmp_path / "hex", item["out"])
        assert sum(last) == item["out"]["packets"]
        result = item["result"]
        assert tuple(result["shape"]) == case.expected.shape
        places = np.loadtxt(tmp_path / "hex" / result["map"], dtype=np.int64, ndmin=2)
        codes = outputs[result["field"]]
        assert places.shape == codes.shape
        held = places >= 0
        flat = case.expected.reshape(-1)
        assert sorted(places[held]) == list(range(flat.size))
        assert (codes[held] == flat[places[held]]).all()


def test_operands_can_be_read_back(golden: GoldenSet, tmp_path: Path) -> None:
    exported = export_hex(golden, tmp_path / "hex", ["conv.bias_add"])
    (item,) = exported.cases
    inputs, _ = read_side(tmp_path / "hex", item["in"])
    case = golden.case("conv.bias_add")
    places = np.loadtxt(tmp_path / "hex" / item["result"]["map"], dtype=np.int64, ndmin=2)[:, 0]
    assert (inputs["acc"][:, 0] == case.operands["acc"].reshape(-1)[places]).all()
    channel = np.unravel_index(places, case.expected.shape)[1]
    assert (inputs["bias"][:, 0] == case.operands["bias"][channel]).all()


def test_the_same_set_gives_the_same_files(golden: GoldenSet, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_hex(golden, tmp_path / name)
    left, right = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab"
    )
    assert left == right
    assert len(left) == 3 * 9 + 2


def test_what_is_not_there_is_refused(golden: GoldenSet, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no case is named"):
        export_hex(golden, tmp_path / "hex", ["none"])
    empty = write([], tmp_path / "empty", Target.load("tflite"))
    with pytest.raises(UsageError, match="there are no beats of any of its cases"):
        export_hex(empty, tmp_path / "hex")
    assert not (tmp_path / "hex").exists()


def test_an_occupied_folder_is_left_alone(golden: GoldenSet, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match="exists and is not empty"):
        export_hex(golden, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_command(golden: GoldenSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = str(golden.directory), str(tmp_path / "hex")
    assert main(["golden", "export", source, "-o", out]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"flat.reshape +– ", shown)
    assert all(len(line) <= 100 for line in shown.splitlines())
    one = str(tmp_path / "one")
    arguments = ["golden", "export", source, "-o", one, "--case", "relu.clamp", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert [case["module"] for case in found["cases"]] == ["requantize"]
    assert found["skipped"] == {}
    assert sorted(path.name for path in Path(one).iterdir()) == [
        *("0003_relu.clamp.in.hex", "0003_relu.clamp.map.txt", "0003_relu.clamp.out.hex"),
        *("README.txt", "layout.json"),
    ]
    assert main(["golden", "export", source, "-o", one]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_case_names_are_no_paths(tmp_path: Path) -> None:
    golden = write([clamp_case("../../x")], tmp_path / "set", Target.load("tflite"))
    export_hex(golden, tmp_path / "hex")
    assert (tmp_path / "hex" / "0000__.._x.in.hex").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hex", "set"]
