"""Every fast kernel at the sizes where its tiles begin, end and split; threads; two limbs."""

from __future__ import annotations

import random
from typing import Any

import numba
import numpy as np
import pytest

from hw_models.correlation import correlation, correlation_plan, reference
from hw_models.formats import Accumulator
from hw_models.ledger import Ledger
from hw_models.linear import linear
from hw_models.products.bounds import WeightNorms
from hw_models.products.gemm_tiles import HAS_VNNI
from hw_models.products.wide import to_int, wide_add, wide_from, wide_less, wide_mul

KERNELS = pytest.mark.parametrize("kernel", ["auto", "portable"])


def _exact(x: Any, w: Any, stride: int, padding: int, groups: int, zx: int) -> Any:
    """Correlate in int64 by slices: for operands far from its edges."""
    pad = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    differences = np.pad(x.astype(np.int64) - zx, pad)
    kh, kw = w.shape[2:]
    oh = (differences.shape[2] - kh) // stride + 1
    ow = (differences.shape[3] - kw) // stride + 1
    out = np.zeros((x.shape[0], w.shape[0], oh, ow), np.int64)
    outputs, channels = w.shape[0] // groups, w.shape[1]
    for g in range(groups):
        part = differences[:, g * channels : (g + 1) * channels]
        rows = slice(g * outputs, (g + 1) * outputs)
        for y in range(kh):
            for z in range(kw):
                window = part[:, :, y : y + stride * oh : stride, z : z + stride * ow : stride]
                out[:, rows] += np.einsum(
                    "nchw,oc->nohw", window, w[rows, :, y, z].astype(np.int64)
                )
    return out


def _draw(seed: int, shape: tuple[int, ...], dtype: str) -> Any:
    info = np.iinfo(dtype)
    rng = np.random.default_rng(seed)
    return rng.integers(info.min, info.max, shape, np.int64, endpoint=True).astype(dtype)


def test_the_slices_are_the_definition():
    x, w = _draw(0, (2, 4, 6, 5), "int8"), _draw(1, (6, 2, 3, 2), "int8")
    expected = reference(x, w, stride=2, padding=1, groups=2, x_zero_point=-7)
    assert np.array_equal(_exact(x, w, 2, 1, 2, -7), expected)


@KERNELS
@pytest.mark.parametrize("outputs", [1, 15, 16, 17, 32, 33, 63, 64, 65, 80, 96, 97, 128, 129, 200])
def test_blocks_of_output_channels(monkeypatch, kernel, outputs):
    monkeypatch.setenv("QSIM_KERNEL", kernel)
    x, w = _draw(outputs, (1, 8, 5, 7), "int8"), _draw(outputs + 1, (outputs, 8, 3, 3), "int8")
    ledger = Ledger()
    acc = correlation(x, w, padding=1, x_zero_point=11, ledger=ledger)
    assert np.array_equal(acc, _exact(x, w, 1, 1, 1, 11))
    assert ledger.kernel == ("vnni" if kernel == "auto" and HAS_VNNI else "pairs")


@KERNELS
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_rounds_of_pixels(monkeypatch, kernel, dtype):
    monkeypatch.setenv("QSIM_KERNEL", kernel)
    w = _draw(3, (70, 12, 1, 1), "int8")
    plan = correlation_plan(w, x_zero_point=-5)
    for pixels in (*range(1, 26), 239, 240, 241, 480, 481):
        x = _draw(pixels, (pixels, 12, 1, 1), dtype)
        assert np.array_equal(plan(x), _exact(x, w, 1, 0, 1, -5))


@KERNELS
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 8, 13])
@pytest.mark.parametrize("stride", [1, 2])
def test_runs_of_taps(monkeypatch, kernel, channels, stride):
    """Lengths that are and are not whole steps; the last step reads past the run."""
    monkeypatch.setenv("QSIM_KERNEL", kernel)
    for size in (1, 2, 3, 7):
        x = _draw(channels, (2, channels, 9, 8), "uint8")
        w = _draw(size, (16, channels, size, size), "int8")
        for padding in (0, 2):
            acc = correlation(x, w, stride, padding, x_zero_point=128)
            assert np.array_equal(acc, _exact(x, w, stride, padding, 1, 128))


@KERNELS
@pytest.mark.parametrize("channels", [2, 15, 16, 17, 63, 64, 65, 100, 128, 130])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_depthwise(monkeypatch, kernel, channels, dtype):
    monkeypatch.setenv("QSIM_KERNEL", kernel)
    for size, stride, padding in ((1, 1, 0), (2, 1, 0), (3, 1, 1), (3, 2, 1), (5, 1, 2)):
        x, w = (
            _draw(channels, (2, channels, 6, 7), dtype),
            _draw(9, (channels, 1, size, size), "int8"),
        )
        ledger = Ledger()
        acc = correlation(x, w, stride, padding, groups=channels, x_zero_point=100, ledger=ledger)
        assert np.array_equal(acc, _exact(x, w, stride, padding, channels, 100))
        assert ledger.kernel.startswith("depthwise-")


