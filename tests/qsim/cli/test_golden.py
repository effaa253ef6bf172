"""``qsim golden``: record, check and export as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qsim.cli import main
from qsim.golden import load
from tests import fresh
from tests.qsim.cli.models import FACTORY
from tests.qsim.golden.cases import rewrite


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("golden")
    (path / "net.py").write_text(FACTORY)
    assert main(["golden", "record", f"{path}/net.py:make", "-o", f"{path}/set"]) == 0
    assert main(["compile", f"{path}/net.py:make", "-o", f"{path}/net.qsim"]) == 0
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["golden", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "--json" in arguments or all(len(line) <= 100 for line in out.splitlines())
    return code, out, err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    code, out, err = run(capsys, *arguments, "--json")
    assert err == ""
    return code, json.loads(out)


def refuse(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    code, out, err = run(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    return err


def test_a_run_is_recorded_and_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = load(folder / "set")
    assert golden.names == (
        *("conv2d.correlation", "conv2d.bias_add", "conv2d.requantize"),
        *("flatten.reshape", "linear.linear", "linear.bias_add", "linear.requantize"),
    )
    assert golden.cases[0].operands["x"].shape == (1, 1, 5, 5)
    code, out, err = run(capsys, "check", folder / "set")
    assert (code, err) == (0, "")
    assert out.endswith("7 cases, 409 elements: every bit agrees.\n")


def test_check_prints_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = run_json(capsys, "check", folder / "set")
    assert code == 0
    assert list(found) == [
        *("directory", "target", "model", "network_sha256", "seed", "ok", "elements", "cases")
    ]
    assert found["ok"] is True
    assert found["target"] == {"name": "tflite", "hash": load(folder / "set").target.hash}
    assert [case["first"] for case in found["cases"]] == [None] * 7


def test_a_difference_is_shown_with_exit_status_1(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "record", f"{folder}/net.py:make", "-o", tmp_path / "set")
    right = load(tmp_path / "set").case("conv2d.requantize").expected

    def spoil(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        arrays["output"][0, 1, 2, 3] ^= 1
        return arrays

    rewrite(tmp_path / "set", 2, spoil)
    code, out, err = run(capsys, "check", tmp_path / "set")
    assert (code, err) == (1, "")
    value = int(right[0, 1, 2, 3])
    assert "conv2d.requantize (requantize of conv)\n" in out
    assert "  first difference at n=0, c=1, h=2, w=3\n" in out
    lines = out.splitlines()
    assert f"{value ^ 1}  0x{(value ^ 1) & 255:02x}" in next(x for x in lines if "expected" in x)
    assert f"{value}  0x{value & 255:02x}" in next(x for x in lines if "actual  " in x)
    assert "1 of 100 elements differ" in out
    assert out.endswith("7 cases, 409 elements: 1 differ.\n")
    code, found = run_json(capsys, "check", tmp_path / "set")
    assert code == 1
    assert found["ok"] is False
    assert found["cases"][2]["first"]["index"] == [0, 1, 2, 3]
    assert found["cases"][2]["first"]["actual"] == value


def test_samples_inputs_and_seeds(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def first(*options: object) -> tuple[np.ndarray, Any]:
        model = ["record", f"{folder}/net.py:make", "-o", tmp_path / "x", "--force"]
        code, found = run_json(capsys, *model, *options)
        assert code == 0
        return load(tmp_path / "x").cases[0].operands["x"], found

    own, _ = first("--samples", 3)
    assert own.shape[0] == 3
    assert np.array_equal(first()[0], own[:1])
    drawn, found = first("--seed", 5, "--samples", 12)
    assert found["seed"] == 5
    assert drawn.shape[0] == 12
    assert np.array_equal(first("--seed", 5)[0], drawn[:1])
    assert not np.array_equal(first("--seed", 6)[0], drawn[:1])
    np.save(tmp_path / "x.npy", np.linspace(0, 1, 4 * 25, dtype=np.float32).reshape(4, 1, 5, 5))
    given, found = first("--inputs", tmp_path / "x.npy")
    assert given.shape[0] == 4
    assert found["source"] == f"4 samples of {tmp_path}/x.npy"
    assert first("--inputs", tmp_path / "x.npy", "--samples", 2)[0].shape[0] == 2


def test_a_compiled_file_keeps_its_target(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = run_json(capsys, "record", f"{folder}/net.qsim", "-o", tmp_path / "set")
    assert code == 0
    assert found["target"]["name"] == "tflite"
    assert found["elements"] == 409
    err = refuse(capsys, "record", f"{folder}/net.qsim", "-o", tmp_path / "y", "-t", "q7")
    assert "was compiled for tflite" in err


def test_a_fixed_batch_is_recorded_whole(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = f"{folder}/net.py:static"
    assert run(capsys, "record", model, "-o", tmp_path / "set")[0] == 0
    assert load(tmp_path / "set").cases[0].operands["x"].shape == (2, 4)
    err = refuse(capsys, "record", model, "-o", tmp_path / "no", "--samples", "1")
    assert err == "qsim: --samples: the model takes batches of 2 only, not 1 (accepted: 2)\n"


def test_several_inputs_and_host_operators(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for factory in ("two", "host"):
        directory = tmp_path / factory
        assert run(capsys, "record", f"{folder}/net.py:{factory}", "-o", directory)[0] == 0
        assert run(capsys, "check", directory)[0] == 0


@pytest.mark.parametrize("primitive", ["requantize", "bias_add", "clamp"])
def test_directed_vectors_are_counted(
    primitive: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["-o", tmp_path / "set", "-t", "narrow20", "--seed", "3", "--count", "50"]
    code, found = run_json(capsys, "record", primitive, *options)
    assert code == 0
    assert (found["model"], found["seed"]) == ("", 3)
    assert found["target"]["name"] == "narrow20"
    assert found["classes"]["random"] >= 50
    assert sum(found["classes"].values()) == found["elements"]
    assert {case["primitive"] for case in found["cases"]} == {primitive}
    code, out, _ = run(capsys, "check", tmp_path / "set", "-t", "narrow20")
    assert code == 0
    assert "directed vectors on narrow20" in " ".join(out.split())  # a long path wraps the line
    code, out, _ = run(capsys, "record", primitive, *options, "--force")
    assert code == 0
    assert "random" in out


def test_what_does_not_fit_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = f"{folder}/net.py:make", ["-o", tmp_path / "no"]
    for arguments, rule in (
        (["requantize", "--samples", "2"], "--samples: requantize is a primitive"),
        (["requantize", "--inputs", "x.npy"], "--inputs: requantize is a primitive"),
        (["requantize", "--config", "c.toml"], "--config: requantize is a primitive"),
        ([model, "--count", "2"], "is a model (accepted: --count with a primitive)"),
        ([model, "--samples", "0"], "--samples must be at least 1, not 0"),
        (["requantize", "--count", "0"], "--count must be at least 1, not 0"),
        ([model, "--seed", "-1"], "--seed must be unsigned, not -1"),
        (["requantise"], "or a primitive: correlation, linear, matmul, bias_add, requantize"),
        (["reshape"], "there is no model 'reshape'"),
        (["digits", "-t", "none"], "none"),
        (["missing.qsim"], "missing.qsim: cannot be read"),
        ([f"{folder}/net.py:double"], "nothing runs on the accelerator"),
    ):
        assert rule in refuse(capsys, "record", *arguments, *out)
        assert not (tmp_path / "no").exists()
    assert "or a primitive" not in refuse(capsys, "record", "missing.qsim", *out)


def test_destinations(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("x")
    model = f"{folder}/net.py:make"
    for force in ((), ("--force",)):
        err = refuse(capsys, "record", model, "-o", tmp_path / "mine", *force)
        assert "exists and is not empty" in err
    assert "already" in refuse(capsys, "record", model, "-o", folder / "set")
    assert "no such directory" in refuse(capsys, "record", model, "-o", tmp_path / "a" / "b")


def test_check_refuses_what_is_no_set_or_another_targets(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no golden set" in refuse(capsys, "check", tmp_path)
    assert "no such file" in refuse(capsys, "check", tmp_path / "none")
    assert "not a directory" in refuse(capsys, "check", folder / "net.py")
    assert "not for q7" in refuse(capsys, "check", folder / "set", "--target", "q7")
    code, found = run_json(capsys, "check", tmp_path)
    assert code == 2
    assert found["error"]["kind"] == "file"


def test_an_interrupt_leaves_nothing(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("qsim.golden.writing.check_case", interrupt)
    code, _, err = run(capsys, "record", f"{folder}/net.py:make", "-o", tmp_path / "set")
    assert (code, err) == (130, "qsim: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_help_has_examples_and_loads_nothing_heavy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in ("record", "check", "export"):
        code, out, _ = run(capsys, command, "--help")
        assert code == 0
        assert "<bool>" not in out
        lines = [line.strip() for line in out.split("Examples:")[1].splitlines() if line.strip()]
        assert len(lines) > 1
        assert all(line.startswith(f"qsim golden {command} ") for line in lines)
    assert run(capsys)[0] == 2
    heavy = ("torch", "numba", "numpy")
    code = "from qsim.cli import main; assert main(['golden', 'record', '--help']) == 0"
    assert not set(heavy) & set(fresh.loaded(code, *heavy))
