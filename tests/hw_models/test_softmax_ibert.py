"""IbertSoftmax: the paper's algorithm, every 8-bit difference, errors of floats, its register."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import hw_models as hw
from hw_models.integer.exponential import ERROR
from hw_models.softmax import reference

INT8, INT16, UINT8 = hw.FixedFormat(8), hw.FixedFormat(16), hw.FixedFormat(8, signed=False)
SCALES = (1e-9, 2.0**-14, 2.0**-13, 2.0**-8, 0.02, 0.1, 0.7, 16.0)


def published(scale: float, x: int) -> tuple[int, float]:
    """Return i-exp of x at most 0 and its scale: algorithm 2 of arXiv 2101.01321, in floats."""
    lift = 0
    while scale > 2.0**-11:
        scale, lift = scale / 2, lift + 1
    while scale < 2.0**-13:
        scale, lift = scale * 2, lift - 1
    a, b, c = 0.35815147, 0.96963238 / 0.35815147, 1 / 0.35815147
    ln2 = -math.floor(-0.6931 / scale)
    q = max(math.floor(x * 2.0**lift), -30 * ln2)
    z = math.floor(-q / ln2)
    p = q + z * ln2
    polynomial = p * (p + math.floor(b / scale)) + math.floor(c / scale**2)
    return math.floor(polynomial / 2**z), a * scale**2


@pytest.mark.parametrize("scale", SCALES)
def test_the_exponential_is_i_berts_within_its_error(scale: float) -> None:
    e = hw.Exponential.from_scale(scale)
    for x in [-d for d in range(256)] + [-4097, -65535]:
        value, step = published(scale, x)
        assert e.reference(x) == value
        assert abs(value / e.one - math.exp(max(scale * x, -700.0))) <= ERROR
        assert abs(value * step - value / e.one) < 1e-3


@pytest.mark.parametrize("rounding", ["floor", "half_up"])
@pytest.mark.parametrize(
    ("form", "output"), [(INT8, INT8), (UINT8, UINT8), (INT16, INT16)], ids=str
)
def test_rows_follow_the_definition_within_the_error(
    form: hw.FixedFormat, output: hw.FixedFormat, rounding: Any
) -> None:
    random = np.random.default_rng(4)
    x = random.integers(form.min, form.max + 1, (4, 40))
    x[1] = form.max - np.abs(x[1]) // (8 if form.bits == 8 else 2048)
    x[2], x[3, 1:] = form.max, form.min
    for scale in SCALES:
        scheme, book = hw.IbertSoftmax.from_scale(scale, 1.0, rounding), hw.Ledger()
        y = hw.softmax(x, scheme, -1, form, output, book)
        assert y.tolist() == [reference(row, scheme, output) for row in x.tolist()]
        real = np.exp(np.maximum(scale * (x - x.max(1, keepdims=True)), -700.0))
        real /= real.sum(1, keepdims=True)
        steps = (y.astype(float) - output.min) - np.minimum(
            real * 2**output.bits, 2**output.bits - 1
        )
        rounded = 1.0 if rounding == "floor" else 0.5
        assert np.abs(steps).max() <= (0.0025 + 40 * 2.0**-15) * 2**output.bits + rounded
        sums = [sum(scheme.term(c - max(row)) for c in row) for row in x.tolist()]
        (register,) = book.registers
        assert (register.minimum, register.maximum) == (min(sums), max(sums))


def test_every_pair_of_8_bit_codes() -> None:
    pairs = np.stack(np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)), -1).reshape(-1, 2)
    scheme = hw.IbertSoftmax.from_scale(0.05, rounding="half_up")
    y = hw.softmax(pairs, scheme)
    real = 1 / (1 + np.exp(0.05 * (pairs[:, ::-1] - pairs)))
    assert np.abs(y - (real * 256 - 128).clip(-128, 127)).max() <= 0.5 + 0.0025 * 256
    for d in range(256):
        row = [127 - d, 127]
        found = y[(pairs == row).all(1)][0].tolist()
        assert found == reference(row, scheme)


def test_a_long_row_and_other_scales_are_refused() -> None:
    scheme = hw.IbertSoftmax.from_scale(2.0**-11)
    assert hw.softmax(np.zeros((1, 32767), np.int8), scheme).max() == -128
    for call, said in (
        (lambda: hw.softmax(np.zeros((1, 65536), np.int8), scheme), "fit 32 bits"),
        (lambda: hw.IbertSoftmax.from_scale(1e-13), "2\\*\\*-40..16"),
        (lambda: hw.IbertSoftmax(scheme.exponential, "ceil"), "floor, half_up"),  # type: ignore[arg-type]
        (lambda: hw.IbertSoftmax(3), "must be an Exponential"),  # type: ignore[arg-type]
    ):
        with pytest.raises(hw.ContractError, match=said):
            call()
