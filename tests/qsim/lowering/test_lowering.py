"""The lowering: what becomes of each operator; the whole computes the datapath's integers."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import hw_models as hw
from hw_models.correlation import reference as correlate
from hw_models.requantize import reference as requantize_one
from qsim import Target, lower, quantize
from qsim.network.lowered import Lowered
from qsim.quantizer import Quantized
from tests.qsim.lowering.models import NETWORKS, build, examples
from tests.qsim.program.reading import primitives

TARGETS = ("tflite", "tflite-single", "onnxruntime", "pytorch", "q7", "narrow20")


@cache
def quantized(name: str, target: str) -> Quantized:
    calibration = [examples(name, 8)]
    return quantize(build(name), examples(name), Target.load(target), calibration=calibration)


@cache
def lowered(name: str, target: str) -> Lowered:
    return lower(quantized(name, target), Target.load(target))


def flat(outputs: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def qdq_codes(graph: Quantized, inputs: tuple[Tensor, ...]) -> dict[str, np.ndarray]:
    """The codes of every quantize node of the Q/DQ graph, by the node whose value it quantizes."""
    codes = {}

    class Recorder(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> object:
            value = super().run_node(n)
            if "quantize_per_tensor" in str(n.target) and "dequantize" not in str(n.target):
                codes[str(n.args[0])] = value.numpy()
            return value

    with torch.no_grad():
        Recorder(graph.graph).run(*inputs)
    return codes


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_network_lowers_and_stays_near_its_graph(name: str, target: str) -> None:
    graph, network = quantized(name, target), lowered(name, target)
    inputs = examples(name, 3)
    trace = network.trace(*inputs)
    reference = qdq_codes(graph, inputs)
    compared = 0
    for tensor, codes in trace.tensors.items():
        if tensor in reference and target != "narrow20":
            # Each layer may add a code to what its operands differ by; more is a wrong formula.
            difference = np.abs(codes.astype(np.int64) - reference[tensor].astype(np.int64))
            assert difference.max() <= 6, tensor
            assert np.mean(difference) < 2, tensor
            compared += 1
    assert compared > 0 or target == "narrow20"
    for found, wanted in zip(flat(network(*inputs)), flat(graph(*inputs)), strict=True):
        assert found.shape == wanted.shape
        assert found.dtype == wanted.dtype


@pytest.mark.parametrize("name", ["ConvNet", "Residual", "Sequence", "SpatialMean", "TwoInputs"])
def test_supported_networks_leave_nothing_on_the_host(name: str) -> None:
    network = lowered(name, "tflite")
    assert network.host_operators == ()
    assert len(network.programs) == 1


def test_a_convolution_becomes_three_primitives_and_its_parameters_survive() -> None:
    network = lowered("ConvNet", "tflite")
    (program,) = network.programs
    assert primitives(network) == [
        "correlation", "bias_add", "requantize",  # conv1 with its batch norm
        "max_pool",
        "correlation", "bias_add", "requantize",  # depthwise
        "correlation", "requantize",  # conv2 has no bias
        "avg_pool", "reshape",
        "linear", "bias_add", "requantize",
    ]  # fmt: skip
    layers = list(dict.fromkeys(call.layer for call in program.calls))
    assert [layer for layer in layers if layer] == ["conv1", "depthwise", "conv2", "fc"]
    depthwise = next(c for c in program.calls if c.layer == "depthwise")
    assert depthwise.attributes["padding"] == [[1, 1], [0, 0]]
    assert depthwise.attributes["groups"] == 8
    conv2 = next(c for c in program.calls if c.layer == "conv2")
    assert conv2.attributes["dilation"] == [1, 2]


def test_a_fused_activation_is_a_clamp_in_output_codes() -> None:
    (program,) = lowered("ConvNet", "tflite").programs
    relu, relu6 = [c for c in program.calls if c.primitive == "requantize"][:2]
    spec = program.tensors[relu.output]
    assert relu.attributes["clamp"] in (None, [spec.zero_point, 127])
    spec6 = program.tensors[relu6.output]
    six = round(6.0 / spec6.scale) + spec6.zero_point
    assert relu6.attributes["clamp"] in (None, [spec6.zero_point, min(six, 127)])


@pytest.mark.parametrize("target", TARGETS)
def test_one_convolution_equals_the_definition(target: str) -> None:
    """conv1 of ConvNet, recomputed from the parameters of its calls in plain integers."""
    network = lowered("ConvNet", target)
    (program,) = network.programs
    x = examples("ConvNet", 1)
    trace = network.trace(*x)
    first, second, third = program.calls[:3]
    codes = trace.tensors[program.inputs[0]]
    a = first.attributes
    accumulator = hw.Accumulator(**a["accumulator"])
    acc = correlate(
        codes,
        program.constants[first.inputs[1]],
        stride=tuple(a["stride"]),
        padding=tuple(tuple(p) for p in a["padding"]),
        x_zero_point=a["x_zero_point"],
        pad_value=a["pad_value"],
        accumulator=accumulator,
    )
    assert np.array_equal(trace.tensors[first.output], np.asarray(acc))
    bias = program.constants[second.inputs[1]]
    rule = hw.Accumulator(**second.attributes["accumulator"]).format
    mode = second.attributes["accumulator"]["overflow"]
    summed = np.asarray(acc, dtype=object) + bias.astype(object).reshape(-1, 1, 1)
    reduce = rule.wrap if mode == "wrap" else rule.saturate
    expected = np.vectorize(lambda v: reduce(int(v)), otypes=[np.int64])(summed)
    assert np.array_equal(trace.tensors[second.output], expected)
    assert third.inputs == (second.output,)
    assert trace.tensors[third.output].dtype == program.tensors[third.output].format.dtype


def test_power_of_two_differs_from_its_graph_only_at_ties() -> None:
    """On q7 the Q/DQ graph is exact in fp32; it rounds ties to even where the datapath goes up."""
    graph = quantized("Residual", "q7")
    (program,) = lowered("Residual", "q7").programs
    x = examples("Residual", 4)
    trace = lowered("Residual", "q7").trace(*x)
    reference = qdq_codes(graph, x)
    call = next(c for c in program.calls if c.primitive == "requantize")
    acc = trace.tensors[call.inputs[0]].astype(np.int64)
    shift = int(np.max(call.attributes["scheme"]["right_shift"]))
    tie = (acc & ((1 << shift) - 1)) == 1 << (shift - 1)
    differs = trace.tensors[call.output] != reference[call.output]
    assert tie.any()
    assert not (differs & ~tie).any()


class UpAndDown(nn.Module):
    """A sum that is 0 in the end and far from it on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(64, 1, 3, bias=False)
        signs = torch.ones(1, 64, 3, 3)
        signs[:, 32:] = -1
        self.conv.weight = nn.Parameter(signs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def test_narrow20_saturates_on_the_way_and_the_ledger_says_so() -> None:
    x = torch.ones(2, 64, 3, 3)
    network = lower(quantize(UpAndDown().eval(), (x,), Target.load("narrow20")))
    trace = network.trace(x)
    entry = next(e for e in trace.ledger if e.primitive == "correlation")
    (program,) = network.programs
    code = (
        int(trace.tensors[program.inputs[0]][0, 0, 0, 0])
        - program.calls[0].attributes["x_zero_point"]
    )
    weight = int(program.constants[program.calls[0].inputs[1]][0, 0, 0, 0])
    acc, top = 0, 2**19 - 1
    for sign in [1] * (32 * 9) + [-1] * (32 * 9):
        acc = max(min(acc + sign * code * weight, top), -top - 1)
    assert code * weight * 32 * 9 > top
    assert acc != 0
    assert (trace.tensors[program.calls[0].output] == acc).all()
    assert entry.ledger.overflows == 2
    assert entry.ledger.first == (0, 0, 0, 0)
    assert entry.ledger.maximum == code * weight * 32 * 9
    assert entry.ledger.bits_used > 20


@pytest.mark.parametrize("target", ["tflite", "pytorch", "q7"])
@pytest.mark.parametrize("name", list(NETWORKS))
def test_batches_and_threads_change_nothing(name: str, target: str) -> None:
    network = lowered(name, target)
    inputs = examples(name, 8)
    whole = flat(network(*inputs))
    traced = flat(network.trace(*inputs).outputs)
    single = [flat(network(*[x[i : i + 1] for x in inputs])) for i in range(8)]
    joined = [torch.cat([row[k] for row in single]) for k in range(len(whole))]
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = flat(network(*inputs))
    finally:
        numba.set_num_threads(threads)
    for a, b, c, d in zip(whole, joined, alone, traced, strict=True):
        assert torch.equal(a, c)
        assert np.array_equal(a.numpy(), np.asarray(d))
        if name != "HostInTheMiddle":  # torch's own sums may vectorise differently by size
            assert torch.equal(a, b)


def test_host_operators_are_named_with_their_reason() -> None:
    network = lowered("HostInTheMiddle", "narrow20")
    assert len(network.programs) == 2
    reasons = {o.operator: o.reason for o in network.host_operators}
    assert reasons["aten.cumsum.default"] == "no primitive computes it"
    assert reasons["aten.softmax.int"] == "target narrow20 has no softmax"


def test_what_the_target_lacks_stays_on_the_host() -> None:
    document = Target.load("tflite").to_dict()
    document["primitives"]["available"].remove("max_pool")
    target = Target.from_dict(document)
    graph = quantize(build("ConvNet"), examples("ConvNet"), target)
    network = lower(graph, target)
    (operator,) = network.host_operators
    assert operator.operator == "aten.max_pool2d.default"
    assert operator.reason == "target tflite has no max_pool"
    assert len(network.programs) == 2
    x = examples("ConvNet")
    assert network(*x).shape == graph(*x).shape


def test_what_the_configuration_skips_stays_on_the_host() -> None:
    """An add between quantized operators reads codes and feeds codes, and must not be taken."""
    config = {"operators": {"add": {"skip": True}}}
    graph = quantize(build("Residual"), examples("Residual"), Target.load("tflite"), config=config)
    network = lower(graph)
    assert "add" not in primitives(network)
    reasons = {o.operator: o.reason for o in network.host_operators}
    assert reasons["aten.add.Tensor"] == "the configuration leaves it in float"


class Static(nn.Module):
    """A batch size that the code insists on."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).reshape(2, 2 * 4 * 4)


def test_a_model_with_a_fixed_batch_keeps_it() -> None:
    x = torch.linspace(-1, 1, 2 * 36).reshape(2, 1, 6, 6)
    network = lower(quantize(Static().eval(), (x,), Target.load("tflite")), None)
    assert network.inputs[0].shape == (2, 1, 6, 6)
    assert network(x).shape == (2, 32)


def test_requantize_reference_of_a_whole_layer() -> None:
    """fc of ConvNet on tflite: every requantized code from the scalar definition."""
    (program,) = lowered("ConvNet", "tflite").programs
    trace = lowered("ConvNet", "tflite").trace(*examples("ConvNet", 4))
    call = program.calls[-1]
    assert call.layer == "fc"
    assert call.primitive == "requantize"
    scheme = call.attributes["scheme"]
    multiplier = program.constants[scheme["multiplier"]["constant"]]
    shift = program.constants[scheme["right_shift"]["constant"]]
    acc = trace.tensors[call.inputs[0]]
    codes = trace.tensors[call.output]
    for row in range(acc.shape[0]):
        for channel in range(acc.shape[1]):
            one = hw.FixedPoint(int(multiplier[channel]), int(shift[channel]), rounding="double")
            expected = requantize_one(
                int(acc[row, channel]),
                one,
                zero_point=call.attributes["zero_point"],
                output=hw.FixedFormat(8),
            )
            assert int(codes[row, channel]) == expected
