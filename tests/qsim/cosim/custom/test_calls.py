"""Blocks that no primitive is: where their arrays come from, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qsim
from qsim.cosim.custom import Spec, calls, read
from qsim.cosim.dut.table import Table
from qsim.errors import InputError, UsageError

FIELDS = {"x": {"bits": 8, "signed": True}, "t": {"bits": 4, "signed": False, "lanes": 3}}
RESULTS = {"y": {"bits": 9, "signed": True}}


def spec(base: Path = Path(), **changes: Any) -> Spec:
    return read(Table({"fields": FIELDS, "results": RESULTS, **changes}, "f.toml: [custom]"), base)


def golden(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    return x + t.sum(axis=-1) - 20


def test_shapes_are_broadcast_and_reports_keep_them() -> None:
    x = np.arange(-3, 3).reshape(2, 3)
    (call,) = calls(spec(), {"x": x, "t": [[1, 2, 3]]}, golden)
    job = call.job
    assert job.shape == (2, 3)
    assert job.unit.inputs.width == 8 + 12
    sent = job.unit.inputs.unpack(job.beats)
    assert sent["t"].tolist() == [[1, 2, 3]] * 6
    assert job.unit.outputs.unpack(job.expected)["y"][:, 0].tolist() == [x - 14 for x in x.flat]
    assert job.last.tolist() == [False, False, True] * 2
    assert (call.name, call.primitive, call.size) == ("custom", "custom", 6)


def test_arrays_are_files_beside_the_toml_or_in_a_folder(tmp_path: Path) -> None:
    x, t = np.arange(4), np.ones((4, 3), np.uint8)
    for name, array in (("x", x), ("t", t), ("y", golden(x, t.astype(int)))):
        np.save(tmp_path / f"{name}.npy", array)
    named = spec(tmp_path, inputs={"x": "x.npy", "t": "t.npy"}, expected={"y": "y.npy"})
    for call in (*calls(named), *calls(spec(), tmp_path, tmp_path), *calls(named, None, golden)):
        assert call.job.elements == 4
        assert call.job.unit.inputs.unpack(call.job.beats)["x"][:, 0].tolist() == [0, 1, 2, 3]


def test_a_function_is_named_by_whoever_runs(tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(
        "import numpy as np\n"
        "def drawn(seed):\n"
        "    return {'x': np.full(3, seed), 't': np.zeros((3, 3), int)}\n"
        "def sums(x, t):\n"
        "    return x + t.sum(axis=-1)\n"
    )
    (call,) = calls(spec(), f"{tmp_path}/block.py:drawn", f"{tmp_path}/block.py:sums", seed=5)
    assert call.job.unit.outputs.unpack(call.job.expected)["y"].tolist() == [[5]] * 3


def test_drawn_inputs_meet_their_corners() -> None:
    (call,) = calls(spec(), None, golden, vectors=400, seed=1)
    x = call.job.unit.inputs.unpack(call.job.beats)["x"][:, 0]
    assert {-128, 127, 0, 1, -1} <= set(x.tolist())
    (again,) = calls(spec(), None, golden, vectors=400, seed=1)
    assert np.array_equal(again.job.beats, call.job.beats)


def test_packets() -> None:
    x, t = np.arange(6).reshape(2, 3), np.zeros(3, int)
    (call,) = calls(spec(packets="reduce"), {"x": x, "t": t}, {"y": x.sum(axis=1)})
    assert call.job.last.tolist() == [False, False, True] * 2
    assert call.job.expected_last.all()
    assert call.job.unit.packet == 0
    (call,) = calls(spec(packets="frame"), {"x": x, "t": t}, {"y": x[:, :2]})
    assert call.job.unit.packet == 2
    assert call.job.expected_last.tolist() == [False, True] * 2


class Unwilling:
    """As a tensor of another library that has gradients."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("detach it first")


GOOD = {"x": np.arange(4), "t": np.zeros((4, 3), int)}


