"""Correlation against its reference on random shapes, types, formats and rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.correlation import correlation, reference
from hw_models.errors import AccumulatorOverflowError
from hw_models.formats import ORDERS, OVERFLOWS, Accumulator
from hw_models.ledger import Ledger

DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def _codes(rng: np.random.Generator, shape: Any, dtype: str, style: str) -> Any:
    """Draw codes of at most 32 bits: anywhere, near 0, or at the ends of the type."""
    info = np.iinfo(dtype)
    low, high = max(int(info.min), -(1 << 31)), min(int(info.max), (1 << 32) - 1)
    if style == "small":
        low, high = max(low, -9), min(high, 9)
    codes = rng.integers(low, high, shape, np.int64, endpoint=True)
    if style == "ends":
        ends = np.where(rng.integers(0, 2, shape) == 1, low, high)
        codes = np.where(rng.integers(0, 3, shape) > 0, ends, codes)
    return codes.astype(dtype)


def _layout(x: Any, style: str) -> Any:
    if style == "channels_last":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    if style == "reversed":
        return np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    if style == "sliced":
        return np.repeat(x, 2, axis=-1)[..., ::2]
    return x


@st.composite
def cases(draw: st.DrawFn, dtypes: tuple[str, ...] = DTYPES) -> dict[str, Any]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nd = draw(st.sampled_from([1, 1, 2, 2, 3]))
    most = 2 if nd == 3 else 3
    groups = draw(st.sampled_from([1, 1, 1, 2, 3, 20]))
    depthwise = draw(st.booleans()) and groups > 1
    channels = 1 if depthwise else draw(st.integers(1, 6))
    outputs = 1 if depthwise else draw(st.sampled_from([1, 2, 3, 8, 17]))
    sizes = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(nd))  # noqa: E731 (a local shorthand)
    kernel, dilation = sizes(1, most), sizes(1, 2)
    padding = tuple(
        (draw(st.integers(0, most - 1)), draw(st.integers(0, most - 1))) for _ in range(nd)
    )
    spatial = tuple(
        max(1, d * (k - 1) + 1 + draw(st.integers(0, most)) - sum(p))
        for d, k, p in zip(dilation, kernel, padding, strict=True)
    )
    spatial = tuple(
        max(s, d * (k - 1) + 1 - sum(p))
        for s, d, k, p in zip(spatial, dilation, kernel, padding, strict=True)
    )
    dtype, weight_dtype = draw(st.sampled_from(dtypes)), draw(st.sampled_from(dtypes))
    styles = st.sampled_from(["any", "small", "ends"])
    x = _codes(
        rng, (draw(st.sampled_from([1, 1, 2, 0])), groups * channels, *spatial), dtype, draw(styles)
    )
    weight = _codes(rng, (groups * outputs, channels, *kernel), weight_dtype, draw(styles))
    point = draw(st.sampled_from(["none", "scalar", "channel"]))
    return {
        "x": _layout(x, draw(st.sampled_from(["plain", "channels_last", "reversed", "sliced"]))),
        "weight": weight,
        "stride": draw(st.sampled_from([1, 2, 3])),
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "x_zero_point": int(_codes(rng, (), dtype, draw(styles))),
        "weight_zero_point": {
            "none": 0,
            "scalar": int(_codes(rng, (), weight_dtype, "small")),
            "channel": _codes(rng, weight.shape[:1], weight_dtype, "small"),
        }[point],
        "pad_value": draw(st.sampled_from([None, 0, int(_codes(rng, (), dtype, "ends")), -1, 300])),
        "accumulator": Accumulator(
            draw(st.sampled_from([32, 20, 64]) | st.integers(2, 64)),
            draw(st.sampled_from(OVERFLOWS)),
            draw(st.sampled_from(["mac", "sum"])),
            draw(st.sampled_from(ORDERS)),
        ),
    }


def _record(ledger: Ledger) -> tuple[Any, ...]:
    return (
        ledger.elements, ledger.minimum, ledger.maximum, ledger.overflows, ledger.clamped,
        ledger.first, ledger.bits_used,
    )  # fmt: skip


def _run(function: Any, case: dict[str, Any], ledger: Ledger | None) -> tuple[Any, Any]:
    """Return the result, or where and with what value the call overflowed."""
    try:
        return function(**case, ledger=ledger), None
    except AccumulatorOverflowError as error:
        return None, (error.index, error.value)


def _agree(case: dict[str, Any]) -> None:
    expected_ledger = Ledger()
    expected, overflow = _run(reference, case, expected_ledger)
    for ledger in (None, Ledger()):
        actual, found = _run(correlation, case, ledger)
        assert found == overflow
        if expected is None:
            continue
        assert actual.dtype == expected.dtype
        assert actual.shape == expected.shape
        assert np.array_equal(actual, expected)
        if ledger is not None:
            assert _record(ledger) == _record(expected_ledger)


@settings(max_examples=350, deadline=None, derandomize=True)
@given(cases())
def test_any_types(case):
    _agree(case)


@settings(max_examples=350, deadline=None, derandomize=True)
@given(cases(dtypes=("int8", "uint8")))
def test_eight_bits(case):
    _agree(case)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(cases(dtypes=("int8", "uint8", "int16", "uint16")))
def test_portable_kernels(case):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QSIM_KERNEL", "portable")
        _agree(case)
