"""Each pattern: what it becomes, a code from its graph at most; what it leaves, with reasons."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn import functional as F  # noqa: N812 - torch's own convention

import qsim
from hw_models.tables import LeakyRelu, unit_table
from qsim import Target
from qsim.graph import capture
from qsim.network.lowered import Lowered
from qsim.quantizer import Quantized
from qsim.registry import patterns as registry
from tests.qsim.program.reading import primitives
from tests.qsim.program.sampled_reference import calls_of, check_call

EXTRA = (
    "transposed_correlation", "sub", "mul", "minimum", "maximum", "concat", "pad", "mean",
    "lookup", "interpolate", "softmax", "resize",
)  # fmt: skip


@cache
def target(name: str, without: tuple[str, ...] = ()) -> Target:
    """Return a shipped target with every primitive but some."""
    contract = Target.load(name).to_dict()
    available = dict.fromkeys([*contract["primitives"]["available"], *EXTRA])
    contract["primitives"]["available"] = [p for p in available if p not in without]
    return Target.from_dict(contract)


class Fn(nn.Module):
    def __init__(self, function: Callable[..., Tensor], *modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.parts)


def images() -> Tensor:
    return torch.randn(4, 4, 6, 6, generator=torch.Generator().manual_seed(1))


def build(
    module: nn.Module | ExportedProgram, contract: Target
) -> tuple[Quantized, Lowered, Tensor]:
    x = images()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        apart = {"operators": {"composition": {"skip": True}}}  # each pattern by itself
        quantized = qsim.quantize(module, (x[:2],), contract, [x], apart)
    return quantized, qsim.lower(quantized), x


def steps_apart(quantized: Quantized, network: Lowered, x: Tensor) -> int:
    """Return how many codes of the output the network and its Q/DQ graph differ by, at most."""
    (program,) = network.programs
    scale = program.tensors[program.outputs[0]].scale
    assert scale is not None
    return round(float((network(x) - quantized(x)).abs().max()) / scale)


def transposed() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        part = nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1, dilation=2)
    return Fn(lambda x, conv: F.relu(conv(x)), part)


CASES: dict[str, tuple[nn.Module, list[str]]] = {
    "sub": (Fn(lambda x: x - F.relu(x)), ["clamp", "sub"]),
    "number minus": (Fn(lambda x: 1.5 - x), ["sub"]),
    "gate": (Fn(lambda x: x * torch.sigmoid(x)), ["lookup", "mul"]),
    "numbers": (Fn(lambda x: x * 0.3 + 1.0), ["mul", "add"]),
    "channel": (Fn(lambda x: x + torch.arange(4.0).reshape(4, 1, 1)), ["add"]),
    "excite": (Fn(lambda x: x * F.adaptive_avg_pool2d(x, 1)), ["avg_pool", "mul"]),
    "minimum": (Fn(lambda x: torch.minimum(x, x * 0.5)), ["mul", "minimum"]),
    "maximum": (Fn(lambda x: torch.maximum(x, torch.tensor(0.1))), ["maximum"]),
    "concat": (Fn(lambda x: torch.cat([x, x * 0.25], 1)), ["mul", "concat"]),
    "pad": (Fn(lambda x: F.pad(x, (1, 2, 0, 1), value=1.0) * 0.5), ["pad", "mul"]),
    "reflect": (Fn(lambda x: F.pad(x * 2.0, (1, 1, 1, 1), mode="reflect")), ["mul", "pad"]),
    "tanh": (Fn(torch.tanh), ["lookup"]),
    "gelu": (Fn(F.gelu), ["lookup"]),
    "gelu tanh": (Fn(lambda x: F.gelu(x, approximate="tanh")), ["lookup"]),
    "hardswish": (Fn(F.hardswish), ["lookup"]),
    "leaky_relu": (Fn(lambda x: F.leaky_relu(x, 0.1)), ["lookup"]),
    "prelu": (Fn(lambda x, part: part(x), nn.PReLU(4, 0.2)), ["prelu"]),
    "one slope": (Fn(lambda x, part: part(x), nn.PReLU(1, 1.5)), ["prelu"]),
    "elu": (Fn(lambda x: F.elu(x, 0.5)), ["lookup"]),
    "softmax": (Fn(lambda x: F.softmax(x, 1)), ["softmax"]),
    "mean of channels": (Fn(lambda x: x.mean(1)), ["mean"]),
    "mean of all": (Fn(lambda x: x.mean((1, 2, 3), keepdim=True)), ["mean"]),
    "sum": (Fn(lambda x: x.sum((2, 3))), ["mean"]),
    "nearest": (Fn(lambda x: F.interpolate(x * 2.0, scale_factor=2)), ["mul", "resize"]),
    "bilinear": (
        Fn(lambda x: F.interpolate(x * 2.0, size=(9, 7), mode="bilinear")),
        ["mul", "resize"],
    ),
    "divide": (Fn(lambda x: F.relu(x / 3.0)), ["requantize"]),
    "transposed": (transposed(), ["transposed_correlation", "bias_add", "requantize"]),
}


@pytest.mark.parametrize("name", list(CASES))
def test_on_tflite_every_pattern_is_near_its_graph(name: str) -> None:
    module, wanted = CASES[name]
    quantized, network, x = build(module, target("tflite"))
    assert network.host_operators == ()
    assert primitives(network) == wanted
    assert steps_apart(quantized, network, x) <= 1


ELSEWHERE = [
    ("q7", "softmax", ["softmax", "requantize"], 1),
    ("q7", "divide", ["lookup"], 1),  # a third is no shift
    ("q7", "mean of channels", ["mean"], 1),
    ("q7", "concat", ["mul", "concat"], 1),
    ("onnxruntime", "hardswish", ["lookup"], 1),
    ("onnxruntime", "mean of all", ["mean"], 1),
    ("tflite-int16x8", "gate", ["lookup", "mul"], 2),
    ("tflite-int16x8", "gelu", ["interpolate"], 50),
    ("tflite-int16x8", "softmax", ["softmax"], 3),
    ("tflite-int16x8", "transposed", CASES["transposed"][1], 2),
    ("deeploy-like", "mean of all", ["mean"], 1),
    ("q7", "prelu", ["clamp", "clamp", "mul", "add"], 1),
    ("onnxruntime", "prelu", ["clamp", "clamp", "mul", "add"], 1),
    ("onnxruntime", "one slope", ["lookup"], 1),
]


@pytest.mark.parametrize(("contract", "name", "wanted", "most"), ELSEWHERE)
def test_other_datapaths(contract: str, name: str, wanted: list[str], most: int) -> None:
    quantized, network, x = build(CASES[name][0], target(contract))
    assert primitives(network) == wanted
    assert network.host_operators == ()
    assert steps_apart(quantized, network, x) <= most


# What a shipped target lacks, of what the cases need; other targets have fewer primitives still.
LACKS: dict[str, set[str]] = {
    "tflite": set(),
    "tflite-single": set(),
    "pytorch": {"resize"},
    "onnxruntime": {"resize"},
    "q7": {"softmax", "resize"},
    "narrow20": {"softmax", "resize"},
}


class Together(nn.Module):
    """All cases, each a layer of one network."""

    def __init__(self) -> None:
        super().__init__()
        self.cases = nn.ModuleList(module for module, _ in CASES.values())

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(case(x) for case in self.cases)


@cache
def together() -> ExportedProgram:
    """Return the graph of all cases, which every target's quantizer reads."""
    return capture(Together().eval(), (images()[:2],)).program


