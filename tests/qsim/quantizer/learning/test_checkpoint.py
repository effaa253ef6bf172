"""An interrupted learning goes on as if nothing had been, and refuses what is not its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

import qsim
from tests.qsim.quantizer.learning.network import samples, small

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.quantizer import Quantized
    from qsim.quantizer.learning import Progress


def _train(
    algorithm: str, checkpoint: Path | None, stop: int = -1, **training: object
) -> Quantized:
    x, labels = samples()
    config = {
        "default": {"activation_bits": 4, "weight_bits": 4, "algorithm": algorithm},
        "training": {"epochs": 3, "batch": 20, **training},
    }

    def watch(progress: Progress) -> None:
        if progress.done == stop:
            raise KeyboardInterrupt

    target = qsim.Target.load("tflite")
    return qsim.quantize(
        small(), x[:2], target, [x], config,
        training=(x, labels), watch=watch, checkpoint=checkpoint,
    )  # fmt: skip


@pytest.mark.parametrize(("algorithm", "optimizer"), [("iao", "sgd"), ("lsq+", "adam")])
def test_an_interrupted_training_ends_as_one_that_was_not(
    tmp_path: Path, algorithm: str, optimizer: str
) -> None:
    kept = tmp_path / "training.checkpoint"
    settings = {"optimizer": optimizer, "freeze_batch_norm": 0.5}
    with pytest.raises(KeyboardInterrupt):
        _train(algorithm, kept, stop=5, **settings)
    resumed = _train(algorithm, kept, **settings)
    whole = _train(algorithm, None, **settings)
    x, _ = samples()
    assert torch.equal(resumed(x), whole(x))
    assert resumed.digest == whole.digest


def test_the_checkpoint_of_another_learning_is_refused(tmp_path: Path) -> None:
    kept = tmp_path / "training.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        _train("lsq", kept, stop=4)
    before = kept.read_bytes()
    with pytest.raises(qsim.UsageError, match="another learning") as refused:
        _train("lsq", kept, seed=1)
    assert refused.value.where == str(kept)
    assert kept.read_bytes() == before
    for damaged in (before[:100], b"", b"\0" * 64):
        kept.write_bytes(damaged)
        with pytest.raises(qsim.FileFormatError, match="cannot be read"):
            _train("lsq", kept)
