"""`qsim models MODEL`: what a factory returned, and its samples as files that `qsim run` takes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qsim import models
from qsim.cli import main
from qsim.cli.inputs import choose
from qsim.errors import UsageError

FACTORIES = """
import torch
from torch import nn

class Two(nn.Module):
    def forward(self, a, b):
        return a + b

def two():
    return Two(), (torch.ones(4, 3), torch.zeros(4, 3))

def calibrated():
    return nn.Linear(3, 2), torch.ones(1, 3), [(torch.ones(5, 3),), (torch.zeros(2, 3),)]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "m.py").write_text(FACTORIES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_labelled_samples_become_two_files(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "digits", "--samples", "data"]) == 0
    out = capsys.readouterr().out
    samples = models.load("digits").samples
    assert samples is not None
    for name, given in zip(("x.npy", "y.npy"), samples, strict=True):
        written = np.load(folder / "data" / name, allow_pickle=False)
        np.testing.assert_array_equal(written, given.numpy())
        assert written.dtype == given.numpy().dtype
        assert f"data/{name}: {written.dtype.name} (" in out
    assert "qsim run digits --inputs data/x.npy --labels data/y.npy" in " ".join(out.split())


def test_the_command_that_it_shows_runs_and_is_the_run_without_files(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models", "m.py:two", "--samples", ".", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["files"] == [
        {"path": name, "shape": [4, 3], "dtype": "float32"} for name in ("x0.npy", "x1.npy")
    ]
    assert made["command"] == "qsim run m.py:two --inputs x0.npy --inputs x1.npy"
    digests = []
    for command in (made["command"], "qsim run m.py:two"):
        assert main([*command.split()[1:], "--json"]) == 0
        digests.append(json.loads(capsys.readouterr().out)["outputs_sha256"])
    assert digests[0] == digests[1]


def test_nothing_is_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "y.npy").write_text("mine")
    assert main(["models", "digits", "--samples", "."]) == 2
    assert "y.npy is there already" in capsys.readouterr().err
    assert sorted(path.name for path in folder.glob("*.npy")) == ["y.npy"]
    assert (folder / "y.npy").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--samples", "."], "(accepted: a MODEL before it)"),
        (["digit"], "there is no model 'digit'"),
        (["m.py:none", "--samples", "."], "the factory 'none' does not exist"),
        (["digits", "--samples", "m.py"], "m.py: cannot be made"),
        (["digits", "--samples", "gone/deep"], "gone/deep: cannot be made"),
    ],
)
def test_what_is_refused(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err


def test_what_a_factory_returned(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "m.py:calibrated"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "m.py:calibrated",
        "  example inputs  float32 (1, 3)",
        "  calibration     7 samples in 2 batches",
        "  `qsim run`      7 calibration samples (no others given)",
    ]
    assert main(["models", "m.py:two", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["example_inputs"] == ["float32 (4, 3)", "float32 (4, 3)"]
    assert found["calibration"] == []
    assert found["labelled"] is False


def test_numbers_of_unknown_range_are_not_drawn() -> None:
    x = SimpleNamespace(name="x", shape=(-1, 4), dtype="float32", format=None)
    at = SimpleNamespace(name="at", shape=(1,), dtype="int64", format=None)
    network: Any = SimpleNamespace(inputs=(x, at))
    text = r"samples: input 'at' takes int64 numbers .* \(accepted: --inputs, .*: x \(N, 4\), at"
    with pytest.raises(UsageError, match=text):
        choose((), None, network)
    network = SimpleNamespace(inputs=(x,))
    assert choose((), None, network, draw=3).arrays[0].shape == (3, 4)
