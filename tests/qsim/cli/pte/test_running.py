"""`qsim run net.pte`: the same integers as the network that it was made from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import qsim
from qsim.cli import main
from qsim.executorch import to_edge
from qsim.report.evaluate import outputs_digest
from tests.qsim.cli.models import LAYER_KEYS, NETWORK_KEYS, RUN_KEYS, samples
from tests.qsim.cli.pte.files import PTE_KEYS, folder_of_files, refusal, told
from tests.qsim.executorch.edges import network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_files(tmp_path_factory)


def test_a_program_gives_what_its_network_gives(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--inputs", f"{folder}/x.npy", "--labels", f"{folder}/y.npy")
    network = told(capsys, "run", f"{folder}/net.qsim", *given)
    for batch in ((), ("--batch", "3")):
        program = told(capsys, "run", f"{folder}/net.pte", *given, *batch)
        # A program is no network of ours: its delegates are.
        assert list(program) == [key for key in RUN_KEYS if key not in NETWORK_KEYS] + PTE_KEYS
        assert program["outputs_sha256"] == network["outputs_sha256"]
        assert program["accuracy"]["hardware"] == network["accuracy"]["hardware"]
        assert program["accuracy"]["program"] == network["accuracy"]["hardware"]
        assert program["target"] == network["target"]
        assert program["samples"] == 20
        assert program["calls"] == (7 if batch else 3)
        assert program["source"] == f"20 samples of {folder}/x.npy, labels of {folder}/y.npy"
    assert program["host_operators"] == []
    assert program["quantized_io"] is False
    assert program["delegates"][0]["backend"] == "QsimBackend"
    kept = ("primitive", "shape", "macs", "accumulator_bits")
    static = [[layer[key] for key in kept] for layer in program["layers"]]
    assert static == [[layer[key] for key in kept] for layer in network["layers"]]
    assert all(list(layer) == [*LAYER_KEYS, "delegate"] for layer in program["layers"])
    assert all(layer["overflows"] is None for layer in program["layers"])


def test_a_trace_tells_what_the_accumulators_did(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ("--inputs", f"{folder}/x.npy")
    network = told(capsys, "run", f"{folder}/net.qsim", *given, "--trace", f"{tmp_path}/q")
    program = told(capsys, "run", f"{folder}/net.pte", *given, "--trace", f"{tmp_path}/p")
    assert program["outputs_sha256"] == network["outputs_sha256"]
    kept = ("accumulator_bits_used", "overflows", "clamped", "elements", "path")
    seen = [[layer[key] for key in kept] for layer in program["layers"]]
    assert seen == [[layer[key] for key in kept] for layer in network["layers"]]
    for found, wanted in zip(
        _tensors(tmp_path / "p/00_delegate0"), _tensors(tmp_path / "q"), strict=True
    ):
        assert np.array_equal(found, wanted)
    output = np.load(tmp_path / "p/output0.npy")
    assert outputs_digest([output]) == program["outputs_sha256"]
    assert np.array_equal(np.load(tmp_path / "p/input0.npy"), samples())
    assert (tmp_path / "p/trace.json").is_file()


def _tensors(path: Path) -> list[np.ndarray]:
    """The codes that the calls made, in their order: names differ, the graphs are two."""
    document = json.loads((path / "trace.json").read_text())
    files = {tensor["name"]: tensor["file"] for tensor in document["tensors"]}
    return [np.load(path / files[call["output"]]) for call in document["calls"]]


def test_integers_in_integers_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lowered = qsim.load(folder / "net.qsim").quantized_io()
    codes = np.random.default_rng(0).integers(-128, 128, (8, 1, 5, 5)).astype(np.int8)
    np.save(folder / "codes.npy", codes)
    np.save(folder / "wide.npy", codes.astype(">i8"))
    wanted = outputs_digest([lowered(codes)])
    for name in ("codes", "wide"):
        found = told(capsys, "run", f"{folder}/codes.pte", "--inputs", f"{folder}/{name}.npy")
        assert found["outputs_sha256"] == wanted
        assert found["quantized_io"] is True
        assert found["host_operators"] == []
        assert found["calls"] == 2
    random = told(capsys, "run", f"{folder}/codes.pte")
    assert random["source"].startswith("8 seeded random samples")
    one = told(capsys, "run", f"{folder}/codes.pte", "--samples", "5")
    assert one["samples"] == 4


def test_inspect_shows_the_interface(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "inspect", f"{folder}/codes.pte")
    lowered = qsim.load(folder / "net.qsim").quantized_io()
    (method,) = found["methods"]
    for side, spec in (("inputs", lowered.inputs[0]), ("outputs", lowered.outputs[0])):
        (value,) = method[side]
        assert (value["dtype"], value["shape"][0]) == (spec.dtype, 4)
        assert (value["scale"], value["zero_point"]) == (spec.scale, spec.zero_point)
        assert value["codes"] == [-128, 127]
        assert value["dynamic"] is False
    assert found["constant_methods"] == {}
    (delegate,) = method["delegates"]
    assert delegate["target"]["hash"] == lowered.target.hash
    assert method["operators"] == {}
    assert method["planned_memory"]["1"] >= 4 * (25 + 3)
    opened = told(capsys, "inspect", f"{folder}/net.pte")["methods"][0]
    assert (opened["inputs"][0]["shape"], opened["inputs"][0]["dynamic"]) == ([8, 1, 5, 5], True)
    assert opened["inputs"][0]["scale"] is None


def test_inspect_shows_the_memory(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (program,) = qsim.load(folder / "net.qsim").programs
    plan = program.plan()
    for name, unit in (("net", "one sample"), ("codes", "one call")):
        found = told(capsys, "inspect", f"{folder}/{name}.pte")["methods"][0]["delegates"]
        ((inside,),) = (delegate["programs"] for delegate in found)
        memory = inside["memory"]
        picture = tmp_path / f"{name}.svg"
        command = ["inspect", f"{folder}/{name}.pte", "--memory", str(picture), "--delegate", "0"]
        assert main(command) == 0
        out = capsys.readouterr().out
        assert f"memory of {unit}: {memory['bytes']:,} bytes, at most {memory['bound']:,}" in out
        assert f"{picture}: {picture.stat().st_size:,} bytes" in out.replace("\n", " ")
        rows = out[out.index("memory of") :].splitlines()[4 : 4 + len(memory["tensors"])]
        assert [row.split()[1] for row in rows] == [
            f"{tensor['offset']:,}" for tensor in memory["tensors"]
        ]
        if name == "net":
            assert (memory["bytes"], memory["bound"]) == (plan.size, plan.bound)
    err = refusal(capsys, "inspect", f"{folder}/net.pte", "--delegate", "1")
    assert "has no delegate 1 of qsim (accepted: 0)" in err


def test_inspect_sums_up_several_delegates(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "two.pte"
    to_edge(network("HostInTheMiddle", "tflite")[0], batch=1).save(path)
    found = told(capsys, "inspect", str(path))["methods"][0]["delegates"]
    assert [part["index"] for part in found] == [0, 1]
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "memory of one" not in out
    assert "`--delegate N` shows" in out
    table = out[out.index("inside delegate") :].splitlines()[2:4]
    for row, part in zip(table, found, strict=True):
        memory = part["programs"][0]["memory"]
        numbers = [
            str(part["index"]),
            "one",
            "call",
            f"{memory['bytes']:,}",
            f"{memory['bound']:,}",
        ]
        assert row.split()[:5] == numbers
    err = refusal(capsys, "inspect", str(path), "--memory", f"{tmp_path}/a.png")
    assert "two.pte has 2 delegates of qsim (accepted: --memory with --delegate N)" in err
    assert main(["inspect", str(path), "--memory", f"{tmp_path}/a.png", "--delegate", "1"]) == 0
    out = capsys.readouterr().out
    assert "inside delegate 1" in out
    assert out.count("memory of one call") == 1
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_compile_says_what_it_delegated(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # cumsum is no primitive of any target.
    command = ("compile", f"{folder}/net.py:host", "-o")
    found = told(capsys, *command, f"{folder}/host.pte", "--batch", "2")
    assert [item["operator"] for item in found["host_operators"]] == ["aten.cumsum.default"]
    assert found["inputs"] == ["float32 [2, 1, 5, 5]"]
    assert len(found["delegates"]) == 1
    program = told(capsys, "run", f"{folder}/host.pte")
    assert [item["operator"] for item in program["host_operators"]] == ["aten::cumsum.out"]
    assert program["source"].startswith("8 seeded random samples")


@pytest.mark.soak
def test_what_is_not_whole_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["compile", f"{folder}/net.py:host", "-o", f"{folder}/whole.pte"]
    assert main([*command, "--whole"]) == 2
    err = capsys.readouterr().err
    assert "cumsum" in err.splitlines()[-1]
    assert not (folder / "whole.pte").exists()


@pytest.mark.parametrize("columns", [80, 100])
def test_text_fits(
    folder: Path, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qsim.cli.output.WIDTH", columns)
    monkeypatch.chdir(folder)
    for command in (
        ["run", "net.pte", "--inputs", "x.npy", "--labels", "y.npy"],
        ["inspect", "net.pte"],
        ["inspect", "codes.pte"],
    ):
        assert main(command) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert max(map(len, out.splitlines())) <= columns
        assert "tflite sha256:950d75de" in out.replace("\n", " ")
        # Names in the map of the memory may be cut.
        assert "…" not in out.partition("inside delegate")[0]


def test_compare_is_exact(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--inputs", f"{folder}/x.npy")
    program = f"{folder}/net.pte"
    for other in ("net.pte", "net.qsim"):
        found = told(capsys, "run", program, *given, "--compare", f"{folder}/{other}")
        assert found["equal"] is True
        assert found["calls"] == 3
        operators = [row["operator"] for row in found["rows"]]
        assert operators.count("requantize") == 2
        assert operators[-1] == "output"
        assert found["rows"][-1]["elements"] == 20 * 3
        assert all(row["first"] is None and row["differing"] == 0 for row in found["rows"])
    assert main(["run", program, *given, "--compare", f"{folder}/net.qsim"]) == 0
    assert "rows are equal in every bit." in capsys.readouterr().out
    integers = ("run", f"{folder}/codes.pte", "--compare")
    assert told(capsys, *integers, f"{folder}/net.qsim")["equal"] is True
    # The Q/DQ graph gets the floats that the codes stand for; it computes in fp32.
    assert main([*integers, f"{folder}/net.py:make", "--json"]) in (0, 1)
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert (rows[-1]["operator"], rows[-1]["dtype"]) == ("output", "int8")


def test_compare_finds_the_first_difference(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program, given = f"{folder}/net.pte", ("--inputs", f"{folder}/x.npy")
    model = f"{folder}/net.py:make"
    # The Q/DQ graph computes in fp32: counted here, and by the run of the model itself.
    layers = {layer["name"]: layer for layer in told(capsys, "run", model, *given)["layers"]}
    wanted = [layers[name]["lsb_differing"] for name in ("conv", "head")]
    found = told(capsys, "run", program, *given, "--compare", model, status=1 if any(wanted) else 0)
    made = [row["differing"] for row in found["rows"] if row["operator"] == "requantize"]
    assert made == wanted
    # Another target's scales: codes differ from the first layer on.
    other = ("--compare", model, "--target", "q7")
    found = told(capsys, "run", program, *given, *other, status=1)
    assert found["equal"] is False
    first = next(row for row in found["rows"] if row["differing"])
    at = first["first"]
    assert at["left"] != at["right"]
    assert (at["call"], len(at["index"])) == (0, 4)
    assert main(["run", program, *given, *other]) == 1
    out = capsys.readouterr().out
    assert f"the first: {first['name']} ({first['operator']}), call 0, at {at['index']}" in out
    assert max(map(len, out.splitlines())) <= 100
