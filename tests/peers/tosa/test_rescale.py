"""TOSA's RESCALE: every mode but INEXACT, 8 to 48 bits, per tensor and per channel, exact.

``apply_scale_32`` is ``FixedPoint(.., rounding="tosa-single" | "tosa-double")``, ``apply_scale_16``
``tosa-single`` with 16 bits. What the model refuses is an error of ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tosa_serializer as ts

import hw_models as hw
from tests.peers.tosa import model as tosa
from tests.peers.tosa.model import INT8, INT16, INT32, INT48

BITS = {INT8: 8, INT16: 16, INT32: 32, INT48: 48}
MODES = {  # rounding, bits of the multiplier, TOSA's rounding mode
    "single": ("tosa-single", 32, ts.RoundingMode.SINGLE_ROUND),
    "double": ("tosa-double", 32, ts.RoundingMode.DOUBLE_ROUND),
    "scale16": ("tosa-single", 16, ts.RoundingMode.SINGLE_ROUND),
}
CONVERSIONS = [  # mode, input, output
    *((mode, source, INT8) for mode in MODES for source in (INT8, INT16, INT32)),
    *((mode, INT32, INT16) for mode in MODES),
    *((mode, source, INT32) for mode in MODES for source in (INT8, INT32)),
    *(("scale16", INT48, output) for output in (INT8, INT16, INT32)),
]


def rescale(
    values: Any,
    scheme: hw.FixedPoint,
    mode: str,
    source: Any,
    output: Any,
    zeros: tuple[int, int] = (0, 0),
    unsigned: tuple[bool, bool] = (False, False),
) -> Any:
    """Rescale values [rows, channels] in the model."""
    _, bits, rounding = MODES[mode]
    return tosa.run(
        "RESCALE",
        [
            tosa.fed(values, source),
            tosa.const(scheme.multipliers, INT32 if bits == 32 else INT16),
            tosa.const(scheme.shifts, INT8),
            tosa.const(zeros[0], source),
            tosa.const(zeros[1], output),
        ],
        values.shape,
        output,
        lambda a: a.RescaleAttribute(bits == 32, rounding, scheme.channels > 0, *unsigned),
    )


def ties(m: int, s: int, rng: np.random.Generator) -> list[int]:
    """Values next to a multiple of a half after the scale, and (m odd) exactly on it, +-1."""
    found = []
    for half in rng.integers(-300, 300, 20):
        target = (2 * int(half) + 1) << (s - 1)
        exact = target * pow(m | (m == 0), -1, 1 << s) % (1 << s) if m % 2 else 0
        for value in (target // max(m, 1), exact, exact - (1 << s)):
            found += [value - 1, value, value + 1]
    return found


def directed(scheme: hw.FixedPoint, bits: int, limited: bool, rng: np.random.Generator) -> Any:
    """Values [rows, channels] that every channel's range admits: ties, edges, extremes, any."""
    columns = []
    for m, s in zip(scheme.multipliers.tolist(), scheme.shifts.tolist(), strict=True):
        # apply_scale_32 admits -2**(s-1)..2**(s-1)-1; the result of apply_scale_16 and the zero
        # point added to it must fit int32.
        limit = 1 << (s - 1) if limited else ((1 << 31) - 256 << s) // max(m, 1)
        edge = min(1 << (bits - 1), limit)
        low, high = -edge, edge - 1
        values = [low, low + 1, high - 1, high, 0, 1, -1, *ties(m, s, rng)]
        values += rng.integers(low, high, 40, endpoint=True).tolist()
        magnitudes = rng.integers(0, edge.bit_length(), 40).tolist()
        values += [int(rng.integers(-(1 << e), 1 << e)) for e in magnitudes]
        columns.append([min(max(value, low), high) for value in values])
    return np.array(columns, np.int64).T


