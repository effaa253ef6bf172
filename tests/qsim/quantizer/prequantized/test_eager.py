"""Models of torch's quantize_dynamic: every bit of what torch computes, gates included."""

from __future__ import annotations

import copy
import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.ao.nn.intrinsic.quantized import dynamic as fused
from torch.ao.nn.quantized import dynamic

import qsim
from qsim.errors import ModelError, UsageError
from qsim.target import Target

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.ao.quantization import (
        default_dynamic_qconfig,
        float16_dynamic_qconfig,
        per_channel_dynamic_qconfig,
        quantize_dynamic,
    )

Spec = dict[type[nn.Module], Any]
PER_TENSOR, PER_CHANNEL = default_dynamic_qconfig, per_channel_dynamic_qconfig


def taken(model: nn.Module, spec: Spec) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made: nn.Module = quantize_dynamic(model.eval(), spec)
        return made


def lowered(model: nn.Module, x: Any, target: str = "fbgemm-dynamic") -> qsim.Lowered:
    return qsim.lower(qsim.quantize(model, x, Target.load(target)))


def tensors(value: Any) -> list[Tensor]:
    return [value] if torch.is_tensor(value) else [each for part in value for each in tensors(part)]


def require_same(network: qsim.Lowered, model: nn.Module, *shapes: tuple[int, ...]) -> None:
    random = torch.Generator().manual_seed(0)
    for power in (-20, -3, 0, 3, 20):
        x = tuple(torch.randn(shape, generator=random) * 2.0**power for shape in shapes)
        found, wanted = tensors(network(*x)), tensors(model(*x))
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a.numpy().view(np.int32), b.numpy().view(np.int32))