def case_of(layer: str) -> int:
    """Return the case that a layer of ``Together`` is of."""
    return int(layer.split(".")[1])


@pytest.mark.parametrize("contract", list(LACKS))
def test_on_shipped_targets_every_call_equals_its_definition(contract: str) -> None:
    _, network, x = build(together(), Target.load(contract))
    reasons: dict[int, set[str]] = {index: set() for index in range(len(CASES))}
    for item in network.host_operators:
        reasons[case_of(item.layer)].add(item.reason)
    called: dict[int, set[str]] = {index: set() for index in range(len(CASES))}
    for program in network.programs:
        for call in program.calls:
            called[case_of(call.layer)].add(call.primitive)
    for index, (name, (_, wanted)) in enumerate(CASES.items()):
        # The nearest neighbour is a move as well.
        lacking = LACKS[contract] & set(wanted) if name != "nearest" else set()
        expected = {f"target {contract} has no {primitive}" for primitive in lacking}
        assert reasons[index] == expected, name
        assert lacking.isdisjoint(called[index]), name
        assert called[index] or lacking, name
    trace, rng = network.trace(x[:1]), np.random.default_rng(0)
    for program, call, entry in calls_of(network, trace):
        assert check_call(program, call, entry, trace, rng, 16) > 0


@pytest.mark.parametrize(("contract", "once"), [("tflite", False), ("tflite-single", True)])
def test_leaky_relu_rounds_as_its_build_does(contract: str, once: bool) -> None:
    """TFLite rescales with MultiplyByQuantizedMultiplier, whose rounding a build chooses."""
    _, network, _ = build(CASES["leaky_relu"][0], Target.load(contract))
    (program,) = network.programs
    (call,) = program.calls
    x, y = program.tensors[call.inputs[0]], program.tensors[call.output]
    assert x.scale is not None
    assert y.scale is not None
    parameters = (x.scale, y.scale, 0.1, x.zero_point, y.zero_point)
    (entries,) = program.constants.values()
    for rounding in ("double", "single"):
        unit = LeakyRelu.from_scales(*parameters, rounding)
        equal = np.array_equal(entries, unit_table(unit, x.format, y.format))
        assert equal == (once == (rounding == "single"))


