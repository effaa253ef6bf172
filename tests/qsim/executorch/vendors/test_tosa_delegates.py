"""Delegates of ExecuTorch's Arm backend, run by TOSA's reference model, against target ``tosa``.

One Q/DQ graph goes two ways: as TOSA delegates and as delegates of our target. Outside, both have
the same quantize and dequantize, so equal outputs are equal codes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

import qsim
from qsim import Target
from qsim.executorch import export, load, run_edge
from qsim.executorch.registry import register
from qsim.executorch.vendors import tosa
from qsim.models import registry
from tests.qsim.executorch import arm
from tests.qsim.executorch.edges import leaves, operators, same, write_pte

pytestmark = pytest.mark.usefixtures("one_thread")

BOUNDARY = {
    "quantized_decomposed.quantize_per_tensor",
    "quantized_decomposed.dequantize_per_tensor",
}


@pytest.fixture(autouse=True)
def reference_model() -> Iterator[None]:
    tosa.register()
    yield
    register(tosa.BACKEND, None)


class Function(nn.Module):
    def __init__(self, function: Callable[..., Any], *modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(modules)

    def forward(self, *x: Tensor) -> Any:
        return self.function(*x, *self.parts)


def delegated(edge: Any) -> bool:
    """Return whether nothing but quantize and dequantize is outside delegates."""
    return {name.rpartition(".")[0] for name in operators(edge)} <= BOUNDARY


def agree(theirs: Any, ours: Any, batches: list[tuple[Tensor, ...]]) -> int:
    """Run both, require every bit to be equal, and return how many codes were compared."""
    compared = 0
    for batch in batches:
        found, wanted = run_edge(ours, *batch), run_edge(theirs, *batch)
        assert same(found, wanted)
        compared += sum(value.numel() for value in leaves(wanted))
    return compared


SHAPE = (4, 6, 9, 10)


def operators_apart(a: Tensor, b: Tensor, *modules: nn.Module) -> tuple[Tensor, ...]:
    """Every operator on the same two images, each with an output of its own."""
    conv, depthwise, grouped, transposed, linear = modules
    positive = F.relu(conv(a))
    return (
        positive, F.avg_pool2d(positive, 2), F.adaptive_avg_pool2d(positive, 1),
        depthwise(b), grouped(a), transposed(a), linear(b), F.max_pool2d(b, 3, 2, 1),
        a + b, b - a, F.relu(a - b), a * b, a * 0.7, b + 0.3, torch.cat([a, b], 1),
        a.mean((2, 3)), b.sum((2, 3)), F.relu(b), b.clamp(-0.7, 0.9), F.avg_pool2d(b, 3, 2, 1),
        torch.sigmoid(a), torch.tanh(a), F.gelu(b), F.silu(b), F.hardswish(b), F.hardsigmoid(b),
        F.leaky_relu(b), torch.exp(a), F.pad(a, (1, 2, 0, 1)), a.permute(0, 2, 3, 1),
    )  # fmt: skip


@pytest.mark.soak
def test_operators_agree(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(6, 16, 3, padding=1, stride=2),
        nn.Conv2d(6, 6, 3, padding=1, groups=6),
        nn.Conv2d(6, 8, 3, groups=2),
        nn.ConvTranspose2d(6, 4, 3, 2, padding=1, output_padding=1),
        nn.Linear(10, 7),
    )
    pairs = [(arm.randoms(SHAPE, at), arm.randoms(SHAPE, 50 + at, 1.7)) for at in range(5)]
    program = arm.quantize(Function(operators_apart, *layers), pairs[:2])
    theirs = arm.arm_edge(program)
    ours, partitioner = arm.our_edge(program)
    assert delegated(theirs)
    assert delegated(ours)
    assert partitioner.report.host == []
    assert agree(theirs, ours, pairs[2:]) > 3 * 4 * 10_000
    program = write_pte(theirs, tmp_path)
    inputs = pairs[4]
    assert program.delegates == (tosa.BACKEND,)
    assert same(program(*inputs), run_edge(ours, *inputs))


def model(name: str) -> Any:
    (entry,) = (entry for entry in registry.builtin() if entry.name == name)
    module, function = entry.factory.split(":")
    return getattr(importlib.import_module(module), function)()


def batches(example: Tensor, count: int, size: int = 8) -> list[tuple[Tensor, ...]]:
    """Return inputs that are spread as the example."""
    mean, spread = float(example.mean()), float(example.std())
    shape = (size, *example.shape[1:])
    return [(arm.randoms(shape, seed, spread) + mean,) for seed in range(count)]


def check_their_quantizer(name: str) -> None:
    """A built-in model, quantized by Arm's quantizer."""
    source = model(name)
    inputs = batches(source.example_inputs[0], 6)
    module = source.module
    if name == "autoencoder":  # Arm does not fold the batch norms of linear layers; ours is folded
        module = qsim.quantize(module, source.example_inputs, Target.load("tosa")).float_graph
    program = arm.quantize(module, inputs[:2])
    theirs = arm.arm_edge(program)
    ours, _ = arm.our_edge(program)
    assert delegated(theirs)
    assert delegated(ours)
    assert agree(theirs, ours, inputs[2:]) >= 4 * 8 * 2


