"""Lookup: every code of every small format, layouts, ledgers and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.lookup import lookup, reference

FORMATS = [
    *(FixedFormat(bits, signed) for bits in (1, 2, 7, 8, 9, 16) for signed in (False, True)),
    FixedFormat(8, narrow=True),
]
OUTPUTS = [FixedFormat(1, signed=False), FixedFormat(8), FixedFormat(16), FixedFormat(32, False)]


def table_of(codes: FixedFormat, output: FixedFormat, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = codes.max - codes.min + 1
    table = rng.integers(output.min, output.max, size, endpoint=True)
    table[0], table[-1] = output.min, output.max
    return table


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda f: f"{f.bits}{'s' if f.signed else 'u'}")
@pytest.mark.parametrize("codes", FORMATS, ids=str)
def test_every_code_against_the_definition(codes, output):
    table = table_of(codes, output)
    x = np.random.default_rng(1).permutation(np.arange(codes.min, codes.max + 1))
    ledger = Ledger()
    y = lookup(x.astype(codes.dtype), table, codes, output, ledger)
    entries = table.tolist()
    assert y.tolist() == [reference(v, entries, codes) for v in x.tolist()]
    assert y.dtype == output.dtype
    assert (ledger.elements, ledger.minimum, ledger.maximum) == (x.size, output.min, output.max)
    assert (ledger.overflows, ledger.clamped, ledger.first) == (0, 0, None)


def test_the_smallest_code_reads_the_first_entry():
    table = np.arange(256) - 128
    np.testing.assert_array_equal(lookup(np.arange(-128, 128), table), np.arange(-128, 128))
    negated = lookup(np.array([-128, -1, 0, 127]), table[::-1])
    assert negated.tolist() == [127, 0, -1, -128]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint64])
def test_layout_and_container(dtype):
    x = np.arange(120, dtype=dtype).reshape(2, 3, 4, 5).transpose(0, 2, 3, 1)
    table = table_of(FixedFormat(8), FixedFormat(8))
    y = lookup(x, table)
    np.testing.assert_array_equal(y, table[x.astype(np.int64) + 128])
    assert np.argsort(y.strides).tolist() == np.argsort(x.strides).tolist()
    np.testing.assert_array_equal(lookup(x[:, ::-2], table), y[:, ::-2])
    ledger = Ledger(9, 9, 9)
    assert lookup(np.empty((0, 2), dtype), table, ledger=ledger).shape == (0, 2)
    assert (ledger.elements, ledger.minimum, ledger.maximum) == (0, 0, 0)
    assert lookup(np.array(3, dtype), table).shape == ()


@pytest.mark.parametrize(
    ("x", "table", "codes", "match"),
    [
        ([[0, 5], [-129, 200]], np.zeros(256, int), FixedFormat(8), r"-129 at index \(1, 0\)"),
        ([-128], np.zeros(255, int), FixedFormat(8, narrow=True), r"-128 .*-127\.\.127"),
        ([-1], np.zeros(16, int), FixedFormat(4, signed=False), r"-1 .*0\.\.15"),
        ([0], np.zeros(255, int), FixedFormat(8), r"one entry per code.*\(255,\).*\(256,\)"),
        ([0], np.zeros((16, 16), int), FixedFormat(8), r"one entry per code.*\(16, 16\)"),
        ([0], np.full(256, 128), FixedFormat(8), r"table must hold codes.*128 at index \(0,\)"),
        ([0], np.zeros(1 << 17, int), FixedFormat(17), "1 to 16 bits"),
        ([0.0], np.zeros(256, int), FixedFormat(8), "x must be an integer array"),
        ([0], np.zeros(256), FixedFormat(8), "table must be an integer array"),
    ],
)
def test_refusals(x, table, codes, match):
    with pytest.raises(ContractError, match=match):
        lookup(np.asarray(x), table, codes)