FIXED = [
    ("tflite", torch.sigmoid, (1 / 256, -128)),
    ("tflite", torch.tanh, (1 / 128, 0)),
    ("tflite", lambda x: F.softmax(x, 1), (1 / 256, -128)),
    ("onnxruntime", torch.sigmoid, (1 / 256, 0)),
    ("onnxruntime", torch.tanh, (1 / 128, 128)),
    ("q7", torch.sigmoid, (1 / 128, 0)),
    ("q7", torch.tanh, (1 / 128, 0)),
    ("tflite-int16x8", torch.sigmoid, (2.0**-15, 0)),
    ("tflite-int16x8", torch.tanh, (2.0**-15, 0)),
]


@pytest.mark.parametrize(("name", "function", "wanted"), FIXED)
def test_results_whose_scale_no_data_changes(
    name: str, function: Callable[[Tensor], Tensor], wanted: tuple[float, int]
) -> None:
    _, network, _ = build(Fn(function), target(name))
    (program,) = network.programs
    spec = program.tensors[program.outputs[0]]
    if name == "onnxruntime" and Target.load(name).input.signed:
        wanted = (wanted[0], wanted[1] - 128)
    assert (spec.scale, spec.zero_point) == wanted


def test_a_maximum_with_other_values_has_parameters_of_both() -> None:
    _, network, x = build(Fn(lambda x: torch.maximum(torch.sigmoid(x), x)), target("tflite"))
    (program,) = network.programs
    spec = program.tensors[program.outputs[0]]
    assert spec.scale is not None
    assert spec.scale * 255 > 0.9 * float(x.max() - x.min())
    assert len({(s.scale, s.zero_point) for s in program.tensors.values()}) == 1


HOST = [
    (lambda x: x.mean(0, keepdim=True) + x * 0, "mean", "it reduces the batch"),
    (lambda x: F.softmax(x, 0), "softmax", "batch"),
    (
        lambda x: F.interpolate(x, scale_factor=1.3, mode="bilinear"),
        "upsample_bilinear2d",
        "whole size",
    ),
    (lambda x: x / F.relu(x + 9.0), "div", "it divides by a tensor"),
]


@pytest.mark.filterwarnings("ignore:The default behavior for interpolate")
@pytest.mark.parametrize(("function", "operator", "reason"), HOST)
def test_what_stays_on_the_host_says_why(
    function: Callable[[Tensor], Tensor], operator: str, reason: str
) -> None:
    _, network, _ = build(Fn(lambda x: function(torch.relu(x) * 2.0)), target("tflite"))
    reasons = {item.operator.split(".")[1]: item.reason for item in network.host_operators}
    assert reason in reasons[operator]