@pytest.mark.parametrize(
    ("given", "wanted", "message"),
    [
        ({"x": GOOD["x"]}, golden, "there is no array for 't'"),
        ({**GOOD, "z": GOOD["x"]}, golden, "there is no array 'z' to take"),
        ({**GOOD, "x": np.array([1, 200])}, golden, r"x: it holds 200 at \[1\] \(accepted: -128"),
        ({**GOOD, "x": np.ones(4)}, golden, "it holds float64"),
        ({**GOOD, "t": np.zeros((4, 2), int)}, golden, r"the field's 3 lanes, not \(4, 2\)"),
        ({**GOOD, "x": np.arange(5)}, golden, r"one shape, not x \(5,\), t \(4,\)"),
        (GOOD, {"y": np.zeros(3, int)}, r"y has the shape \(3,\) for inputs of \(4,\)"),
        (GOOD, {"y": np.full(4, 256)}, r"y: it holds 256 at \[0\]"),
        (GOOD, {"y": [[1], [2, 3]]}, "expected: y: NumPy makes no array of it: .* inhomogeneous"),
        (GOOD, {"y": np.ma.masked_array([1, 2], [0, 1])}, "y: it is masked"),
        (GOOD, {"y": [10**30] * 4}, "holds object .accepted: integers of at most 64 bits"),
        (GOOD, {"y": np.full(4, np.nan)}, "it holds float64"),
        (GOOD, {"y": Unwilling()}, "y: NumPy makes no array of it: detach it first"),
        (GOOD, {1: np.zeros(4, int)}, "there is no array 1 to take"),
        (GOOD, lambda x, t: {"z": x}, "there is no array 'z' to take"),
        ({"x": np.zeros(0, int), "t": np.zeros((0, 3), int)}, golden, "at least one operation"),
    ],
)
def test_what_does_not_fit_is_shown(given: Any, wanted: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        calls(spec(), given, wanted)


def test_a_function_that_fails_is_told_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "block.py"
    path.write_text(
        "def other(a): return a\n"
        "def raises(x, t): raise ValueError('no\\nway')\n"
        "def leaves(x, t): raise SystemExit(0)\n"
        "def nothing(x, t): return None\n"
    )
    two = {"y": RESULTS["y"], "z": RESULTS["y"]}
    for name, message in (
        ("other", r"block\.py:other: TypeError: .*accepted: a function of x, t"),
        ("raises", r"block\.py:2: ValueError: no way"),
        ("leaves", r"block\.py:3: SystemExit: 0"),
        ("nothing", r"block\.py:nothing: the function returned NoneType .*named y, z"),
    ):
        with pytest.raises((UsageError, InputError), match=message):
            calls(spec(results=two), GOOD, f"{path}:{name}")


def test_nothing_to_take_and_packets_that_are_drawn() -> None:
    for arguments, message in (
        ((None, golden), "nothing says what goes in"),
        ((GOOD, None), "nothing says what must come out"),
        (("no-folder", golden), "there is no such folder"),
        (("", golden), "there is no such folder"),
        (("no_such_file.py:f", golden), "there is no such file"),
    ):
        with pytest.raises(UsageError, match=message):
            calls(spec(), *arguments)
    with pytest.raises(UsageError, match="without packets"):
        calls(spec(packets="reduce"), None, golden, vectors=5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields": {}}, "it is empty"),
        ({"fields": {"x y": {"bits": 8, "signed": True}}}, "a field must have a name"),
        ({"fields": {"x": {"bits": 65, "signed": True}}}, "bits must not be 65"),
        ({"packets": "many"}, "packets must not be"),
        ({"inputs": {"z": "z.npy"}}, "there is no field 'z'"),
        ({"expected": {"y": "golden.py:f"}}, "a .npy file"),
        ({"more": 1}, "there is no field"),
    ],
)
def test_the_table_is_read_strictly(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        spec(**changes)


def test_arrays_are_for_blocks_alone() -> None:
    from tests.tree import SCALER

    with pytest.raises(UsageError, match="the design computes requantize"):
        qsim.cosim.run(dut=SCALER / "scaler.toml", inputs=GOOD, expected=golden)
    with pytest.raises(UsageError, match="without source, input and target"):
        qsim.cosim.run("requantize", dut=SCALER / "scaler.toml", inputs=GOOD)
