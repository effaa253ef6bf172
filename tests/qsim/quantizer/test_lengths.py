"""Models whose sequences may have any length within bounds, from torch to integers."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import pytest
import torch
from torch import nn
from torch.export import Dim

import qsim
from qsim.errors import InputError, ModelError, UsageError
from qsim.network import further_lengths, length_points
from qsim.target import Target

TARGETS = ("tflite", "integer-transformer", "fbgemm-dynamic")


class Block(nn.Module):
    """Positions, attention under a causal mask, and a mean over the sequence."""

    def __init__(self, longest: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(longest, 4) * 0.3)
        self.value, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = x.shape[1]
        x = x + self.positions[:steps]
        hidden = torch.ones(steps, steps, dtype=torch.bool).triu(1)
        scores = (x @ x.transpose(1, 2)).masked_fill(hidden, float("-inf"))
        x = scores.softmax(-1) @ self.value(x)
        return self.head(x).mean(1)


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.a(x))


class Strided(nn.Module):
    """Half as many steps come out, rounded up; and the last one alone."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.conv(x)
        return y, y[:, :, -1]


class First(Plain):
    """Reads the first element: alone, that is the whole sequence, and no element is taken."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x)[:, 0]


class Rows(Plain):
    """Folds the sequence into the batch, as GPT-2 does: one element is not folded."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = torch.addmm(self.a.bias, x.reshape(-1, 4), self.a.weight)
        return torch.relu(rows).reshape(x.shape)


class Fixed(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x).reshape(-1, 20)


def inputs(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@functools.cache
def made(kind: str, name: str, most: int) -> qsim.Quantized:
    torch.manual_seed(3)
    batches = [(inputs(2, s, 4),) for s in (2, 7, most)]
    dims = {"x": {0: Dim("batch"), 1: Dim("length", min=1, max=most)}}
    model = Block(most).eval() if kind == "block" else Plain().eval()
    return qsim.quantize(
        model, (inputs(1, 5, 4),), Target.load(name), calibration=batches, lengths=dims
    )


def check_length(quantized: qsim.Quantized, lowered: qsim.Lowered, s: int) -> None:
    """At a length: the digest and the results of the network that is lowered for it alone."""
    alone, x = qsim.lower(quantized.at(s)), inputs(3, s, 4)
    assert alone.lengths is None
    assert lowered.at(s).digest == alone.digest
    torch.testing.assert_close(lowered(x), alone(x), rtol=0, atol=0)
    if not any(program.mixing for program in lowered.programs):
        torch.testing.assert_close(lowered(x)[1:2], lowered(x[1:2]), rtol=0, atol=0)
    near = (lowered(x) - quantized(x)).abs().max()
    real = quantized.at(s).float_graph(x)
    assert near <= 0.05 * real.abs().max() + 1e-6


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("block", "tflite"),
        ("plain", "integer-transformer"),
        ("plain", "fbgemm-dynamic"),
        pytest.param("block", "integer-transformer", marks=pytest.mark.soak),
        pytest.param("block", "fbgemm-dynamic", marks=pytest.mark.soak),
    ],
)
def test_lengths_1_7_and_128(kind: str, name: str) -> None:
    quantized = made(kind, name, 128)
    lowered = qsim.lower(quantized)
    # The bounds were compared when it was lowered; 7 follows from them and from other lengths.
    assert {1, 128} <= set(length_points(1, 128))
    assert 7 not in (*length_points(1, 128), *further_lengths(1, 128))
    check_length(quantized, lowered, 7)
    for s in (1, 128):
        x = inputs(3, s, 4)
        assert (lowered(x) - quantized(x)).abs().max() <= 0.05 * lowered(x).abs().max() + 1e-6
    held = lowered.lengths
    assert held is not None
    if kind == "block":
        assert bool(held.tables) == (name != "fbgemm-dynamic")  # its mean is a float operator
        assert {axis for *_, axis in held.windows} == {0, 1}  # positions, both sides of the mask


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_every_length_to_16(name: str) -> None:
    quantized = made("block", name, 16)
    lowered = qsim.lower(quantized)
    for s in range(1, 17):
        check_length(quantized, lowered, s)


