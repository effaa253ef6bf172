"""tanh, correctly rounded: every number whose result is near the middle between two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models.compiled import kernel
from hw_models.float32.tanh import tanh, tanh64, tanh_reference

FIRST, LAST = (int(np.float32(x).view(np.int32)) for x in (2.0**-12, 9.011))
NEAR = 2.0**-48  # what the kernel's error in binary64 stays below
PART = 1 << 23
SEEN = 10  # as many lie within it
# The bits of those nearest to a middle, 2**-50.3 to 2**-48.3 of the result away.
HARDEST = (985890274, 1055786342, 1085060304, 1020533649, 1086712010, 1031549013, 1084682114,
           1073265790)  # fmt: skip


@kernel(nogil=True)
def hard(x: Any, found: Any) -> Any:
    """Write the places of values whose result lies within NEAR of a middle; return how many."""
    count = 0
    for i in range(x.size):
        wide = tanh64(np.float64(x[i]))
        near = wide * NEAR
        if np.float32(wide - near) != np.float32(wide + near):
            found[count] = i
            count += 1
    return count


@kernel(nogil=True)
def rounded(x: Any, y: Any) -> None:
    for i in range(x.size):
        y[i] = tanh(x[i])


def test_the_kernel_keeps_its_bound() -> None:
    """In binary64, against the definition's 120 digits; four bits are left of the bound."""
    from decimal import Decimal, localcontext

    rng = np.random.default_rng(0)
    words = rng.integers(FIRST, LAST, 400).astype(np.int32)
    with localcontext() as context:
        context.prec = 60
        for x in words.view(np.float32).tolist():
            power = (2 * Decimal(x)).exp()
            exact = (power - 1) / (power + 1)
            error = abs(Decimal(float(tanh64(x))) / exact - 1)
            assert error < Decimal(NEAR) / 16, x


def test_results_beside_the_middle_between_two_numbers() -> None:
    """The eight hardest of all float32 numbers, and the ends of the kernel's ranges."""
    words = [FIRST - 1, FIRST, FIRST + 1, LAST - 1, LAST, LAST + 1, *HARDEST]
    x = np.array(words, np.int32).view(np.float32)
    y = np.empty_like(x)
    rounded(x, y)
    assert y.tolist() == [tanh_reference(value) for value in x.tolist()]


@pytest.mark.soak
def test_every_number_near_a_middle_rounds_as_defined() -> None:
    """All 127 million words from 2**-12 to 9.011: elsewhere no error within the bound matters."""
    seen = 0
    for start in range(FIRST, LAST + 1, PART):
        x = np.arange(start, min(start + PART, LAST + 1), dtype=np.int32).view(np.float32)
        found = np.empty(1 << 16, np.int64)
        count = hard(x, found)
        near = x[found[:count]]
        made = np.empty_like(near)
        rounded(near, made)
        assert made.tolist() == [tanh_reference(value) for value in near.tolist()]
        seen += count
    assert seen == SEEN


@pytest.mark.soak
def test_small_numbers_are_their_own_tanh() -> None:
    """Up to 2**-12, where less than half a unit is taken off: some of every binade."""
    rng = np.random.default_rng(1)
    words = np.concatenate([np.arange(1, 300), rng.integers(1, FIRST, 3000), [FIRST - 1, FIRST]])
    x = words.astype(np.int32).view(np.float32)
    assert x.tolist() == [tanh_reference(value) for value in x.tolist()]
