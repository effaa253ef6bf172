"""``digits``: real data, a fixed split, committed weights, and a script that makes them again."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import qsim.models as models
from qsim.errors import MissingToolError, ModelError
from qsim.models import digits, train_digits


def test_accuracy_of_the_committed_weights() -> None:
    model = models.load("digits")
    assert model.samples
    inputs, labels = model.samples
    assert labels is not None
    with torch.no_grad():
        right = int((model.module(inputs).argmax(1) == labels).sum())
    assert len(labels) == 504
    assert right == 502  # 99.60 %


def test_split_is_stratified_and_fixed() -> None:
    _, labels = digits.images()
    train, held_out = digits.split(labels)
    assert sorted([*train.tolist(), *held_out.tolist()]) == list(range(1797))
    for label in range(10):
        share = int((labels[held_out] == label).sum()) / int((labels == label).sum())
        assert 0.25 < share < 0.30
    fingerprint = hashlib.sha256(str(held_out.tolist()).encode()).hexdigest()[:16]
    assert fingerprint == "0c72ca8d69260dcc"


def test_images_are_real_and_scaled() -> None:
    pixels, labels = digits.images()
    assert pixels.shape == (1797, 1, 8, 8)
    assert (float(pixels.min()), float(pixels.max())) == (0.0, 1.0)
    assert torch.equal(pixels * 16, (pixels * 16).round())
    assert labels[:4].tolist() == [0, 1, 2, 3]


_SAME_AS_SCIKIT_LEARN = """
import sys
from qsim.models import digits
pixels, labels = digits.images()
assert "sklearn" not in sys.modules and "scipy" not in sys.modules
import numpy as np
from sklearn.datasets import load_digits
theirs = load_digits()
assert pixels.numpy().tobytes() == (theirs.data.astype(np.float32) / np.float32(16)).tobytes()
assert labels.numpy().tobytes() == theirs.target.astype(np.int64).tobytes()
"""


def test_images_are_those_of_scikit_learn_which_is_not_imported() -> None:
    subprocess.run([sys.executable, "-c", _SAME_AS_SCIKIT_LEARN], check=True)


def test_scikit_learn_without_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sklearn").mkdir()
    (tmp_path / "sklearn" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "sklearn", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingToolError, match="scikit-learn, which holds the images"):
        digits.images()


def test_calibration_is_of_the_training_part() -> None:
    model = models.load("digits")
    assert model.calibration
    pixels, labels = digits.images()
    train = {pixels[i].numpy().tobytes() for i in digits.split(labels)[0].tolist()}
    images = [image for (batch,) in model.calibration for image in batch]
    assert len(images) == 256
    assert all(image.numpy().tobytes() in train for image in images)


def test_training_is_deterministic_and_learns() -> None:
    torch.manual_seed(1)
    first, accuracy = train_digits.train(epochs=3, seed=1)
    torch.manual_seed(2)  # the caller's stream does not matter
    again, same = train_digits.train(epochs=3, seed=1)
    other, _ = train_digits.train(epochs=3, seed=2)
    assert accuracy == same > 0.8
    weights = again.state_dict()
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, weights[name])
    assert not torch.equal(other.fc.weight, first.fc.weight)
    assert not first.training


def test_shifts() -> None:
    image = torch.zeros(64, 1, 8, 8)
    image[:, 0, 3, 4] = 1.0
    image[:, 0, 0, 0] = 0.5
    moved = train_digits.shifted(image)
    places = {tuple(torch.nonzero(m[0] == 1.0)[0].tolist()) for m in moved}
    assert places == {(3 + i, 4 + j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    assert moved.shape == image.shape
    assert set(moved.sum((1, 2, 3)).tolist()) == {1.0, 1.5}  # the corner may leave the image


def test_script_writes_what_the_model_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.safetensors"
    assert train_digits.main(["-o", str(path), "--epochs", "1"]) == 0
    assert f"wrote {path}" in capsys.readouterr().out
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    net = digits.network(path)
    assert net(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    first = path.read_bytes()
    assert train_digits.main(["-o", str(path), "--epochs", "1"]) == 0
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    "arguments", [["--epochs", "0"], ["-o", "/nowhere/x.safetensors"], ["--what"], ["--seed", "x"]]
)
def test_script_refuses_bad_arguments(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        train_digits.main(arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_damaged_weights(tmp_path: Path) -> None:
    data = digits.WEIGHTS.read_bytes()
    path = tmp_path / "w.safetensors"
    for damaged in (b"", data[:100], data[:-1], b"x" * 100):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="the weights cannot be read") as caught:
            digits.network(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="the weights cannot be read"):
        digits.network(tmp_path / "missing.safetensors")


def test_without_scikit_learn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingToolError, match=r"pip install -e '\.\[models\]'") as caught:
        models.load("digits")
    assert caught.value.exit_status == 3
    assert train_digits.main(["--epochs", "1"]) == 3
    assert "pip install" in capsys.readouterr().err