def scales(graph: Any) -> list[float]:
    """Return every scale that a graph quantizes with."""
    return [
        node.args[1]
        for node in graph.graph.nodes
        if str(node.target).startswith("quantized_decomposed.quantize_per_tensor")
    ]


def test_scales_are_those_of_all_data() -> None:
    torch.manual_seed(0)
    model, target, dims = Plain().eval(), Target.load("tflite"), ({1: (1, 6)},)
    small, large = inputs(2, 2, 4), inputs(2, 5, 4) * 7
    found = []
    for batches in itertools.permutations([(small,), (large,)]):
        quantized = qsim.quantize(model, (small,), target, calibration=batches, lengths=dims)
        found += [scales(quantized.at(s).graph) for s in (2, 5, 6)]
    assert all(each == found[0] for each in found)
    alone = qsim.quantize(model, (large,), target, calibration=[(large,)])
    assert found[0] == scales(alone.graph)


def test_an_exported_program_says_its_lengths() -> None:
    torch.manual_seed(0)
    model, target, x = Plain().eval(), Target.load("tflite"), inputs(2, 5, 4)
    dims = ({0: Dim("batch"), 1: Dim("length", min=1, max=8)},)
    program = torch.export.export(model, (x,), dynamic_shapes=dims)
    lowered = qsim.lower(qsim.quantize(program, (x,), target))
    assert lowered.inputs[0].free == ((1, 1, 8),)
    torch.testing.assert_close(lowered(x), model(x).detach(), rtol=0, atol=0.05)
    assert {call.layer for call in lowered.programs[0].calls} == {"a"}
    open_end = torch.export.export(model, (x,), dynamic_shapes=({1: Dim("length")},))
    with pytest.raises(UsageError, match=r"dimension 1 of input 'x' is .* without an upper bound"):
        qsim.quantize(open_end, (x,), target)


