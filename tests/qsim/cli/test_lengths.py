"""``--length``: which length a run, a golden set and a file have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from qsim.cli import main
from qsim.cli.build import Built
from qsim.cli.lengths import at_length
from qsim.errors import InputError
from qsim.golden import load as load_set
from qsim.models import Model
from tests.qsim.network.test_lengths import NETWORK, network


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.qsim"
    NETWORK.save(path)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_run_has_the_length_that_is_asked_for(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = run(capsys, "run", str(file), "--length", "3")
    assert asked["network_sha256"] == network(3).digest
    assert asked["source"].endswith("; sequences of 3 (the network takes 1 to 9)")
    np.save(tmp_path / "x.npy", np.zeros((2, 5, 4), np.float32))
    given = run(capsys, "run", str(file), "--inputs", str(tmp_path / "x.npy"))
    assert given["network_sha256"] == network(5).digest
    assert run(capsys, "run", str(file))["network_sha256"] == network(9).digest


@pytest.mark.parametrize(
    ("length", "line"),
    [
        ("10", "qsim: length: length is 10 (accepted: 1 to 9)"),
        ("0", "qsim: length: length is 0 (accepted: 1 to 9)"),
    ],
)
def test_other_lengths_are_refused(
    length: str, line: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(file), "--length", length]) == 2
    assert capsys.readouterr().err.strip() == line
    network(3).save(file)
    assert main(["run", str(file), "--length", length]) == 2
    assert "--length: the network's shapes are fixed" in capsys.readouterr().err


def test_a_file_shows_its_bounds(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "(N, 1..9, 4)" in shown
    assert "memory of one sample of length 9, the greatest: " in shown
    held = run(capsys, "inspect", str(file))
    assert held["lengths"] == {"least": 1, "most": 9}
    assert held["inputs"][0]["free"] == [[1, 1, 9]]
    assert held["network_sha256"] == NETWORK.digest


def test_golden_sets_are_of_one_length(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "set"
    assert main(["golden", "record", str(file), "-o", str(folder), "--length", "4"]) == 0
    assert load_set(folder).network == network(4).digest
    assert main(["golden", "check", str(folder)]) == 0
    assert "every bit agrees" in capsys.readouterr().out
    arguments = ["golden", "record", "clamp", "-o", str(tmp_path / "c"), "--length", "4"]
    assert main(arguments) == 2
    assert "--length: clamp is a primitive" in capsys.readouterr().err


def test_samples_of_a_model_choose_the_length() -> None:
    def batch(length: int) -> tuple[torch.Tensor, ...]:
        return (torch.zeros(2, length, 4),)

    model = Model(nn.Identity(), batch(3), [batch(5), batch(7), batch(5)])
    built = at_length(Built(NETWORK, None, model), None, ())
    assert built.length == (5, 1, 9)
    assert built.lowered.digest == network(5).digest
    assert built.model is not None
    assert [len(each[0][0]) for each in built.model.calibration or ()] == [5, 5]
    asked = at_length(Built(NETWORK, None, model), 8, ()).model
    assert asked is not None
    assert asked.calibration is None  # none is of that length
    assert asked.example_inputs[0].shape == (2, 8, 4)
    with pytest.raises(InputError, match="length 12"):
        at_length(Built(NETWORK, None, Model(nn.Identity(), batch(12))), None, ())
