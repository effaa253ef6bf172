"""The files of `qsim compile`, `inspect` and `run`: compiled models, traces, reports."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import qsim
from qsim.cli import main
from tests.qsim.cli.models import RUN_KEYS, compile_model, run_json, samples, write_models


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory)


@pytest.fixture(scope="module")
def compiled(folder: Path) -> Path:
    return compile_model(folder)


def test_compiled_file_gives_the_same_integers(
    folder: Path, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    samples = torch.rand(20, 1, 5, 5, generator=torch.Generator().manual_seed(1)).numpy()
    np.save(folder / "x.npy", samples)
    capsys.readouterr()
    direct = run_json(capsys, f"{folder}/net.py:make")
    stored = run_json(capsys, str(compiled), "--inputs", f"{folder}/x.npy")
    assert stored["outputs_sha256"] == direct["outputs_sha256"]
    assert stored["accuracy"] == {"float": None, "qdq": None, "hardware": None}
    assert stored["layers"][0]["sqnr_db"] is None
    assert stored["layers"][0]["lsb_max"] is None
    assert stored["layers"][0]["overflows"] == direct["layers"][0]["overflows"]


def test_pt2_gives_the_same_integers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "net.pt2"
    assert main(["compile", f"{folder}/net.py:make", "-o", str(file), "--target", "q7"]) == 0
    capsys.readouterr()
    direct = run_json(capsys, f"{folder}/net.py:make", "--target", "q7")
    np.save(folder / "x.npy", samples())
    stored = run_json(capsys, str(file), "--inputs", f"{folder}/x.npy")
    assert stored["target"] == direct["target"]
    assert stored["outputs_sha256"] == direct["outputs_sha256"]
    assert stored["layers"][0]["lsb_differing"] == direct["layers"][0]["lsb_differing"]
    assert main(["inspect", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "Q/DQ graph"


def test_same_target_is_accepted_and_another_refused(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(compiled), "--target", "tflite"]) == 0
    assert "seeded random samples" in capsys.readouterr().out
    assert main(["run", str(compiled), "--target", "q7"]) == 2
    assert "was compiled for tflite" in capsys.readouterr().err


def test_trace_holds_every_tensor(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "traces"
    assert main(["run", f"{folder}/net.py:make", "--batch", "8", "--trace", str(path)]) == 0
    document = json.loads((path / "trace.json").read_text())
    assert set(document) == {*RUN_KEYS, "tensors", "calls"}
    assert document["source"] == "20 labelled samples of the model"
    assert document["quantized_io"] is False
    tensors = {item["name"]: np.load(path / item["file"]) for item in document["tensors"]}
    for item in document["tensors"]:
        array = tensors[item["name"]]
        assert (list(array.shape), str(array.dtype)) == (item["shape"], item["dtype"])
        assert array.shape[0] == 20
    whole = _lowered_trace(folder)
    assert tensors.keys() == whole.tensors.keys()
    for name, array in whole.tensors.items():
        assert np.array_equal(tensors[name], array)
    assert (path / "trace.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in path.iterdir()) == ["tensors", "trace.json", "trace.png"]
    capsys.readouterr()
    assert main(["run", f"{folder}/net.py:make", "--trace", str(path)]) == 2
    assert "exists and is not empty" in capsys.readouterr().err


def _lowered_trace(folder: Path):
    file = folder / "for_trace.qsim"
    assert main(["compile", f"{folder}/net.py:make", "-o", str(file)]) == 0
    return qsim.load(file).trace(samples())


def test_report_is_one_self_contained_page(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = folder / "review.html"
    assert main(["run", f"{folder}/net.py:make", "--report", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    digest = re.search("sha256:([0-9a-f]{64})\n", capsys.readouterr().out).group(1)
    assert digest in text
    assert "<svg" in text
    assert f"qsim run {folder}/net.py:make" in text
    assert not re.search(r"(src|href)\s*=|@import|url\(|<script", text)


def test_inspect_shows_the_boundary(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["inspect", str(compiled)]) == 0
    assert "conv2d.correlation" in capsys.readouterr().out
    assert main(["inspect", str(compiled), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        *("file", "kind", "model", "network_sha256", "target"),
        *("inputs", "outputs", "programs", "host_operators"),
    ]
    assert found["inputs"][0]["codes"] == [-128, 127]
    assert found["inputs"][0]["scale"] > 0
    names = [call["name"] for call in found["programs"][0]["calls"]]
    assert names[:3] == ["conv2d.correlation", "conv2d.bias_add", "conv2d.requantize"]