def test_a_stride_divides_the_length() -> None:
    torch.manual_seed(0)
    target, x = Target.load("tflite"), inputs(1, 2, 6)
    quantized = qsim.quantize(Strided().eval(), (x,), target, lengths=({2: (3, 9)},))
    lowered = qsim.lower(quantized)
    assert lowered.outputs[0].free == ((2, 2, 5),)
    for s in range(3, 10):
        found, wanted = lowered(inputs(2, 2, s)), quantized(inputs(2, 2, s))
        assert found[0].shape == (2, 3, (s + 1) // 2)
        assert torch.equal(found[0][:, :, -1], found[1])
        torch.testing.assert_close(found, wanted, rtol=0, atol=0.02)
    with pytest.raises(ModelError, match=r"Not all values of length .* generated guard .* != 1"):
        qsim.quantize(Strided().eval(), (x,), target, lengths=({2: (2, 9)},))


@pytest.mark.parametrize("model", [First, pytest.param(Rows, marks=pytest.mark.soak)])
def test_one_element_follows_from_the_others(model: type[Plain]) -> None:
    torch.manual_seed(0)
    net, x = model().eval(), inputs(2, 5, 4)
    quantized = qsim.quantize(net, (x,), Target.load("tflite"), lengths=({1: (1, 5)},))
    lowered = qsim.lower(quantized)
    assert lowered.lengths is not None
    assert (lowered.lengths.least, lowered.lengths.regular) == (1, 2)
    calls = [[call.primitive for call in lowered.at(s).programs[0].calls] for s in (1, 2)]
    assert calls[0] == calls[1]
    one = lowered(x[:, :1])
    assert torch.equal(one.reshape(2, 4), lowered(x[:, :2]).reshape(2, -1)[:, :4])
    torch.testing.assert_close(one, net(x[:, :1]).detach(), rtol=0, atol=0.05)


def test_inputs_beyond_the_bounds_are_refused() -> None:
    model, target, x = Plain().eval(), Target.load("tflite"), inputs(1, 3, 4)
    dims = {"x": {1: (2, 4)}}
    for given, calibration, where in (
        (inputs(1, 1, 4), None, "example_inputs, input 0"),
        (x, [(inputs(1, 5, 4),)], "calibration, input 0"),
    ):
        with pytest.raises(InputError, match=rf"{where}: .* \(accepted: lengths 2 to 4\)"):
            qsim.quantize(model, (given,), target, calibration=calibration, lengths=dims)
    quantized = qsim.quantize(model, (x,), target, lengths=dims)
    assert repr(quantized) == "<Quantized for tflite: inputs 4x4 (any batch, lengths 2 to 4)>"
    with pytest.raises(
        InputError, match=r"inputs, input 0: an empty sequence .accepted: lengths 2 to 4"
    ):
        quantized(torch.zeros(1, 0, 4))
    with pytest.raises(UsageError, match=r"length is 5 .accepted: 2 to 4"):
        quantized.at(5)
    with pytest.raises(UsageError, match=r"a \.pt2 file holds one length, and this network takes"):
        quantized.save_pt2("never.pt2")
    with pytest.raises(UsageError, match="its shapes are fixed"):
        quantized.at(3).at(3)


@pytest.mark.parametrize(
    ("lengths", "line"),
    [
        ({"y": {1: (1, 8)}}, "lengths: names 'y', which is no input (accepted: x)"),
        ({"x": {0: (1, 8)}}, "lengths: names dimension 0 of input 0, but dimension 0 is the batch"),
        (
            {"x": {3: (1, 8)}},
            "lengths: names dimension 3 of input 0, but it has 3 (accepted: 1 to 2",
        ),
        ({"x": {1: (1, 8), 2: (1, 9)}}, "lengths: has 2 lengths of their own (accepted: one"),
        ({"x": {1: (0, 8)}}, "lengths: has the bounds 0 and 8 (accepted: 1 <= min <= max)"),
        ({"x": {1: Dim.AUTO}}, 'without bounds of its own (accepted: {"tokens"'),
        ({"x": {1: 2 * Dim("half", min=1, max=4)}}, "without bounds of its own"),
        ({"x": {0: Dim("batch")}}, "lengths: names no dimension"),
        ([None, {1: (1, 8)}], "lengths: names 2 inputs (accepted: 1)"),
        ("x", 'lengths: is a str (accepted: {"tokens"'),
    ],
)
def test_lengths_are_dimensions_with_bounds(lengths: Any, line: str) -> None:
    with pytest.raises(UsageError) as error:
        qsim.quantize(Plain(), (inputs(1, 3, 4),), Target.load("tflite"), lengths=lengths)
    assert line in str(error.value)


def test_a_model_of_one_length_is_refused() -> None:
    with pytest.raises(ModelError, match=r"with a free length: .* \(accepted: a model that takes"):
        qsim.quantize(
            Fixed().eval(), (inputs(1, 5, 4),), Target.load("tflite"), lengths=({1: (1, 8)},)
        )


class Mean(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x).mean(1) * 2.0


def test_a_mean_is_no_shift() -> None:
    torch.manual_seed(0)
    net, x = Mean().eval(), inputs(4, 8, 4)
    quantized = qsim.quantize(net, (x,), Target.load("q7"), lengths=({1: (1, 9)},))
    with pytest.raises(ModelError, match=r"^mean .*: its mean over the sequence is a shift at "):
        qsim.lower(quantized)


def test_equal_bounds_are_no_freedom() -> None:
    x = inputs(1, 3, 4)
    made = qsim.quantize(Plain().eval(), (x,), Target.load("tflite"), lengths=({1: (3, 3)},))
    assert made.lengths is None
