"""Primitives that read a tensor at positions: the positions come out, in as few as can be."""

from __future__ import annotations

import numpy as np
import pytest

from qsim.lowering import Move, moves


def applied(x: np.ndarray, way: tuple[Move, ...]) -> np.ndarray:
    for move in way:
        if move.primitive == "reshape":
            x = x.reshape(move.shape)
        elif move.primitive == "permute":
            x = x.transpose(move.attributes["dims"])
        elif move.primitive == "gather":
            x = np.take(x, move.indices, axis=move.attributes["axis"])
        else:
            starts, steps = move.attributes["starts"], move.attributes["steps"]
            for axis, (start, step, size) in enumerate(zip(starts, steps, move.shape, strict=True)):
                x = np.take(x, [start + step * i for i in range(size)], axis=axis)
        assert x.shape == move.shape
    return x


def counted(*shape: int) -> np.ndarray:
    return np.arange(int(np.prod(shape))).reshape(shape)


def drawn(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    axis = int(rng.integers(y.ndim))
    length = y.shape[axis]
    match int(rng.integers(7)):
        case 0:
            return np.flip(y, axis)
        case 1:
            start = int(rng.integers(length))
            return np.take(y, range(start, length, int(rng.integers(1, 3))), axis)
        case 2:
            return np.repeat(y, 2, axis)
        case 3:
            return np.swapaxes(y, axis, int(rng.integers(y.ndim)))
        case 4:
            return y.reshape(*y.shape[:axis], -1)
        case 5:
            return np.take(y, [int(rng.integers(length)) for _ in range(3)], axis)
    return np.roll(y, 1, axis)


def test_drawn_moves_read_the_same_positions() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        x = counted(*(int(rng.integers(1, 6)) for _ in range(int(rng.integers(1, 5)))))
        y = x
        for _ in range(int(rng.integers(1, 6))):
            y = drawn(rng, y)
        np.testing.assert_array_equal(applied(x, moves(x.shape, y)), y)


X = counted(4, 6, 6)
WAYS = {
    "nothing": (X, X, []),
    "part": (X, X[1:3, ::-2], ["strided_slice"]),
    "diagonal": (X, X.diagonal(0, 1, 2), ["reshape", "strided_slice"]),
    "repeated": (counted(4, 1, 1), np.broadcast_to(counted(4, 1, 1), (4, 6, 5)), ["strided_slice"]),
    "tiled": (X, np.tile(X, (1, 1, 2)), ["gather"]),
    "tiled thrice": (X, np.tile(X, (2, 2, 2)), ["reshape", "strided_slice", "reshape"]),
    "turned": (X, np.rot90(X, 1, (1, 2)), ["strided_slice", "permute"]),
    "any": (X, X.reshape(-1)[[5, 1, 100, 7]], ["reshape", "gather"]),
}


@pytest.mark.parametrize("name", list(WAYS))
def test_ways(name: str) -> None:
    x, y, wanted = WAYS[name]
    way = moves(x.shape, y)
    assert [move.primitive for move in way] == wanted
    np.testing.assert_array_equal(applied(x, way), y)


def test_a_large_table_is_dearer_than_a_permute() -> None:
    x = counted(8, 64, 64)
    shuffled = x.reshape(2, 2, 2, 64, 64).transpose(0, 3, 1, 4, 2).reshape(2, 128, 128)
    assert [move.primitive for move in moves(x.shape, shuffled)] == [
        "reshape",
        "permute",
        "reshape",
    ]
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(72, -1)
    way = moves(x.shape, columns)
    assert sum(len(move.indices) for move in way) < 1000
    np.testing.assert_array_equal(applied(x, way), columns)
