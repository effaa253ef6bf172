"""An LSTM step by hand: what CMSIS-NN's and TFLite-Micro's kernels do at the edges of 16 bits."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.formats import FixedFormat
from hw_models.recurrent import INT16, Curves, Gate, Half, Lstm
from hw_models.schemes import FixedPoint
from hw_models.tables import Sigmoid16, Tanh16


def one(weight: int, bias: int, shift: int = 31) -> Half:
    """Return a product of one element: ``(bias + weight * x) * 2**30 / 2**(shift - 1)``."""
    return Half([[weight]], FixedPoint(1 << 30, shift - 1), 0, [bias])


def lstm(power: int, forget: Gate, wide: Gate) -> Lstm:
    """Return an LSTM whose other gates are wide open; the cell's scale is ``2**power``."""
    return Lstm(
        wide, forget, wide, wide,
        Curves(Sigmoid16(3, 0), Tanh16(3, 0), Tanh16(3, -power - 12)),
        FixedPoint(1 << 30, 45), FixedPoint(1 << 30, 60 + power), FixedPoint(1 << 30, 53),
        -3, FixedFormat(8),
    )  # fmt: skip


@pytest.mark.parametrize("power", [-12, -13, -15])
def test_the_tanh_of_the_cell_does_not_change_the_cell(power: int) -> None:
    """Older releases of CMSIS-NN shifted the stored state for the curve: it lost bits each step."""
    open_ = Gate(one(0, 32767), one(0, 0))
    half = Gate(one(0, 0), one(0, 0))  # sigmoid(0) is 16384 of 2**15
    cell = lstm(power, half, open_)
    opened = Sigmoid16(3, 0).reference(32767, INT16)
    bent = Tanh16(3, 0).reference(32767, INT16)
    new = (opened * bent + (1 << (29 + power))) >> (30 + power)
    states: list[int] = []
    hidden = state = None
    for _ in range(3):
        hidden, state = cell.step([0], hidden, state)
        states += state
    once = (new + 1) >> 1
    twice = (once + new + 1) >> 1
    assert states == [new, min(once + new, 32767), min(twice + new, 32767)]


@pytest.mark.parametrize("left", [1, 3])
def test_the_curve_rounds_its_shift(left: int) -> None:
    """``arm_nn_activation_s16``: thrice the code plus half of a unit, shifted down, ties up."""
    for code in (-32768, -5, -2, -1, 1, 2, 3, 32767):
        at = (3 * code + (1 << left >> 1)) >> left
        assert Tanh16(3, left).reference(code, INT16) == Tanh16(1, 0).reference(at, INT16)
    assert Tanh16(3, 1).reference(-1, INT16) != Tanh16(3, 1).reference(-2, INT16)


def test_the_second_product_saturates_in_the_sum_or_alone() -> None:
    """16 bits hold the sum where the second product alone leaves them."""
    first, second = one(0, -20000), one(400, 0)
    x, h = [0], [100]
    assert Gate(first, second).codes(x, h) == [20000]
    assert Gate(first, second, each=True).codes(x, h) == [12767]


def test_a_state_of_zeros_adds_nothing_whatever_its_zero_point() -> None:
    gate = Gate(one(1, 5), Half([[7]], FixedPoint(1 << 30, 30), -9))
    assert gate.codes([2], None) == gate.codes([2], [-9]) == [7]
    assert np.shape(gate.codes([2], [-8])) == (1,)
    assert gate.codes([2], [-8]) == [14]
