"""Gradients are the papers': compared in float64 with the formulas, written out value by value."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from qsim.quantizer.learning.algorithms import ACTIVATIONS, WEIGHTS, Learned
from qsim.quantizer.learning.algorithms.steps import Activated, Clipped, Stepped, Thresholded
from qsim.quantizer.qparams import Coding

# Ties, both ends and half a step beyond them, far outside, zero; in steps, of codes -8..7.
STEPS = (
    -20.0,
    -9.0,
    -8.5,
    -8.25,
    -8.0,
    -7.5,
    -3.5,
    -0.5,
    0.0,
    0.25,
    0.5,
    1.5,
    6.5,
    7.0,
    7.25,
    7.5,
    8.5,
)
LOW, HIGH = -8.0, 7.0
SCALES = (0.25, 0.1)


def _double(*values: float, grad: bool = True) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def _run(function: Any, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
    """Return y; the gradients of the sum of y with weights 1, 2, 3, ... are in the operands."""
    ends = (_double(LOW, grad=False), _double(HIGH, grad=False))
    y = function.apply(x, *others, *ends)
    (y * torch.arange(1.0, len(x) + 1.0, dtype=torch.float64)).sum().backward()
    return y.detach()


def _code(v: float) -> int:
    return min(max(round(v), int(LOW)), int(HIGH))  # Python's round ties to even


@pytest.mark.parametrize("scale", SCALES)
def test_lsq(scale: float) -> None:
    x, s = _double(*(v * scale for v in STEPS)), _double(scale)
    offset = _double(0.0, grad=False)
    y = _run(Stepped, x, s, offset)
    wanted_x, wanted_s = [], 0.0
    for index, value in enumerate(x.tolist()):
        v = value / scale
        assert y[index] == _code(v) * scale
        inside = LOW < v < HIGH
        slope = round(v) - v if inside else LOW if v <= LOW else HIGH
        wanted_x.append((index + 1) * inside)
        wanted_s += (index + 1) * slope
    assert x.grad.tolist() == wanted_x
    assert s.grad.item() == pytest.approx(wanted_s, rel=1e-13)


@pytest.mark.parametrize("scale", SCALES)
def test_lsq_plus(scale: float) -> None:
    shift = 3 * scale
    x = _double(*(v * scale + shift for v in STEPS))
    s, offset = _double(scale), _double(shift)
    y = _run(Stepped, x, s, offset)
    wanted_x, wanted_s, wanted_b = [], 0.0, 0.0
    for index, value in enumerate(x.tolist()):
        v = (value - shift) / scale
        assert y[index] == _code(v) * scale + shift
        inside = LOW < v < HIGH
        slope = round(v) - v if inside else LOW if v <= LOW else HIGH
        wanted_x.append((index + 1) * inside)
        wanted_s += (index + 1) * slope
        wanted_b += (index + 1) * (not inside)
    assert x.grad.tolist() == wanted_x
    assert s.grad.item() == pytest.approx(wanted_s, rel=1e-13)
    assert offset.grad.item() == wanted_b


@pytest.mark.parametrize("log2_t", [1.0, 0.5])
def test_tqt(log2_t: float) -> None:
    scale = 2.0 ** (math.ceil(log2_t) - 3)
    x, threshold = _double(*(v * scale for v in STEPS)), _double(log2_t)
    y = _run(Thresholded, x, threshold, _double(scale, grad=False))
    wanted_x, wanted_t = [], 0.0
    for index, value in enumerate(x.tolist()):
        v = value / scale
        assert y[index] == _code(v) * scale
        inside = LOW <= round(v) <= HIGH
        slope = round(v) - v if inside else LOW if round(v) < LOW else HIGH
        wanted_x.append((index + 1) * inside)
        wanted_t += (index + 1) * slope * scale * math.log(2.0)
    assert x.grad.tolist() == wanted_x
    assert threshold.grad.item() == pytest.approx(wanted_t, rel=1e-13)


def test_a_threshold_that_is_too_wide_moves_inward() -> None:
    """What tells TQT from an estimator that knows clipped values alone (section 3.4)."""
    x, threshold = _double(0.3, -0.3, 0.2), _double(5.0)
    y = Thresholded.apply(
        x, threshold, _double(4.0, grad=False), _double(LOW, grad=False), _double(HIGH, grad=False)
    )
    ((y - x.detach()) ** 2).sum().backward()
    assert threshold.grad.item() > 0.0  # a step of descent makes it smaller


@pytest.mark.parametrize("clip", [1.75, 0.7])
def test_pact(clip: float) -> None:
    low, high = _double(0.0, grad=False), _double(HIGH, grad=False)
    scale = clip / HIGH
    x, a = _double(*(v * scale for v in STEPS), clip), _double(clip)
    y = Activated.apply(x, a, _double(scale, grad=False), low, high)
    (y * torch.arange(1.0, len(x) + 1.0, dtype=torch.float64)).sum().backward()
    for index, value in enumerate(x.tolist()):
        code = min(max(round(value / scale), 0), 7)
        assert y[index] == code * scale
        assert x.grad[index] == (index + 1) * (0.0 <= value < clip)
    wanted = sum(index + 1 for index, value in enumerate(x.tolist()) if value >= clip)
    assert a.grad.item() == wanted


@pytest.mark.parametrize("scale", SCALES)
def test_iao(scale: float) -> None:
    x = _double(*(v * scale for v in STEPS))
    y = _run(Clipped, x, _double(scale, grad=False))
    for index, value in enumerate(x.tolist()):
        assert y[index] == _code(value / scale) * scale
        assert x.grad[index] == (index + 1) * (LOW <= value / scale <= HIGH)


WIDTHS = (1, 2, 3, 4, 8, 12, 16, 24, 32)


def _started(
    name: str, coding: Coding, scale: float, zero: int, weight: torch.Tensor | None
) -> Learned:
    kinds = ACTIVATIONS if weight is None else WEIGHTS
    learned = kinds[name](coding, None)
    learned.start(torch.tensor([scale]), torch.tensor([float(zero)]), weight)
    return learned


@pytest.mark.parametrize("name", list(ACTIVATIONS))
@pytest.mark.parametrize("scheme", ["asymmetric", "symmetric", "power_of_two"])
def test_every_width_trains_and_keeps_its_scale_positive(name: str, scheme: Any) -> None:
    """Ten steps of a rate that would carry a plain scale far below 0."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(64, generator=generator)
    for bits in WIDTHS:
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        for weight in (None, x):
            coding = Coding(low, high, scheme, exact=weight is not None)
            scale, zero = 2.0 ** (2 - bits), 0
            learned = _started(name, coding, scale, zero, weight)
            parameters = list(learned.parameters())
            optimizer = torch.optim.SGD(parameters, lr=0.5) if parameters else None
            for _ in range(10):
                loss = (learned(x) - x.mul(0.01)).square().mean()
                if optimizer is None:
                    break
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            made, point = learned.qparams()
            assert made.shape == point.shape == (1,)
            assert made[0] > 0.0
            assert low <= point[0] <= high
            if scheme == "power_of_two" or name == "tqt":
                assert math.frexp(made[0])[0] == 0.5
                assert scheme == "asymmetric" or point[0] == 0


def test_lsq_of_channels_has_a_gradient_for_each() -> None:
    coding = Coding(-8, 7, "symmetric", exact=True)
    weight = torch.tensor([[0.1, 0.9, -4.0], [0.2, -0.3, 0.05]], requires_grad=True)
    learned = WEIGHTS["lsq"](coding, 0)
    learned.start(torch.tensor([0.5, 0.05]), torch.zeros(2), weight.detach())
    learned(weight).sum().backward()
    v = (weight / torch.tensor([[0.5], [0.05]])).detach()
    inside = (v > -8) & (v < 7)
    ends = torch.where(v <= -8, -8.0, 7.0)
    g = 1.0 / math.sqrt(3 * 7)
    wanted = torch.where(inside, v.round() - v, ends).sum(dim=1) * g
    wanted *= torch.tensor([0.5, 0.05]) * math.log(2.0)  # of the logarithm
    found = learned.log2_scale.grad
    assert torch.allclose(found, wanted, rtol=1e-5)
