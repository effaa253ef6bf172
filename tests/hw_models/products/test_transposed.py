"""Transposed correlation: a scatter in Python integers, torch's geometry, the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import AccumulatorOverflowError, ContractError
from hw_models.formats import ORDERS, OVERFLOWS, Accumulator
from hw_models.ledger import Ledger
from hw_models.transposed_correlation import (
    reference,
    transposed_correlation,
    transposed_correlation_plan,
)

WIDE = Accumulator(64)


def scatter(
    x: np.ndarray,
    weight: np.ndarray,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: int,
    x_zero_point: int,
    weight_zero_point: Any,
    accumulator: Accumulator,
) -> np.ndarray:
    """Walk x in the accumulator's order and add every element's products where they land."""
    nd = weight.ndim - 2
    stride, dilation = (np.broadcast_to(v, nd).tolist() for v in (stride, dilation))
    outputs, inputs = weight.shape[1], weight.shape[0] // groups
    size = [
        (n - 1) * s + d * (k - 1) + 1 - sum(crop) + sum(more)
        for n, s, d, k, crop, more in zip(
            x.shape[2:], stride, dilation, weight.shape[2:], padding, output_padding, strict=True
        )
    ]
    points = np.broadcast_to(weight_zero_point, outputs * groups).tolist()
    out = np.zeros((x.shape[0], outputs * groups, *size), object)
    channels = [(c,) for c in range(inputs)]
    places = list(np.ndindex(*x.shape[2:]))
    first, second = (channels, places)
    if accumulator.order == "channel_last":
        first, second = places, channels
    for n, g in np.ndindex(x.shape[0], groups):
        for one in first:
            for two in second:
                (c,), p = (one, two) if accumulator.order == "channel_first" else (two, one)
                code = int(x[(n, g * inputs + c, *p)]) - x_zero_point
                for o, *k in np.ndindex(outputs, *weight.shape[2:]):
                    at = [
                        i * s + j * d - crop[0] + more[0]
                        for i, s, j, d, crop, more in zip(
                            p, stride, k, dilation, padding, output_padding, strict=True
                        )
                    ]
                    if not all(0 <= i < limit for i, limit in zip(at, size, strict=True)):
                        continue
                    channel = g * outputs + o
                    where = (n, channel, *at)
                    tap = int(weight[(g * inputs + c, o, *k)]) - points[channel]
                    out[where] += code * tap
                    if accumulator.at == "mac":
                        out[where] = accumulator.hold(out[where])
    for where in np.ndindex(*out.shape):
        out[where] = accumulator.hold(out[where])
    return out.astype(accumulator.dtype)


def _codes(rng: np.random.Generator, shape: Any, dtype: str, style: str = "any") -> np.ndarray:
    info = np.iinfo(dtype)
    low, high = max(int(info.min), -(1 << 31)), min(int(info.max), (1 << 32) - 1)
    if style == "small":
        low, high = max(low, -9), min(high, 9)
    codes = rng.integers(low, high, shape, np.int64, endpoint=True)
    if style == "ends":
        codes = np.where(rng.integers(0, 2, shape) == 1, low, high)
    return codes.astype(dtype)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nd, groups = draw(st.sampled_from([1, 2, 2, 3])), draw(st.sampled_from([1, 1, 2, 3]))
    sizes = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(nd))  # noqa: E731 (a local shorthand)
    pairs = lambda high: tuple(zip(sizes(0, high), sizes(0, high), strict=True))  # noqa: E731 (the same)
    small = nd == 3
    spatial, kernel = sizes(1, 4 - small), sizes(1, 3 - small)
    stride, dilation = sizes(1, 4 - small), sizes(1, 3 - small)
    padding = pairs(draw(st.sampled_from([0, 2, 5])))
    added = pairs(draw(st.sampled_from([0, 0, 4])))
    full = [
        (n - 1) * s + d * (k - 1) + 1 + sum(more)
        for n, s, d, k, more in zip(spatial, stride, dilation, kernel, added, strict=True)
    ]
    padding = tuple(
        crop if sum(crop) < n else (0, 0) for crop, n in zip(padding, full, strict=True)
    )
    dtypes = st.sampled_from(["int8", "uint8", "int16", "int32", "int64"])
    styles = st.sampled_from(["any", "small", "ends"])
    dtype, weight_dtype = draw(dtypes), draw(dtypes)
    channels, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x = _codes(rng, (draw(st.integers(1, 2)), groups * channels, *spatial), dtype, draw(styles))
    if draw(st.booleans()):
        x = np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    x.setflags(write=draw(st.booleans()))
    return {
        "x": x,
        "weight": _codes(rng, (groups * channels, outputs, *kernel), weight_dtype, draw(styles)),
        "stride": stride,
        "padding": padding,
        "output_padding": added,
        "dilation": dilation,
        "groups": groups,
        "x_zero_point": draw(st.sampled_from([0, -128, 300, int(x.max())])),
        "weight_zero_point": draw(
            st.sampled_from([0, -7, _codes(rng, groups * outputs, weight_dtype, "small")])
        ),
        "accumulator": Accumulator(
            draw(st.sampled_from([32, 20, 64]) | st.integers(2, 64)),
            draw(st.sampled_from(OVERFLOWS)),
            draw(st.sampled_from(["mac", "sum"])),
            draw(st.sampled_from(ORDERS)),
        ),
    }


def _run(function: Any, case: dict[str, Any], ledger: Ledger | None) -> tuple[Any, Any]:
    """Return the result, or where and with what value the call overflowed."""
    try:
        return function(**case, ledger=ledger), None
    except AccumulatorOverflowError as error:
        return None, (error.index, error.value)


def _record(book: Ledger) -> tuple[Any, ...]:
    return book.elements, book.overflows, book.minimum, book.maximum, book.clamped, book.first


@settings(max_examples=200, deadline=None, derandomize=True)
@given(cases())
def test_random(case):
    book = Ledger()
    expected, overflow = _run(reference, case, book)
    for ledger in (None, Ledger()):
        actual, found = _run(transposed_correlation, case, ledger)
        assert found == overflow
        if expected is None:
            continue
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
        assert np.array_equal(actual, expected)
        if ledger is not None:
            assert _record(ledger) == _record(book)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases())
def test_scatter_and_gather_are_one(case):
    accumulator = case["accumulator"]
    if accumulator.overflow == "error":  # hold() wraps then
        case["accumulator"] = accumulator = Accumulator(
            accumulator.bits, "wrap", accumulator.at, accumulator.order
        )
    assert np.array_equal(reference(**case), scatter(**case))


TORCH = [  # weight [C, O/groups, *kernel], x [N, C, *spatial], options
    ((4, 3, 3, 3), (2, 4, 5, 6), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((4, 3, 2, 2), (1, 4, 5, 6), {"stride": 2}),
    ((6, 2, 3, 2), (2, 6, 4, 3), {"stride": (3, 1), "groups": 3, "output_padding": (2, 0)}),
    ((5, 4, 4, 4), (1, 5, 7, 7), {"stride": 2, "padding": (1, 2)}),
    ((3, 7, 3, 3), (1, 3, 4, 4), {"dilation": (2, 3), "padding": 2, "output_padding": (1, 2)}),
    ((3, 2, 3, 3), (1, 3, 4, 4), {"stride": 4, "dilation": 2, "output_padding": 3}),
    ((8, 1, 3, 3), (2, 8, 5, 5), {"stride": 2, "padding": 1, "groups": 8}),
    ((3, 2, 5), (2, 3, 6), {"stride": 3, "padding": 2, "output_padding": 1}),
    ((4, 2, 1), (2, 4, 6), {"stride": 2, "groups": 2}),
    ((4, 3, 2, 3, 2), (2, 4, 3, 4, 3), {"stride": (2, 1, 3), "groups": 2, "padding": (1, 0, 1)}),
]


@pytest.mark.parametrize(("weight", "x", "options"), TORCH)
def test_geometry_is_torchs(weight, x, options):
    rng = np.random.default_rng(len(weight))
    w, codes = _codes(rng, weight, "int8"), _codes(rng, x, "uint8")
    function = getattr(torch.nn.functional, f"conv_transpose{len(x) - 2}d")
    expected = function(
        torch.from_numpy(codes.astype(np.float64) - 7), torch.from_numpy(w.astype(float)), **options
    )
    actual = transposed_correlation(codes, w, x_zero_point=7, **options)
    assert np.array_equal(actual, expected.numpy())
    plan = transposed_correlation_plan(w, x_zero_point=7, **options)
    for _ in range(2):
        assert np.array_equal(plan(codes), expected.numpy())
    assert plan(codes[..., 1:]).shape[-1] < expected.shape[-1]
    assert np.array_equal(plan(codes), expected.numpy())


def test_directed_values():
    x = np.array([[[10, -20, 30]]], np.int8)
    w = np.array([[[1, 2, 3]]], np.int8)
    spread = [10, 20, 30 - 20, -40, -60 + 30, 60, 90]
    assert transposed_correlation(x, w, 2).tolist() == [[spread]]
    assert transposed_correlation(x, w, 2, 1).tolist() == [[spread[1:-1]]]
    assert transposed_correlation(x, w, 2, ((3, 0),)).tolist() == [[spread[3:]]]
    assert transposed_correlation(x, w, 2, 0, 2).tolist() == [[[*spread, 0, 0]]]
    assert transposed_correlation(x, w, 2, 0, ((1, 2),)).tolist() == [[[0, *spread, 0, 0]]]
    # padding and output_padding are one sum: what is added again has its products.
    assert transposed_correlation(x, w, 2, 1, 1).tolist() == [[spread[1:]]]
    # A kernel shorter than the stride leaves outputs without products.
    ledger = Ledger()
    assert transposed_correlation(x, w[..., :1], 3, ledger=ledger).tolist() == [
        [[10, 0, 0, -20, 0, 0, 30]]
    ]
    assert (ledger.elements, ledger.minimum, ledger.maximum) == (7, -20, 30)


def test_extremes_of_the_codes():
    """32-bit codes and zero points: differences of 34 bits, products of 68."""
    x = np.array([[[-(1 << 31), (1 << 32) - 1]]], np.int64)
    w = np.array([[[(1 << 32) - 1, -(1 << 31)]]], np.int64)
    options: dict[str, Any] = {"x_zero_point": (1 << 32) - 1, "weight_zero_point": -(1 << 31)}
    for overflow in ("wrap", "saturate"):
        accumulator = Accumulator(64, overflow)
        actual = transposed_correlation(x, w, **options, accumulator=accumulator)
        product = -((3 * (1 << 31) - 1) ** 2)
        assert actual.tolist() == [[[accumulator.hold(product), 0, 0]]]


def test_saturation_depends_on_the_order():
    """The output in the middle takes 100 and 100 of channel 0, -100 and -100 of channel 1."""
    x = np.array([[[100, 100], [-100, -100]]], np.int8)
    w = np.ones((2, 1, 2), np.int8)
    for order, middle in (("channel_first", 127 - 200), ("channel_last", 0)):
        accumulator = Accumulator(8, "saturate", "mac", order)
        assert transposed_correlation(x, w, accumulator=accumulator).tolist() == [[[0, middle, 0]]]
    # Positions ascend: what comes last is not saturated away.
    x = np.array([[[100, 100, -100]]], np.int8)
    w = np.ones((1, 1, 3), np.int8)
    accumulator = Accumulator(8, "saturate", "mac")
    assert transposed_correlation(x, w, accumulator=accumulator)[0, 0, 2] == 127 - 100


def test_error_names_the_first_element():
    x = np.zeros((1, 1, 3, 3), np.int8)
    x[0, 0, 1, 1] = 100
    w = np.full((1, 2, 2, 2), 2, np.int8)
    for at in ("sum", "mac"):
        with pytest.raises(
            AccumulatorOverflowError, match=r"transposed_correlation .*200"
        ) as caught:
            transposed_correlation(x, w, 2, accumulator=Accumulator(8, "error", at))
        assert (caught.value.index, caught.value.value) == ((0, 0, 2, 2), 200)
    with pytest.raises(AccumulatorOverflowError) as caught:
        transposed_correlation(x[:, :, 1], w[:, :, 1], 2, accumulator=Accumulator(8, "error"))
    assert (caught.value.index, caught.value.value) == ((0, 0, 2), 200)


X, W = np.zeros((1, 4, 3, 3), np.int8), np.zeros((4, 3, 2, 2), np.int8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": W[0]}, "x must have shape"),
        ({"weight": W[0, 0]}, r"weight must have shape \[C, O/groups, \*kernel\] .* not \(2, 2\)"),
        ({"weight": W * 0.5}, "weight must have an integer dtype, not float64"),
        ({"weight": W[:, :, :0]}, "kernel must have at least one tap per dimension"),
        ({"groups": 3}, "groups must divide the 4 input channels, not 3"),
        ({"groups": True}, "groups must divide the 4 input channels, not True"),
        ({"x": X[:, :3]}, "x must have 4 channels"),
        ({"x": X[:, :, :0]}, r"x must have an element in every spatial .* \(1, 4, 0, 3\)"),
        ({"stride": 0}, "stride must be at least 1, not 0"),
        (
            {"stride": (1 << 31) - 1},
            r"an output plane must have less than 2\*\*31 elements, not 429",
        ),
        ({"dilation": (1, 2, 3)}, "dilation must be an integer or one per spatial dimension"),
        ({"padding": 2}, "padding must leave an output element per dimension, not 0"),
        ({"padding": -1}, "padding must be at least 0, not -1"),
        ({"output_padding": -1}, "output_padding must be at least 0, not -1"),
        ({"output_padding": "1"}, "output_padding must be an integer or one per spatial"),
        ({"output_padding": ((1, 2),)}, r"output_padding must give one \(before, after\) per"),
        ({"output_padding": ((1, 2), 3)}, "output_padding must be an integer or one per spatial"),
        ({"x_zero_point": 1 << 32}, "x_zero_point must be an integer of at most 32 bits"),
        ({"weight_zero_point": [1, 2]}, r"one per output channel, not shape \(2,\)"),
        ({"accumulator": 32}, "accumulator must be an Accumulator, not 32"),
        ({"ledger": 3}, "ledger must be a Ledger, not 3"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ContractError, match=message) as caught:
        transposed_correlation(**{"x": X, "weight": W, **options})
    assert "\n" not in str(caught.value)
    assert "(accepted: " in str(caught.value)


def test_no_images():
    ledger = Ledger()
    out = transposed_correlation(X[:0], W, 2, ledger=ledger)
    assert out.shape == (0, 3, 6, 6)
    assert ledger.elements == ledger.minimum == ledger.maximum == 0
