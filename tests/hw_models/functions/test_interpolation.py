"""Interpolated lookup: every int16 code, wrapping slopes, other widths, the sampled table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.interpolation import (
    fraction_bits,
    interpolate,
    interpolation_table,
    reference,
    result_format,
)
from hw_models.ledger import Ledger

INT16 = FixedFormat(16)
EVERY = np.arange(-32768, 32768)


def lut_lookup(value: int, lut: list[int]) -> int:
    """TFLite's C++ on int16 and uint16."""
    index = 256 + (value >> 7)
    offset = value & 0x7F
    slope = (lut[index + 1] - lut[index] + (1 << 15)) % (1 << 16) - (1 << 15)
    delta = (slope * offset + 64) >> 7
    return (lut[index] + delta + (1 << 15)) % (1 << 16) - (1 << 15)


def tosa_table(value: int, table: list[int]) -> int:
    """TOSA's apply_lookup: 16 bits and 7 of fraction."""
    index, fraction = (value >> 7) + 256, value & 0x7F
    return table[index] * 128 + (table[index + 1] - table[index]) * fraction


@pytest.mark.parametrize("seed", range(3))
def test_every_code_as_tflite(seed):
    """Random tables have slopes beyond 16 bits, which wrap."""
    table = np.random.default_rng(seed).integers(-32768, 32768, 513)
    ledger = Ledger()
    y = interpolate(EVERY, table, ledger=ledger)
    entries = table.tolist()
    assert y.tolist() == [lut_lookup(v, entries) for v in EVERY.tolist()]
    assert y.dtype == np.int16
    slopes = np.diff(table)
    outside = (slopes < -32768) | (slopes > 32767)
    slope, result = ledger.registers
    assert (ledger.elements, ledger.clamped) == (65536, 0)
    assert (slope.minimum, slope.maximum) == (slopes.min(), slopes.max())
    # 128 codes share a slope.
    assert (slope.overflows, slope.first) == (outside.sum() * 128, (outside.argmax() * 128,))
    # A slope that is kept stays between two entries; a wrapped one may lead past the format.
    assert result.overflows <= slope.overflows
    assert (ledger.minimum, ledger.maximum) == (int(y.min()), int(y.max()))
    for v in EVERY[::509].tolist():
        assert reference(v, entries) == lut_lookup(v, entries)


def test_every_code_as_tosa():
    table = np.cumsum(np.random.default_rng(5).integers(-700, 701, 513)).clip(-32768, 32767)
    table[:3] = -32768, -1, 32766
    y = interpolate(EVERY, table, result="exact")
    entries = table.tolist()
    assert y.tolist() == [tosa_table(v, entries) for v in EVERY.tolist()]
    assert y.dtype == np.int32
    assert result_format(INT16, 513, INT16, "exact") == FixedFormat(23)
    for v in EVERY[::509].tolist():
        assert reference(v, entries, result="exact") == tosa_table(v, entries)


FORMATS = [
    (FixedFormat(8), FixedFormat(8), 4),
    (FixedFormat(12, signed=False), FixedFormat(10), 5),
    (FixedFormat(9), FixedFormat(7, signed=False), 9),
    (FixedFormat(6, signed=False), FixedFormat(16, signed=False), 0),
]


@pytest.mark.parametrize(("codes", "entries", "bits"), FORMATS, ids=str)
def test_other_widths_against_the_definition(codes, entries, bits):
    rng = np.random.default_rng(bits)
    table = rng.integers(entries.min, entries.max + 1, (1 << bits) + 1)
    x = np.arange(codes.min, codes.max + 1)
    y = interpolate(x.astype(codes.dtype), table, codes, entries)
    assert y.tolist() == [reference(v, table.tolist(), codes, entries) for v in x.tolist()]
    assert y.dtype == entries.dtype
    assert fraction_bits(table.size, codes) == codes.bits - bits
    assert y[:: 1 << (codes.bits - bits)].tolist() == table[:-1].tolist()
    if entries.signed:
        gentle = np.sort(table) // 2
        y = interpolate(x, gentle, codes, entries, "exact")
        wanted = [reference(v, gentle.tolist(), codes, entries, "exact") for v in x.tolist()]
        assert y.tolist() == wanted


def test_a_half_rounds_up_for_either_sign():
    table = np.zeros(513, np.int16)
    table[255], table[257] = -1, 1
    y = interpolate(np.array([63, 64, 65, -193, -192, -191, -65, -64, -63]), table)
    # From 0 up to 1 a half is 1; from 0 down to -1, and from -1 up to 0, a half is 0.
    assert y.tolist() == [0, 1, 1, 0, 0, -1, -1, 0, 0]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.uint16])
def test_layout_and_container(dtype):
    x = np.arange(120, dtype=dtype).reshape(2, 3, 4, 5).transpose(0, 2, 3, 1) * 200
    table = np.arange(513) * 100 - 25600
    x.setflags(write=False)
    y = interpolate(x, table)
    wanted = np.vectorize(lambda v: lut_lookup(int(v), table.tolist()))(x)
    np.testing.assert_array_equal(y, wanted)
    assert np.argsort(y.strides).tolist() == np.argsort(x.strides).tolist()
    np.testing.assert_array_equal(interpolate(x[:, ::-2], table), y[:, ::-2])
    assert interpolate(np.empty((0, 2), dtype), table, ledger=Ledger()).shape == (0, 2)
    assert interpolate(np.array(3, dtype), table).shape == ()


