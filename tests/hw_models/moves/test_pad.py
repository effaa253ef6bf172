"""Pad: every mode against the definition line by line, layouts, torch, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.ledger import Ledger
from hw_models.moves.pad import PAD_MODES, pad, reference


def by_lines(x, pads, value, mode):
    """Pad one dimension after the other: the corners then come out as the contract says."""
    for axis, (before, after) in enumerate(pads):
        moved = np.moveaxis(x, axis, -1)
        lines = [reference(v.tolist(), before, after, value, mode)
                 for v in moved.reshape(-1, moved.shape[-1])]  # fmt: skip
        padded = np.array(lines, x.dtype).reshape(*moved.shape[:-1], -1)
        x = np.moveaxis(padded, -1, axis)
    return x


@settings(deadline=None, derandomize=True, max_examples=80)
@given(
    st.sampled_from(PAD_MODES),
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3), st.integers(0, 3)), max_size=4),
    st.sampled_from([np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64]),
    st.sampled_from(["c", "f", "strided"]),
)
def test_random_against_the_definition(mode, dims, dtype, layout):
    most = {"reflect": -1, "symmetric": 0}.get(mode, 9)
    pads = [(min(b, n + most), min(a, n + most)) for n, b, a in dims]
    shape = [n for n, _, _ in dims]
    info = np.iinfo(dtype)
    x = np.random.default_rng(len(dims)).integers(info.min, info.max, shape, dtype, endpoint=True)
    x = np.asfortranarray(x) if layout == "f" and dims else x
    x = x[..., ::-1] if layout == "strided" and dims else x
    ledger = Ledger()
    y = pad(x, pads, int(info.max), mode, ledger)
    np.testing.assert_array_equal(y, by_lines(x, pads, int(info.max), mode))
    assert y.dtype == dtype
    assert y.shape == tuple(n + b + a for n, (b, a) in zip(shape, pads, strict=True))
    assert (ledger.minimum, ledger.maximum) == (int(y.min()), int(y.max()))
    assert (ledger.elements, ledger.clamped, ledger.first) == (y.size, 0, None)


def test_one_line_of_each_mode():
    x = np.array([1, 2, 3], np.int8)
    assert pad(x, [(2, 1)], -7).tolist() == [-7, -7, 1, 2, 3, -7]
    assert pad(x, [(2, 1)], mode="edge").tolist() == [1, 1, 1, 2, 3, 3]
    assert pad(x, [(2, 1)], mode="reflect").tolist() == [3, 2, 1, 2, 3, 2]
    assert pad(x, [(2, 1)], mode="symmetric").tolist() == [2, 1, 1, 2, 3, 3]


def test_memory_order_read_only_and_empty():
    x = np.arange(60, dtype=np.int8).reshape(1, 3, 4, 5).transpose(0, 3, 1, 2)  # channels last
    x.setflags(write=False)
    y = pad(x, [(0, 0), (0, 1), (1, 2), (0, 0)], 9)
    assert np.argsort(y.strides).tolist() == np.argsort(x.strides).tolist()
    np.testing.assert_array_equal(y[:, :5, 1:4], x)
    assert (y[:, 5] == 9).all()
    assert pad(np.empty((0, 2), np.int8), [(0, 0), (1, 1)]).shape == (0, 4)
    assert pad(np.empty((0, 2), np.int8), [(1, 0), (0, 0)], 4).tolist() == [[4, 4]]
    assert pad(np.array(5, np.int8), []).tolist() == 5


@pytest.mark.parametrize(("mode", "torchs"), [("edge", "replicate"), ("reflect", "reflect")])
def test_modes_are_torchs(mode, torchs):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(1).integers(-128, 128, (2, 3, 4, 5))
    theirs = torch.nn.functional.pad(torch.from_numpy(x.astype(np.float64)), (3, 2, 1, 3), torchs)
    ours = pad(x, [(0, 0), (0, 0), (1, 3), (3, 2)], mode=mode)
    np.testing.assert_array_equal(ours, theirs.numpy().astype(np.int64))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"pads": [(1, 1)]}, r"one pair per dimension.*\(accepted: 2 pairs"),
        ({"pads": [(1, 1), (1,)]}, "one pair per dimension"),
        ({"pads": [(0, 0), (0, -1)]}, "one pair per dimension"),
        ({"pads": [(0, 0), (0, 1.0)]}, "one pair per dimension"),
        ({"pads": 3}, "one pair per dimension"),
        (
            {"pads": [((1 << 31) - 1, 0), (0, (1 << 31) - 1)]},
            r"pads must add less than 2\*\*31 elements, not 4611686024869838844 to shape \(2, 3\)",
        ),
        ({"pads": [(0, 0), (1 << 30, 0)]}, r"not 2147483648 to shape \(2, 3\)"),
        ({"value": 128}, r"value.*-128\.\.127"),
        ({"mode": "wrap"}, "mode.*symmetric"),
        ({"mode": "reflect", "pads": [(0, 0), (0, 3)]}, "reflect must be at most 2 .*dimension 1"),
        ({"mode": "symmetric", "pads": [(3, 0), (0, 0)]}, "symmetric must be at most 2 .*not 3"),
        ({"mode": "edge", "x": np.empty((0, 3), int), "pads": [(1, 0), (0, 0)]}, "at most 0"),
        ({"x": np.zeros((2, 3))}, "x must be an integer"),
        ({"ledger": 1}, "Ledger"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ContractError, match=match):
        pad(**{"x": np.zeros((2, 3), np.int8), "pads": [(0, 0), (1, 1)]} | arguments)
