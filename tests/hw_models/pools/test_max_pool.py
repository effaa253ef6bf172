"""Max pooling: the definition by loops, and torch's geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.ledger import Ledger
from hw_models.pools.max_pool import adaptive_max_pool, global_max_pool, max_pool, reference


def by_lines(x, kernel, stride, pads, dilation):
    """Pool rows, then columns, with reference()."""
    for axis, (k, s, (before, after), d) in enumerate(
        zip(kernel, stride, pads, dilation, strict=True), start=2
    ):
        count = (x.shape[axis] + before + after - d * (k - 1) - 1) // s + 1
        starts = [i * s - before for i in range(count)]
        x = np.apply_along_axis(lambda v, a=(starts, k, d): reference(v.tolist(), *a), axis, x)
    return x


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.integers(0, 1 << 32),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([np.int8, np.uint8, np.int16, np.int32, np.int64]),
    st.sampled_from(["c", "last", "strided"]),
)
def test_random_against_the_definition(seed, dims, dtype, layout):
    rng = np.random.default_rng(seed)
    kernel = rng.integers(1, 4, dims)
    stride, dilation = rng.integers(1, 4, dims), rng.integers(1, 3, dims)
    pads = [tuple(rng.integers(0, (k - 1) // 2 + 1, 2).tolist()) for k in kernel]
    shape = (2, 3, *rng.integers(7, 10 if dims < 3 else 8, dims))
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    if layout == "last":
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    x = x[..., ::-1] if layout == "strided" else x
    ledger = Ledger()
    y = max_pool(x, kernel, stride, pads, dilation, ledger=ledger)
    np.testing.assert_array_equal(y, by_lines(x, kernel, stride, pads, dilation))
    assert y.dtype == dtype
    assert (ledger.minimum, ledger.maximum) == (int(y.min()), int(y.max()))
    if layout == "last":
        assert np.moveaxis(y, 1, -1).flags.c_contiguous


def test_padding_never_wins():
    x = np.full((1, 1, 2, 2), -128, np.int8)
    assert (max_pool(x, 3, 1, 1) == -128).all()


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("size", [5, 6, 7, 8])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 1), (2, 3, 1), (2, 2, 0)])
def test_geometry_is_torchs(ceil_mode, size, kernel, stride, padding):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(size).integers(-99, 99, (2, 3, size, size + 1))
    arguments = {"kernel_size": kernel, "stride": stride, "padding": padding}
    theirs = torch.nn.functional.max_pool2d(
        torch.from_numpy(x.astype(np.float32)), **arguments, ceil_mode=ceil_mode
    )
    ours = max_pool(x, kernel, stride, padding, ceil_mode=ceil_mode)
    np.testing.assert_array_equal(ours, theirs.numpy().astype(np.int64))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_adaptive_windows_are_torchs(dims):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(dims).integers(-128, 128, (2, 3, *(7, 5, 6)[:dims]), np.int8)
    theirs = getattr(torch.nn.functional, f"adaptive_max_pool{dims}d")
    for size in (1, 2, 3, 9, (3, 5, 4)[:dims]):
        ledger = Ledger()
        ours = adaptive_max_pool(x, size, ledger=ledger)
        np.testing.assert_array_equal(ours, theirs(torch.from_numpy(x).double(), size))
        assert ledger.maximum == ours.max()
    np.testing.assert_array_equal(global_max_pool(x), adaptive_max_pool(x, 1))


def test_every_adaptive_window_has_its_own_start_and_length():
    line = [5, 1, 2, 9, 3, 4, 0]
    windows = [(0, 2), (1, 3), (3, 3), (5, 2)]  # floor(i*7/4) to ceil((i+1)*7/4)
    expected = [reference(line, [start], length, 1)[0] for start, length in windows]
    assert adaptive_max_pool(np.array([[line]]), 4).tolist() == [[expected]] == [[[5, 9, 9, 4]]]
    last = np.moveaxis(np.arange(24).reshape(1, 4, 3, 2), -1, 1)  # channels innermost
    assert adaptive_max_pool(last, (2, 2)).transpose(0, 2, 3, 1).flags.c_contiguous


def test_empty_batch():
    assert max_pool(np.empty((0, 3, 4, 4), np.int8), 2, ledger=Ledger()).shape == (0, 3, 2, 2)


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ((np.ones((1, 1, 4)), 2), "integer array"),
        ((np.ones((1, 4), int), 2), "3 to 5 dimensions"),
        ((np.ones((1, 1, 4), int), 0), "kernel must be at least 1, not 0"),
        ((np.ones((1, 1, 4), int), 2, 0), "stride must be at least 1, not 0"),
        ((np.ones((1, 1, 4), int), 5), "kernel must fit"),
        ((np.ones((1, 1, 4), int), 2, 1, 2), "a tap of every window"),
        ((np.ones((1, 1, 4), int), 2, 1, (1 << 31) - 1), "a tap of every window"),
        ((np.ones((1, 1, 4), int), 2, 1, ((0, (1 << 31) - 1),)), "a tap of every window"),
        ((np.ones((1, 1, 4), int), (2, 2)), "kernel must be an integer or 1 integers"),
        ((np.ones((1, 1, 4), int), 2, 1, ((0, 1), (0, 1))), "padding must be"),
        ((np.ones((1, 1, 4), int), 2, 1, -1), "padding must be at least 0"),
    ],
)
def test_refusals(args, match):
    with pytest.raises(ContractError, match=match):
        max_pool(*args)
