"""Batch norms in training: statistics as PyTorch has them, folded as they were trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import qsim
from qsim.graph import capture, check_inputs, nodes, quiet
from qsim.quantizer import QuantizeConfig
from qsim.quantizer.learning.batch_norm import LiveNorm
from qsim.quantizer.learning.network import LearnedNetwork
from qsim.quantizer.passes import Norm
from qsim.quantizer.stages import prepare
from tests.qsim.quantizer.learning.network import samples, small


def test_live_statistics_are_those_of_a_batch_norm_in_training() -> None:
    torch.manual_seed(5)
    conv, norm = nn.Conv2d(2, 3, 3, bias=True).double(), nn.BatchNorm2d(3).double().train()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, -2.0, 1.0]))
        norm.bias.uniform_()
        norm.running_mean.uniform_()
        norm.running_var.uniform_(0.5, 2.0)
    held = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    parts = [value.detach().clone() for value in (conv.weight, conv.bias, *held)]
    live = LiveNorm(Norm(*parts, norm.eps, norm.momentum)).double()
    for name, value in zip(("mean", "variance"), parts[4:], strict=True):
        setattr(live, name, value)
    for name, value in zip(("weight", "bias", "gamma", "beta"), parts[:4], strict=True):
        setattr(live, name, nn.Parameter(value))
    x = torch.randn(4, 2, 6, 6, dtype=torch.float64)
    made = live(torch.conv2d(x, live.folded_weight()))
    wanted = norm(conv(x))
    assert torch.allclose(made, wanted, rtol=1e-6)
    assert torch.allclose(live.mean, norm.running_mean, rtol=1e-6)
    assert torch.allclose(live.variance, norm.running_var, rtol=1e-6)
    made.square().mean().backward()
    wanted.square().mean().backward()
    assert torch.allclose(live.gamma.grad, norm.weight.grad, rtol=1e-5, atol=1e-9)
    assert torch.allclose(live.beta.grad, norm.bias.grad, rtol=1e-5, atol=1e-9)
    live.live, frozen = False, norm.eval()
    folded = torch.conv2d(x, live.folded_weight(), live.folded_bias())
    assert torch.allclose(live(folded), frozen(conv(x)), rtol=1e-6)


def test_a_channel_whose_factor_is_zero_is_its_offset() -> None:
    zero, one = torch.zeros(1), torch.ones(1)
    live = LiveNorm(Norm(torch.ones(1, 1, 1, 1), zero, zero, one * 3, one, one, 1e-5, 0.1))
    z = torch.conv2d(torch.randn(2, 1, 2, 2), live.folded_weight())
    made = live(z)
    assert torch.equal(made, torch.full_like(z, 3.0))
    made.sum().backward()
    assert all(
        torch.isfinite(each.grad).all() for each in live.parameters() if each.grad is not None
    )


def test_everything_that_is_trained_has_a_gradient() -> None:
    x, labels = samples()
    model = small()
    config = QuantizeConfig.from_dict({})
    with quiet():
        captured = capture(model, check_inputs(model, x[:2]))
        prepared = prepare(captured.program, qsim.Target.load("tflite"), config)
    prepared.graph(x)
    network = LearnedNetwork(prepared, live_norms=True)
    assert {"conv2d_batch_norm.weight", "conv2d_batch_norm.gamma"} <= set(network.constants)
    before = network.constants["conv2d_batch_norm.weight"].detach().clone()
    nn.functional.cross_entropy(network.graph(x), labels).backward()
    for name, parameter in network.constants.items():
        bias = name == "conv2d_batch_norm.bias"  # a mean takes it off again
        assert (parameter.grad is None) == bias, name
    with torch.no_grad():
        network.constants["conv2d_batch_norm.weight"].mul_(2.0)
        factor = network.graph.get_submodule("conv2d_batch_norm")._factor()
    with quiet():
        network.freeze()
    network.leave()
    folded = nodes.attribute(
        network.graph, next(n for n in network.graph.graph.nodes if n.name == "conv2d_weight")
    )
    assert torch.allclose(folded, before * 2.0 * factor.reshape(-1, 1, 1, 1))


@pytest.mark.parametrize("freeze", [0.5, 1.0])
def test_live_statistics_end_in_the_codes_of_the_converted_graph(freeze: float) -> None:
    x, labels = samples()
    config = {
        "default": {"weight_bits": 4, "algorithm": "lsq"},
        "training": {"epochs": 2, "batch": 16, "freeze_batch_norm": freeze},
    }
    kept = small()
    before = {name: value.clone() for name, value in kept.state_dict().items()}
    quantized = qsim.quantize(
        kept, x[:2], qsim.Target.load("tflite"), [x], config, training=(x * 3.0, labels)
    )
    assert quantized.fake_graph is not None
    with torch.no_grad():
        assert torch.equal(quantized.fake_graph(x), quantized(x))
    assert all(torch.equal(value, before[name]) for name, value in kept.state_dict().items())
    still = {**config, "training": {**config["training"], "freeze_batch_norm": 0.0}}
    frozen = qsim.quantize(
        kept, x[:2], qsim.Target.load("tflite"), [x], still, training=(x * 3.0, labels)
    )
    assert not torch.equal(quantized(x), frozen(x))
