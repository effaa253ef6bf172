"""Layers over a sequence, written as cells: the same function, and why not where they are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qsim import Target
from qsim.errors import ModelError
from qsim.graph import capture
from qsim.quantizer.passes.order import simplify
from qsim.registry import patterns as registry


class Net(nn.Module):
    """A layer, and what is read of its results."""

    def __init__(self, layer: nn.Module, read: Callable[[Any], Any], states: bool = False) -> None:
        super().__init__()
        self.layer, self.read, self.states = layer, read, states

    def forward(self, x: Tensor, *given: Tensor) -> Any:
        held: Any = given if len(given) > 1 else (given[0] if given else None)
        return self.read(self.layer(x, held) if self.states else self.layer(x))


def simple(model: nn.Module, inputs: tuple[Tensor, ...], target: str = "tflite") -> Any:
    program = capture(model.eval(), inputs).program
    return simplify(program.module(check_guards=False), Target.load(target))


def operators(graph: Any) -> Counter[str]:
    return Counter(str(n.target).split(".")[1] for n in graph.graph.nodes if n.op != "placeholder"
                   and str(n.target).startswith("aten."))  # fmt: skip


def whole(result: Any) -> Any:
    return result


FIRST = {"batch_first": True}
CASES: dict[str, tuple[nn.Module, Callable[[Any], Any], int, int]] = {
    # layer, what is read, cells, joins
    "lstm": (nn.LSTM(3, 4, **FIRST), lambda r: r[0], 4, 1),
    "lstm-time-major": (nn.LSTM(3, 4), whole, 4, 1),
    "lstm-deep": (nn.LSTM(3, 4, 2, bidirectional=True, **FIRST), lambda r: r[0], 16, 9),
    "lstm-no-bias": (nn.LSTM(3, 4, bias=False, **FIRST), lambda r: r[0][:, -1], 4, 0),
    "lstm-states": (
        nn.LSTM(3, 4, 2, **FIRST),
        lambda r: (r[1][0].transpose(0, 1), r[1][1].permute(1, 0, 2)),
        8,
        2,
    ),
    "lstm-last": (nn.LSTM(3, 4, **FIRST), lambda r: r[1][0].squeeze(0), 4, 0),
    "gru": (nn.GRU(3, 4, 2, **FIRST), lambda r: r[0][:, 1:3], 8, 1),
    "gru-last": (
        nn.GRU(3, 4, bidirectional=True, **FIRST),
        lambda r: torch.cat([r[1][-2], r[1][-1]], 1),
        8,
        1,
    ),
    "rnn": (nn.RNN(3, 4, bidirectional=True), whole, 8, 6),
    "rnn-relu": (nn.RNN(3, 4, nonlinearity="relu", **FIRST), lambda r: r[0], 4, 1),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_function(name: str) -> None:
    torch.manual_seed(1)
    layer, read, cells, joins = CASES[name]
    x = torch.randn((2, 4, 3) if getattr(layer, "batch_first", False) else (4, 2, 3))
    model = Net(layer, read)
    graph = simple(model, (x,))
    found = operators(graph)
    assert sum(n for kind, n in found.items() if kind.endswith("_cell")) == cells
    assert found["cat"] == joins
    torch.testing.assert_close(graph(x), model(x), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("layer", [nn.LSTM(3, 4, 2), nn.GRU(3, 4, 2)], ids=["lstm", "gru"])
def test_states_that_are_given(layer: nn.Module) -> None:
    torch.manual_seed(2)
    states = tuple(torch.randn(2, 2, 4) for _ in range(2 if isinstance(layer, nn.LSTM) else 1))
    inputs = (torch.randn(3, 2, 3), *states)
    model = Net(layer, whole, states=True)
    graph = simple(model, inputs)
    torch.testing.assert_close(graph(*inputs), model(*inputs), atol=1e-6, rtol=1e-5)


def test_a_long_sequence_is_joined_in_groups() -> None:
    layer = nn.RNN(2, 2, batch_first=True)
    x = torch.randn(2, 70, 2)
    graph = simple(Net(layer, lambda r: r[0]), (x,))
    assert operators(graph)["cat"] == 3
    torch.testing.assert_close(graph(x), layer(x)[0], atol=1e-5, rtol=1e-5)


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        lengths = torch.tensor([3, 2])
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        return self.layer(packed)[1][0][-1]


def why(model: nn.Module, x: Tensor, target: str = "tflite") -> str:
    graph = simple(model, (x,), target)
    (node,) = [n for n in graph.graph.nodes if str(n.target).split(".")[1:2] == ["lstm"]]
    pattern = registry.choose(node, Target.load(target))
    if pattern is None:
        return registry.why_none(node).text
    lacking = [p for p in pattern.primitives(node, Target.load(target))
               if not Target.load(target).has(p)]  # fmt: skip
    return f"no {lacking[0]}"


def test_what_stays_whole() -> None:
    x = torch.randn(2, 3, 3)
    projected = Net(nn.LSTM(3, 4, proj_size=2, batch_first=True), lambda r: r[0])
    assert "projected (proj_size)" in why(projected, x)
    with pytest.raises(
        ModelError, match=r"test_unroll.py:\d+\): .*it packs sequences, whose lengths"
    ):
        capture(Packed().eval(), (x,))
    plain = Net(nn.LSTM(3, 4, batch_first=True), lambda r: r[0])
    assert why(plain, x, "nvdla-like") == "no mul"
    assert why(plain, x, "deeploy-like") == "no mul"
    assert "1 to 1024 are unrolled" in why(plain, torch.randn(1, 1025, 3))
