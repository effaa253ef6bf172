"""Packed codes: bytes as defined, and the same codes back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.packing import FIRSTS, pack, reference, unpack

INT4 = FixedFormat(4)


@pytest.mark.parametrize(
    ("codes", "form", "first", "expected"),
    [
        ([1, 2], INT4, "low", [0x21]),
        ([1, 2], INT4, "high", [0x12]),
        ([-8, 7, -1], INT4, "low", [0x78, 0x0F]),
        ([-8, 7, -1], INT4, "high", [0x87, 0xF0]),
        ([15, 0, 9], FixedFormat(4, signed=False), "low", [0x0F, 0x09]),
        ([-2, 1, 0, -1, 1], FixedFormat(2), "low", [0b11000110, 0b01]),
        ([-2, 1, 0, -1, 1], FixedFormat(2), "high", [0b10010011, 0b01000000]),
        ([1, 0, 0, 0, 0, 0, 0, 1, 1], FixedFormat(1, signed=False), "low", [0x81, 1]),
        ([-1, 0], FixedFormat(1), "high", [0x80]),
        ([], INT4, "low", []),
    ],
)
def test_directed(codes, form, first, expected):
    packed = pack(np.array(codes, np.int64), form, first)
    assert packed.dtype == np.uint8
    assert packed.tolist() == expected == reference(codes, form, first)
    back = unpack(packed, (len(codes),), form, first)
    assert back.dtype == form.dtype
    assert back.tolist() == codes


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.lists(st.integers(0, 7), max_size=4).map(tuple),
    form=st.builds(FixedFormat, st.sampled_from([1, 2, 4]), st.booleans()),
    first=st.sampled_from(FIRSTS),
    dtype=st.sampled_from(["int8", "int16", "int32", "int64"]),
)
def test_random(seed, shape, form, first, dtype):
    rng = np.random.default_rng(seed)
    codes = rng.integers(form.min, form.max, shape, endpoint=True).astype(dtype)
    codes.setflags(write=False)
    packed = pack(codes, form, first)
    assert packed.tolist() == reference(codes.reshape(-1).tolist(), form, first)
    assert np.array_equal(unpack(packed, shape, form, first), codes)
    turned = codes.T[..., ::-1] if codes.ndim else codes
    assert pack(turned, form, first).tolist() == pack(turned.copy(), form, first).tolist()


@pytest.mark.parametrize(
    ("codes", "form", "first", "message"),
    [
        ([8], INT4, "low", r"codes must be codes of their format, not 8 \(accepted: -8\.\.7\)"),
        ([-9, 8], INT4, "low", "not -9"),
        ([-8], FixedFormat(4, narrow=True), "low", r"not -8 \(accepted: -7\.\.7\)"),
        ([1 << 40], INT4, "low", "not 1099511627776"),
        ([1.0], INT4, "low", "codes must have an integer dtype, not float64"),
        ([True], INT4, "low", "codes must have an integer dtype, not bool"),
        ([1], FixedFormat(3), "low", "form must be a FixedFormat of 1, 2 or 4 bits"),
        ([1], 4, "low", "form must be a FixedFormat of 1, 2 or 4 bits, not 4"),
        ([1], INT4, "left", "first must be one of its names, not 'left'"),
    ],
)
def test_pack_refuses(codes, form, first, message):
    with pytest.raises(ContractError, match=message):
        pack(np.array(codes), form, first)


@pytest.mark.parametrize(
    ("packed", "shape", "form", "message"),
    [
        (np.zeros(2, np.uint8), (5,), INT4, "packed must be 3 bytes for 5 codes of 4 bits"),
        (np.zeros(2, np.int8), (4,), INT4, "not int8 of shape"),
        (np.zeros((1, 2), np.uint8), (4,), INT4, r"of shape \(1, 2\)"),
        (np.array([0, 16], np.uint8), (3,), INT4, "end in zero bits after its 3 codes, not 16"),
        (np.array([0x08], np.uint8), (1,), FixedFormat(4, narrow=True), "not -8"),
        (np.zeros(2, np.uint8), (-1, 4), INT4, "shape must be sizes of 0 or more"),
        (np.zeros(2, np.uint8), 4, INT4, "shape must be sizes of 0 or more, not 4"),
    ],
)
def test_unpack_refuses(packed, shape, form, message):
    with pytest.raises(ContractError, match=message) as caught:
        unpack(packed, shape, form)
    assert "\n" not in str(caught.value)
