"""Codes that fit their registers: bias and sum, factors, aligned additions, and what is said."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import qsim
from qsim.graph import capture
from qsim.quantizer import load_pt2, quantize
from qsim.quantizer.limits import Raised
from qsim.target import Target, derive
from tests.qsim.quantizer.graphs import Fn, FnTwo

SUMS = ("correlation", "bias", "sum")


class Nearly(nn.Module):
    """A convolution with a nearly dead channel that has a usual bias, and one more."""

    def __init__(self, tiny: float, bias: float = 1.0) -> None:
        super().__init__()
        random = np.random.default_rng(5)
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        with torch.no_grad():
            weight = random.normal(size=(4, 3, 3, 3)).astype(np.float32)
            self.conv.weight.copy_(torch.from_numpy(weight))
            self.conv.weight[1] *= tiny
            self.conv.weight[3] *= -tiny
            self.conv.bias.copy_(torch.tensor([0.5, bias, -0.25, -bias]))

    def forward(self, x):
        return self.conv(x)


def images(count=4):
    return torch.from_numpy(np.random.default_rng(6).normal(size=(count, 3, 6, 6))).float()


@cache
def captured(tiny):
    """The convolution and its graph, which all targets read."""
    model = Nearly(tiny).eval()
    return model, capture(model, (images(),))[0]


def made(base="tflite", **sections):
    """A target with other fields in some sections."""
    target = Target.load(base)
    changes = {
        name: dataclasses.replace(getattr(target, name), **fields)
        for name, fields in sections.items()
    }
    return dataclasses.replace(target, **changes)


def reach(lowered):
    """The largest magnitude of bias plus correlation, of any input, and what the register holds."""
    (program,) = lowered.programs
    calls = {call.primitive: call for call in program.calls}
    product = calls.get("correlation") or calls["linear"]
    weight = program.constants[product.inputs[1]].astype(np.int64).reshape(4, -1)
    bias = program.constants[calls["bias_add"].inputs[1]].astype(np.int64)
    form = program.tensors[product.inputs[0]].format
    zero = product.attributes["x_zero_point"]
    low, high = form.min - zero, form.max - zero
    up, down = np.maximum(weight, 0).sum(1), np.maximum(-weight, 0).sum(1)
    most = np.maximum(bias + up * high - down * low, -(bias + up * low - down * high))
    return most, lowered.target.sum.accumulator.max


TARGETS = {
    "tflite": made(),
    "per tensor": made(weight={"per_channel": False}),
    "24 bits": made(**{name: {"bits": 24} for name in SUMS}),
    "narrow sum": made(correlation={"bits": 32}, bias={"bits": 32}, sum={"bits": 24}),
    "narrow bias": made(bias={"bits": 16}),
    "own scale": made("q7", bias={"bits": 12}, sum={"bits": 28}),
    "q7": Target.load("q7"),
    "onnxruntime": Target.load("onnxruntime"),
    "cmsis-nn": Target.load("cmsis-nn"),
    "tflite-int16x8": Target.load("tflite-int16x8"),
}


@pytest.mark.parametrize("tiny", [1.0, 1e-4, 3e-6, 1e-9])
@pytest.mark.parametrize("name", TARGETS)
def test_bias_and_the_largest_correlation_fit_the_sum(name, tiny):
    (model, graph), x = captured(tiny), images()
    lowered = qsim.lower(quantize(graph, x, TARGETS[name]))
    most, register = reach(lowered)
    assert most.max() <= register
    trace = lowered.trace(x)
    assert sum(entry.ledger.overflows for entry in trace.ledger) == 0
    # What was 1 in float is 1 on the hardware, in every element of the dead channels.
    with torch.no_grad():
        found, wanted = lowered(x), model(x)
    step = lowered.outputs[0].scale or trace_step(lowered)
    assert tiny == 1.0 or float((found - wanted)[:, [1, 3]].abs().max()) < 3 * step
    assert lowered.warnings == ()


def trace_step(lowered):
    return next(float(s.attributes["scale"]) for s in lowered.steps if s.kind == "dequantize")


def test_what_was_raised_is_said(tmp_path):
    q = quantize(Nearly(1e-7).eval(), images(), Target.load("tflite"))
    (raised,) = q.raised
    assert (raised.layer, raised.tensor, raised.channels) == ("conv", "weight", 2)
    assert raised.channel in (1, 3)
    plain = quantize(Nearly(1e-7, bias=1e-9).eval(), images(), Target.load("tflite"))
    assert plain.raised == ()
    scales = [constant_scale(item, raised.channel) for item in (q, plain)]
    assert raised.factor == pytest.approx(scales[0] / scales[1])
    assert str(raised).startswith(f"conv weight: the scale of channel {raised.channel} by ")
    q.save_pt2(tmp_path / "net.pt2")
    assert load_pt2(tmp_path / "net.pt2").raised == q.raised
    assert quantize(Nearly(1.0).eval(), images(), Target.load("tflite")).raised == ()


def constant_scale(q, channel):
    return float(
        next(
            b
            for n, b in q.graph.named_buffers()
            if b.numel() == 4 and b.dtype == torch.float32 and "scale" in n
        )[channel]
    )


def test_a_correlation_that_cannot_fit_leaves_half_of_the_register_to_the_bias():
    """What data do then, the report of a run says."""
    target = made(correlation={"bits": 14}, sum={"bits": 14}, bias={"bits": 14})
    lowered = qsim.lower(quantize(Nearly(1.0, bias=20.0).eval(), images(), target))
    (program,) = lowered.programs
    (bias,) = (program.constants[c.inputs[1]] for c in program.calls if c.primitive == "bias_add")
    assert np.abs(bias).max() <= 1 << 12


@pytest.mark.parametrize("name", ["tflite-int16x8", "deeploy-like", "nvdla-like", "tosa", "tflite"])
def test_a_factor_is_never_below_what_multiplier_and_shift_hold(name):
    """With 64-bit sums a bias fits at any scale, and the channel became 0."""
    model, x = Nearly(1e-12).eval(), images()
    lowered = qsim.lower(quantize(model, x, Target.load(name)))
    assert lowered.warnings == ()
    with torch.no_grad():
        wanted = model(x)
    assert float((lowered(x) - wanted)[:, [1, 3]].abs().max()) < 3 * trace_step(lowered)


def test_the_smallest_factor_is_where_the_multiplier_ends():
    for name in Target.names():
        target = Target.load(name)
        least = derive.smallest_factor(target)
        assert least == 0.0 or np.frexp(least)[0] == 0.5
        for part in (1.0, 1.3, 1.9) if target.requantize.scheme != "power_of_two" else (1.0,):
            factor = max(least, 2.0**-60) * part
            made = derive.requantizer(target, factor, 1.0, 1.0)
            exact = made.reference(1 << 30) if hasattr(made, "shifts") else None
            assert exact is None or abs(exact - factor * 2**30) <= factor * 2**30 / 16 + 1
    assert derive.smallest_factor(Target.load("tflite")) == 2.0**-32
    assert derive.smallest_factor(Target.load("q7")) == 2.0**-62
    assert derive.smallest_factor(Target.load("onnxruntime")) == 0.0


def test_a_fixed_scale_that_makes_a_factor_too_small_is_named():
    """The multiplier of deeploy-like has one shift for every layer."""
    x = images()
    config = {"outputs": {"0": {"scale": 300.0, "zero_point": 0}}}
    model = FnTwo(lambda _, x, y: torch.matmul(x, y))
    lowered = qsim.lower(quantize(model, (x, x), Target.load("deeploy-like"), config=config))
    (text,) = lowered.warnings
    assert "it multiplies by " in text
    assert "the target's multiplier and shift hold 0.000" in text


class Far(nn.Module):
    """A sum of two activations of very different ranges."""

    def forward(self, x, y):
        return x * 1000.0 + torch.relu(y) * 1e-3


def far(target, config=None):
    x = images()
    return quantize(Far(), (x, x), target, config=config), x


@pytest.mark.parametrize("bits", [12, 20, 32])
def test_scales_are_chosen_that_an_aligned_addition_can_align(bits):
    target = made("q7", sum={"bits": bits})
    q, x = far(target)
    lowered = qsim.lower(q)
    (add,) = [c for p in lowered.programs for c in p.calls if c.primitive == "add"]
    left = max(add.attributes["scheme"]["left_a"], add.attributes["scheme"]["left_b"])
    assert left == min(derive.alignment(target, 128, 128), 20)
    assert lowered.warnings == ()
    trace = lowered.trace(x, x)
    assert sum(entry.ledger.overflows for entry in trace.ledger) == 0
    assert [item.tensor for item in q.raised] == (["activation"] if left < 20 else [])


def test_alignment_is_what_the_register_holds():
    for bits in range(8, 40):
        target = made("q7", sum={"bits": bits})
        shift, register = derive.alignment(target, 128, 128), (1 << (bits - 1)) - 1
        assert shift == 0 or (128 << shift) + 128 <= register
        assert shift == 30 or (128 << (shift + 1)) + 128 > register


def test_fixed_scales_that_cannot_be_aligned_are_named():
    model = FnTwo(lambda _, x, y: x + y)
    config = {"inputs": {"x": {"scale": 2.0**6}, "y": {"scale": 2.0**-8}}}
    lowered = qsim.lower(
        quantize(model, (images(), images()), made("q7", sum={"bits": 20}), config=config)
    )
    (text,) = lowered.warnings
    assert "scales 64 and 0.00390625 are aligned in 23 bits; the target's [sum] has 20" in text
    assert lowered.quantized_io().warnings == lowered.warnings


@pytest.mark.parametrize("count", [3 * 6 * 6, 64 * 48])
def test_a_mean_keeps_the_bits_of_its_result_where_the_target_divides(count):
    """The mean of many values needs a finer scale than they; the division keeps that of the sum."""
    x = torch.from_numpy(np.random.default_rng(7).normal(size=(16, count))).float()
    model = Fn(lambda _, x: x.mean(1))
    q = quantize(model, x, Target.load("q7"))
    lowered = qsim.lower(q)
    assert lowered.warnings == ()
    assert not lowered.host_operators
    step = trace_step(lowered)
    assert float((lowered(x) - q(x)).abs().max()) <= step
    assert step < 0.1
    (program,) = lowered.programs
    assert [call.primitive for call in program.calls][:2] == ["requantize", "mean"]


def test_a_mean_says_what_it_loses():
    x = torch.from_numpy(np.random.default_rng(7).normal(size=(16, 3072))).float()
    lowered = qsim.lower(quantize(Fn(lambda _, x: x.mean(1)), x, made("q7", sum={"bits": 20})))
    (text,) = lowered.warnings
    assert "the mean of 3,072 values is divided at a scale" in text
    assert "of its 8 bits are lost" in text


@pytest.mark.parametrize("method", ["histogram", "mse", "min_max", "moving_average"])
@pytest.mark.parametrize("size", [1e10, 1e30])
def test_huge_weights_do_not_make_nonsense(method, size):
    """In float32 the squared error was infinite, and every range as good as another."""
    linear = nn.Linear(4, 4, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(np.random.default_rng(8).normal(size=(4, 4))) * size)
    x = torch.from_numpy(np.random.default_rng(9).normal(size=(64, 4))).float()
    config = {"default": {"activation_observer": method}}
    q = quantize(linear, x, Target.load("tflite"), config=config)
    found, wanted = qsim.lower(q)(x).double() / size, linear(x).detach().double() / size
    assert float((found - wanted).square().mean() / wanted.square().mean()) < 1e-3


@pytest.mark.parametrize("wide", [1e-3, 1.0, 1e3])
def test_a_weight_of_zeros_leaves_its_bias(wide):
    target = made()
    linear = nn.Linear(3, 4)
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.copy_(torch.tensor([1.0, -2.0, 3.0, 0.1]))
    x = torch.linspace(-wide, wide, 12).reshape(4, 3)
    quantized = quantize(linear, x, target)
    lowered = qsim.lower(quantized)
    step = lowered.programs[0].tensors[lowered.programs[0].outputs[0]].scale
    assert not lowered.host_operators
    with torch.no_grad():
        difference = lowered(x) - linear(x)
    assert float(difference.abs().max()) <= step * (0.5 + 2.0**-8)
    assert not quantized.raised


def test_a_raised_weight_of_equal_values_is_said():
    linear = nn.Linear(1, 4)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0], [1e-9], [0.0], [-1e-9]]))
        linear.bias.copy_(torch.tensor([0.0, 2.0, 0.0, 1.0]))
    (raised,) = quantize(linear, torch.linspace(-1, 1, 4)[:, None], made()).raised
    assert (raised.channels, raised.channel) == (2, 1)
    assert raised.factor > 10.0


def test_a_raised_weight_in_words():
    assert Raised.of("a", "weight", np.array([1.0, 1.0])) is None
    assert str(Raised.of("", "weight", np.array([2.0]))) == "weight: the scale by 2"
    text = str(Raised.of("a", "weight", np.array([2.0, 8.0, 1.0])))
    assert text == "a weight: the scale of channel 1 by 8 (2 channels raised)"
