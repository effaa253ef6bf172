"""Minimum and maximum: every pair of bytes, types, constants, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.errors import ContractError
from hw_models.extremum import maximum, minimum, reference
from hw_models.ledger import Ledger

BOTH = [(minimum, False), (maximum, True)]
TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


@pytest.mark.parametrize(("choose", "largest"), BOTH)
def test_every_pair_of_bytes(choose, largest):
    grid = np.arange(-128, 128, dtype=np.int8)
    a, b = np.meshgrid(grid, grid)
    ledger = Ledger()
    y = choose(a, b, ledger)
    pairs = zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)
    assert y.reshape(-1).tolist() == [reference(p, q, largest=largest) for p, q in pairs]
    assert y.dtype == np.int8
    assert (ledger.elements, ledger.minimum, ledger.maximum) == (65536, -128, 127)
    assert (ledger.overflows, ledger.clamped, ledger.kernel) == (0, 0, choose.__name__)


@pytest.mark.parametrize(("choose", "largest"), BOTH)
@pytest.mark.parametrize("dtype", TYPES)
def test_ends_of_every_type(choose, largest, dtype):
    info = np.iinfo(dtype)
    codes = np.array([info.min, info.min + 1, info.max - 1, info.max], dtype)
    y = choose(codes[:, None], codes)
    assert y.dtype == dtype
    assert y.tolist() == [
        [reference(p, q, largest=largest) for q in codes.tolist()] for p in codes.tolist()
    ]
    for constant in (int(info.min), int(info.max)):
        expected = [reference(p, constant, largest=largest) for p in codes.tolist()]
        assert choose(codes, constant).tolist() == choose(constant, codes).tolist() == expected
        assert choose(codes, constant).dtype == dtype


def test_mixed_types_broadcast_layout_and_empty():
    a = np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(0, 2, 1)
    b = np.array([-5, 7, 300], np.int16)
    b.setflags(write=False)
    y = maximum(a, b)
    assert y.dtype == np.int16
    np.testing.assert_array_equal(y, np.where(a.astype(int) > b, a, b))
    assert np.argsort(y.strides).tolist() == np.argsort(a.strides).tolist()
    np.testing.assert_array_equal(minimum(a[:, ::-2], 9), np.where(a[:, ::-2] < 9, a[:, ::-2], 9))
    ledger = Ledger(9, 9, 9)
    assert minimum(np.empty((0, 3), np.int8), b.astype(np.int8), ledger).shape == (0, 3)
    assert (ledger.elements, ledger.minimum, ledger.maximum) == (0, 0, 0)
    assert maximum(np.array(3, np.int8), 5).tolist() == 5


@pytest.mark.parametrize(
    ("a", "b", "match"),
    [
        (1, 2, "a or b must be an array"),
        (np.ones(2, np.int8), 128, r"b must be a code.*128.*-128\.\.127"),
        (-1, np.ones(2, np.uint8), r"a must be a code.*-1.*0\.\.255"),
        (np.ones(2, np.int64), np.ones(2, np.uint64), "int64 and uint64"),
        (np.ones(2), np.ones(2, np.int8), "a must be an integer array"),
        (3, np.ones(2), "array must be an integer array"),
        (np.ones(2, np.int8), True, "b must be an integer array"),
        (np.ones(2, np.int8), np.ones(3, np.int8), "broadcast"),
    ],
)
def test_refusals(a, b, match):
    with pytest.raises(ContractError, match=match):
        maximum(a, b)
    with pytest.raises(ContractError, match="Ledger"):
        minimum(np.ones(2, np.int8), 1, ledger=3)