@KERNELS
@pytest.mark.parametrize(
    ("groups", "outputs", "channels"), [(2, 8, 4), (3, 20, 5), (2, 64, 16), (4, 3, 2)]
)
def test_groups(monkeypatch, kernel, groups, outputs, channels):
    monkeypatch.setenv("QSIM_KERNEL", kernel)
    x = _draw(groups, (2, groups * channels, 6, 5), "int8")
    w = _draw(outputs, (groups * outputs, channels, 3, 3), "int8")
    acc = correlation(x, w, 1, 1, groups=groups, x_zero_point=3)
    assert np.array_equal(acc, _exact(x, w, 1, 1, groups, 3))


@KERNELS
@pytest.mark.parametrize("shift", [0, -100, 1000, -70000, 3000000000])
def test_windows_of_codes(monkeypatch, kernel, shift):
    """Eight-bit codes anywhere in 32 bits, in a wide type, use the eight-bit kernel."""
    monkeypatch.setenv("QSIM_KERNEL", kernel)
    x = _draw(4, (1, 6, 5, 5), "uint8").astype(np.int64) + shift
    w = _draw(5, (20, 6, 3, 3), "int8")
    ledger = Ledger()
    z = shift + 17
    acc = correlation(
        x, w, padding=1, x_zero_point=z, accumulator=Accumulator(40, "saturate"), ledger=ledger
    )
    assert np.array_equal(acc, _exact(x, w, 1, 1, 1, z))
    assert ledger.kernel == ("vnni" if kernel == "auto" and HAS_VNNI else "pairs")


def test_sixteen_bits_in_pieces():
    """Sums past 32 bits of 16-bit codes: int32 pieces, added in int64."""
    x = np.full((1, 600, 3, 3), -32768, np.int16)
    w = np.full((20, 600, 3, 3), -128, np.int8)
    x[0, ::7] = 32767
    ledger = Ledger()
    acc = correlation(x, w, padding=1, accumulator=Accumulator(40, "saturate"), ledger=ledger)
    assert np.array_equal(acc, _exact(x, w, 1, 1, 1, 0))
    assert ledger.kernel == "pairs-pieces"
    assert ledger.maximum > 1 << 32


@KERNELS
def test_a_plan_serves_types_and_sizes_in_turn(monkeypatch, kernel):
    """The copy that a plan keeps between calls never shows: not its border, not in old results."""
    monkeypatch.setenv("QSIM_KERNEL", kernel)
    w = _draw(8, (18, 5, 3, 3), "int8")
    plan = correlation_plan(w, padding=1, x_zero_point=9)
    kept = []
    for turn in range(2):
        for dtype in ("int8", "uint8", "int16", "int64"):
            for size in (4, 4, 6):
                x = _draw(size + turn, (2, 5, size, 5), dtype if dtype != "int64" else "int32")
                x = (x if dtype != "int64" else x >> 20).astype(dtype)
                kept.append((plan(x), _exact(x, w, 1, 1, 1, 9)))
    # Windows that begin at different codes: the border of the copy holds different bytes.
    for low in (-140, -150, -140):
        x = np.arange(low, low + 200).reshape(2, 5, 4, 5)
        kept.append((plan(x), _exact(x, w, 1, 1, 1, 9)))
    for acc, exact in kept:
        assert np.array_equal(acc, Accumulator().format.wrap(exact))


def test_extreme_pairs_are_exact_in_the_ring():
    """(-32768)**2 * 2 is the one pair of products that vpmaddwd wraps."""
    x = np.full((1, 2, 1, 1), -32768, np.int16)
    w = np.full((16, 2, 1, 1), -32768, np.int16)
    assert correlation(x, w).reshape(-1).tolist() == [-(1 << 31)] * 16
    wide = correlation(x, w, accumulator=Accumulator(33, "saturate"))
    assert wide.reshape(-1).tolist() == [1 << 31] * 16


