"""The Q/DQ graph: formats, scales and codes, and the calibration that they come from."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from qsim.errors import InputError, ModelError, TargetError, UsageError
from qsim.quantizer import quantize
from qsim.target import Target
from tests.networks import STATIC
from tests.qsim.quantizer.graphs import (
    Fn,
    activations,
    calls,
    constant,
    family,
    is_dq,
    quantized,
    quantized_residual,
    sqnr,
)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", STATIC)
def test_weights_and_bias_have_the_targets_codes(name):
    target, q = Target.load(name), quantized_residual(name)
    products = [n for n in calls(q.graph) if family(n) in ("conv", "linear")]
    assert len(products) == 3
    for node in products:
        x, weight, bias = node.args[:3]
        assert all(map(is_dq, (x, weight)))
        values = [constant(q.graph, a) for a in weight.args]
        codes, scale, zero = values[:3]
        limits = values[-3:-1]
        assert limits == [target.weight.format.min, target.weight.format.max]
        assert int(codes.min()) >= limits[0]
        assert int(codes.max()) <= limits[1]
        assert not torch.as_tensor(zero).any()
        if target.weight.per_channel:
            assert weight.args[3] == 0
            assert scale.shape == (codes.shape[0],)
        # PyTorch has no container for wider codes: such a bias is coded when it is lowered.
        assert is_dq(bias) == (target.bias.bits <= 32)
        if target.bias.bits > 32:
            continue
        b_codes, b_scale = (constant(q.graph, a) for a in bias.args[:2])
        limits = [target.bias.format.min, target.bias.format.max]
        assert list(bias.args[-3:-1]) == limits
        assert int(b_codes.min()) >= limits[0]
        assert int(b_codes.max()) <= limits[1]
        product = torch.tensor(x.args[1]) * torch.as_tensor(scale)
        if target.bias.scale == "accumulator":
            assert torch.equal(torch.as_tensor(b_scale), product)
        else:
            shift = torch.as_tensor(b_scale) / product
            assert torch.all(shift >= 1)
            assert torch.all(torch.frexp(shift).mantissa == 0.5)


def test_addmm_and_matmul_with_constants_count_channels_on_axis_1():
    def forward(self, x):
        return torch.addmm(self.linear.bias, x, self.linear.weight) @ self.other.weight.t()

    model = Fn(forward, linear=nn.Linear(4, 4), other=nn.Linear(4, 6, bias=False))
    q = quantized(model, torch.randn(5, 4))
    addmm, matmul = calls(q.graph)
    assert [addmm.args[0].args[3], addmm.args[2].args[3], matmul.args[1].args[3]] == [0, 1, 1]
    weight = matmul.args[1]
    codes, scale = (constant(q.graph, a) for a in weight.args[:2])
    assert codes.shape == (4, 6)
    exact = (model.other.weight.detach().abs().amax(1).double() / 127).float()
    assert torch.equal(scale, exact)


def test_bias_of_a_dead_channel_fits_its_register():
    linear = nn.Linear(4, 4)
    with torch.no_grad():
        linear.weight[1] = 0
        linear.weight[2] *= 1e-20
        linear.bias.fill_(3.0)
    x = torch.randn(16, 4)
    q = quantized(linear, x)
    assert sqnr(q.float_graph(x), q(x)) > 30
    (node,) = calls(q.graph)
    codes, scale = (constant(q.graph, a) for a in node.args[2].args[:2])
    # Every channel is as near as its own step allows.
    assert torch.all((codes.double() * scale.double() - 3).abs() <= scale.double())


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 9, 16, 25, 32])
@pytest.mark.parametrize("signed", [True, False])
def test_formats_of_every_width(bits, signed):
    base = Target.load("onnxruntime")
    changes = {
        name: dataclasses.replace(getattr(base, name), bits=bits, signed=signed)
        for name in ("input", "output")
    }
    target = dataclasses.replace(base, **changes)
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    x = torch.randn(64, 4)
    if (bits, signed) == (32, False):
        with pytest.raises(TargetError, match="have no container"):
            quantize(model, x, target)
        return
    q = quantize(model, x, target)
    limit = 1 << (bits - 1)
    expected = (-limit, limit - 1) if signed else (0, 2 * limit - 1)
    assert all(a[2:4] == expected for a in activations(q.graph))
    codes = [n for n in q.graph.graph.nodes if ".quantize_per_tensor" in str(n.target)]
    info = torch.iinfo(codes[0].args[-1])
    assert info.min <= expected[0]
    assert expected[1] <= info.max
    if 4 <= bits <= 16:
        assert sqnr(q.float_graph(x), q(x)) > 3.5 * min(bits, 8)


def test_wide_weights_do_not_leave_their_container():
    """In fp32 the largest 32-bit code is 2**31, which int32 turns into the smallest."""
    base = Target.load("onnxruntime")
    target = dataclasses.replace(base, weight=dataclasses.replace(base.weight, bits=32))
    linear = nn.Linear(4, 4, bias=False)
    q = quantize(linear, torch.randn(8, 4), target)
    (node,) = calls(q.graph)
    codes, scale = (constant(q.graph, a) for a in node.args[1].args[:2])
    error = codes.double() * scale.double()[:, None] - linear.weight.detach().double()
    assert float(error.abs().max()) < 1e-6


def test_progress_and_calibration():
    seen: list[int] = []
    x = torch.randn(6, 4)
    batches = (batch for batch in (x[:2], (x[2:3],), [x[3:]]))
    q = quantized(nn.Linear(4, 4), x[:1], calibration=batches, progress=seen.append)
    assert seen == [1, 2, 3]
    assert (
        activations(q.graph)
        == activations(quantized(nn.Linear(4, 4), x[:1], calibration=[x]).graph)
        or activations(q.graph)[0] == activations(quantized(nn.Linear(4, 4), x).graph)[0]
    )


@pytest.mark.parametrize(
    ("calibration", "error", "text"),
    [
        ([], InputError, "calibration: has no batches"),
        (torch.ones(2, 4), UsageError, "calibration: is one tensor"),
        ([torch.ones(2, 5)], InputError, "accepted: (N, 4)"),
        ([torch.ones(2, 4), torch.full((2, 4), float("nan"))], InputError, "calibration[1][0]"),
        ([torch.ones(2, 4).int()], InputError, "is torch.int32"),
        ([(torch.ones(2, 4), torch.ones(2, 4))], UsageError, "2 inputs"),
        ([3], UsageError, "calibration[0]: is a int"),
    ],
)
def test_bad_calibration(calibration, error, text):
    with pytest.raises(error) as caught:
        quantized(nn.Linear(4, 4), torch.ones(1, 4), calibration=calibration)
    assert text in str(caught.value)


def test_infinity_inside_the_network_names_the_layer():
    model = nn.Sequential(nn.Linear(4, 4), Fn(lambda _, x: torch.log(x * 0)), nn.Linear(4, 4))
    with pytest.raises(InputError, match=r"^1 \(\w+\.py:\d+\): calibration reached a NaN"):
        quantized(model, torch.ones(2, 4))


def test_nan_in_a_weight_names_the_layer():
    model = nn.Sequential(nn.Linear(4, 4))
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match=r"^0: the weight holds a NaN"):
        quantized(model, torch.ones(2, 4))
