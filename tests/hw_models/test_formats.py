"""Formats and accumulators: ranges, wrap, saturate, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.errors import ContractError
from hw_models.formats import Accumulator, FixedFormat, signed_bits


@pytest.mark.parametrize("bits", [1, 2, 7, 8, 9, 16, 31, 32, 33, 63, 64])
@pytest.mark.parametrize("signed", [True, False])
def test_ranges_wrap_and_saturate(bits, signed):
    form = FixedFormat(bits, signed)
    assert form.max - form.min == (1 << bits) - 1
    info = np.iinfo(form.dtype)
    assert info.min <= form.min <= form.max <= info.max
    edges = {v + d for v in (form.min, form.max, 0) for d in (-1, 0, 1)}
    values = sorted(v for v in edges if -(1 << 63) <= v < 1 << 63)
    array = np.array(values, np.int64)
    wrapped = [(v - form.min) % (1 << bits) + form.min for v in values]
    clipped = [min(max(v, form.min), form.max) for v in values]
    assert [form.wrap(v) for v in values] == form.wrap(array).tolist() == wrapped
    assert [form.saturate(v) for v in values] == form.saturate(array).tolist() == clipped
    assert form.fits(np.array(clipped))
    assert not form.fits(form.max + 1)


def test_narrow_and_accumulators():
    assert (FixedFormat(8, narrow=True).min, FixedFormat(8, narrow=True).max) == (-127, 127)
    symmetric = Accumulator(20, "saturate_symmetric")
    assert (symmetric.min, symmetric.max) == (-(1 << 19) + 1, (1 << 19) - 1)
    assert Accumulator(20).min == -(1 << 19)
    assert [Accumulator(b).dtype for b in (2, 32, 33, 64)] == [np.int32, np.int32, *[np.int64] * 2]


@pytest.mark.parametrize(
    ("least", "most", "bits"), [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-128, 127, 8), (-129, 0, 9)]
)
def test_signed_bits(least, most, bits):
    assert signed_bits(least, most) == bits


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: FixedFormat(0), "1..64"),
        (lambda: FixedFormat(True), "integer from 1 to 64"),
        (lambda: FixedFormat(8, 1), "true or false"),
        (lambda: FixedFormat(8, False, narrow=True), "narrow"),
        (lambda: Accumulator(1), "2..64"),
        (lambda: Accumulator(8, "clip"), "saturate_symmetric"),
        (lambda: Accumulator(8, at="end"), "mac, sum"),
        (lambda: Accumulator(8, order="random"), "channel_first"),
    ],
)
def test_refusals(make, match):
    with pytest.raises(ContractError, match=match):
        make()
