"""Operators that move codes: equal to torch on the codes that they read, and in one program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

import qsim
from qsim import Target
from qsim.network.lowered import Lowered
from tests.qsim.program.reading import primitives

TABLE = torch.tensor([3, 0, 0, 2])
WINDOWS = ["reshape", "gather", "reshape"]
MASK = torch.tensor([True, False, True, True])

# Each reads N, 4, 6, 6 and leaves the batch in front; with the primitives that it becomes.
MOVES: dict[str, tuple[Callable[[Tensor], Any], list[str]]] = {
    "slice": (lambda y: y[:, 1:3], ["strided_slice"]),
    "slices": (lambda y: y[:, 1:3, ::2, -3:], ["strided_slice"]),
    "steps": (lambda y: y[..., 1::3], ["strided_slice"]),
    "select": (lambda y: y[:, -1], ["strided_slice", "reshape"]),
    "selects": (lambda y: y[:, :, -1, 2], ["strided_slice", "reshape"]),
    "narrow": (lambda y: y.narrow(-1, 2, 3), ["strided_slice"]),
    "narrow_copy": (lambda y: torch.narrow_copy(y, 1, 1, 2), ["strided_slice"]),
    "chunk": (lambda y: y.chunk(2, -1)[1], ["strided_slice"]),
    "split": (lambda y: y.split(3, 2)[1], ["strided_slice"]),
    "sizes": (lambda y: y.split([1, 3], 1)[1], ["strided_slice"]),
    "tensor_split": (lambda y: y.tensor_split(4, 3)[1], ["strided_slice"]),
    "tensor_split at": (lambda y: y.tensor_split((1, 4), 3)[1], ["strided_slice"]),
    "hsplit": (lambda y: torch.hsplit(y, 2)[1], ["strided_slice"]),
    "dsplit": (lambda y: torch.dsplit(y, 3)[2], ["strided_slice"]),
    "unbind": (lambda y: y.unbind(2)[4], ["strided_slice", "reshape"]),
    "flip": (lambda y: y.flip(-1, 1), ["strided_slice"]),
    "fliplr": (torch.fliplr, ["strided_slice"]),
    "roll": (lambda y: y.roll((-2, 7), (1, -1)), ["gather", "gather"]),
    "fftshift": (lambda y: torch.fft.fftshift(y, dim=2), ["gather"]),
    "rot90": (lambda y: y.rot90(-1, (2, 3)), ["strided_slice", "permute"]),
    "rot180": (lambda y: y.rot90(2, (1, 3)), ["strided_slice"]),
    "expand": (lambda y: y[:, :, :1].expand(-1, -1, 5, 6), ["strided_slice"]),
    "expand batch": (lambda y: y[:, :1].expand(y.shape[0], 3, 6, 6), ["strided_slice"]),
    "expand_as": (lambda y: y[..., 2:3].expand_as(y), ["strided_slice"]),
    "broadcast_to": (lambda y: y[:, 3:].broadcast_to(y.shape), ["strided_slice"]),
    "new axis": (lambda y: y[:, :, None].expand(-1, 4, 2, 6, 6), ["reshape", "strided_slice"]),
    "repeat": (lambda y: y.repeat(1, 1, 2, 1), ["gather"]),
    "tile": (lambda y: y.tile(3), ["gather"]),
    "interleave": (lambda y: y.repeat_interleave(2, 1), ["gather"]),
    "interleave by": (lambda y: y.repeat_interleave(torch.tensor([0, 2, 1, 1]), 1), ["gather"]),
    "pixel_shuffle": (lambda y: F.pixel_shuffle(y, 2), ["reshape", "permute", "reshape"]),
    "pixel_unshuffle": (lambda y: F.pixel_unshuffle(y, 3), ["reshape", "permute", "reshape"]),
    "channel_shuffle": (lambda y: F.channel_shuffle(y, 2), ["gather"]),
    "unfold": (lambda y: y.unfold(2, 3, 2), ["gather", "reshape", "permute"]),
    "tiles": (lambda y: y.unfold(3, 2, 2), ["reshape"]),
    "im2col": (lambda y: F.unfold(y, 2, stride=2), ["reshape", "permute", "reshape"]),
    "windows": (lambda y: F.unfold(y, 3), WINDOWS),
    "padded windows": (lambda y: F.unfold(y, 3, padding=1), ["pad", *WINDOWS]),
    "index": (lambda y: y[:, TABLE], ["gather"]),
    "even index": (lambda y: y[:, [3, 1]], ["strided_slice"]),
    "pairs": (lambda y: y[:, :, [0, 5, 3], [1, 2, 2]], ["reshape", "gather"]),
    "grid": (
        lambda y: y[:, :, torch.tensor([[1], [0]]), torch.tensor([[0, 4, 1]])],
        ["strided_slice", "gather"],
    ),
    "index_select": (lambda y: y.index_select(-3, TABLE), ["gather"]),
    "mask": (lambda y: y[:, MASK], ["gather"]),
    "mask of space": (lambda y: y[:, :, torch.eye(6) > 0], ["reshape", "strided_slice"]),
    "diagonal": (lambda y: y.diagonal(1, 2, 3), ["reshape", "strided_slice"]),
    "movedim": (lambda y: y.movedim(1, -1), ["permute"]),
    "circular": (lambda y: F.pad(y, (1, 0, 0, 2), mode="circular"), ["gather", "gather"]),
    "crop": (lambda y: F.pad(y, (-1, -2, 0, -1)), ["strided_slice"]),
    "crop and pad": (lambda y: F.pad(y, (-1, 2)), ["strided_slice", "pad"]),
}  # fmt: skip


class Every(nn.Module):
    """Every move of what one multiplication makes, beside it."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = x * 2.0
        return (y, *(MOVES[name][0](y) for name in self.names))


