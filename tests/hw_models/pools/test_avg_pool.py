"""Average pooling: the definition by loops, every rounding, torch's geometry."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.pools.avg_pool import (
    adaptive_avg_pool,
    avg_pool,
    divide,
    global_avg_pool,
    reference,
)
from hw_models.rounding import DIVISIONS, round_shift


@pytest.mark.parametrize("rounding", DIVISIONS)
def test_divide_is_round_shift_for_powers_of_two_and_nearest_otherwise(rounding):
    for count in range(1, 17):
        for total in range(-70, 71):
            got = divide(total, count, rounding)
            if count & (count - 1) == 0:
                assert got == round_shift(total, count.bit_length() - 1, rounding)
            distance = abs(Fraction(total, count) - got)
            assert distance <= Fraction(1, 2) if "half" in rounding else distance < 1


def by_loops(x, kernel, stride, pads, rounding, include_pad, output, zero, offset):
    n, c, h, w = x.shape
    (top, bottom), (left, right) = pads
    rows = (h + top + bottom - kernel[0]) // stride[0] + 1
    columns = (w + left + right - kernel[1]) // stride[1] + 1
    y = np.zeros((n, c, rows, columns), np.int64)
    for index in np.ndindex(y.shape):
        codes = []
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                p, q = index[2] * stride[0] - top + i, index[3] * stride[1] - left + j
                if 0 <= p < h and 0 <= q < w:
                    codes.append(int(x[index[0], index[1], p, q]))
                elif include_pad:
                    codes.append(zero)
        y[index] = reference(codes, rounding, output, offset)
    return y


@settings(deadline=None, derandomize=True, max_examples=120)
@given(
    st.integers(0, 1 << 32),
    st.sampled_from(DIVISIONS),
    st.sampled_from([np.int8, np.uint8, np.int32]),
    st.sampled_from(["c", "last", "strided"]),
    st.booleans(),
    st.booleans(),
)
def test_random_against_the_definition(seed, rounding, dtype, layout, include_pad, centered):
    rng = np.random.default_rng(seed)
    kernel, stride = rng.integers(1, 4, 2).tolist(), rng.integers(1, 4, 2).tolist()
    pads = [tuple(rng.integers(0, (k - 1) // 2 + 1, 2).tolist()) for k in kernel]
    info = np.iinfo(dtype)
    span = (-4, 5) if info.min < 0 and seed % 2 else (info.min, int(info.max) + 1)
    x = rng.integers(*span, (2, 3, 5, 6), dtype)
    if layout == "last":
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    x = x[..., ::-1] if layout == "strided" else x
    output = FixedFormat(4) if seed % 3 == 0 else FixedFormat(8 * x.itemsize, info.min < 0)
    zero, ledger = int(rng.integers(-5, 6)), Ledger()
    arguments = {"count_include_pad": include_pad, "zero_point": zero, "centered": centered}
    y = avg_pool(x, kernel, stride, pads, rounding, output=output, ledger=ledger, **arguments)
    offset = zero if centered else 0
    wide = FixedFormat(64)
    values = by_loops(x, kernel, stride, pads, rounding, include_pad, wide, zero, offset)
    np.testing.assert_array_equal(y, output.saturate(values))
    assert y.dtype == output.dtype
    assert (ledger.minimum, ledger.maximum) == (int(values.min()), int(values.max()))
    assert ledger.clamped == int((y != values).sum())
    clamped = np.argwhere(y != values)
    assert ledger.first == (tuple(clamped[0].tolist()) if len(clamped) else None)


def test_tflite_ties_and_global():
    x = np.array([[[1, 2], [-1, -2], [0, 1], [0, -1]]], np.int8)
    assert avg_pool(x, 2).reshape(-1).tolist() == [2, -2, 1, -1]
    y = np.arange(24, dtype=np.int8).reshape(1, 2, 3, 4)
    assert global_avg_pool(y, "half_even").reshape(-1).tolist() == [6, 18]  # 5.5 and 17.5
    assert global_avg_pool(y, "half_up", zero_point=3, centered=True).shape == (1, 2, 1, 1)
    assert avg_pool(np.empty((0, 2, 4), np.int8), 2, ledger=Ledger()).shape == (0, 2, 2)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("include_pad", [False, True])
@pytest.mark.parametrize("size", [5, 6, 7])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 3), (3, 1)])
def test_geometry_and_counts_are_torchs(include_pad, size, kernel, stride, dims):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(size).integers(-99, 99, (2, 3, size, size + 1, 4)[: dims + 2])
    zero, wide = -3, FixedFormat(32)
    real = torch.from_numpy(x.astype(np.float64) - zero)
    theirs = getattr(torch.nn.functional, f"avg_pool{dims}d")
    for divisor in (None, 1, kernel**dims, 5, 1000):
        mean = theirs(real, kernel, stride, 1, True, include_pad, divisor).numpy()
        ours = avg_pool(
            x, kernel, stride, 1, "half_even", ceil_mode=True, count_include_pad=include_pad,
            divisor=divisor, zero_point=zero, centered=True, output=wide,
        )  # fmt: skip
        # float64 means of small integers lie within 1e-12 of the exact ratio; only ties could move.
        np.testing.assert_array_equal(ours, np.rint(np.round(mean, 9)).astype(np.int64) + zero)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_adaptive_windows_are_torchs(dims):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(dims).integers(-128, 128, (2, 3, *(7, 5, 6)[:dims]), np.int8)
    theirs = getattr(torch.nn.functional, f"adaptive_avg_pool{dims}d")
    for size in (1, 2, 3, 9, (3, 5, 4)[:dims]):
        mean = theirs(torch.from_numpy(x).double(), size).numpy()
        ours = adaptive_avg_pool(x, size, "half_even", zero_point=9)
        np.testing.assert_array_equal(ours, np.rint(np.round(mean, 9)))
        centered = adaptive_avg_pool(x, size, "half_even", zero_point=10, centered=True)
        np.testing.assert_array_equal(centered, ours)  # an even zero point moves no tie


@pytest.mark.parametrize("rounding", DIVISIONS)
def test_a_divisor_of_its_own(rounding):
    """Whole windows and one of a single tap, divisors below and above; the rule in fractions."""
    x = np.array([[[7, -128, 100, 127, 3]]], np.int8)
    for divisor in (1, 2, 3, 4, 50, 1 << 30):
        for zero, centered in ((0, False), (-5, False), (-5, True)):
            ledger = Ledger()
            y = avg_pool(
                x, 2, 2, 0, rounding, ceil_mode=True, divisor=divisor, zero_point=zero,
                centered=centered, ledger=ledger,
            )  # fmt: skip
            exact = []
            for codes in ([7, -128], [100, 127], [3]):
                real = Fraction(sum(code - zero for code in codes), divisor)
                offset = zero if centered else 0
                total = (real + zero - offset) * divisor
                exact.append(divide(int(total), divisor, rounding) + offset)
                wanted = reference(codes, rounding, FixedFormat(8), offset, divisor, zero)
                assert wanted == min(max(exact[-1], -128), 127)
            assert y.reshape(-1).tolist() == [min(max(value, -128), 127) for value in exact]
            assert (ledger.minimum, ledger.maximum) == (min(exact), max(exact))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"rounding": "jam"}, "half_"),
        ({"rounding": "stochastic"}, "half_"),
        ({"rounding": "nearest"}, "half_even"),
        ({"output": FixedFormat(40)}, "1 to 32"),
        ({"padding": 2}, "a tap of every window"),
        ({"zero_point": 0.5}, "zero_point"),
        ({"divisor": 0}, "divisor must be an integer in 1..1073741824, not 0"),
        ({"divisor": -3}, "divisor"),
        ({"divisor": 1.5}, "divisor"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ContractError, match=match):
        avg_pool(np.ones((1, 1, 4), np.int8), 2, 1, **arguments)
