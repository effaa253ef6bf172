"""The Q/DQ graph: where codes are, in which format, with which parameters."""

from __future__ import annotations

import dataclasses
import math
import operator

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own name for it
from torch import nn

from qsim import nodes
from qsim.errors import InputError, ModelError, TargetError, UsageError
from qsim.patterns import registry
from qsim.quantizer import quantize
from qsim.target import Target

TARGETS = Target.names()


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


class Residual(nn.Module):
    """A small digits-like network with one of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.ReLU(inplace=True)
        self.depth = nn.Conv2d(8, 8, 3, padding="same", groups=8)
        self.norm2 = nn.BatchNorm2d(8)
        self.clip = nn.ReLU6()
        self.head = nn.Linear(8, 10)
        for norm in (self.norm, self.norm2):
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 2)

    def forward(self, x):
        x = self.act(self.norm(self.stem(x)))
        y = self.clip(self.norm2(self.depth(x)))
        y += x
        y = F.max_pool2d(self.act(y), 2)
        return self.head(F.adaptive_avg_pool2d(y, 1).flatten(1))


class Fn(nn.Module):
    """A module around a function of (self, *tensors)."""

    def __init__(self, function, **modules) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.function(self, x)


class FnTwo(Fn):
    def forward(self, x, y):
        return self.function(self, x, y)


def family(node):
    """By overload: between dequantize and quantize the shapes and constants are gone."""
    return next((pattern.name for pattern in registry.candidates(node.target)), None)


def is_q(node):
    return ".quantize_per" in str(getattr(node, "target", ""))


def is_dq(node):
    return ".dequantize_per" in str(getattr(node, "target", ""))


def calls(graph):
    return [
        n for n in graph.graph.nodes if n.op == "call_function" and not is_q(n) and not is_dq(n)
    ]


def constant(graph, node):
    return getattr(graph, node.target) if isinstance(node, torch.fx.Node) else node


def activations(graph):
    return [n.args[1:] for n in graph.graph.nodes if ".quantize_per_tensor" in str(n.target)]


def computed_in_codes(node):
    """Whether the operator reads dequantize only and is read by one quantize, a relu between."""
    readers = list(node.users)
    while len(readers) == 1 and nodes.clamp_range(readers[0]) is not None:
        readers = list(readers[0].users)
    read = all(is_dq(n) or n.op == "get_attr" for n in node.all_input_nodes)
    return read and is_dq(node.args[0]) and len(readers) == 1 and is_q(readers[0])


def quantized(model, *inputs, target="tflite", **options):
    return quantize(model, inputs, Target.load(target), **options)


def sqnr(reference, got):
    reference, got = reference.detach(), got.detach()
    noise = (reference - got).double().square().sum()
    return 10 * math.log10(float(reference.double().square().sum() / noise))


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_on_a_residual_network(name):
    target, model = Target.load(name), Residual().eval()
    x = torch.randn(32, 1, 8, 8)
    q = quantize(model, x[:1], target, calibration=[x[:16], x[16:]])
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


@pytest.mark.parametrize("name", TARGETS)
def test_weights_and_bias_have_the_targets_codes(name):
    target = Target.load(name)
    q = quantize(Residual(), torch.randn(8, 1, 8, 8), target)
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


def test_same_arguments_same_bits():
    model, x = Residual(), torch.randn(8, 1, 8, 8)
    first, second = (quantized(model, x) for _ in range(2))
    assert str(first.graph.graph) == str(second.graph.graph)
    ours, theirs = first.graph.state_dict(), second.graph.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_callers_module_is_left_alone():
    model = Residual().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    q = quantized(model, torch.randn(8, 1, 8, 8))
    assert all(module.training for module in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    x = torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        y = q.float_graph(x)
        for parameter in model.parameters():
            parameter.zero_()
        assert torch.equal(q.float_graph(x), y)


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

    q = quantized(Fn(forward, conv=nn.Conv2d(2, 2, 1)), torch.randn(2, 2, 3, 3))
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


@pytest.mark.parametrize("name", [n for n in TARGETS if Target.load(n).has("max_pool")])
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
    assert len(parameters) == len(calls(q.graph)) + 1
    assert "max_pool2d" in {str(n.target).split(".")[1] for n in calls(q.graph)}


def test_pools_on_the_networks_input_share_its_parameters():
    q = quantized(Fn(lambda _, x: F.max_pool2d(torch.relu(x), 2)), torch.randn(2, 1, 4, 4))
    assert len(activations(q.graph)) == 3
    assert len(set(activations(q.graph))) == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda _, x: torch.softmax(x, -1).flatten(1),
        lambda _, x: torch.add(x, x * 2, alpha=2),
        lambda _, x: x.mean(0),
        lambda _, x: x.sum(-1),
        lambda _, x: (x > 0).float(),
        lambda _, x: F.adaptive_avg_pool2d(x[:, None, :, :3], 2),
    ],
)
def test_left_on_the_host(function):
    x = torch.randn(2, 4, 4)
    q = quantized(Fn(function), x)
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
    q = quantize(Residual(), torch.randn(8, 1, 8, 8), Without(**fields))
    host = {str(n.target).split(".")[1] for n in calls(q.graph) if n.name in q.host}
    assert (
        host & {"conv2d", "linear", "add", "max_pool2d", "adaptive_avg_pool2d", "flatten"} == left
    )
    everything = quantized(Residual(), torch.randn(8, 1, 8, 8))
    assert everything.host == frozenset()


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


def test_matmul_of_two_activations():
    model = FnTwo(lambda _, a, b: torch.bmm(a, b))
    q = quantize(model, (torch.randn(2, 3, 4), torch.randn(2, 4, 5)), Target.load("tflite"))
    (bmm,) = calls(q.graph)
    assert computed_in_codes(bmm)
    assert len(set(activations(q.graph))) == 3


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_batch_norm_is_folded_exactly_where_it_can_be(affine, bias):
    norm = nn.BatchNorm2d(3, affine=affine)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    model = nn.Sequential(nn.Conv2d(2, 3, 3, bias=bias), norm).eval()
    x = torch.randn(4, 2, 6, 6)
    q = quantized(model, x)
    assert len(calls(q.graph)) == 1
    with torch.no_grad():
        assert sqnr(model(x), q.float_graph(x)) > 120


def test_batch_norm_after_linear():
    norm = nn.BatchNorm1d(3)
    norm.running_mean.uniform_(-1, 1)
    model = nn.Sequential(nn.Linear(4, 3), norm).eval()
    x = torch.randn(4, 4)
    q = quantized(model, x)
    assert len(calls(q.graph)) == 1
    with torch.no_grad():
        assert sqnr(model(x), q.float_graph(x)) > 120


@pytest.mark.parametrize("case", ["two readers", "shared weight"])
def test_batch_norm_that_pt2e_would_fold_wrongly(case):
    def two_readers(self, x):
        y = self.conv(x)
        return self.norm(y) + y

    def shared_weight(self, x):
        return self.other(self.conv(self.norm(self.conv(x))))

    norms = {"norm": nn.BatchNorm2d(3), "other": nn.BatchNorm2d(3)}
    for norm in norms.values():
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    function = two_readers if case == "two readers" else shared_weight
    model = Fn(function, conv=nn.Conv2d(3, 3, 3, padding=1), **norms).eval()
    x = torch.randn(4, 3, 6, 6)
    q = quantized(model, x)
    with torch.no_grad():
        assert sqnr(model(x), q.float_graph(x)) > 110
    with torch.no_grad():
        assert sqnr(model(x), q(x)) > 25


def test_in_place_operators_mean_what_they_meant():
    def forward(self, x):
        y = self.linear(x)
        before = y * 1
        y += x
        y.relu_()
        return before + y

    model = Fn(forward, linear=nn.Linear(4, 4)).eval()
    x = torch.randn(3, 4)
    kept = x.clone()
    q = quantized(model, x)
    with torch.no_grad():
        assert torch.equal(q.float_graph(x), model(x))
    assert torch.equal(x, kept)
    assert not any(n.target._schema.is_mutable for n in calls(q.graph))


def test_writing_into_a_view_that_is_read_later_is_refused():
    def forward(self, x):
        y = self.linear(x)
        y.view(-1).add_(1)
        return y

    with pytest.raises(ModelError, match="writes into a view of linear"):
        quantized(Fn(forward, linear=nn.Linear(4, 4)), torch.randn(3, 4))


def test_a_model_with_state_is_refused():
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, x):
            self.seen += 1
            return x + self.seen

    with pytest.raises(ModelError, match="writes into its buffer 'seen'"):
        quantized(Counter(), torch.randn(3, 4))


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
    with pytest.raises(InputError, match=r"^2: calibration reached a NaN or an infinity"):
        quantized(model, torch.ones(2, 4))


def test_nan_in_a_weight_names_the_layer():
    model = nn.Sequential(nn.Linear(4, 4))
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match=r"^0: the weight holds a NaN"):
        quantized(model, torch.ones(2, 4))


def test_call_checks_its_inputs():
    q = quantized(nn.Linear(4, 4), torch.ones(1, 4))
    assert not q(torch.ones(7, 4)).requires_grad
    with pytest.raises(InputError, match=r"accepted: \(N, 4\)"):
        q(torch.ones(7, 5))
    with pytest.raises(InputError, match=r"torch\.float64"):
        q(torch.ones(7, 4).double())
    with pytest.raises(UsageError, match="0 inputs"):
        q()


def test_a_target_is_no_name_and_a_quantized_prints_on_one_line() -> None:
    import qsim

    x = torch.ones(2, 4)
    module = torch.nn.Linear(4, 3)
    with pytest.raises(qsim.UsageError, match=r"must be a qsim.Target, not 'tflite'"):
        qsim.quantize(module, (x,), "tflite")  # type: ignore[arg-type]
    quantized = qsim.quantize(module, (x,), qsim.Target.load("tflite"))
    with pytest.raises(qsim.UsageError, match=r"must be a qsim.Target, not int"):
        qsim.lower(quantized, 5)  # type: ignore[arg-type]
    assert repr(quantized) == "<Quantized for tflite: inputs 4 (any batch)>"
    assert repr(quantized.target).startswith("Target('tflite', sha256:")


def test_calibration_does_not_depend_on_threads():
    """A 1x1 convolution: torch splits its sums by threads."""
    from qsim import models

    model = models.load("mobilenet_v1")
    threads = torch.get_num_threads()
    scales = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            q = quantize(
                model.module,
                model.example_inputs,
                Target.load("tflite"),
                calibration=model.calibration[:1],
            )
            quantizers = [n for n in q.graph.graph.nodes if "quantize_per_tensor" in n.name]
            scales.append([n.args[1] for n in quantizers])
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert scales[0] == scales[1]
    assert scales[0]