def draw(mode: str, channels: int, source: Any, rng: np.random.Generator) -> hw.FixedPoint:
    rounding, bits, _ = MODES[mode]
    top = (1 << (bits - 1)) - 1
    multipliers = [int(rng.integers(top // 2, top, endpoint=True)) for _ in range(channels)]
    multipliers[0] = int(rng.choice([0, 1, 3, top, 1 << (bits - 2)]))
    low = 2 if source != INT48 else 16
    shifts = [int(rng.integers(low, 63)) for _ in range(channels)]
    shifts[-1] = int(rng.choice([31, 32, 33, 47]))
    if channels == 1:
        return hw.FixedPoint(multipliers[0] if rng.random() < 0.3 else top - 4, shifts[0], rounding,
                             bits)  # fmt: skip
    return hw.FixedPoint(multipliers, shifts, rounding, bits)


@pytest.mark.peer("TOSA reference model", ["requantize"], ["tosa"], mode="single", output="INT8")
@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
@pytest.mark.parametrize(
    ("mode", "source", "output"),
    CONVERSIONS,
    ids=[f"{m}-{i.name}-{o.name}" for m, i, o in CONVERSIONS],
)
def test_rescale(mode: str, source: Any, output: Any, per_channel: bool) -> None:
    rng = np.random.default_rng(BITS[source] + BITS[output] + per_channel)
    for _ in range(8):
        scheme = draw(mode, 7 if per_channel else 1, source, rng)
        values = directed(scheme, BITS[source], mode != "scale16", rng)
        zeros = (0, int(rng.integers(-128, 128)) if output == INT8 else 0)
        if source == INT8:
            zeros = (int(rng.integers(-128, 128)), zeros[1])
            values = np.clip(values + zeros[0], -128, 127)
        form = hw.FixedFormat(BITS[output])
        small = values - zeros[0]
        inside = np.abs(small + 0.5) < 2.0 ** (scheme.shifts - 1)
        values = np.where(inside | (mode == "scale16"), values, zeros[0])
        expected = hw.requantize(values, scheme, zeros[1], form, axis=1, input_zero_point=zeros[0])
        actual = rescale(values, scheme, mode, source, output, zeros)
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("mode", MODES)
def test_unsigned_codes(mode: str) -> None:
    """TOSA reads the same 8 bits as unsigned, or writes them; zero points are unsigned too."""
    rounding, bits, _ = MODES[mode]
    scheme = hw.FixedPoint(3 << (bits - 4), bits - 2, rounding, bits)
    codes = np.arange(256).reshape(16, 16)
    signed = codes.astype(np.uint8).view(np.int8)
    for zero in (0, 77, 128, 255):
        theirs = np.uint8(zero).view(np.int8)
        expected = hw.requantize(codes, scheme, 0, hw.FixedFormat(8), input_zero_point=zero)
        actual = rescale(signed, scheme, mode, INT8, INT8, (theirs, 0), (True, False))
        np.testing.assert_array_equal(actual, expected)
        expected = hw.requantize(
            codes - 128, scheme, zero, hw.FixedFormat(8, signed=False), input_zero_point=-128
        )
        actual = rescale(codes - 128, scheme, mode, INT8, INT8, (-128, theirs), (False, True))
        np.testing.assert_array_equal(actual.view(np.uint8), expected)


@pytest.mark.parametrize(
    ("mode", "m", "s", "value", "nearest", "source"),
    [
        *((mode, 1, 2, value, nearest, INT32) for mode in ("single", "double")
          for value, nearest in ((2, 1), (-3, -2))),
        *((mode, 1 << 30, 31, value, nearest, INT32) for mode in ("single", "double")
          for value, nearest in ((1 << 30, (1 << 30) - 1), (-(1 << 30) - 1, -(1 << 30)))),
        ("single", 0, 31, -(1 << 31), -(1 << 30), INT32),
        ("double", 0, 31, (1 << 31) - 1, (1 << 30) - 1, INT32),
        ("scale16", 32767, 20, (1 << 47) - 1, 1 << 36, INT48),
        ("scale16", 32767, 20, -(1 << 47), -(1 << 36), INT48),
        ("scale16", 2, 2, 1 << 32, (1 << 32) - 2, INT48),
        ("scale16", 2, 2, -(1 << 32) - 2, -(1 << 32) - 1, INT48),
    ],
)  # fmt: skip
def test_what_the_model_refuses_is_an_error(
    mode: str, m: int, s: int, value: int, nearest: int, source: Any
) -> None:
    rounding, bits, _ = MODES[mode]
    scheme = hw.FixedPoint(m, s, rounding, bits)
    values = np.array([[0, value]])
    with pytest.raises(tosa.RefusedError):
        rescale(values, scheme, mode, source, INT32)
    with pytest.raises((hw.ContractError, hw.AccumulatorOverflowError), match=str(value)):
        hw.requantize(values, scheme, output=hw.FixedFormat(32))
    inside = np.where(values == 0, 0, nearest)
    expected = hw.requantize(inside, scheme, output=hw.FixedFormat(32))
    np.testing.assert_array_equal(rescale(inside, scheme, mode, source, INT32), expected)
