"""The Q/DQ graph: where codes are, and which tensors share their parameters."""

from __future__ import annotations

import dataclasses
import math
import operator

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own name for it
from torch import nn

from qsim.quantizer import quantize
from qsim.target import Target
from tests.networks import STATIC
from tests.qsim.quantizer.graphs import (
    Fn,
    FnTwo,
    Residual,
    activations,
    calls,
    computed_in_codes,
    family,
    is_dq,
    is_q,
    quantized,
    quantized_residual,
    residual,
    sqnr,
)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", STATIC)
def test_every_target_on_a_residual_network(name):
    target, q = Target.load(name), quantized_residual(name)
    model, _, x = residual()
    assert q.batch
    with torch.no_grad():
        reference, float_result = model(x), q.float_graph(x)
    # Folding batch norm moves roundings of fp32, no more.
    assert sqnr(reference, float_result) > 110
    assert sqnr(float_result, q(x)) > (18 if target.weight.bits < 8 else 24)
    names = [n.name for n in q.graph.graph.nodes if n.op == "call_function"]
    assert [n for n in names if "quantize" not in n] == [n.name for n in calls(q.float_graph)]
    fmt = target.input.format
    for scale, zero, low, high, dtype in activations(q.graph):
        assert (low, high) == (fmt.min, fmt.max)
        assert low <= zero <= high
        assert dtype is getattr(torch, fmt.dtype.name)
        assert scale == float(torch.tensor(scale))
        assert target.input.scheme == "asymmetric" or zero == 0
        assert target.input.scheme != "power_of_two" or math.frexp(scale)[0] == 0.5
    for node in calls(q.graph):
        # A bias of more than 32 bits is the only constant without codes.
        floats = [n for n in node.all_input_nodes if n.op == "get_attr"]
        assert not floats or target.bias.bits > 32 or node.name in q.host
        if family(node) != "relu" and node.name not in q.host:
            assert computed_in_codes(node), node
    assert not [n for n in q.graph.graph.nodes if "batch_norm" in str(n.target)]


def test_same_arguments_same_bits():
    model, x = Residual(), torch.randn(8, 1, 8, 8)
    first, second = (quantized(model, x) for _ in range(2))
    assert str(first.graph.graph) == str(second.graph.graph)
    ours, theirs = first.graph.state_dict(), second.graph.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    "activation",
    [
        torch.relu,
        F.relu,
        F.relu_,
        nn.ReLU(inplace=True),
        F.relu6,
        nn.Hardtanh(0, 6, inplace=True),
        lambda x: x.clamp(0, 6),
        lambda x: x.clamp_min(0.0),
        lambda x: torch.clamp(x, max=0.5, min=-0.5),
        lambda x: x.clamp_max_(0.25),
    ],
)
def test_fused_activations(activation):
    assert_fused("conv", activation)


@pytest.mark.parametrize("kind", ["linear", "addmm", "matmul", "add"])
def test_fused_families(kind):
    assert_fused(kind, F.relu_)


def assert_fused(kind, activation):
    def product(self, x):
        value = {
            "conv": lambda: self.conv(x[:, :, None]),
            "linear": lambda: self.linear(x),
            "addmm": lambda: torch.addmm(self.linear.bias, x, self.linear.weight),
            "matmul": lambda: x @ (x * 2).t(),
            "add": lambda: operator.iadd(x * 2, x),
        }[kind]()
        return activation(value)

    model = Fn(product, conv=nn.Conv1d(4, 4, 1), linear=nn.Linear(4, 4))
    q = quantized(model, torch.randn(3, 4))
    relu = next(n for n in calls(q.graph) if family(n) == "relu")
    assert family(relu.args[0]) == kind
    assert [is_q(user) for user in relu.users] == [True]


def test_relu_of_a_convolution_with_other_readers_is_a_clamp_of_codes():
    def forward(self, x):
        y = self.conv(x)
        return torch.relu(y) + y

    apart = {"operators": {"composition": {"skip": True}}}
    q = quantized(Fn(forward, conv=nn.Conv2d(2, 2, 1)), torch.randn(2, 2, 3, 3), config=apart)
    conv, relu, add = calls(q.graph)
    assert computed_in_codes(conv)
    assert is_dq(relu.args[0])
    quantizers = [next(iter(n.users)) for n in (conv, relu, add)]
    assert all(map(is_q, quantizers))
    assert quantizers[0].args[1:] == quantizers[1].args[1:] != quantizers[2].args[1:]


