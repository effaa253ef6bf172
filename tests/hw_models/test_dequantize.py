"""Dequantize: reference = kernel, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.dequantize import dequantize, reference
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.quantize import quantize

WIDE = np.array([0, 1, -1, 127, -128, (1 << 24) + 1, -(1 << 31), (1 << 31) - 1])


@pytest.mark.parametrize("formula", ["torch", "onnx", "executorch"])
@pytest.mark.parametrize("zero", [0, 3, -128, (1 << 25) + 1])
@pytest.mark.parametrize("scale", [0.1, 1e-44, 3e38, 2.0**-7])
def test_against_the_definition(formula, zero, scale):
    y = dequantize(WIDE, scale, zero, formula=formula)
    expected = [reference(int(q), scale, zero, formula) for q in WIDE]
    assert y.dtype == np.float32
    assert y.view(np.int32).tolist() == np.array(expected, np.float32).view(np.int32).tolist()


def test_where_the_formulas_differ():
    q, zero = (1 << 24) + 1, 1
    assert dequantize(np.array([q]), 1.0, zero, formula="onnx")[0] == 1 << 24
    assert dequantize(np.array([q]), 1.0, zero, formula="torch")[0] == (1 << 24) - 1


def test_per_axis_blocked_layout_ledger():
    q = np.arange(-60, 60, dtype=np.int8).reshape(4, 6, 5).transpose(0, 2, 1)
    scales, zeros = np.linspace(0.1, 0.5, 5), np.arange(5)
    ledger = Ledger()
    y = dequantize(q, scales, zeros, axis=1, ledger=ledger)
    blocks = np.linspace(0.1, 0.9, 4 * 3 * 6).reshape(4, 3, 6)
    z = dequantize(q, blocks, 2, axis=1, block=2)
    for i, j, k in np.ndindex(q.shape):
        assert y[i, j, k] == reference(int(q[i, j, k]), scales[j], int(zeros[j]))
        assert z[i, j, k] == reference(int(q[i, j, k]), blocks[i, j // 2, k], 2)
    assert y.strides == tuple(4 * s for s in q.strides)
    assert (ledger.minimum, ledger.maximum, ledger.elements) == (-60, 59, 120)


@pytest.mark.parametrize("formula", ["torch", "onnx", "executorch"])
def test_codes_survive_a_round_trip(formula):
    q = np.arange(256, dtype=np.uint8)
    x = dequantize(q, 0.037, 77, formula=formula)
    np.testing.assert_array_equal(quantize(x, 0.037, 77, FixedFormat(8, False), formula), q)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: dequantize(np.ones(2), 0.1), "integer array"),
        (lambda: dequantize(np.ones(2, int), -1.0), "positive"),
        (lambda: dequantize(np.ones(2, int), 1e-60), "float32"),
        (lambda: dequantize(np.array([1 << 40]), 1.0), "33 bits"),
        (lambda: dequantize(np.ones(2, int), 1.0, formula="x"), "onnx"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ContractError, match=match):
        call()
