"""Correlation on vectors worked out by hand: every rule, place, order, edge and corner."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.correlation import correlation, correlation_plan, reference
from hw_models.errors import AccumulatorOverflowError
from hw_models.formats import Accumulator
from hw_models.ledger import Ledger, Register

BOTH = pytest.mark.parametrize("function", [reference, correlation])


def _dot(function, x, w, accumulator, ledger=None, **options):
    """Correlate one row of K codes with one of K weights: one output."""
    codes = np.array(x).reshape(1, 1, -1)
    weight = np.array(w).reshape(1, 1, -1)
    acc = function(codes, weight, accumulator=accumulator, ledger=ledger, **options)
    assert acc.shape == (1, 1, 1)
    assert acc.dtype == accumulator.dtype
    return int(acc[0, 0, 0])


@BOTH
@pytest.mark.parametrize(
    ("overflow", "at", "expected"),
    [
        # 4-bit register; products 6, 6, -9: partial sums 6, 12, 3.
        ("wrap", "sum", 3),
        ("wrap", "mac", 3),
        ("saturate", "sum", 3),
        ("saturate", "mac", -2),
        ("saturate_symmetric", "sum", 3),
        ("saturate_symmetric", "mac", -2),
    ],
)
def test_mac_and_sum_differ_for_saturation(function, overflow, at, expected):
    ledger = Ledger()
    assert _dot(function, [2, 3, -3], [3, 2, 3], Accumulator(4, overflow, at), ledger) == expected
    if at == "mac":
        assert (ledger.minimum, ledger.maximum, ledger.overflows) == (3, 12, 1)
        assert ledger.first == (0, 0, 0)
    else:
        assert (ledger.minimum, ledger.maximum, ledger.overflows) == (3, 3, 0)
        assert ledger.first is None
    assert ledger.elements == 1
    assert ledger.clamped == 0


@BOTH
@pytest.mark.parametrize("at", ["mac", "sum"])
@pytest.mark.parametrize(
    ("value", "wrap", "saturate", "symmetric"),
    [
        (127, 127, 127, 127),
        (128, -128, 127, 127),
        (129, -127, 127, 127),
        (-127, -127, -127, -127),
        (-128, -128, -128, -127),
        (-129, 127, -128, -127),
        (255, -1, 127, 127),
        (256, 0, 127, 127),
        (-256, 0, -128, -127),
        (0, 0, 0, 0),
    ],
)
def test_edges_of_eight_bits(function, at, value, wrap, saturate, symmetric):
    for overflow, expected in (
        ("wrap", wrap),
        ("saturate", saturate),
        ("saturate_symmetric", symmetric),
    ):
        ledger = Ledger()
        assert _dot(function, [value], [1], Accumulator(8, overflow, at), ledger) == expected
        assert ledger.overflows == int(not Accumulator(8, overflow).format.fits(value))
        assert (ledger.minimum, ledger.maximum) == (value, value)


@BOTH
def test_symmetric_counts_the_unused_code(function):
    ledger = Ledger()
    accumulator = Accumulator(4, "saturate_symmetric", "mac")
    assert _dot(function, [-8, 1], [1, 1], accumulator, ledger) == -6
    assert ledger.overflows == 1


@BOTH
@pytest.mark.parametrize("bits", [2, 3, 7, 8, 9, 16, 31, 32, 33, 63, 64])
@pytest.mark.parametrize("at", ["mac", "sum"])
def test_edges_of_every_width(function, bits, at):
    """Reach the extreme code, then step one past it, with 32-bit operands."""
    top = (1 << (bits - 1)) - 1
    # top = high * 2**31 + low, high below 2**32, low below 2**31.
    high, low = top >> 31, top & ((1 << 31) - 1)
    x = np.array([1 << 31, 1, 1], np.uint32)
    for step, expected in ((0, (top, top, top)), (1, (-top - 1, top, top))):
        w = np.array([high, low, step], np.uint32)
        for overflow, value in zip(
            ("wrap", "saturate", "saturate_symmetric"), expected, strict=True
        ):
            ledger = Ledger()
            accumulator = Accumulator(bits, overflow, at)
            assert _dot(function, x, w, accumulator, ledger) == value
            assert _dot(function, x, w, accumulator) == value
            assert (ledger.overflows, ledger.maximum) == (step, top + step)


@BOTH
@pytest.mark.parametrize("at", ["mac", "sum"])
def test_extreme_operands_take_two_limbs(function, at):
    """Differences of 33 bits and more: products past 2**65, in and out of a 64-bit register."""
    low, high = -(1 << 31), (1 << 32) - 1
    largest = (high - low) * (high - low)
    for codes, z, total, top in (
        ((high, high), low, 2 * largest, 2 * largest),
        ((low, low), high, -2 * largest, -largest if at == "mac" else -2 * largest),
        ((high, low), low, largest, largest),
    ):
        ledger = Ledger()
        weight = np.array([high, high], np.int64)
        points = {"x_zero_point": z, "weight_zero_point": low}
        acc = _dot(
            function, np.array(codes), weight, Accumulator(64, "saturate", at), ledger, **points
        )
        assert acc == min(max(total, -(1 << 63)), (1 << 63) - 1)
        assert ledger.maximum == top
        assert ledger.overflows == 1
        wrapped = _dot(function, np.array(codes), weight, Accumulator(64, "wrap", at), **points)
        assert wrapped == (total + (1 << 63)) % (1 << 64) - (1 << 63)


@BOTH
def test_order_decides_what_saturates(function):
    """Two channels, two taps; products by (channel, tap): 7, -7 / 7, -7."""
    x = np.array([[[7, -7], [7, -7]]], np.int8)
    w = np.ones((1, 2, 2), np.int8)
    for order, expected, extremes in (
        # 7, 0, 7, 0: nothing saturates.
        ("channel_first", 0, (0, 7)),
        # 7, 14 -> 7, 0, -7 while the unbounded sum goes 7, 14, 7, 0.
        ("channel_last", -7, (0, 14)),
    ):
        ledger = Ledger()
        acc = function(x, w, accumulator=Accumulator(4, "saturate", "mac", order), ledger=ledger)
        assert acc.tolist() == [[[expected]]]
        assert (ledger.minimum, ledger.maximum) == extremes


@BOTH
def test_padding_takes_part(function):
    x = np.array([[[5]]], np.uint8)
    w = np.array([[[1, 10, 100]]], np.int8)
    run = lambda **options: function(x, w, padding=((1, 1),), **options).reshape(-1).tolist()  # noqa: E731 (three calls)
    assert run(x_zero_point=3) == [20]
    assert run(x_zero_point=3, pad_value=3) == [20]
    assert run(x_zero_point=3, pad_value=0) == [20 - 3 - 300]
    assert run(x_zero_point=3, pad_value=-1000) == [20 - 1003 * 101]
    # A pad may saturate a register: 3 - 100 products in their place in the order.
    accumulator = Accumulator(8, "saturate", "mac")
    assert run(pad_value=-200, accumulator=accumulator) == [-128]
    assert run(pad_value=2, accumulator=accumulator) == [127]


@BOTH
def test_asymmetric_padding_stride_and_dilation(function):
    x = np.arange(1, 13, dtype=np.int16).reshape(1, 1, 3, 4)
    w = np.array([[[[1, 10], [100, 1000]]]], np.int16)
    acc = function(x, w, stride=(2, 1), padding=((1, 0), (0, 2)), dilation=(1, 2))
    # Rows -1..0 and 1..2 of the input; columns 0..3 and, two further, 2..5.
    assert acc[0, 0].tolist() == [
        [100 * 1 + 1000 * 3, 100 * 2 + 1000 * 4, 100 * 3, 100 * 4],
        [5 + 70 + 900 + 11000, 6 + 80 + 1000 + 12000, 7 + 1100, 8 + 1200],
    ]


@BOTH
def test_zero_point_per_output_channel_and_groups(function):
    x = np.array([[[10], [20], [30], [40]]], np.uint8)
    w = np.array([[[1], [2]], [[3], [4]], [[5], [6]], [[7], [8]]], np.uint8)
    acc = function(x, w, groups=2, x_zero_point=5, weight_zero_point=np.array([0, 1, 2, 3]))
    assert acc[0, :, 0].tolist() == [
        5 * 1 + 15 * 2, 5 * 2 + 15 * 3, 25 * 3 + 35 * 4, 25 * 4 + 35 * 5,
    ]  # fmt: skip


@BOTH
@pytest.mark.parametrize("at", ["mac", "sum"])
def test_error_names_the_first_element(function, at):
    x = np.array([[[[1, 1], [1, 50]]], [[[90, 1], [1, 1]]]], np.int8)
    w = np.array([[[[1]]], [[[2]]]], np.int8)
    accumulator = Accumulator(7, "error", at)
    with pytest.raises(AccumulatorOverflowError, match="100 at index \\(0, 1, 1, 1\\)") as caught:
        function(x, w, accumulator=accumulator)
    assert caught.value.index == (0, 1, 1, 1)
    assert caught.value.value == 100
    assert "-64..63" in str(caught.value)
    assert function(x[:, :, :1], w[:1], accumulator=Accumulator(8, "error", at)).tolist() == [
        [[[1, 1]]],
        [[[90, 1]]],
    ]


@BOTH
def test_error_at_mac_gives_the_partial_sum_that_did_not_fit(function):
    for at, value in (("mac", 12), ("sum", 12 - 40)):
        with pytest.raises(AccumulatorOverflowError) as caught:
            _dot(function, [6, 6, -40], [1, 1, 1], Accumulator(4, "error", at))
        assert (caught.value.value, caught.value.index) == (value, (0, 0, 0))
    assert _dot(function, [6, 6, -6], [1, 1, 1], Accumulator(4, "error", "sum")) == 6


@BOTH
@pytest.mark.parametrize("at", ["mac", "sum"])
def test_empty_batch_and_no_outputs(function, at):
    accumulator = Accumulator(20, "saturate", at)
    for x_shape, w_shape, expected in (
        ((0, 3, 5, 5), (2, 3, 3, 3), (0, 2, 3, 3)),
        ((2, 3, 5), (0, 3, 3), (2, 0, 3)),
    ):
        ledger = Ledger(7, 7, 9, registers=(Register("stale", 8, "wrap", 7, 9, 3, (1,)),))
        acc = function(
            np.zeros(x_shape, np.int8), np.zeros(w_shape, np.int8), accumulator=accumulator,
            ledger=ledger,
        )  # fmt: skip
        assert acc.shape == expected
        assert acc.dtype == np.int32
        assert (ledger.elements, ledger.minimum, ledger.maximum) == (0, 0, 0)
        assert (ledger.overflows, ledger.first) == (0, None)


def test_no_channels_sum_to_zero():
    ledger = Ledger()
    acc = correlation(np.zeros((2, 0, 4), np.int8), np.zeros((3, 0, 2), np.int8), ledger=ledger)
    assert acc.shape == (2, 3, 3)
    assert not acc.any()
    assert (ledger.elements, ledger.minimum, ledger.maximum) == (18, 0, 0)


def test_result_types_follow_the_accumulator():
    x, w = np.ones((1, 1, 2), np.int8), np.ones((1, 1, 1), np.int8)
    for bits, dtype in ((2, np.int32), (32, np.int32), (33, np.int64), (64, np.int64)):
        assert correlation(x, w, accumulator=Accumulator(bits)).dtype == dtype


def test_a_plan_keeps_its_weights_and_serves_any_size():
    w = np.ones((1, 1, 2, 2), np.int8)
    plan = correlation_plan(w, padding=1)
    w[...] = 5
    for size in (1, 3, 2, 7):
        x = np.ones((2, 1, size, size + 1), np.int8)
        acc = plan(x)
        assert acc.shape == (2, 1, size + 1, size + 2)
        assert int(acc.sum()) == 4 * x.size


def test_arguments_are_not_written():
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, (1, 4, 5, 5), np.int64).astype(np.int8)
    w = rng.integers(-128, 128, (4, 4, 3, 3), np.int64).astype(np.int8)
    x.flags.writeable = w.flags.writeable = False
    before = x.copy()
    correlation(x, w, padding=1, pad_value=-128, accumulator=Accumulator(20, "saturate", "mac"))
    correlation(x, w, padding=1, x_zero_point=3)
    assert np.array_equal(x, before)


@BOTH
@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize(("power", "taps"), [(15, 5), (31, 3)])
def test_the_ledger_sees_past_the_register_and_its_kernel(function, overflow, power, taps):
    """Each product fits the narrow kernel; the unbounded sum of them does not."""
    ledger = Ledger()
    dtype = np.int32 if power == 15 else np.int64
    codes = np.full(taps, 1 << power, dtype)
    _dot(function, codes, codes, Accumulator(8, overflow, "mac"), ledger)
    assert (ledger.minimum, ledger.maximum) == (1 << 2 * power, taps << 2 * power)
    assert ledger.bits_used == (taps << 2 * power).bit_length() + 1
