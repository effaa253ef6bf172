"""`qsim quantize`: a network as a configuration says, with what was learned of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qsim.cli import main
from qsim.cli.calibrating import Stages
from qsim.quantizer import load_pt2
from qsim.quantizer.learning import Progress

FACTORY = """
import torch
from qsim.models import Model

def make():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(36, 3)
        ).eval()
    x = torch.rand(24, 1, 5, 5, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(24) % 3
    return Model(net, (x[:2],), [(x,)], (x, labels), training=(x, labels))
"""
CONFIG = """
[default]
activation_bits = 4
weight_bits = 4
algorithm = "tqt"

[training]
epochs = 3
batch = 8
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own.py").write_text(FACTORY)
    (tmp_path / "quant.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main(["quantize", "own.py:make", "--config", "quant.toml", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_configuration_trains_and_is_measured(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = _json(capsys, "-o", "net.pt2", "--target", "q7")
    names = [row["name"] for row in said["networks"]]
    assert names == ["float", "fake", "qdq", "hardware"]
    learned = said["networks"][1]
    assert (learned["differing"], learned["values"]) == (0, 72)
    assert said["resumed_from"] == 0
    assert load_pt2("net.pt2").digest == said["digest"]
    assert sorted(p.name for p in folder.iterdir() if p.is_file()) == [
        "net.pt2", "own.py", "quant.toml"
    ]  # fmt: skip
    assert main(["quantize", "own.py:make", "--config", "quant.toml", "-o", "again.qsim"]) == 0
    text = capsys.readouterr().out
    assert "as learned, in eval mode" in text
    assert "0 of 72" in text
    assert max(map(len, text.splitlines())) <= 100


def test_an_interrupt_leaves_a_checkpoint_that_is_gone_on_from(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _json(capsys, "-o", "whole.pt2")
    watch = Stages.watch

    def interrupted(self: Stages, progress: Progress) -> None:
        watch(self, progress)
        if progress.done == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(Stages, "watch", interrupted)
    arguments = ["quantize", "own.py:make", "--config", "quant.toml", "-o", "net.pt2"]
    assert main(arguments) != 0
    assert (folder / "net.pt2.checkpoint").exists()
    assert not (folder / "net.pt2").exists()
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    said = _json(capsys, "-o", "net.pt2")
    assert said["resumed_from"] == 6
    assert said["digest"] == whole["digest"]
    assert not (folder / "net.pt2.checkpoint").exists()


@pytest.mark.parametrize(
    ("line", "where", "accepted"),
    [
        ("epochs = 0", "quant.toml.training.epochs", "1 or more"),
        ('optimizer = "lion"', "quant.toml.training.optimizer", "adam, sgd"),
        ("seed = -1", "quant.toml.training.seed", "0 to"),
        ("rate = 1", "quant.toml.training", "epochs, batch, optimizer"),
    ],
)
def test_an_error_of_a_configuration_names_its_field(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str, where: str, accepted: str
) -> None:
    Path("quant.toml").write_text(f"[training]\n{line}\n")
    arguments = ["quantize", "own.py:make", "--config", "quant.toml", "-o", "net.pt2", "--json"]
    assert main(arguments) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["where"].endswith(where)
    assert accepted in error["accepted"]


def test_what_cannot_be_written_or_read_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for model, destination in (
        ("own.py:make", "net.pte"), ("own.py:make", "none/net.pt2"), ("net.qsim", "net.pt2"),
    ):  # fmt: skip
        assert main(["quantize", model, "-o", destination]) == 2
        assert "(accepted: " in capsys.readouterr().err


def test_a_file_that_learning_did_not_write_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine.txt").write_text("mine")
    arguments = ["quantize", "own.py:make", "-o", "net.pt2", "--checkpoint"]
    assert main([*arguments, "net.pt2"]) == 2
    assert "--checkpoint: is the output too" in capsys.readouterr().err
    assert not (folder / "net.pt2").exists()
    assert main([*arguments, "mine.txt"]) == 0
    assert (folder / "mine.txt").read_text() == "mine"
