"""Learned rounding is the papers': compared in float64 with the formulas, value by value."""

from __future__ import annotations

import math

import pytest
import torch

from qsim.quantizer.learning.algorithms import Rounded
from qsim.quantizer.learning.reconstruction.drive import beta
from qsim.quantizer.qparams import Coding
from qsim.quantizer.settings import Reconstruction

# Whole steps, ties, thirds, both ends of codes -8..7 and what lies beyond them; in steps.
STEPS = (-20.0, -8.5, -8.0, -7.7, -3.5, -1.0, -0.25, 0.0, 1 / 3, 0.5, 1.5, 6.9, 7.0, 7.5, 19.0)
SCALE = 0.25
CODING = Coding(-8, 7, "symmetric", exact=True)


def _started(*steps: float) -> tuple[Rounded, torch.Tensor]:
    weight = torch.tensor([each * SCALE for each in steps], dtype=torch.float64)
    rounded = Rounded(CODING, None)
    one = torch.tensor([SCALE], dtype=torch.float64)
    rounded.start(one, torch.zeros_like(one), weight)
    return rounded, weight


def _h(a: float) -> float:
    return min(max(1.2 / (1.0 + math.exp(-a)) - 0.1, 0.0), 1.0)


def test_it_begins_where_nothing_is_rounded() -> None:
    rounded, weight = _started(*STEPS)
    for made, step in zip(rounded(weight).tolist(), STEPS, strict=True):
        assert made == pytest.approx(min(max(step, -8.0), 7.0) * SCALE, abs=1.01e-4 * SCALE)


def test_values_gradients_and_drive() -> None:
    rounded, weight = _started(*STEPS)
    # Beyond ln 11 on either side h is 0 or 1 and has no gradient; at 0 it is half a step.
    values = (-9.0, -2.4, -2.3, -1.0, -0.1, 0.0, 0.1, 1.0, 2.3, 2.4, 9.0, 0.7, 0.0, 0.0, 0.0)
    with torch.no_grad():
        rounded.rounding.copy_(torch.tensor(values, dtype=torch.float64))
    made = rounded(weight)
    (slope,) = torch.autograd.grad(made.sum(), rounded.rounding)
    for index, (step, a) in enumerate(zip(STEPS, values, strict=True)):
        code = math.floor(step) + _h(a)
        assert made[index].item() == pytest.approx(min(max(code, -8.0), 7.0) * SCALE, rel=1e-13)
        soft = 1.0 / (1.0 + math.exp(-a))
        moves = 0.0 < _h(a) < 1.0 and -8.0 <= code <= 7.0
        wanted = SCALE * 1.2 * soft * (1.0 - soft) if moves else 0.0
        assert slope[index].item() == pytest.approx(wanted, rel=1e-12)
    for power in (20.0, 7.5, 2.0):
        drive = rounded.undecided(power)
        (slope,) = torch.autograd.grad(drive, rounded.rounding)
        away = [2.0 * _h(a) - 1.0 for a in values]
        assert drive.item() == pytest.approx(sum(1.0 - abs(d) ** power for d in away), rel=1e-12)
        for a, d, found in zip(values, away, slope.tolist(), strict=True):
            soft = 1.0 / (1.0 + math.exp(-a))
            inner = 1.2 * soft * (1.0 - soft) if 0.0 < _h(a) < 1.0 else 0.0
            outer = -power * abs(d) ** (power - 1.0) * math.copysign(2.0, d)
            assert found == pytest.approx(outer * inner, rel=1e-9, abs=1e-15)


def test_the_drive_sleeps_and_falls_from_20_to_2() -> None:
    settings = Reconstruction(iterations=100, warm_up=0.2)
    assert [beta(settings, step) for step in (0, 19)] == [None, None]
    assert beta(settings, 20) == 20.0
    assert beta(settings, 60) == pytest.approx(11.0)  # half way, of a line and of a cosine
    assert beta(settings, 40) == pytest.approx(2.0 + 9.0 * (1.0 + math.cos(math.pi / 4)))
    assert beta(settings, 100) == pytest.approx(2.0)


def test_what_is_decided_are_codes() -> None:
    """Their nearest codes are those that were learned, upward of a tie, and within the ends."""
    rounded, weight = _started(*STEPS)
    values = [(-1.0) ** index * (index % 3) for index in range(len(STEPS))]
    with torch.no_grad():
        rounded.rounding.copy_(torch.tensor(values, dtype=torch.float64))
    pairs = zip(STEPS, values, strict=True)
    wanted = [min(max(math.floor(step) + (a >= 0.0), -8), 7) for step, a in pairs]
    finished = rounded.finished(weight)
    assert (finished / SCALE).tolist() == wanted