def check_our_quantizer(name: str) -> None:
    """A built-in model, quantized by qsim, against ``qsim.lower``."""
    source = model(name)
    quantized = qsim.quantize(source.module, source.example_inputs, Target.load("tosa"))
    lowered = qsim.lower(quantized)
    arm.mark(quantized.graph)
    theirs = arm.arm_edge(export(quantized, batch=8))
    assert delegated(theirs)
    for batch in batches(source.example_inputs[0], 4):
        assert same(run_edge(theirs, *batch), lowered(*batch))


@pytest.mark.soak
@pytest.mark.parametrize("name", ["digits", "resnet8", "ds_cnn", "mobilenet_v1", "autoencoder"])
def test_models_of_their_quantizer_agree(name: str) -> None:
    check_their_quantizer(name)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["ds_cnn", "autoencoder"])
def test_models_of_our_quantizer_agree(name: str) -> None:
    """Arm takes apart a mean, and separates a sum from its relu, only before it quantizes."""
    check_our_quantizer(name)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.point, self.head = nn.Conv2d(8, 8, 1), nn.Linear(8 * 16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        x = x + self.point(F.relu6(self.deep(x)))
        return self.head(F.max_pool2d(x, 2).flatten(1))


def test_a_network_of_our_quantizer_agrees(tmp_path: Path) -> None:
    torch.manual_seed(0)
    inputs = [(arm.randoms((8, 3, 16, 16), seed),) for seed in range(4)]
    quantized = qsim.quantize(Residual().eval(), inputs[0], Target.load("tosa"))
    lowered = qsim.lower(quantized)
    arm.mark(quantized.graph)
    theirs = arm.arm_edge(export(quantized, batch=8))
    assert delegated(theirs)
    program = write_pte(theirs, tmp_path)
    for batch in inputs:
        assert same(run_edge(theirs, *batch), lowered(*batch))
        assert same(program(*batch), lowered(*batch))
    assert load(tmp_path / "net.pte").delegates == (tosa.BACKEND,)


def found(edge: Any, scale: float, zero_point: int, *inputs: Tensor) -> list[int]:
    """Return the codes that an edge program with one output returns."""
    return ((run_edge(edge, *inputs) / scale).round() + zero_point).flatten().int().tolist()


def coded(x: Tensor, scale: float, zero_point: int) -> list[int]:
    """Return the codes that ExecuTorch's quantize makes."""
    steps = (x * (1 / torch.tensor(scale))).flatten().tolist()
    return [arm.code(round(step), zero_point) for step in steps]


@pytest.mark.parametrize("part", [-0.32, 0.3], ids=["rounding", "clamp"])
def test_where_not_sums_that_arm_chains_in_32_bits(part: float) -> None:
    """Smallest case: ``(a + b) + a``, where a has the largest scale in both sums.

    Arm's FuseConsecutiveRescalesPass takes away the RESCALE to int8 and the one back where their
    product is 1. So what the Q/DQ graph rounds and clamps to int8 is neither rounded nor clamped.
    """
    ramp = torch.linspace(-4, 4, 256).reshape(1, 256)
    program, theirs, ours = chained()
    (s_a, z_a), (s_b, z_b), (s_t, z_t), (s_y, z_y) = arm.parameters(program)
    assert s_t < s_a
    unit = 2 * s_a / (1 << 20)  # of both sums
    inputs = ramp, part * ramp
    fused, stepwise = [], []
    for q_a, q_b in zip(coded(inputs[0], s_a, z_a), coded(inputs[1], s_b, z_b), strict=True):
        a32, b32 = arm.rescale(q_a - z_a, s_a / unit), arm.rescale(q_b - z_b, s_b / unit)
        t = arm.code(arm.rescale(a32 + b32, unit / s_t), z_t)
        t32 = arm.rescale(t - z_t, s_t / unit)
        fused.append(arm.code(arm.rescale(a32 + b32 + a32, unit / s_y), z_y))
        stepwise.append(arm.code(arm.rescale(t32 + a32, unit / s_y), z_y))
    assert found(theirs, s_y, z_y, *inputs) == fused
    assert found(ours, s_y, z_y, *inputs) == stepwise
    apart = [x - y for x, y in zip(fused, stepwise, strict=True)]
    assert max(map(abs, apart)) == 1 if part < 0 else max(map(abs, apart)) > 10


@cache
def chained() -> tuple[Any, Any, Any]:
    ramp = torch.linspace(-4, 4, 256).reshape(1, 256)
    program = arm.quantize(Function(lambda a, b: (a + b) + a), [(ramp, -0.3 * ramp)])
    return program, arm.arm_edge(program), arm.our_edge(program)[0]


def test_where_not_means_whose_zero_point_arm_quantizes_again() -> None:
    """Smallest case: a mean of two codes, whose zero point is neither 0 nor an end of the codes.

    RewriteAvgPool2dPass makes a constant of the zero point, and a later pass takes it for a real
    number: it becomes round(zero_point / scale) + zero_point, clamped to int8. AVG_POOL2D rounds
    ties away from what it has for a zero point.
    """
    x = torch.linspace(-3.6, 4, 512).reshape(1, 256, 1, 2)
    program = arm.quantize(Function(lambda a: F.avg_pool2d(a, (1, 2))), [(x,)])
    (scale, zero), (_, same_zero) = arm.parameters(program)
    assert zero == same_zero
    assert zero not in (-128, 0, 127)
    wrong = arm.code(round(zero / scale), zero)
    assert wrong != zero
    codes = coded(x, scale, zero)
    pairs = list(zip(codes[::2], codes[1::2], strict=True))
    expected = [[half_away(sum(pair), 2, point) for pair in pairs] for point in (wrong, zero)]
    assert found(arm.arm_edge(program), scale, zero, x) == expected[0]
    assert found(arm.our_edge(program)[0], scale, zero, x) == expected[1]
    assert expected[0] != expected[1]


@pytest.mark.soak
def test_where_not_an_operator_twice_with_two_results() -> None:
    """Smallest case: ``relu(a - b), a - b``, where the two differences have their own parameters.

    Arm's FuseDuplicateUsersPass keeps one of two equal operators on the same operands, though what
    is to become of their results differs: the second gets the codes of the first.
    """
    pairs = [(arm.randoms(SHAPE, at), arm.randoms(SHAPE, 50 + at, 1.7)) for at in range(2)]
    program = arm.quantize(Function(lambda a, b: (F.relu(a - b), a - b)), pairs)
    a, b = pairs[0]
    (s_a, z_a), (s_b, z_b), first, _, second = arm.parameters(program)
    assert first != second
    unit = 2 * max(s_a, s_b) / (1 << 20)
    sums = [
        arm.rescale(q_a - z_a, s_a / unit) - arm.rescale(q_b - z_b, s_b / unit)
        for q_a, q_b in zip(coded(a, s_a, z_a), coded(b, s_b, z_b), strict=True)
    ]
    wrong, right = (
        [arm.code(arm.rescale(value, unit / scale), zero) for value in sums]
        for scale, zero in (first, second)
    )
    assert wrong != right
    edges = arm.arm_edge(program), arm.our_edge(program)[0]
    theirs, ours = (run_edge(edge, a, b)[1] / second[0] for edge in edges)
    assert (theirs.round() + second[1]).flatten().int().tolist() == wrong
    assert (ours.round() + second[1]).flatten().int().tolist() == right


def half_away(total: int, count: int, zero: int) -> int:
    centered = total - count * zero
    size = (2 * abs(centered) + count) // (2 * count)
    return (size if centered > 0 else -size) + zero
