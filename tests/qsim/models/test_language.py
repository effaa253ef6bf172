"""The small transformers: everybody's weights, and the targets that they are made for."""

from __future__ import annotations

import hashlib
import importlib.util
import sys

import numpy as np
import pytest
import torch

import qsim
from qsim import models
from qsim.cli import main
from qsim.errors import MissingToolError
from tests import networks

NAMES = ("bert-tiny", "gpt2-tiny", "llama-tiny")
DIGESTS = {  # SHA-256 of weights, calibration and samples, its first 16 digits
    "bert-tiny": "ad93a16c42331ac2",
    "gpt2-tiny": "4312a0d0d0c6c4f6",
    "llama-tiny": "74791707d729ddc6",
}
# Products of two tensors made at run time have codes on these, and are float32 on the others.
STATIC = ("tflite", "integer-transformer")
DYNAMIC = ("fbgemm-dynamic", "onnxruntime-dynamic")
DENSE = {"bert-tiny": 13, "gpt2-tiny": 9, "llama-tiny": 15}
# Each model on one target of each kind; ``pytest -m soak`` has all pairs.
EARLY = {
    *(("bert-tiny", "integer-transformer"), ("bert-tiny", "fbgemm-dynamic")),
    *(("gpt2-tiny", "onnxruntime-dynamic"), ("llama-tiny", "tflite")),
}
PAIRS = [
    pytest.param(name, target, marks=[] if (name, target) in EARLY else [pytest.mark.soak])
    for name in NAMES
    for target in (*STATIC, *DYNAMIC)
]
needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
pytestmark = pytest.mark.usefixtures("one_thread")


@needs_transformers
@pytest.mark.parametrize("name", NAMES)
def test_seeded_weights_are_everybodys_and_alive(name: str) -> None:
    found = networks.model(name)
    (known,) = (known for known in models.builtin() if known.name == name)
    assert sum(p.numel() for p in found.module.parameters()) == known.parameters
    assert known.extra == "transformers"
    assert not found.module.training
    assert found.samples
    tokens, labels = found.samples
    assert labels is None
    assert isinstance(tokens, torch.Tensor)
    assert tokens.dtype == torch.int64
    assert found.calibration
    digest = hashlib.sha256()
    weights = dict(found.module.named_parameters())
    for key in sorted(weights):
        digest.update(weights[key].detach().numpy().tobytes())
    for batch in (*(batch for (batch,) in found.calibration), tokens):
        assert (int(batch.min()) >= 0, int(batch.max()) < 1000) == (True, True)
        digest.update(batch.numpy().tobytes())
    assert digest.hexdigest()[:16] == DIGESTS[name]
    with torch.no_grad():
        first = next(iter(found.module(tokens).values()))
    assert 0.5 < float(first.std()) < 4
    assert len(set(first.argmax(-1).flatten().tolist())) > 20


@needs_transformers
@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_a_model_on_a_target(name: str, target: str) -> None:
    model = networks.model(name)
    assert model.calibration
    lowered = qsim.lower(
        qsim.quantize(
            networks.captured(name), model.example_inputs, qsim.Target.load(target),
            calibration=model.calibration[:1],
        )
    )  # fmt: skip
    calls = [call for program in lowered.programs for call in program.calls]
    products = sum(call.primitive in ("linear", "matmul") for call in calls)
    two_run_time_tensors = 0 if target in DYNAMIC else 4
    assert products == DENSE[name] + two_run_time_tensors
    assert model.samples
    tokens = model.samples[0]
    assert isinstance(tokens, torch.Tensor)
    found = list(lowered(tokens[:4]).values())
    with torch.no_grad():
        wanted = list(model.module(tokens[:4]).values())
    for one, real in zip(found, wanted, strict=True):
        assert (one - real).pow(2).mean() < 0.05 * real.pow(2).mean()
    # A scale chosen at run time is that of the batch; codes that are known before are a sample's.
    alone = list(lowered(tokens[1:2]).values())
    if target not in DYNAMIC:
        for one, together in zip(alone, found, strict=True):
            np.testing.assert_array_equal(one, together[1:2])


def test_without_transformers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    for name in NAMES:
        with pytest.raises(MissingToolError, match=r"pip install -e '\.\[transformers\]'"):
            models.load(name)
    assert main(["run", "bert-tiny"]) == 3
    err = capsys.readouterr().err
    assert "the model bert-tiny needs the package transformers" in err
    assert len(err.strip().splitlines()) == 1
