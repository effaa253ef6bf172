"""Element-wise operators on one tensor: one table, near the Q/DQ graph and near torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

import qsim
from qsim import Target
from qsim.network.lowered import Lowered
from qsim.quantizer import Quantized
from tests.qsim.patterns.test_patterns import Fn
from tests.qsim.program.reading import primitives

Function = Callable[[Tensor], Tensor]
X = torch.linspace(-3, 3, 240).reshape(5, 2, 4, 6)


def build(
    function: Function, contract: str = "tflite", x: Tensor = X, *parts: nn.Module
) -> tuple[Quantized, Lowered]:
    torch.manual_seed(0)
    target = Target.load(contract)
    quantized = qsim.quantize(Fn(function, *parts).eval(), (x[:2],), target, [x])
    return quantized, qsim.lower(quantized)


COMPOSED: dict[str, Function] = {
    "silu": lambda x: x * torch.sigmoid(x),
    "mish": lambda x: x * torch.tanh(F.softplus(x)),
    "gelu": lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)),
    "gelu of tanh": lambda x: 0.5 * x * (1 + torch.tanh(0.8 * (x + 0.0447 * torch.pow(x, 3)))),
    "hard swish": lambda x: x * F.relu6(x + 3) / 6,
    "soft sign": F.softsign,
    "tanh shrink": F.tanhshrink,
    "polynomial": lambda x: x**2 * 0.3 - x + 1.0,
    "line": lambda x: torch.add(x * 0.5, 1.0, alpha=2).clamp(-1, 2),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "mask": lambda x: x.masked_fill(x < -1, 0.5) * (x > -2),
    "quotient": lambda x: 1 / (x * x + 1),
    "negative quotient": lambda x: x / -2.0,
    "power": lambda x: 2**x,
    "two argument": lambda x: torch.atan2(x, torch.tensor(2.0)),
    "lerp": lambda x: torch.lerp(x, x.exp(), 0.3),
    "addcmul": lambda x: torch.addcmul(x, x, x.cos(), value=0.5),
    "logarithm": lambda x: torch.log(x.clamp(min=0.01)),
}
ONE: tuple[Function, ...] = (
    *(torch.sin, torch.cos, torch.atan, torch.asinh, torch.sinh, torch.cosh, torch.exp2),
    *(torch.expm1, torch.erfc, torch.deg2rad, torch.sinc, F.logsigmoid, F.softshrink),
    *(torch.special.ndtr, torch.special.expit, torch.negative, torch.absolute, torch.square),
    *(torch.floor, torch.ceil, torch.round, torch.trunc, torch.fix, torch.sign, torch.frac),
    *(F.hardshrink, lambda x: F.threshold(x, 0.1, 2.0), lambda x: x % 0.7, lambda x: x // 0.7),
    *(F.hardtanh, F.rrelu, lambda x: x.clip(min=-1.0), lambda x: torch.round(x, decimals=1)),
)


def all_of(functions: Iterable[Function]) -> Function:
    """Return a model with one result for each function, so that one network has them all."""
    listed = tuple(functions)
    return lambda x: tuple(function(x) for function in listed)  # type: ignore[return-value]


def check(network: Lowered, quantized: Quantized, functions: Iterable[Function]) -> None:
    """Compare each result: with the Q/DQ graph to a code, with torch as far as a step leads."""
    (program,) = network.programs
    step = program.tensors[program.inputs[0]].scale
    assert step is not None
    listed = list(zip(functions, network(X), quantized(X), program.outputs, strict=True))
    for number, (function, found, graph, name) in enumerate(listed):
        scale = program.tensors[name].scale
        assert scale is not None
        assert float((found - graph).abs().max()) <= 1.01 * scale, number
        exact, ends = function(X), [function(X - step), function(X + step)]
        slope = torch.maximum((ends[0] - exact).abs(), (ends[1] - exact).abs())
        smooth = slope < 20 * step
        assert smooth.float().mean() > 0.8, number
        inside = smooth & (exact.abs() < 2.9)
        assert ((found - exact).abs() <= slope + scale)[inside].all(), number


def test_every_function_of_one_tensor_is_one_table() -> None:
    functions = (*COMPOSED.values(), *ONE)
    quantized, network = build(all_of(functions))
    assert network.host_operators == ()
    assert Counter(primitives(network)) == {"lookup": len(functions) - 2, "clamp": 2}
    check(network, quantized, functions)


@pytest.mark.parametrize("contract", ["q7", "onnxruntime", "nvdla-like", "int4"])
def test_on_other_targets(contract: str) -> None:
    functions = [COMPOSED[name] for name in ("mish", "line", "mask")]
    quantized, network = build(all_of(functions), contract)
    assert primitives(network) == ["lookup"] * 3
    check(network, quantized, functions)


def test_wide_codes_keep_what_primitives_compute_exactly() -> None:
    functions = [COMPOSED["silu"], COMPOSED["quotient"], torch.floor]
    quantized, network = build(all_of(functions), "tflite-int16x8")
    assert Counter(primitives(network)) == {"interpolate": 2, "mul": 1}
    reasons = {item.operator: item.reason for item in network.host_operators}
    assert reasons == {"aten.floor.default": "target tflite-int16x8 has no lookup"}
    for found, graph in zip(network(X), quantized(X), strict=True):
        assert float((found - graph).abs().max()) < 2.0**-12


def test_a_product_keeps_the_activation_that_it_takes_in() -> None:
    def forward(x: Tensor, conv: nn.Module) -> Tensor:
        y = F.relu6(conv(x)) * 0.5 + 1.0
        return y * y

    _, network = build(forward, "tflite", X, nn.Conv2d(2, 2, 1))
    assert primitives(network) == ["correlation", "bias_add", "requantize", "lookup"]


def test_what_others_read_has_codes_of_its_own() -> None:
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.sigmoid(x)
        return y, x * y

    _, network = build(forward)  # type: ignore[arg-type]  # two results
    assert primitives(network) == ["lookup", "mul"]
    _, network = build(lambda x: torch.tanh(x * torch.ones(2, 1, 1)))
    assert primitives(network) == ["mul", "lookup"]  # a number for each channel


def test_a_function_without_a_value_says_where() -> None:
    _, network = build(lambda x: torch.log(x - 1) * 2, "tflite", X + 4.5)
    assert {item.operator for item in network.host_operators} >= {"aten.log.default"}
    assert (
        "log, then mul has no value at 0, which a code of its operand"
        in network.host_operators[0].reason
    )
    _, network = build(lambda x: torch.nan_to_num(torch.log(x - 1) * 2), "tflite", X + 4.5)
    assert not network.host_operators


def test_the_configuration_keeps_operators_apart() -> None:
    target = Target.load("tflite")
    for family, wanted in (("composition", ["lookup", "mul"]), ("sigmoid", [])):
        apart = {"operators": {family: {"skip": True}}}
        quantized = qsim.quantize(Fn(COMPOSED["silu"]), (X[:2],), target, [X], apart)
        network = qsim.lower(quantized)
        assert set(wanted) <= set(primitives(network))
        assert primitives(network) != ["lookup"]


def test_a_sigmoid_of_a_product_keeps_its_scale() -> None:
    _, network = build(lambda x: torch.sigmoid(x * 1.7))
    (program,) = network.programs
    spec = program.tensors[program.outputs[0]]
    assert (spec.scale, spec.zero_point) == (1 / 256, -128)
    assert primitives(network) == ["lookup"]


def test_a_function_that_jumps_says_which_table_is_missing() -> None:
    """16-bit codes have curves alone: what jumps needs a table of every code."""

    class Jumps(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.where(x > 0, x, x * 0.5 - 1)

    x = torch.randn(4, 3)
    network = qsim.lower(qsim.quantize(Jumps().eval(), (x,), Target.load("tflite-int16x8")))
    reasons = {item.operator: item.lacks for item in network.host_operators}
    assert reasons["aten.where.self"] == reasons["aten.gt.Scalar"] == "lookup"
