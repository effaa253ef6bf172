"""Shift: every rounding and every shift against the definition; scalars, tensors, saturation."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.rounding import DETERMINISTIC
from hw_models.shift import LEAST, MOST, reference, shift_right

ENDS = [
    -(1 << 31),
    -(1 << 31) + 1,
    -(1 << 30),
    -3,
    -2,
    -1,
    0,
    1,
    2,
    3,
    (1 << 31) - 1,
    (1 << 32) - 1,
]


@pytest.mark.parametrize("rounding", DETERMINISTIC)
def test_every_shift_of_ends_and_ties(rounding):
    rng = np.random.default_rng(0)
    x = np.array([*ENDS, *rng.integers(-(1 << 31), 1 << 31, 20), *range(-40, 40)])
    shifts = np.arange(LEAST, MOST + 1)[:, None]
    for output in (FixedFormat(8), FixedFormat(32), FixedFormat(32, signed=False)):
        ledger = Ledger()
        y = shift_right(x, shifts, rounding, output, ledger)
        expected = [[reference(v, k, rounding, output) for v in x.tolist()]
                    for k in shifts[:, 0].tolist()]  # fmt: skip
        assert y.tolist() == expected
        assert y.dtype == output.dtype
        wide = FixedFormat(64)
        values = [[reference(v, k, rounding, wide) for v in x.tolist()]
                  for k in shifts[:, 0].tolist()]  # fmt: skip
        changed = np.argwhere(np.array(values) != np.array(expected))
        assert (ledger.minimum, ledger.maximum) == (min(map(min, values)), max(map(max, values)))
        assert (ledger.clamped, ledger.first) == (len(changed), tuple(changed[0].tolist()))


def test_tosa_rounds_the_last_bit_shifted_out():
    x = np.arange(-128, 128, dtype=np.int8)
    for k in range(8):
        plain = x.astype(int) >> k
        bit = (x.astype(int) >> (k - 1)) & 1 if k else 0
        np.testing.assert_array_equal(shift_right(x, k), plain)
        np.testing.assert_array_equal(shift_right(x, k, "half_up"), plain + bit)


def test_left_shifts_saturate():
    x = np.array([-128, -65, -64, -1, 0, 1, 63, 64, 127], np.int8)
    assert shift_right(x, -1).tolist() == [-128, -128, -128, -2, 0, 2, 126, 127, 127]
    assert shift_right(x, -31).tolist() == [-128, -128, -128, -128, 0, 127, 127, 127, 127]
    assert shift_right(x, -8, output=FixedFormat(16)).tolist() == [v * 256 for v in x.tolist()]


def test_a_shift_per_element_layout_and_containers():
    x = np.arange(-60, 60, dtype=np.int16).reshape(2, 3, 4, 5).transpose(0, 2, 3, 1)
    shifts = np.array([0, 1, 5], np.uint8)
    shifts.setflags(write=False)
    y = shift_right(x, shifts)
    np.testing.assert_array_equal(y, x >> shifts)
    assert y.strides == x.strides
    np.testing.assert_array_equal(shift_right(x[:, ::-2], shifts), (x >> shifts)[:, ::-2])
    fixed = x.astype(np.int64)
    fixed.setflags(write=False)
    np.testing.assert_array_equal(shift_right(fixed, shifts.astype(np.int64)), x >> shifts)
    assert shift_right(fixed, 1).dtype == np.int32
    assert shift_right(np.array([255], np.uint8), 1).tolist() == [127]
    ledger = Ledger(9, 9, 9)
    assert shift_right(np.empty((0, 3), np.int8), shifts, ledger=ledger).shape == (0, 3)
    assert (ledger.elements, ledger.minimum, ledger.maximum) == (0, 0, 0)
    assert shift_right(np.int8(9), np.int8(2)).tolist() == 2


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"shift": 63}, r"shift must be in -31\.\.62, not 63 at index \(\)"),
        ({"shift": np.array([1, -32])}, r"not -32 at index \(1,\)"),
        ({"shift": 1.0}, "shift must be an integer"),
        ({"shift": np.ones(3, int)}, "x and shift must have shapes that broadcast"),
        ({"x": np.array([1 << 32])}, "32 bits"),
        ({"rounding": "stochastic"}, "deterministic"),
        ({"rounding": "nearest"}, "half_even"),
        ({"output": FixedFormat(33)}, "1 to 32"),
        ({"ledger": 1}, "Ledger"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ContractError, match=match):
        shift_right(**{"x": np.ones(2, np.int8), "shift": 1} | arguments)
