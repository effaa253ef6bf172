"""What is folded into the batch and taken out again: samples stay apart, torch agrees."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import qsim
from qsim import Target
from qsim.quantizer.passes.folded.layout import Layout, reshaped
from tests.qsim.quantizer.folds import FRAMES, TOKEN_FOLDS, TOKENS, VIDEO, Folds

FOLDED = "it has more than one row of each sample in the batch's dimension"
RESULT = ("reshape.default", FOLDED)
# What stays on the host: norms, around which rows are folded as they were; a result that is.
HOST = {
    "groups": [("group_norm.default", FOLDED), RESULT, RESULT],
    "rows": [RESULT],
    "factorised": [("layer_norm.default", "target tflite has no layer_norm")],
}
SOME = ("frames", "clips", "rows", "groups", "windows", "masked", "pairs")


def test_some_networks_keep_samples_apart() -> None:
    for functions, x in ((FRAMES, VIDEO), (TOKEN_FOLDS, TOKENS)):
        check({name: function for name, function in functions.items() if name in SOME}, x)


@pytest.mark.soak
@pytest.mark.parametrize("contract", ["tflite", "xnnpack", "q7"])
def test_every_network_keeps_samples_apart(contract: str) -> None:
    for functions, x in ((FRAMES, VIDEO), (TOKEN_FOLDS, TOKENS)):
        check(dict(functions), x, contract)


def check(functions: dict[str, Any], x: Tensor, contract: str = "tflite") -> None:
    """Compare a network with torch, its graph, and with itself run in other ways."""
    model = Folds(functions).eval()
    quantized = qsim.quantize(model, (x[:2],), Target.load(contract), [x])
    assert quantized.batch, quantized.fixed
    exact = [each.detach() for each in model(x)]
    floats = [each.detach() for each in quantized.float_graph(x)]
    for key, found, wanted in zip(functions, floats, exact, strict=True):
        assert found.shape == wanted.shape, key
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5, msg=key)
    network = qsim.lower(quantized)
    left = sorted((o.operator.removeprefix("aten."), o.reason) for o in network.host_operators)
    if contract != "q7":  # which has no softmax, and no resize
        assert left == sorted(each for name in functions for each in HOST.get(name, ()))
    results, traced = network(x), network.trace(x).outputs
    alone = [network(part) for part in x.split(1)]
    for index, (key, result) in enumerate(zip(functions, results, strict=True)):
        np.testing.assert_array_equal(result, traced[index], key)
        assert torch.equal(result, torch.cat([each[index] for each in alone])), key
        wanted = exact[index]
        assert float((result - wanted).abs().max()) < 0.1 * float(wanted.abs().max()), key


class Interleaved(nn.Module):
    """Its result has row 0 of every sample, then row 1 of every sample."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x.transpose(0, 1).flatten(0, 1))


class Dynamic(nn.Module):
    """Samples as channels of one image, each convolved with weights of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Linear(2, 18)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, *image = x.shape
        weights = self.weights(x.mean((2, 3))).view(batch * channels, 1, 3, 3)
        y = x.reshape(1, batch * channels, *image)
        y = nn.functional.conv2d(y, weights, groups=batch * channels, padding=1)
        return y.view(batch, channels, *image)


def test_what_cannot_stay_apart_says_why() -> None:
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(3))
    fixed = qsim.quantize(Interleaved(), (x,), Target.load("tflite")).fixed
    assert fixed == "output 0 of shape (N, 4) has other samples' rows between those of one"
    image = torch.randn(2, 2, 4, 4, generator=torch.Generator().manual_seed(4))
    network = qsim.lower(qsim.quantize(Dynamic(), (image,), Target.load("tflite")))
    found = {o.operator.removeprefix("aten."): (o.kind, o.reason) for o in network.host_operators}
    at_run_time = "its weight or bias is computed at run time; correlation takes constants"
    assert found["conv2d.default"] == ("arguments", at_run_time)
    assert found["reshape.default"][0] == "batch"


def samples_of(shape: tuple[int, ...], layout: Layout, batch: int) -> Tensor:
    """Return which sample each element belongs to, from the definition of a layout."""
    index = torch.arange(shape[layout.dim]) // layout.inner % batch
    wide = [1] * len(shape)
    wide[layout.dim] = -1
    return index.reshape(wide).expand(shape)


SHAPES = [(12, 4, 3), (2, 6, 12), (2, 2, 3, 12), (48, 3), (4, 3, 12), (24, 6), (4, 6, 6), (3, 48)]


def test_layouts_follow_reshapes() -> None:
    """Every layout of every shape, reshaped to every other: samples go where torch puts them."""
    batch, kept = 3, 0
    for before in SHAPES:
        for dim, size in enumerate(before):
            for inner in range(1, size // batch + 1):
                outer, left = divmod(size, batch * inner)
                if left:
                    continue
                layout = Layout(dim, outer, inner)
                held = samples_of(before, layout, batch)
                for after in SHAPES:
                    for place in range(len(after)):
                        count = after[place] // batch
                        if after[place] % batch:
                            continue
                        made = reshaped(layout, before, after, place, count)
                        moved = held.reshape(after)
                        ways = [
                            Layout(place, count // i, i)
                            for i in range(1, count + 1)
                            if not count % i
                        ]
                        fitting = [
                            w for w in ways if torch.equal(samples_of(after, w, batch), moved)
                        ]
                        assert fitting == ([] if made is None else [made])
                        kept += made is not None
    assert kept > len(list(pairwise(SHAPES)))
