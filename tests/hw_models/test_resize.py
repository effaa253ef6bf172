"""Resize: TFLite's and TOSA's formulas written out here, torch's nearest, corners."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.resize import ScaledResize, SizedResize, reference, resize, result_format

RULES = [(False, False), (True, False), (False, True)]


def tflite_axis(position, old, new, corners, centers):
    """ComputeInterpolationValuesInteger: C's division truncates."""
    scale = (1024 * old + new // 2) // new
    if corners and new > 1:
        scale = (1024 * (old - 1) + (new - 1) // 2) // (new - 1)
    place = position * scale + (scale // 2 - 512 if centers else 0)
    low = max(int(Fraction(place, 1024)), 0)
    return place, low, min(int(Fraction(place + 1023, 1024)), old - 1)


def tflite_bilinear(plane, size, corners, centers):
    result = []
    for i in range(size[0]):
        y, y0, y1 = tflite_axis(i, len(plane), size[0], corners, centers)
        row = []
        for j in range(size[1]):
            x, x0, x1 = tflite_axis(j, len(plane[0]), size[1], corners, centers)
            a, b = y - 1024 * y0, x - 1024 * x0
            total = plane[y0][x0] * (1024 - a) * (1024 - b) + plane[y1][x0] * a * (1024 - b)
            total += plane[y0][x1] * (1024 - a) * b + plane[y1][x1] * a * b
            total += 1 << 19 if total > 0 else -(1 << 19)
            row.append(int(Fraction(total, 1 << 20)))
        result.append(row)
    return result


@pytest.mark.parametrize(("corners", "centers"), RULES)
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint8])
def test_bilinear_as_tflite(dtype, corners, centers):
    rng = np.random.default_rng(4)
    info = np.iinfo(dtype)
    for _ in range(25):
        *shape, height, width = rng.integers(1, 12, 4).tolist()
        x = rng.integers(info.min, info.max, (2, 3, *shape), dtype, endpoint=True)
        scheme = SizedResize((height, width), "bilinear", corners, centers)
        ledger = Ledger()
        y = resize(x, scheme, ledger)
        for n, c in np.ndindex(2, 3):
            plane = x[n, c].tolist()
            wanted = tflite_bilinear(plane, (height, width), corners, centers)
            assert y[n, c].tolist() == wanted == reference(plane, scheme)
        assert y.dtype == dtype
        assert (ledger.minimum, ledger.maximum) == (int(y.min()), int(y.max()))
        assert (ledger.elements, ledger.clamped) == (y.size, 0)


def test_bilinear_halves_go_away_from_zero():
    x = np.array([[[[1, 2], [-1, -2]]]], np.int8)
    y = resize(x, SizedResize((1, 3), "bilinear", align_corners=True))
    assert y.tolist() == [[[[1, 2, 2]]]]
    y = resize(-x, SizedResize((1, 3), "bilinear", align_corners=True))
    assert y.tolist() == [[[[-1, -2, -2]]]]
    y = resize(np.array([[[[3], [-4]]]]), SizedResize((3, 1), "bilinear", True))
    assert y.ravel().tolist() == [3, -1, -4]


def tflite_nearest(position, old, new, corners, centers):
    f32 = np.float32
    scale = f32(old - 1) / f32(new - 1) if corners and new > 1 else f32(old) / f32(new)
    place = (f32(position) + f32(0.5 if centers else 0)) * scale
    index = np.floor(np.float64(place) + 0.5) if corners else np.floor(place)
    return min(int(index), old - 1)


@pytest.mark.parametrize(("corners", "centers"), RULES)
def test_nearest_as_tflite(corners, centers):
    rng = np.random.default_rng(5)
    for old in (1, 2, 3, 7, 16, 100, 333):
        for new in (1, 2, 3, 5, 8, 21, 100, 1000):
            x = rng.integers(-99, 99, (1, 2, old, 3), np.int16)
            scheme = SizedResize((new, 3), "nearest", corners, centers)
            rows = [tflite_nearest(i, old, new, corners, centers) for i in range(new)]
            y = resize(x, scheme)
            np.testing.assert_array_equal(y, x[:, :, rows])
            assert y.dtype == np.int16
    plane = rng.integers(-9, 9, (5, 4))
    scheme = SizedResize((7, 3), "nearest", corners, centers)
    assert resize(plane[None, None], scheme)[0, 0].tolist() == reference(plane.tolist(), scheme)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_is_torchs(mode):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(6)
    for _ in range(40):
        *shape, height, width = rng.integers(1, 60, 4).tolist()
        x = rng.integers(-128, 128, (1, 2, *shape), np.int8)
        source = torch.from_numpy(x.astype(np.float32))
        theirs = torch.nn.functional.interpolate(source, (height, width), mode=mode)
        ours = resize(x, SizedResize((height, width), half_pixel_centers=mode != "nearest"))
        np.testing.assert_array_equal(ours, theirs.numpy().astype(np.int8))


def tosa(plane, scheme):
    """TOSA's RESIZE, output by output."""
    (y_n, y_d, x_n, x_d), bilinear = scheme.scale, scheme.mode == "bilinear"
    height, width = len(plane), len(plane[0])
    rows = ((height - 1) * y_n - scheme.offset[0] + scheme.border[0]) // y_d + 1
    columns = ((width - 1) * x_n - scheme.offset[1] + scheme.border[1]) // x_d + 1
    result = np.zeros((rows, columns), np.int64)
    for oy, ox in np.ndindex(rows, columns):
        y, x = oy * y_d + scheme.offset[0], ox * x_d + scheme.offset[1]
        iy, ix = y // y_n, x // x_n
        dy, dx = y - iy * y_n, x - ix * x_n
        y0, y1 = (min(max(iy + k, 0), height - 1) for k in (0, 1))
        x0, x1 = (min(max(ix + k, 0), width - 1) for k in (0, 1))
        if bilinear:
            total = plane[y0][x0] * (y_n - dy) * (x_n - dx) + plane[y0][x1] * (y_n - dy) * dx
            total += plane[y1][x0] * dy * (x_n - dx) + plane[y1][x1] * dy * dx
            result[oy, ox] = total
        else:
            result[oy, ox] = plane[y1 if 2 * dy >= y_n else y0][x1 if 2 * dx >= x_n else x0]
    return result.tolist()


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_scaled_as_tosa(mode):
    rng = np.random.default_rng(8)
    for dtype, wide in ((np.int8, np.int32), (np.int16, np.int64), (np.uint8, np.int32)):
        info = np.iinfo(dtype)
        for _ in range(25):
            height, width = rng.integers(1, 9, 2).tolist()
            scale = rng.integers(1, 9, 4).tolist()
            offset = [int(rng.integers(-n, 2 * n)) for n in scale[::2]]
            border = []
            for size, n, d, start in zip(
                (height, width), scale[::2], scale[1::2], offset, strict=True
            ):
                reach = (size - 1) * n - start
                border.append(next(b for b in range(-reach, n + d) if (reach + b) % d == 0))
            if any(not -16 * n <= b < n for n, b in zip(scale[::2], border, strict=True)):
                continue
            scheme = ScaledResize(tuple(scale), tuple(offset), tuple(border), mode)
            x = rng.integers(info.min, info.max, (1, 2, height, width), dtype, endpoint=True)
            y = resize(x, scheme)
            for c in range(2):
                plane = x[0, c].tolist()
                assert y[0, c].tolist() == tosa(plane, scheme) == reference(plane, scheme)
            assert y.dtype == (wide if mode == "bilinear" else dtype)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_scaled_by_a_large_denominator(mode):
    """Numerators are limited to 2048, denominators by them alone."""
    scheme = ScaledResize((2048, 20480, 2048, 32767), (0, 1), (0, 0), mode)
    x = np.random.default_rng(3).integers(-128, 128, (1, 1, 21, 17), np.int8)
    y = resize(x, scheme)
    assert y.shape == (1, 1, 3, 2)
    assert y[0, 0].tolist() == tosa(x[0, 0].tolist(), scheme) == reference(x[0, 0].tolist(), scheme)


def test_scaled_doubles_a_picture():
    """Half-pixel doubling: 4/2, offset -1, border 1; the sums are 16 times as large."""
    x = np.array([[[[0, 16], [32, 48]]]], np.int8)
    scheme = ScaledResize((4, 2, 4, 2), (-1, -1), (1, 1), "bilinear")
    y = resize(x, scheme)
    assert y.shape == (1, 1, 4, 4)
    assert (y[0, 0, 0] // 16).tolist() == [0, 4, 12, 16]
    assert (y[0, 0, :, 0] // 16).tolist() == [0, 8, 24, 32]
    assert result_format(FixedFormat(8), scheme) == FixedFormat(32)
    assert result_format(FixedFormat(16), scheme) == FixedFormat(48)
    near = ScaledResize((4, 2, 4, 2), (-1, -1), (1, 1))
    assert result_format(FixedFormat(8), near) == FixedFormat(8)
    assert resize(x, near)[0, 0].tolist() == np.kron(x[0, 0], np.ones((2, 2), int)).tolist()


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_layouts_and_one_dimension(mode):
    rng = np.random.default_rng(9)
    x = rng.integers(-128, 128, (2, 3, 5, 4), np.int8)
    x.setflags(write=False)
    scheme = SizedResize((7, 6), mode, half_pixel_centers=True)
    y = resize(x, scheme)
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    z = resize(last, scheme)
    np.testing.assert_array_equal(z, y)
    assert np.moveaxis(z, 1, -1).flags.c_contiguous
    strided = x[:, ::-2, ::-1]
    np.testing.assert_array_equal(
        resize(strided, scheme), resize(np.ascontiguousarray(strided), scheme)
    )
    np.testing.assert_array_equal(resize(x.astype(np.int64), scheme), y)
    assert resize(x[:0], scheme, Ledger()).shape == (0, 3, 7, 6)
    line = resize(x[:, :, 0], SizedResize((6,), mode, half_pixel_centers=True))
    flat = resize(x[:, :, :1], SizedResize((1, 6), mode, half_pixel_centers=True))
    np.testing.assert_array_equal(line, flat[:, :, 0])


def test_what_reads_past_the_end_in_c_is_refused():
    """1024 * 3 / 2000 is rounded up to 2: the last output would read pixel 3 of 3."""
    place, low, _ = tflite_axis(1999, 3, 2000, False, False)
    assert (place, low) == (3998, 3)
    with pytest.raises(ContractError, match="at 3 of 3 for output 1536 of 2000"):
        resize(np.zeros((1, 1, 3, 1), np.int8), SizedResize((2000, 1), "bilinear"))


PIXELS = np.zeros((1, 1, 4, 4), np.int64)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: resize(PIXELS, (2, 2)), "scheme must be a resize scheme"),
        (lambda: resize(PIXELS.astype(float), SizedResize((2, 2))), "x must be an integer array"),
        (lambda: resize(PIXELS[0, 0], SizedResize((2, 2))), "3 to 4 dimensions"),
        (lambda: resize(PIXELS[:, :, :0], SizedResize((2, 2))), "x must have pixels"),
        (lambda: resize(PIXELS, SizedResize((2,))), "one value per spatial dimension"),
        (lambda: resize(PIXELS[0], ScaledResize((1, 1, 1, 1))), "two spatial dimensions"),
        (lambda: resize(PIXELS + (1 << 40), SizedResize((2, 2))), "up to 32 bits"),
        (
            lambda: resize(PIXELS + (1 << 20), ScaledResize((1, 1, 1, 1), mode="bilinear")),
            "up to 16 bits",
        ),
        (lambda: resize(PIXELS, ScaledResize((2, 4, 2, 2))), "multiple of d, not 6 for d = 4"),
        (lambda: SizedResize(3), "size must be 2 integers"),
        (lambda: SizedResize((0, 3)), "size must be an integer in 1"),
        (lambda: SizedResize((3, 3), "cubic"), "mode must be one of"),
        (lambda: SizedResize((3, 3), align_corners=1), "align_corners must be a bool"),
        (lambda: SizedResize((3, 3), "nearest", True, True), "one rule of positions"),
        (lambda: ScaledResize((1, 2, 3)), "scale must be 4 integers"),
        (lambda: ScaledResize((1, 16, 1, 1)), "shrink by less than 16"),
        (lambda: ScaledResize((2, 1, 2, 1), (-3, 0)), "offset must be.*-2..31"),
        (lambda: ScaledResize((2, 1, 2, 1), (0, 0), (0, 2)), "border must be.*-32..1"),
        (lambda: ScaledResize((2, 1, 2, 1), mode="area"), "mode must be one of"),
        (
            lambda: resize(np.zeros((1, 1, 20, 1), np.int8), ScaledResize((2048, 1, 1, 1))),
            "output must be below 16384 long, not 38913",
        ),
        (
            lambda: resize(np.zeros((1, 1, 16384, 1), np.int8), ScaledResize((1, 1, 1, 1))),
            "input must be below 16384 long, not 16384",
        ),
        (lambda: ScaledResize((2049, 1, 1, 1)), "numerators of up to 2048"),
        (lambda: ScaledResize((2048, 32768, 1, 1)), "integer in 1..32767"),
        (lambda: ScaledResize((2047, 32752, 1, 1)), "shrink by less than 16"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ContractError, match=match):
        call()