def images(batch: int = 4) -> Tensor:
    return torch.randn(batch, 4, 6, 6, generator=torch.Generator().manual_seed(1))


@cache
def lowered(contract: str, names: tuple[str, ...]) -> Lowered:
    x = images()
    return qsim.lower(qsim.quantize(Every(names), (x[:2],), Target.load(contract), [x]))


def made(network: Lowered) -> Iterator[list[str]]:
    """Give the primitives behind each output, back to the multiplication."""
    (program,) = network.programs
    calls = {call.output: call for call in program.calls}
    for name in program.outputs[1:]:
        found: list[str] = []
        while calls[name].primitive != "mul":
            found.insert(0, calls[name].primitive)
            name = calls[name].inputs[0]
        yield found


def test_each_is_torchs_in_few_primitives() -> None:
    network = lowered("tflite", tuple(MOVES))
    assert network.host_operators == ()
    assert dict(zip(MOVES, made(network), strict=True)) == {
        n: want for n, (_, want) in MOVES.items()
    }
    x = images()
    y, *results = network(x)
    for (name, (move, _)), result in zip(MOVES.items(), results, strict=True):
        assert torch.equal(result, move(y)), name


FEW = ("slices", "flip", "roll", "expand", "pixel_shuffle", "windows", "mask", "crop and pad")


@pytest.mark.parametrize("contract", ["tflite-int16x8", "int4", "onnxruntime"])
def test_codes_of_every_width_move(contract: str) -> None:
    network = lowered(contract, FEW)
    assert network.host_operators == ()
    y, *results = network(images())
    for name, result in zip(FEW, results, strict=True):
        assert torch.equal(result, MOVES[name][0](y)), name


def test_stream_interpreter_samples_and_batch_agree() -> None:
    network, x = lowered("tflite", tuple(MOVES)), images()
    whole, traced = network(x), network.trace(x)
    single = [network(x[i : i + 1]) for i in range(len(x))]
    none = network(x[:0])
    for at, result in enumerate(whole):
        assert torch.equal(result, torch.cat([one[at] for one in single]))
        assert none[at].shape == (0, *result.shape[1:])
    (program,) = network.programs
    for name, result in zip(program.outputs, whole, strict=True):
        spec = program.tensors[name]
        codes = traced.tensors[name].astype(np.float64) - spec.zero_point
        np.testing.assert_array_equal((codes * spec.scale).astype(np.float32), result.numpy())