def test_a_function_without_a_value_for_every_code_stays_on_the_host() -> None:
    module = Fn(lambda x: torch.log(torch.relu(x) + 0.5))
    _, network, _ = build(module, target("q7"))
    (host,) = network.host_operators
    assert host.operator == "aten.log.default"
    assert "log has no value at -4, which a code of its operand stands for (128 of" in host.reason
    assert host.kind == "values"
    _, unsigned, _ = build(module, target("tflite"))
    assert primitives(unsigned) == ["clamp", "add", "lookup"]


@pytest.mark.parametrize(("lacking", "name"), [("mul", "gate"), ("lookup", "tanh")])
def test_a_primitive_is_used_only_where_the_target_has_it(lacking: str, name: str) -> None:
    _, network, _ = build(CASES[name][0], target("tflite", (lacking,)))
    assert lacking not in primitives(network)
    reasons = [item.reason for item in network.host_operators]
    assert any(reason.endswith(f"has no {lacking}") for reason in reasons)


def test_the_mean_over_space_is_a_pool_where_there_is_one() -> None:
    module = Fn(lambda x: (x * 2.0).mean((2, 3)))
    _, pooled, _ = build(module, target("tflite"))
    assert primitives(pooled) == ["mul", "avg_pool", "reshape"]
    _, summed, _ = build(module, target("tflite", ("avg_pool",)))
    assert primitives(summed) == ["mul", "mean"]


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        (nn.AvgPool2d(2), {"rounding": "half_away", "centered": True}),
        (nn.Sequential(nn.ReLU(), nn.AvgPool2d(2)), {"rounding": "half_up"}),
    ],
    ids=["any-sign", "behind-a-relu"],
)
def test_means_of_centered_codes_are_means_of_codes_where_that_is_the_same(
    module: nn.Module, wanted: dict[str, object]
) -> None:
    tosa = target("tosa")
    torch.manual_seed(0)  # or the zero point may be 0, where centered codes are codes
    _, network, x = build(nn.Sequential(nn.Conv2d(4, 4, 1), module), tosa)
    trace = network.trace(x)
    ((program, call),) = [
        (program, call)
        for program in network.programs
        for call in program.calls
        if call.primitive == "avg_pool"
    ]
    assert {k: v for k, v in call.attributes.items() if k in ("rounding", "centered")} == wanted
    spec = program.tensors[call.inputs[0]]
    assert (spec.zero_point == spec.format.min) is ("centered" not in wanted)
    codes = np.array(trace.tensors[call.inputs[0]], np.int64) - spec.zero_point
    sums = codes[..., ::2, ::2] + codes[..., 1::2, ::2]
    sums += codes[..., ::2, 1::2] + codes[..., 1::2, 1::2]
    rounded = np.sign(sums) * ((np.abs(sums) + 2) // 4)
    assert (sums % 4 == 2).any()
    np.testing.assert_array_equal(trace.tensors[call.output], rounded + spec.zero_point)


def test_a_table_is_the_function_of_every_code() -> None:
    _, network, _ = build(CASES["gelu"][0], target("onnxruntime"))
    (program,) = network.programs
    (call,) = program.calls
    source, result = program.tensors[call.inputs[0]], program.tensors[call.output]
    assert source.scale is not None
    assert result.scale is not None
    (entries,) = program.constants.values()
    codes = np.arange(source.format.min, source.format.max + 1) - source.zero_point
    real = F.gelu(torch.from_numpy(source.scale * codes)).numpy()
    exact = np.rint(real / result.scale) + result.zero_point
    wanted = np.clip(exact, result.format.min, result.format.max)
    assert np.abs(entries - wanted).max() <= 1
    assert np.mean(entries == wanted) > 0.98


# Each is several operators, found as a whole.
SEVERAL = ("composition", "rotary", "masked_softmax")


def test_every_pattern_has_operators_of_torch_and_the_name_of_its_module() -> None:
    found = registry.patterns()
    assert [pattern.name for pattern in found] == list(registry.names())
    for pattern in found:
        assert pattern.overloads or pattern.name in SEVERAL
    assert registry.candidates(torch.ops.aten.mean.dim)[0].name == "avg_pool"