class Net(nn.Module):
    """Layers and cells; hidden sizes that end amid a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 9, bidirectional=True, batch_first=True)
        self.cell = nn.GRUCell(18, 11)
        self.relu_cell = nn.RNNCell(11, 6, nonlinearity="relu")
        self.end = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, (_, cell) = self.lstm(x)
        return self.end(self.relu_cell(self.cell(y[:, 1]))), cell.transpose(0, 1)


@cache
def net() -> tuple[nn.Module, qsim.Lowered]:
    torch.manual_seed(0)
    spec = dict.fromkeys((nn.LSTM, nn.RNNCell, nn.GRUCell), PER_TENSOR)
    model = taken(Net(), spec | {nn.Linear: PER_CHANNEL})
    return model, lowered(model, torch.randn(2, 2, 5))


def test_every_bit() -> None:
    model, network = net()
    require_same(network, model, (3, 2, 5))
    calls = [call for program in network.programs for call in program.calls]
    # Two directions of an LSTM: its input once, its hidden state at each of two steps.
    assert sum(call.primitive == "linear" for call in calls) == 2 * 3 + 2 * 2 + 1
    assert not any("linear" in each.operator for each in network.host_operators)
    assert {call.layer for call in calls} >= {"lstm.hh_l0_reverse", "cell.ih", "relu_cell.hh"}


def test_traced_is_compiled() -> None:
    _, network = net()
    x = torch.randn(2, 2, 5)
    trace = network.trace(x)
    for value, spec in zip(network(x), network.outputs, strict=True):
        assert np.array_equal(trace.tensors[spec.name], value.numpy())


def test_the_model_keeps_its_modules() -> None:
    model, _ = net()
    assert isinstance(model.lstm, dynamic.LSTM)
    assert isinstance(model.end, dynamic.Linear)


class States(nn.Module):
    def __init__(self, kind: type[nn.Module], **changes: Any) -> None:
        super().__init__()
        self.layer = kind(4, 21, **changes)

    def forward(self, x: Tensor, *states: Tensor) -> Any:
        return self.layer(x, states if len(states) > 1 else states[0])


def require_states(kind: Any, count: int, rows: tuple[int, ...], **changes: Any) -> None:
    """Compare layers, or a cell, that are given their states."""
    model = taken(States(kind, **changes), {kind: PER_CHANNEL})
    batch = () if kind in (nn.LSTM, nn.GRU) else (3,)
    shapes = [(*rows, 4), *([(*(batch or (changes.get("num_layers", 1), 3)), 21)] * count)]
    network = lowered(model, tuple(map(torch.randn, shapes)))
    require_same(network, model, *shapes)


def test_layers_whose_states_are_given() -> None:
    require_states(nn.GRU, 1, (2, 3), num_layers=2)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("kind", "count", "rows", "changes"),
    [
        (nn.LSTM, 2, (4, 3), {"num_layers": 3}),
        (nn.LSTMCell, 2, (3,), {}),
        (nn.GRUCell, 1, (3,), {}),
        (nn.RNNCell, 1, (3,), {}),
        (nn.RNNCell, 1, (3,), {"nonlinearity": "relu"}),
    ],
)
def test_states_that_are_given(
    kind: Any, count: int, rows: tuple[int, ...], changes: dict[str, Any]
) -> None:
    require_states(kind, count, rows, **changes)


@pytest.mark.soak
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("scheme", [PER_TENSOR, PER_CHANNEL])
def test_layers_of_every_form(kind: Any, bidirectional: bool, scheme: Any) -> None:
    layers = kind(7, 33, num_layers=2, bidirectional=bidirectional, batch_first=True)

    class Outputs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([layers])

        def forward(self, x: Tensor) -> Any:
            y, ends = self.layers[0](x)
            ends = ends if isinstance(ends, tuple) else (ends,)
            return y, *(each.transpose(0, 1) for each in ends)

    model = taken(Outputs(), {kind: scheme})
    require_same(lowered(model, torch.randn(2, 6, 7)), model, (5, 6, 7))


def test_codes_of_older_modules() -> None:
    """Before version 4 a module had no reduce_range; a fused relu follows its product."""
    relu = torch.ao.nn.intrinsic.LinearReLU(nn.Linear(6, 20), nn.ReLU())
    relu[0].qconfig = relu.qconfig = PER_TENSOR
    model = nn.Sequential(fused.LinearReLU.from_float(relu.eval()), nn.Linear(20, 4))
    model = taken(model, {nn.Linear: PER_CHANNEL})
    model[1].version = 3
    network = lowered(model, torch.randn(2, 6))
    require_same(network, model, (5, 6))
    tops = [
        call.attributes["high"]
        for program in network.programs
        for call in program.calls
        if call.primitive == "choose_scale"
    ]
    assert tops == [127, 255]


def test_one_module_in_two_places() -> None:
    linear = nn.Linear(4, 4)
    model = taken(nn.Sequential(linear, nn.Tanh(), linear), {nn.Linear: PER_TENSOR})
    shared = nn.Sequential(model[0], nn.Tanh(), model[0])
    require_same(lowered(shared, torch.randn(2, 4)), shared, (3, 4))


def dense(**changes: Any) -> nn.Module:
    model = taken(nn.Sequential(nn.Linear(4, 3)), {nn.Linear: PER_TENSOR})
    weight, bias = model[0]._weight_bias()
    codes = torch.quantize_per_tensor(weight.dequantize(), dtype=torch.qint8, **changes)
    model[0].set_weight_bias(codes, bias)
    return model


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([2, 2]))
        return self.gru(packed)[1]


def static() -> nn.Module:
    return nn.Sequential(torch.ao.nn.quantized.Linear(4, 3))


@pytest.mark.parametrize(
    ("make", "target", "text"),
    [
        (
            lambda: taken(nn.Sequential(nn.Linear(4, 3)), {nn.Linear: float16_dynamic_qconfig}),
            "fbgemm-dynamic",
            r"^0: its weights are float16: .* \(accepted: dtype=torch.qint8 ",
        ),
        (
            lambda: taken(nn.Sequential(nn.LSTM(4, 3)), {nn.LSTM: float16_dynamic_qconfig}),
            "fbgemm-dynamic",
            r"^0: its weights are float16",
        ),
        (static, "fbgemm-dynamic", r"^0: it is a torch\.ao\.nn\.quantized\S*\.Linear, .*LSTMCell"),
        (
            lambda: dense(scale=0.01, zero_point=3),
            "fbgemm-dynamic",
            r"^0: its weight has zero point 3, .*symmetric: zero point 0\)",
        ),
        (
            lambda: taken(nn.Sequential(nn.Linear(4, 3)), {nn.Linear: PER_TENSOR}),
            "tflite",
            r"^0: \S+ is quantized at run time, as it was quantized elsewhere \(accepted: target ",
        ),
        (
            lambda: taken(nn.Sequential(nn.Linear(4, 3)), {nn.Linear: PER_TENSOR}),
            "torchao-int8",
            r"^0: \S+ has codes 0\.\.127 at run time.*-128\.\.127\)",
        ),
    ],
)
def test_refused(make: Any, target: str, text: str) -> None:
    with pytest.raises(ModelError, match=text):
        lowered(make(), torch.randn(2, 2, 4), target)


def test_packed_sequences_are_refused() -> None:
    model = taken(Packed(), {nn.GRU: PER_TENSOR})
    with pytest.raises(ModelError, match="packs sequences"):
        lowered(model, torch.randn(2, 2, 4))
    assert isinstance(model.gru, dynamic.GRU)


def test_a_configuration_is_refused() -> None:
    model = taken(nn.Sequential(nn.Linear(4, 3)), {nn.Linear: PER_TENSOR})
    config = {"default": {"skip": True}}
    with pytest.raises(UsageError, match=r"^config: the model is quantized already"):
        qsim.quantize(model, torch.randn(2, 4), Target.load("fbgemm-dynamic"), config=config)
    assert copy.deepcopy(model)[0].weight().dtype == torch.qint8