class Fn(nn.Module):
    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def build(function: Callable[[Tensor], Any], x: Tensor, config: Any = None) -> Lowered:
    return qsim.lower(qsim.quantize(Fn(function), (x,), Target.load("tflite"), [x], config))


def test_joins_and_writes_into_a_part() -> None:
    def parts(x: Tensor) -> tuple[Tensor, ...]:
        y = x.clamp(-0.5, 0.5) * 2.0  # every channel has both ends: one range everywhere
        low, high = y[:, :2].flip(-1), y[:, 2:]
        return (
            y,
            torch.stack([y, y], 2),
            torch.cat([y, y], 3),
            torch.cat([high, y[:, 4:]], 1),
            torch.slice_scatter(y, low, 1, 1, 3),
            torch.slice_scatter(y, low, 1, 0, 4, 2),
            torch.select_scatter(y, low[:, 1], 1, -1),
        )

    network = build(parts, images())
    assert network.host_operators == ()
    assert len(network.programs) == 1
    y, stacked, twice, short, *written = network(images())
    assert torch.equal(stacked, torch.stack([y, y], 2))
    assert torch.equal(twice, torch.cat([y, y], 3))
    assert torch.equal(short, y[:, 2:])
    for result, new in zip(written, ({1: 0, 2: 1}, {0: 0, 2: 1}, {3: 1}), strict=True):
        for channel in range(4):
            kept = y[:, channel] if channel not in new else y[:, new[channel]].flip(-1)
            assert torch.equal(result[:, channel], kept)


def test_a_static_batch_moves_like_any_dimension() -> None:
    def moves(x: Tensor) -> tuple[Tensor, ...]:
        y = x * 2.0
        return y, y.flip(0), y[1:, ::2], y.reshape(4, 18).roll(1, 0), y[[2, 0, 0]], y.repeat(2, 1)

    # Without a batch: the first dimension is mixed with the second.
    x = torch.randn(12, 6, generator=torch.Generator().manual_seed(1))
    network = build(moves, x)
    assert network.host_operators == ()
    assert len(network.programs) == 1
    y, *results = network(x)
    wanted = (y.flip(0), y[1:, ::2], y.reshape(4, 18).roll(1, 0), y[[2, 0, 0]], y.repeat(2, 1))
    for result, want in zip(results, wanted, strict=True):
        assert torch.equal(result, want)


def test_a_clamp_behind_a_move_clamps_codes() -> None:
    network = build(lambda x: F.relu((x * 2.0)[:, 1:3]), images())
    assert primitives(network) == ["mul", "strided_slice", "clamp"]
    same = build(lambda x: F.relu((x * 2.0).expand(-1, 4, 6, 6)), images())
    assert primitives(same) == ["mul", "clamp"]


HOST = [
    (lambda y: y.flip(0), "flip", "it reads across the batch"),
    (lambda y: y.roll(6, 0), "roll", "it reads across the batch"),
    (lambda y: y[..., 6:], "slice", "its result is empty"),
    (lambda y: y.gather(1, y.argmax(1, keepdim=True)), "gather", "computed at run time"),
    (lambda y: y.argmax(1)[:, 1:3], "slice", "it reads or makes integers"),
    (lambda y: F.fold(y.reshape(-1, 4, 36), 7, 2), "col2im", "its windows overlap"),
    (lambda y: y.sum((1, 2)).sum(1)[..., None][:, 0], "", ""),
]


