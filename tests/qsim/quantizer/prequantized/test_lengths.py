"""Models that others quantized, for every length of their sequences: the codes are theirs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torchao.quantization import (
    Int8DynamicActivationInt8WeightConfig,
    Int8DynamicActivationIntxWeightConfig,
    PerGroup,
    quantize_,
)

import qsim
from qsim.errors import ModelError, UsageError
from qsim.quantizer.pt2 import load_pt2
from qsim.target import Target

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.ao.quantization import quantize_dynamic

decomposed: Any = torch.ops.quantized_decomposed

MOST = 4
LENGTHS: Any = ({1: (1, MOST)},)


class Decoder(nn.Module):
    """Positions and causal attention."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(MOST, 8) * 0.3)
        self.q, self.v, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        steps = x.shape[1]
        x = x + self.places[:steps]
        hidden = torch.ones(steps, steps, dtype=torch.bool).triu(1)
        scores = (self.q(x) @ x.transpose(1, 2)).masked_fill(hidden, float("-inf"))
        return self.head(x + scores.softmax(-1) @ self.v(x))


def by_torch(model: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quantize_dynamic(model, {nn.Linear})  # type: ignore[no-any-return]


def by_torchao(model: nn.Module) -> nn.Module:
    quantize_(model, Int8DynamicActivationInt8WeightConfig())
    return model


def in_groups(model: nn.Module) -> nn.Module:
    config = Int8DynamicActivationIntxWeightConfig
    quantize_(model, config(weight_dtype=torch.int4, weight_granularity=PerGroup(4)))
    return model


@pytest.mark.parametrize(
    ("take", "target", "near"),
    [
        (by_torch, "fbgemm-dynamic", 0.0),
        pytest.param(by_torchao, "torchao-int8", 0.0, marks=pytest.mark.soak),
        # Its sums have no order: docs/peers.md.
        pytest.param(in_groups, "torchao-intx", 1e-6, marks=pytest.mark.soak),
    ],
)
def test_every_length(take: Any, target: str, near: float, tmp_path: Path) -> None:
    """Results are those of the quantized model itself, from a file too."""
    torch.manual_seed(0)
    model = take(Decoder().eval())
    quantized = qsim.quantize(model, torch.randn(2, 3, 8), Target.load(target), lengths=LENGTHS)
    assert quantized.prequantized
    lowered = qsim.lower(quantized)
    lowered.save(tmp_path / "net.qsim")
    loaded = qsim.load(tmp_path / "net.qsim")
    for length in range(1, MOST + 1):
        x = torch.randn(3, length, 8)
        torch.testing.assert_close(lowered(x), model(x), rtol=0, atol=near)
        assert torch.equal(loaded(x), lowered(x))


class Cached(Decoder):
    """Keys and values are kept from call to call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("keys", torch.zeros(1, 9, 8))
        self.register_buffer("values", torch.zeros(1, 9, 8))

    def forward(self, x: Tensor, at: Tensor) -> Tensor:  # type: ignore[override]
        self.keys[:, at], self.values[:, at] = x, self.v(x)
        hidden = torch.arange(9) > at[:, None]
        scores = (self.q(x) @ self.keys.mT).masked_fill(hidden, float("-inf"))
        return self.head(x + scores.softmax(-1) @ self.values)


def test_states() -> None:
    """A prompt at once, then steps: results and states are those of torch's own model."""
    torch.manual_seed(0)
    model = by_torch(Cached().eval())
    given = torch.randn(1, 3, 8), torch.arange(3)
    lengths = {"x": {1: (1, MOST)}, "at": {0: (1, MOST)}}
    quantized = qsim.quantize(model, given, Target.load("fbgemm-dynamic"), lengths=lengths)
    session, at = qsim.lower(quantized).session(), 0
    for length in (4, 1, 3, 1):
        x, places = torch.randn(1, length, 8), torch.arange(at, at + length)
        assert torch.equal(session(x, places), model(x, places))
        for name, held in session.states.items():
            assert torch.equal(torch.as_tensor(held), model.get_buffer(name))
        at += length


class Written(nn.Module):
    """A Q/DQ graph as a quantizer leaves it; rows of a parameter are quantized in it as well."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(MOST, 4))
        self.register_buffer("codes", torch.randint(-127, 128, (3, 4), dtype=torch.int8))

    def forward(self, x: Tensor) -> Tensor:
        y = coded(coded(x, 0.03) + coded(self.places[: x.shape[1]], 0.02), 0.05)
        held = 0.01, 0, -127, 127, torch.int8
        weight = decomposed.dequantize_per_tensor.default(self.codes, *held)
        return coded(nn.functional.linear(y, weight).relu(), 0.04)


def coded(x: Tensor, scale: float) -> Tensor:
    held = scale, 5, -128, 127, torch.int8
    codes = decomposed.quantize_per_tensor.default(x, *held)
    real: Tensor = decomposed.dequantize_per_tensor.default(codes, *held)
    return real


@pytest.mark.parametrize("kind", ["module", "inside", "file"])
def test_graphs_with_codes(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = Written().eval(), torch.randn(2, 3, 4)
    given: Any = nn.Sequential(model, nn.Softsign()) if kind == "inside" else model
    wanted = given
    if kind == "file":
        dims = ({0: Dim("batch"), 1: Dim("length", min=1, max=MOST)},)
        program = torch.export.export(model, (x,), dynamic_shapes=dims)
        torch.export.save(program, tmp_path / "net.pt2")
        given = load_pt2(tmp_path / "net.pt2")
    lengths = None if kind == "file" else LENGTHS
    quantized = qsim.quantize(given, (x,), Target.load("xnnpack"), lengths=lengths)
    lowered = qsim.lower(quantized)
    assert quantized.prequantized
    assert len(lowered.host_operators) == 3 * (kind == "inside")  # of Softsign
    for length in range(1, MOST + 1):
        x = torch.randn(3, length, 4)
        assert torch.equal(quantized(x), wanted(x))
        torch.testing.assert_close(lowered(x), wanted(x), rtol=0, atol=0.041)
    config = {"default": {"skip": True}}
    with pytest.raises(UsageError, match=r"^config: the model is quantized already"):
        qsim.quantize(given, (x,), Target.load("xnnpack"), lengths=lengths, config=config)


@pytest.mark.parametrize("quantized", [False, True])
def test_recurrent_layers_have_a_step_for_each_element(quantized: bool) -> None:
    model: nn.Module = nn.ModuleDict({"layer": nn.GRU(8, 3, batch_first=True)})
    model.forward = lambda x: model["layer"](x)[0]  # type: ignore[index]
    if quantized:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize_dynamic(model, {nn.GRU}, inplace=True)
    with pytest.raises(ModelError, match=r"^layer.*: it has a step for each element of its seq"):
        qsim.quantize(
            model.eval(), torch.randn(2, 3, 8), Target.load("fbgemm-dynamic"), lengths=LENGTHS
        )