def populate(function, scale, zero, out, out_zero, real):
    """TFLite's LUTPopulate, written out for one float type at a time."""
    f = real
    rounded = lambda v: f(math.copysign(math.floor(abs(float(v)) + 0.5), v))  # noqa: E731
    low, high = f(f(scale) * f(-32768 - zero)), f(f(scale) * f(32767 - zero))
    bottom, top = f(f(out) * f(-32768 - out_zero)), f(f(out) * f(32767 - out_zero))
    inverse = f(f(65536) / f(top - bottom))
    step = f(f(high - low) / f(512))
    lut = []
    for i in range(512):
        at = f(low + f(f(i) * step))
        here = rounded(f(f(function(at)) * inverse))
        after = f(f(function(f(low + f(f(i + 1) * step)))) * inverse)
        middle = rounded(f(f(function(f(at + f(step / f(2))))) * inverse))
        bias = rounded(f(f(rounded(f(f(after + here) / f(2))) - middle) / f(2)))
        lut.append(int(min(max(f(here - bias), -32768), 32767)))
    lut.append(int(min(max(rounded(f(f(function(high)) * inverse)), -32768), 32767)))
    return lut


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "scales", "zeros"),
    [
        ("exp", (1e-4, 8e-4), (0, 0)),
        ("tanh", (3e-4, 3.1e-5), (100, -5)),
        ("gelu", (1e-4, 1e-4), (0, 0)),
    ],
)
def test_samples_are_tflites(name, scales, zeros, dtype):
    from hw_models.tables import FUNCTIONS

    real = np.float32 if dtype == "float32" else np.float64
    table = interpolation_table(name, *scales, *zeros, dtype)
    wanted = populate(FUNCTIONS[name], scales[0], zeros[0], scales[1], zeros[1], real)
    assert table.tolist() == wanted
    assert (table.shape, table.dtype) == ((513,), np.int16)


@pytest.mark.parametrize("name", ["exp", "gelu", "sigmoid", "silu", "tanh"])
@pytest.mark.parametrize("scale", [2.0**-15, 2.0**-13, 2.0**-11])
def test_every_code_is_within_the_stated_error(name, scale):
    from hw_models.tables import FUNCTIONS

    step = max(abs(FUNCTIONS[name](scale * code)) for code in (-32768, 32767)) / 32767
    table = interpolation_table(name, scale, step, dtype="float64")
    real = np.array([FUNCTIONS[name](scale * code) for code in EVERY.tolist()]) / step
    slope = np.gradient(real)
    bend = np.abs(np.gradient(slope)).max()
    most = np.abs(slope).max() + 128**2 / 8 * bend + 1.5
    assert np.abs(interpolate(EVERY, table) - real).max() <= most * (1 + 1e-6)


def test_samples_saturate_and_interpolate_well():
    table = interpolation_table("tanh", 2**-12, 2**-15, dtype="float64")
    y = interpolate(EVERY, table).astype(np.float64)
    assert (
        np.abs(y - np.tanh(EVERY * 2.0**-12) * 2**15).max() < 5.6 + 0.5
    )  # half a code of drift, and the chord
    steep = interpolation_table(lambda x: 1000 * x, 1.0, 1.0)
    assert (steep[0], steep[-1]) == (-32768, 32767)
    small = interpolation_table(
        math.exp, 0.01, 0.02, 0, 0, "float64", 16, FixedFormat(8), FixedFormat(8)
    )
    assert (small.shape, small.dtype) == ((17,), np.int8)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: interpolate([0], np.zeros(512, int)), r"2\*\*k \+ 1 entries.*not 512"),
        (lambda: interpolate([0], np.zeros(1, int)), r"2\*\*k \+ 1 entries.*not 1 "),
        (lambda: interpolate([0], np.zeros((3, 3), int)), "1-D"),
        (lambda: interpolate([0], np.zeros(513)), "table must be an integer array"),
        (lambda: interpolate([0], np.full(513, 40000)), r"40000 at index \(0,\)"),
        (lambda: interpolate([[0], [32768]], np.zeros(513, int)), r"32768 at index \(1, 0\)"),
        (lambda: interpolate([0.5], np.zeros(513, int)), "x must be an integer array"),
        (lambda: interpolate([0], np.zeros(513, int), FixedFormat(17)), "input must be"),
        (lambda: interpolate([0], np.zeros(513, int), INT16, FixedFormat(17)), "entries must be"),
        (lambda: interpolate([0], np.zeros(513, int), FixedFormat(8)), "k of 0..8"),
        (lambda: interpolate([0], np.zeros(257, int), FixedFormat(8, narrow=True)), "not narrow"),
        (lambda: interpolate([0], np.zeros(513, int), result="full"), "result must be one of"),
        (
            lambda: interpolate([0], np.array([-1, 32767, 0]), result="exact"),
            "32768 after entry 0",
        ),
        (lambda: interpolation_table("log", 1.0, 1.0), "NaN near entry 0"),
        (lambda: interpolation_table("exp", 1.0, 1.0, steps=500), "not 501"),
        (lambda: interpolation_table("exp", 1.0, 1.0, dtype="float16"), "dtype must be one of"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ContractError, match=match):
        call()
