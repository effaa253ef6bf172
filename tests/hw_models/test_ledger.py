"""The ledger: safe widths, registers, and which element comes first."""

from __future__ import annotations

import pytest

from hw_models.formats import Accumulator
from hw_models.ledger import Ledger, Register


@pytest.mark.parametrize(
    ("least", "most", "bits"), [(0, 0, 1), (-1, 1, 2), (-8, 7, 4), (-9, 7, 5), (-8, 8, 5)]
)
def test_bits_used_is_the_narrowest_register(least, most, bits):
    used = Ledger(minimum=least, maximum=most).bits_used
    assert used == bits
    low, high = -(1 << (used - 1)), (1 << (used - 1)) - 1
    assert low <= least <= most <= high


@pytest.mark.parametrize(
    ("overflow", "signed", "least", "most", "bits"),
    [
        ("wrap", True, -8, 7, 4),
        ("saturate_symmetric", True, -8, 7, 5),
        ("saturate_symmetric", True, -7, 7, 4),
        ("saturate_symmetric", True, 0, 7, 4),
        ("wrap", False, 0, 15, 4),
        ("wrap", False, 0, 16, 5),
        ("wrap", False, 0, 0, 1),
        ("wrap", False, -1, 15, 5),
    ],
)
def test_bits_used_of_a_register_is_the_narrowest_of_its_kind(overflow, signed, least, most, bits):
    register = Register("r", 8, overflow, least, most, signed=signed)
    assert register.bits_used == bits
    if signed:
        assert Accumulator(bits, overflow).min <= least
        assert most <= Accumulator(bits, overflow).max
        assert bits < 5 or Accumulator(bits - 1, overflow).min > least


def test_first_is_the_earliest_of_all_registers_and_the_clamp():
    late = Register("late", 8, "wrap", 0, 300, 2, (1, 0))
    early = Register("early", 8, "saturate", 0, 300, 3, (0, 5))
    ledger = Ledger()
    assert (ledger.overflows, ledger.first) == (0, None)
    ledger.fill(9, (0, 1), "k", "r", clamped=1, first_clamped=(0, 7), registers=(late, early))
    assert (ledger.overflows, ledger.first) == (5, (0, 5))
    ledger.place(lambda index: (index[0], 9 - index[1]))
    assert [register.first for register in ledger.registers] == [(1, 9), (0, 4)]
    assert (ledger.first_clamped, ledger.first) == ((0, 2), (0, 2))
    ledger.fill(9, (0, 1), "k", "r")
    assert (ledger.overflows, ledger.clamped, ledger.first) == (0, 0, None)


def test_overflows_are_counted_by_registers_alone():
    ledger = Ledger()
    with pytest.raises(AttributeError):
        ledger.overflows = 1
    with pytest.raises(AttributeError):
        ledger.first = (0,)