def test_uint8_times_int8_extremes_do_not_saturate_inside():
    """VNNI has saturating sisters; 255 * -128 * 4 in one step would show them."""
    x = np.full((1, 64, 4, 4), 255, np.uint8)
    w = np.full((64, 64, 3, 3), -128, np.int8)
    assert (correlation(x, w) == 255 * -128 * 576).all()
    assert (correlation(x, w, x_zero_point=255, pad_value=0, padding=1)[0, 0, 0, 0]) == (
        -255 * -128 * 64 * 5
    )


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads to compare")
@pytest.mark.parametrize(
    ("accumulator", "groups", "dtype"),
    [
        (Accumulator(), 1, "int8"),
        (Accumulator(20), 1, "int16"),
        (Accumulator(), 48, "int8"),
        (Accumulator(24), 48, "int16"),
        (Accumulator(18, "saturate", "mac"), 1, "int8"),
        (Accumulator(50, "saturate", "mac"), 48, "int16"),
    ],
)
def test_one_thread_and_two(accumulator, groups, dtype):
    x = _draw(6, (2, 48, 30, 31), dtype)
    w = _draw(7, (48, 48 // groups, 3, 3), dtype)
    plan = correlation_plan(w, padding=1, groups=groups, accumulator=accumulator)
    before = numba.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            ledger = Ledger()
            results.append((plan(x), plan(x, ledger), ledger))
    finally:
        numba.set_num_threads(before)
    (first, counted, ledger), (second, again, other) = results
    assert np.array_equal(first, second)
    assert np.array_equal(first, counted)
    assert np.array_equal(first, again)
    assert ledger == other


@KERNELS
def test_linear_wide_and_tall(monkeypatch, kernel):
    monkeypatch.setenv("QSIM_KERNEL", kernel)
    for rows, inputs, outputs in ((1, 1000, 10), (3, 513, 130), (100, 1, 1), (1, 3, 300)):
        x, w = _draw(rows, (rows, inputs), "int8"), _draw(outputs, (outputs, inputs), "int8")
        expected = (x.astype(np.int64) - 5) @ (w.astype(np.int64) - 1).T
        assert np.array_equal(linear(x, w, 5, 1), expected)


def test_bounds_hold_every_partial_sum_and_are_reached():
    weight = np.array([[3, -5, 0], [-1, -1, 7]], np.int64)
    norms = WeightNorms.of(weight)
    assert (norms.positive, norms.negative, norms.total) == (7, 5, 9)
    assert (norms.minimum, norms.maximum) == (-5, 7)
    for low, high in ((-128, 127), (0, 255), (-255, 0), (3, 9), (-9, -3)):
        bounds = norms.bounds(low, high)
        for row in weight.tolist():
            for signs in range(1 << len(row)):
                codes = [high if signs >> i & 1 else low for i in range(len(row))]
                total = 0
                for code, w in zip(codes, row, strict=True):
                    total += code * w
                    assert bounds.minimum <= total <= bounds.maximum
    assert norms.bounds(0, 255).maximum == 7 * 255
    assert norms.bounds(0, 255).minimum == -5 * 255


def test_the_proof_is_tight_at_the_edge():
    """The bound that just fits takes the fast kernel; one more does not."""
    w = np.array([[[100]], [[-100]]], np.int64)
    for bits, expected in ((15, "lanes"), (14, "ordered")):
        ledger = Ledger()
        accumulator = Accumulator(bits, "saturate", "mac" if expected == "ordered" else "sum")
        acc = correlation(
            np.array([[[127]], [[-128]]], np.int8), w, accumulator=accumulator, ledger=ledger
        )
        limit = accumulator.max
        assert acc.reshape(-1).tolist() == [
            min(12700, limit), max(-12700, -limit - 1), max(-12800, -limit - 1), min(12800, limit),
        ]  # fmt: skip
        assert ledger.bits_used == 15
        assert ledger.overflows == (4 if bits == 14 else 0)


def test_two_limbs_are_integers():
    numbers = [0, 1, -1, (1 << 32) - 1, 1 << 32, -(1 << 32), (1 << 34) - 1, -(1 << 34), 1 << 62]
    numbers += [(1 << 63) - 1, -(1 << 63), -(1 << 63) + 1, 0x123456789ABCDEF, -0x7FFFFFFF]
    rng = random.Random(0)  # noqa: S311 (test vectors, not secrets)
    numbers += [rng.getrandbits(64) - (1 << 63) for _ in range(30)]
    values = []
    for a in numbers:
        assert to_int(*wide_from(a)) == a
        for b in numbers:
            hi, lo = wide_mul(a, b)
            pair = (np.int64(hi), np.uint64(lo))
            assert to_int(*pair) == a * b, (a, b)
            values.append((pair, a * b))
    for (left, a), (right, b) in zip(values, reversed(values), strict=True):
        assert bool(wide_less(*left, *right)) == (a < b)
        total = (a + b + (1 << 127)) % (1 << 128) - (1 << 127)
        assert to_int(*wide_add(*left, *right)) == total
