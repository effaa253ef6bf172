"""Whole layers: nothing stays on the host, files and golden sets hold what was computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from qsim import Target, golden, lower, quantize
from qsim.quantizer.pt2 import load_pt2
from qsim.quantizer.quantized import Quantized
from qsim.quantizer.saving import save_pt2
from tests.qsim.recurrent.cells import Steps, drawn


class Tagger(nn.Module):
    """An LSTM whose states are all read, each in a way of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.layer, self.last = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, (h, c) = self.layer(x)
        return y, self.last(h[-1]), self.last(c[-1])


class Reader(nn.Module):
    """A GRU in both directions whose last states alone are read."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.layer = nn.GRU(3, 2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.layer(x)[1]
        return torch.cat([h[0], h[1]], 1)


def near(result: object, wanted: Tensor, least: float) -> None:
    """Require so many dB of signal to noise: loosely, as the integers are compared elsewhere."""
    error = torch.as_tensor(np.asarray(result)) - wanted
    assert 10 * torch.log10(wanted.square().sum() / error.square().sum()) > least


def test_an_lstm(tmp_path: Path) -> None:
    model, x = Tagger().eval(), torch.randn(6, 3, 3, generator=torch.Generator().manual_seed(0))
    quantized = quantize(model, (x,), Target.load("tflite"))
    lowered = lower(quantized)
    assert not lowered.host_operators
    with torch.no_grad():
        for result, wanted in zip(lowered(x), model(x), strict=True):
            near(result, wanted, 30)
    alone = [lowered(x[i : i + 1]) for i in range(2)]
    for part, whole in enumerate(lowered(x)):
        np.testing.assert_array_equal(np.concatenate([np.asarray(a[part]) for a in alone]),
                                      np.asarray(whole)[:2])  # fmt: skip
    save_pt2(quantized, tmp_path / "net.pt2")
    again = load_pt2(tmp_path / "net.pt2")
    assert isinstance(again, Quantized)
    assert lower(again).digest == lowered.digest


class Resumed(nn.Module):
    """An LSTM whose states are given, the batch in front, and which returns them so."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.lstm = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        made, (h, c) = self.lstm(x, (h[None], c.transpose(0, 1)))
        return made, h[0], c[0]


def test_states_that_are_given(tmp_path: Path) -> None:
    draws = torch.Generator().manual_seed(2)
    x, h, c = (torch.randn(6, *size, generator=draws) for size in ((3, 3), (4,), (1, 4)))
    model, given = Resumed().eval(), (x, h.tanh(), 2 * c)
    lowered = lower(quantize(model, given, Target.load("tflite"), [given]))
    assert not lowered.host_operators
    with torch.no_grad():
        for result, wanted in zip(lowered(*given), model(*given), strict=True):
            near(result, wanted, 28)
    alone = lowered(*(item[2:3] for item in given))
    for one, all_ in zip(alone, lowered(*given), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(all_)[2:3])
    # The cell state moves as it is: 16 bits among the 8 of the target's activations.
    made = golden.record(lowered, tuple(item[:1].numpy() for item in given), tmp_path / "set")
    assert any(case.formats["output"].bits == 16 and case.primitive in ("reshape", "strided_slice")
               for case in made.cases)  # fmt: skip
    assert golden.check(tmp_path / "set").ok


def test_a_gru() -> None:
    model, x = Reader().eval(), torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(1))
    lowered = lower(quantize(model, (x,), Target.load("q7")))
    assert not lowered.host_operators
    with torch.no_grad():
        near(lowered(x), model(x), 25)


def test_a_golden_set(tmp_path: Path) -> None:
    x = drawn(2, 3, batch=2)
    lowered = lower(quantize(Steps(nn.LSTMCell(3, 2)).eval(), x, Target.load("tflite")))
    made = golden.record(lowered, tuple(i[:1].numpy() for i in x), tmp_path / "set")
    kinds = {case.primitive for case in made.cases}
    assert kinds == {"linear", "bias_add", "requantize", "add", "lookup", "mul"}
    assert golden.check(tmp_path / "set").ok
