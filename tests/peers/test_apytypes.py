"""apytypes as a third opinion on rounding and overflow: every mode that both have, equal codes.

A code of ``bits`` bits with ``drop`` fraction bits too many is cast to fewer bits:
``requantize(PowerOfTwo(drop, rounding))`` to a saturating format, or ``round_shift`` and ``wrap``.

* ``JAM`` also sets the last bit of a code that loses none; ``jam`` here leaves that alone.
* Not compared: ``STOCH_*`` draw from a stream; ``JAM_UNBIASED``, ``TRN_MAG`` (adds the sign bit
  to the truncated code) and ``NUMERIC_STD`` have no counterpart here; ``saturate_symmetric`` and
  ``error`` have none there.
"""

from __future__ import annotations

import apytypes
import numpy as np
import pytest
from apytypes import APyFixedArray, OverflowMode, QuantizationMode

import hw_models as hw
from hw_models.rounding import round_shift

MODES = {
    "floor": ["TO_NEG", "TRN"],
    "ceil": ["TO_POS", "TRN_INF"],
    "toward_zero": ["TO_ZERO", "TRN_ZERO"],
    "away": ["TO_AWAY", "TRN_AWAY"],
    "half_up": ["TIES_POS", "RND"],
    "half_down": ["TIES_NEG", "RND_MIN_INF"],
    "half_away": ["TIES_AWAY", "RND_INF"],
    "half_toward_zero": ["TIES_ZERO", "RND_ZERO"],
    "half_even": ["TIES_EVEN", "RND_CONV"],
    "half_odd": ["TIES_ODD", "RND_CONV_ODD"],
    "jam": ["JAM"],
}
PAIRS = [(rounding, mode) for rounding, modes in MODES.items() for mode in modes]
OVERFLOWS = {"wrap": OverflowMode.WRAP, "saturate": OverflowMode.SAT}


def cast(x: np.ndarray, bits: int, drop: int, out: int, mode: str, overflow: str) -> np.ndarray:
    """Codes of ``bits`` bits, the last ``drop`` of them fraction, as integers of ``out`` bits."""
    raw = [int(v) & ((1 << bits) - 1) for v in x]
    array = APyFixedArray(raw, int_bits=bits - drop, frac_bits=drop)
    done = array.cast(
        int_bits=out,
        frac_bits=0,
        quantization=getattr(QuantizationMode, mode),
        overflow=OVERFLOWS[overflow],
    )
    form = hw.FixedFormat(out)
    return np.array([form.wrap(int(v)) for v in done.to_bits()], np.int64)


def ours(x: np.ndarray, drop: int, out: int, rounding: str, overflow: str) -> np.ndarray:
    form = hw.FixedFormat(out)
    if overflow == "saturate":
        scheme = hw.PowerOfTwo(drop, rounding)
        return hw.requantize(x, scheme, 0, form, axis=0).astype(np.int64)
    wide = hw.requantize(x, hw.PowerOfTwo(drop, rounding), 0, hw.FixedFormat(32), axis=0)
    return np.asarray(form.wrap(wide.astype(np.int64)), np.int64)


@pytest.mark.peer("apytypes", ["requantize"])
@pytest.mark.peer("apytypes", ["requantize"], ["q7"], rounding="half_up", overflow="saturate")
@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize(("rounding", "mode"), PAIRS)
def test_every_code_of_ten_bits(rounding: str, mode: str, overflow: str) -> None:
    x = np.arange(-512, 512, dtype=np.int32)
    for drop in range(1 if mode == "JAM" else 0, 8):
        for out in (2, 3, 8, 12):
            expected = ours(x, drop, out, rounding, overflow)
            actual = cast(x, 10, drop, out, mode, overflow)
            np.testing.assert_array_equal(actual, expected, f"drop {drop} out {out}")


def test_exception_jam_without_a_drop() -> None:
    """JAM sets the last bit also where no bit is dropped; ours then does nothing."""
    x = np.arange(-8, 8, dtype=np.int32)
    assert cast(x, 4, 0, 4, "JAM", "wrap").tolist() == (x | 1).tolist()
    assert ours(x, 0, 4, "jam", "wrap").tolist() == x.tolist()


@pytest.mark.peer(
    "apytypes", ["requantize"], ["q7", "q15"], rounding="half_up", overflow="saturate"
)
@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize(("rounding", "mode"), PAIRS)
def test_wide_codes(rounding: str, mode: str, overflow: str) -> None:
    """Random 31-bit codes, and the neighbours of every tie that a shift can have."""
    rng = np.random.default_rng(9)
    for drop in (1, 5, 17, 29):
        ties = (rng.integers(-(1 << 30), 1 << 30, 400) >> drop << drop) + (1 << (drop - 1))
        near = np.concatenate([ties - 1, ties, ties + 1, rng.integers(-(1 << 30), 1 << 30, 800)])
        x = np.clip(near, -(1 << 30), (1 << 30) - 1).astype(np.int32)
        for out in (8, 16, 24):
            expected = ours(x, drop, out, rounding, overflow)
            actual = cast(x, 31, drop, out, mode, overflow)
            np.testing.assert_array_equal(actual, expected, f"drop {drop} out {out}")


@pytest.mark.parametrize(("rounding", "mode"), PAIRS)
def test_codes_of_a_hundred_bits(rounding: str, mode: str) -> None:
    """The definition alone: no array of ours holds them."""
    rng = np.random.default_rng(11)
    for drop in (1, 40, 63, 64, 90):
        draws = [int.from_bytes(rng.bytes(13), "little", signed=True) >> 4 for _ in range(60)]
        ties = [(v >> drop << drop) + (1 << (drop - 1)) for v in draws]
        for x in [*draws, *(t + step for t in ties for step in (-1, 0, 1))]:
            number = apytypes.fx(0, int_bits=101 - drop, frac_bits=drop)
            number = type(number)(x & ((1 << 101) - 1), int_bits=101 - drop, frac_bits=drop)
            done = number.cast(
                int_bits=110, frac_bits=0, quantization=getattr(QuantizationMode, mode)
            )
            code = done.to_bits()
            assert (code - (1 << 110) if code >> 109 else code) == round_shift(x, drop, rounding)


def test_every_mode_is_compared_or_named() -> None:
    assert {*MODES, "stochastic"} == set(hw.ROUNDINGS)
    left = {"STOCH_WEIGHTED", "STOCH_EQUAL", "JAM_UNBIASED", "TRN_MAG"}
    assert {mode for _, mode in PAIRS} | left == set(QuantizationMode.__members__)
    left = {"NUMERIC_STD"}
    assert {mode.name for mode in OVERFLOWS.values()} | left == set(OverflowMode.__members__)
