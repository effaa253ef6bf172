"""What every soak draws: integers of every size, arrays in every container and layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Rng

CONTAINERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")


def pick(rng: Rng, *choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def integer(rng: Rng, low: int, high: int) -> int:
    """Within low..high, of any magnitude, and often at an edge."""
    kind = int(rng.integers(6))
    if kind == 0:
        return pick(rng, low, high, max(low, min(high, pick(rng, -1, 0, 1))))
    if kind < 4:
        bits = int(rng.integers(1, max(low.bit_length(), high.bit_length(), 1) + 1))
        value = int(rng.integers(0, 1 << 62)) % (1 << bits)
        value = -value if rng.integers(2) else value
        if low <= value <= high:
            return value
    return low + int.from_bytes(rng.bytes(12), "little") % (high - low + 1)


def codes(rng: Rng, count: int, low: int, high: int) -> list[int]:
    return [integer(rng, low, high) for _ in range(count)]


def bulk(rng: Rng, shape: tuple[int, ...], low: int, high: int) -> Any:
    """As codes, drawn at once: uniform, at the edges, or near zero."""
    kind = int(rng.integers(4))
    values = rng.integers(low, high, shape, np.int64, endpoint=True)
    if kind == 0:
        values = np.where(rng.integers(2, size=shape) == 1, low, high)
    elif kind == 1:
        values = np.clip(rng.integers(-2, 2, shape, endpoint=True), low, high)
    return values


def container(rng: Rng, values: Any, names: tuple[str, ...] = CONTAINERS) -> Any:
    """The values in one of the containers that hold them."""
    array = np.asarray(values)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    fitting = [n for n in names if np.iinfo(n).min <= low and high <= np.iinfo(n).max]
    return array.astype(pick(rng, *fitting))


def laid_out(rng: Rng, array: Any) -> Any:
    """The same values in another memory layout."""
    kind = int(rng.integers(7)) if array.ndim else 0
    if kind == 6 and array.dtype in (np.int32, np.float32):
        # Numba compiles read-only arrays anew, for each type.
        fixed = array.copy()
        fixed.setflags(write=False)
        return fixed
    if kind == 1:
        return np.asfortranarray(array)
    if kind == 2:
        order = rng.permutation(array.ndim)
        return np.ascontiguousarray(array.transpose(order)).transpose(np.argsort(order))
    if kind == 3:
        return np.flip(np.ascontiguousarray(np.flip(array)))
    if kind == 4:
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    if kind == 5 and array.ndim >= 3:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
    return array


def number_format(rng: Rng, most: int = 32) -> hw.FixedFormat:
    bits = pick(rng, 8, 8, 8, int(rng.integers(1, most + 1)))
    signed = bool(rng.integers(3))
    narrow = signed and bits > 1 and not rng.integers(4)
    return hw.FixedFormat(bits, signed=signed, narrow=narrow)


def fused(rng: Rng, form: hw.FixedFormat) -> tuple[int, int] | None:
    if rng.integers(3):
        return None
    low, high = sorted(codes(rng, 2, form.min - 5, form.max + 5))
    return low, high


def layout_shape(rng: Rng, size: int) -> tuple[int, ...]:
    """A small shape of 1 to 4 dimensions, now and then empty or a scalar."""
    kind = int(rng.integers(30))
    if kind == 0:
        return pick(rng, (), (0,), (0, 3), (2, 0, 3), (1, 2, 0, 0), (2, 3, 0))
    ndim = int(rng.integers(1, 5))
    shape = [int(rng.integers(1, 4)) for _ in range(ndim)]
    shape[int(rng.integers(ndim))] = max(size // max(int(np.prod(shape)), 1), 1)
    return tuple(shape)


def code_range(rng: Rng) -> tuple[int, int]:
    bits = int(pick(rng, 8, 8, 8, 4, 16, 32, int(rng.integers(1, 33))))
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if rng.integers(2) else (0, (1 << bits) - 1)