def test_what_stays_on_the_host_says_why() -> None:
    def every(x: Tensor) -> tuple[Tensor, ...]:
        y = x * 2.0
        found = [function(y) for function, _, _ in HOST]
        return (y, *(each.sum(-1) if not each.numel() else each for each in found))

    network = build(every, images())
    reasons = [(item.operator.split(".")[1], item.reason) for item in network.host_operators]
    for _, operator, reason in HOST:
        assert any(name == operator and reason in why for name, why in reasons) or not operator
    y, *results = network(images())
    for (function, operator, _), result in zip(HOST, results, strict=True):
        if operator not in ("slice", ""):
            assert torch.equal(result, function(y))


def test_other_parameters_behind_a_move_rescale() -> None:
    x = images()
    quantized = qsim.quantize(
        Fn(lambda x: (x * 2.0)[:, 1:3] * 0.5), (x,), Target.load("tflite"), [x]
    )
    (slice_node,) = (n for n in quantized.graph.graph.nodes if "slice" in str(n.target))
    (quantize,) = slice_node.users
    for node in (quantize, *quantize.users):
        node.update_arg(1, 2 * node.args[1])
    network = qsim.lower(quantized)
    assert primitives(network) == ["mul", "strided_slice", "requantize", "mul"]


def shuffle_unit() -> nn.Module:
    class Unit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branch = nn.Sequential(
                nn.Conv2d(4, 4, 1),
                nn.ReLU(),
                nn.Conv2d(4, 4, 3, 1, 1, groups=4),
                nn.Conv2d(4, 4, 1),
            )

        def forward(self, x: Tensor) -> Tensor:
            kept, changed = x.chunk(2, 1)
            y = torch.cat([kept, F.relu(self.branch(changed))], 1)
            n, c, h, w = y.shape
            return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)

    return nn.Sequential(nn.Conv2d(4, 8, 3, 2, 1), nn.ReLU(), Unit(), Unit(), nn.Conv2d(8, 4, 1))


def temporal() -> nn.Module:
    class Block(nn.Module):
        def __init__(self, dilation: int) -> None:
            super().__init__()
            self.conv = nn.Conv1d(4, 4, 3, padding=2 * dilation, dilation=dilation)
            self.chomp = 2 * dilation

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x + F.relu(self.conv(x)[:, :, : -self.chomp].contiguous()))

    return nn.Sequential(nn.Flatten(2), Block(1), Block(2), Block(4))


def super_resolution() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(4, 4, 5, padding=2), nn.Tanh(), nn.Conv2d(4, 12, 3, padding=1), nn.PixelShuffle(2)
    )


@pytest.mark.parametrize("make", [shuffle_unit, temporal, super_resolution])
def test_networks_that_move_codes_are_one_program(make: Callable[[], nn.Module]) -> None:
    x = images()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        quantized = qsim.quantize(make().eval(), (x[:2],), Target.load("tflite"), [x])
    network = qsim.lower(quantized)
    assert network.host_operators == ()
    (program,) = network.programs
    scale = program.tensors[program.outputs[0]].scale
    assert scale is not None
    got = network(x)
    assert float((got - quantized(x)).abs().max()) <= 2 * scale
    assert torch.equal(got, torch.cat([network(x[i : i + 1]) for i in range(4)]))


def test_what_lies_between_merged_moves_has_no_name_of_the_models() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 12)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.fc(x).split(4, -1)[1]
            return y.view(-1, 3, 2, 2).transpose(1, 2).transpose(2, 3)

    quantized = qsim.quantize(Heads().eval(), torch.randn(2, 3, 4), Target.load("tflite"))
    made = {
        node.name: node.meta["val"].shape
        for node in quantized.float_graph.graph.nodes
        if "val" in node.meta
    }
    (program,) = qsim.lower(quantized).programs
    moved = [
        call for call in program.calls if call.primitive in ("strided_slice", "reshape", "permute")
    ]
    assert [call.primitive for call in moved] == ["strided_slice", "reshape", "permute"]
    for call in moved:
        assert call.name.rsplit(".", 1) == ["transpose_1", call.primitive]
        shape = made.get(call.output)
        assert shape is None or tuple(shape[1:]) == program.tensors[call.output].shape[1:]
