"""What is trained is what is converted: in eval mode it makes the codes of the Q/DQ graph."""

from __future__ import annotations

import pytest
import torch

import qsim
from tests.qsim.quantizer.learning.network import samples, small


@pytest.mark.parametrize("algorithm", ["iao", "lsq", "lsq+", "tqt", "pact"])
@pytest.mark.parametrize("target", ["tflite", pytest.param("q7", marks=pytest.mark.soak)])
def test_eval_mode_makes_the_codes_of_the_converted_graph(target: str, algorithm: str) -> None:
    x, labels = samples()
    model = small()
    config = {
        "default": {"activation_bits": 4, "weight_bits": 4, "algorithm": algorithm},
        "training": {"epochs": 2, "batch": 16},
    }
    quantized = qsim.quantize(
        model, x[:2], qsim.Target.load(target), [x], config, training=(x, labels)
    )
    plain = qsim.quantize(
        model, x[:2], qsim.Target.load(target), [x], {"default": config["default"]}
    )
    assert quantized.fake_graph is not None
    with torch.no_grad():
        trained = quantized.fake_graph(x)
    assert torch.equal(trained, quantized(x))
    assert not torch.equal(quantized(x), plain(x))
