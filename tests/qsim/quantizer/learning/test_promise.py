"""What is trained is what is converted: in eval mode it makes the codes of the Q/DQ graph."""

from __future__ import annotations

from typing import Any

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
        model,
        x[:2],
        qsim.Target.load(target),
        [x],
        {"default": {"activation_bits": 4, "weight_bits": 4}},
    )  # fmt: skip
    assert quantized.fake_graph is not None
    with torch.no_grad():
        trained = quantized.fake_graph(x)
    assert torch.equal(trained, quantized(x))
    assert not torch.equal(quantized(x), plain(x))


def test_what_a_configuration_says_is_done_or_refused() -> None:
    x, _ = samples()
    target = qsim.Target.load("tflite")
    taken = []
    batches = (x[i : i + 8] for i in range(0, 48, 8))
    config: dict[str, Any] = {"calibration": {"batches": 2}}
    qsim.quantize(small(), x[:2], target, batches, config, progress=taken.append)
    assert taken == [1, 2]
    for config, where in (
        ({"default": {"algorithm": "lsq"}}, "config.default.algorithm"),
        ({"modules": {"first": {"algorithm": "tqt"}}}, 'config.modules."first".algorithm'),
        ({"training": {}}, "config.training"),
        ({"equalization": {}}, "config"),
        ({"calibration": {"batches": 0}}, "config.calibration.batches"),
    ):
        with pytest.raises(qsim.UsageError) as refused:
            qsim.quantize(small(), x[:2], target, [x], config)
        assert refused.value.where == where
        assert refused.value.accepted


def test_what_is_quantized_at_run_time_learns_nothing() -> None:
    x, labels = samples()
    with pytest.raises(qsim.UsageError, match="quantized at run time") as refused:
        qsim.quantize(
            small(), x[:2], qsim.Target.load("fbgemm-dynamic"), [x], {"training": {}},
            training=(x, labels),
        )  # fmt: skip
    assert refused.value.where == "config.training"
