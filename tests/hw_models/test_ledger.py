"""The ledger's safe width."""

from __future__ import annotations

import pytest

from hw_models.ledger import Ledger


@pytest.mark.parametrize(
    ("least", "most", "bits"), [(0, 0, 1), (-1, 1, 2), (-8, 7, 4), (-9, 7, 5), (-8, 8, 5)]
)
def test_bits_used_is_the_narrowest_register(least, most, bits):
    used = Ledger(minimum=least, maximum=most).bits_used
    assert used == bits
    low, high = -(1 << (used - 1)), (1 << (used - 1)) - 1
    assert low <= least <= most <= high