def test_one_tensor_has_one_set_of_parameters():
    def forward(self, x):
        y = self.first(x)
        return self.second(y) + y, self.third(y)

    convs = {name: nn.Conv2d(2, 2, 1) for name in ("first", "second", "third")}
    q = quantized(Fn(forward, **convs), torch.randn(2, 2, 3, 3))
    first = next(n for n in calls(q.graph) if n.name == "conv2d")
    (quantizer,) = first.users
    assert {n.args[1:] for n in quantizer.users} == {quantizer.args[1:]}
    assert sum(map(is_q, q.graph.graph.nodes)) == 5


# Codes of either kind, wide ones, powers of two; the others under ``pytest -m soak``.
SHARING = ("tflite", "tflite-int16x8", "onnxruntime", "q7")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in SHARING else [pytest.mark.soak])
        for name in STATIC
        if Target.load(name).has("max_pool")
    ],
)
def test_operators_that_move_codes_share_parameters(name):
    def forward(self, x):
        y = self.conv(x)
        y = F.max_pool2d(y, 2, return_indices=True)[0]
        y = F.avg_pool2d(y, 2, 1)
        y = y.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        y = F.dropout(y.mean((2, 3)).unsqueeze(1).squeeze(1).view(-1, 4).clone(), 0.5, False)
        return F.relu6(y)

    q = quantized(Fn(forward, conv=nn.Conv2d(1, 4, 3)), torch.randn(2, 1, 12, 12), target=name)
    parameters = activations(q.graph)
    assert len(set(parameters[1:])) == 1
    # What picks the values of the pool has none of its own.
    made = [n for n in calls(q.graph) if n.name != "getitem"]
    assert len(parameters) == len(made) + 1


def test_pools_on_the_networks_input_share_its_parameters():
    q = quantized(Fn(lambda _, x: F.max_pool2d(torch.relu(x), 2)), torch.randn(2, 1, 4, 4))
    assert len(activations(q.graph)) == 3
    assert len(set(activations(q.graph))) == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda _, x: torch.softmax(x, -1).flatten(1),
        lambda _, x: x.mean(0),
        lambda _, x: x.sum(-1),
        lambda _, x: (x > 0).float(),
        lambda _, x: F.avg_pool2d(x[:, None], 2, divisor_override=-4),
    ],
)
def test_left_on_the_host(function):
    x = torch.randn(2, 4, 4)
    q = quantized(Fn(function), x, target="deeploy-like")
    assert activations(q.graph) == []
    assert torch.equal(q(x), function(None, x))


def test_embedding_indices_and_host_operators_stay_as_they_are():
    model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 4), nn.Softmax(-1))
    q = quantized(model, torch.arange(6).reshape(2, 3))
    embedding, linear, softmax = calls(q.graph)
    assert embedding.args[1].op == "placeholder"
    assert computed_in_codes(linear)
    assert is_dq(softmax.args[0])
    assert q(torch.arange(9).reshape(3, 3)).shape == (3, 3, 4)


def test_other_float_types_stay_on_the_host():
    q = quantized(nn.Linear(2, 2).double(), torch.randn(2, 2).double())
    assert activations(q.graph) == []


@pytest.mark.parametrize(
    ("missing", "left"),
    [
        ("correlation", {"conv2d", "linear"}),
        ("bias_add", {"conv2d", "linear"}),
        ("requantize", {"conv2d", "linear"}),
        ("add", {"add"}),
        ("max_pool", {"max_pool2d"}),
        ("avg_pool", {"adaptive_avg_pool2d"}),
        ("reshape", {"flatten"}),
    ],
)
def test_what_the_target_lacks_stays_on_the_host(missing, left):
    class Without(Target):
        """The target without one primitive, even one that a file could not leave out."""

        def has(self, primitive):
            return primitive != missing and Target.has(self, primitive)

    fields = {f.name: getattr(Target.load("tflite"), f.name) for f in dataclasses.fields(Target)}
    _, graph, x = residual()
    q = quantize(graph, x[:1], Without(**fields), calibration=[x[:16], x[16:]])
    host = {str(n.target).split(".")[1] for n in calls(q.graph) if n.name in q.host}
    assert (
        host & {"conv2d", "linear", "add", "max_pool2d", "adaptive_avg_pool2d", "flatten"} == left
    )


def test_nothing_of_a_residual_network_stays_on_the_host():
    assert quantized_residual("tflite").host == frozenset()


def test_matmul_of_two_activations():
    model = FnTwo(lambda _, a, b: torch.bmm(a, b))
    q = quantize(model, (torch.randn(2, 3, 4), torch.randn(2, 4, 5)), Target.load("tflite"))
    (bmm,) = calls(q.graph)
    assert computed_in_codes(bmm)
    assert len(set(activations(q.graph))) == 3
