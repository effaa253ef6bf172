"""Convolutions, linear layers and matrix products as one thing: rows of x times rows of weights.

The products of a row are in the order in which a ``mac`` accumulator takes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.errors import UsageError
from qsim.program import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.golden import Case
    from qsim.program import Array


@dataclass(frozen=True, slots=True)
class Product:
    """One matrix product of a call.

    Attributes:
        x: codes [P, K], padding included.
        weight: codes [O, K].
        element: the flat index of each sum [P, O] in the call's result.
        channels: which entries [O] of a per-channel zero point the rows of weight have.
    """

    x: Array
    weight: Array
    element: npt.NDArray[np.int64]
    channels: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """How a kernel moves over a volume; an image is one of depth 1, a line one of height 1.

    Attributes:
        stride, dilation: one per dimension of a volume.
        pads: (before, after), the same.
    """

    stride: tuple[int, ...] = (1, 1, 1)
    dilation: tuple[int, ...] = (1, 1, 1)
    pads: tuple[tuple[int, int], ...] = ((0, 0), (0, 0), (0, 0))

    @classmethod
    def of(cls, attributes: Any, spatial: int) -> Window:
        """Return what a correlation's attributes say for 1 to 3 spatial dimensions."""
        lacking = 3 - spatial
        steps = shapes.per_dimension(attributes["stride"], spatial, "stride")
        spread = shapes.per_dimension(attributes["dilation"], spatial, "dilation")
        pads = shapes.pads(attributes["padding"], spatial)
        ones = (1,) * lacking
        return cls(ones + steps, ones + spread, ((0, 0),) * lacking + pads)


def solid(array: Array) -> Array:
    """Return [A, B, D, H, W] of an array [A, B, *spatial]."""
    return array.reshape(*array.shape[:2], *(1,) * (5 - array.ndim), *array.shape[2:])


def products(case: Case) -> Iterator[Product]:
    """Yield the matrix products that make a correlation, linear or matmul call."""
    first, second = case.operands.values()
    match case.primitive:
        case "correlation":
            return _correlation(first, second, case.attributes)
        case "linear":
            return _linear(first, second, case.attributes)
        case "matmul":
            return _matmul(first, second, case.attributes)
        case _:
            raise UsageError(**_no_products(case))


def _no_products(case: Case) -> dict[str, str]:
    return {
        "message": f"is a call of {case.primitive}, which is no matrix product",
        "where": f"case {case.name!r}",
        "accepted": "correlation, linear, matmul",
    }


def count(case: Case) -> tuple[int, int, int, int]:
    """Return (products, P, O, K) of a call: all its products have one shape."""
    if case.primitive == "correlation":
        weight = case.operands["weight"].shape
        attributes: Any = case.attributes
        groups = int(attributes["groups"])
        batch, _, *spatial = case.expected.shape
        return groups, batch * math.prod(spatial), weight[0] // groups, math.prod(weight[1:])
    if case.primitive == "linear":
        outputs, inner = case.operands["weight"].shape
        return 1, math.prod(case.expected.shape[:-1]), outputs, inner
    if case.primitive != "matmul":
        raise UsageError(**_no_products(case))
    a, b = (case.operands[name].shape for name in ("a", "b"))
    if len(b) == 2:
        return 1, math.prod(a[:-1]), b[1], a[-1]
    return math.prod(case.expected.shape[:-2]), a[-2], b[-1], a[-1]


def _correlation(x: Array, weight: Array, attributes: Any) -> Iterator[Product]:
    window = Window.of(attributes, x.ndim - 2)
    x, weight = solid(x), solid(weight)
    taps = _taps(_padded(x, window.pads, attributes), weight.shape[2:], window)
    last = attributes["accumulator"].get("order") == "channel_last"
    groups = attributes["groups"]
    channels, outputs = weight.shape[1], weight.shape[0] // groups
    batch, area = x.shape[0], math.prod(taps.shape[2:5])
    order = (0, 2, 3, 4, 5, 6, 7, 1) if last else (0, 2, 3, 4, 1, 5, 6, 7)
    for group in range(groups):
        part = taps[:, group * channels : (group + 1) * channels]
        kernel = weight[group * outputs : (group + 1) * outputs]
        rows = np.arange(group * outputs, (group + 1) * outputs)
        image = np.arange(batch)[:, None, None] * weight.shape[0]
        element = (image + rows[None, None, :]) * area + np.arange(area)[None, :, None]
        yield Product(
            part.transpose(order).reshape(batch * area, math.prod(weight.shape[1:])),
            in_order(kernel, attributes),
            element.reshape(-1, outputs),
            rows,
        )


def in_order(weight: Array, attributes: Any) -> Array:
    """Return the weights [O, K] of a kernel [O, C, *kernel] as the accumulator takes them."""
    last = attributes["accumulator"].get("order") == "channel_last"
    ordered = np.moveaxis(weight, 1, -1) if last else weight
    return ordered.reshape(len(weight), math.prod(weight.shape[1:]))


def _padded(x: Array, pads: tuple[tuple[int, int], ...], attributes: Any) -> Array:
    if not any(map(any, pads)):
        return x
    pad = attributes["pad_value"]
    code = attributes["x_zero_point"] if pad is None else pad
    info = np.iinfo(x.dtype)
    wide = x if info.min <= code <= info.max else x.astype(np.int64)
    return np.pad(wide, ((0, 0), (0, 0), *pads), constant_values=code)


def _taps(x: Array, kernel: tuple[int, ...], window: Window) -> Array:
    """Return the view [N, C, OD, OH, OW, KD, KH, KW] of a padded volume."""
    reach = tuple(d * (k - 1) + 1 for d, k in zip(window.dilation, kernel, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3, 4))
    steps = (slice(None, None, step) for step in (*window.stride, *window.dilation))
    return view[(slice(None), slice(None), *steps)]


def _linear(x: Array, weight: Array, attributes: Any) -> Iterator[Product]:
    del attributes
    outputs, inner = weight.shape
    rows = math.prod(x.shape[:-1])
    element = np.arange(rows * outputs, dtype=np.int64).reshape(rows, outputs)
    yield Product(x.reshape(rows, inner), weight, element, np.arange(outputs))


def _matmul(a: Array, b: Array, attributes: Any) -> Iterator[Product]:
    if b.ndim == 2:
        yield from _linear(a, b.T, attributes)
        return
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    left = np.broadcast_to(a, (*batch, *a.shape[-2:]))
    right = np.broadcast_to(b, (*batch, *b.shape[-2:]))
    rows, columns = a.shape[-2], b.shape[-1]
    for number, index in enumerate(np.ndindex(*batch)):
        start = number * rows * columns
        element = np.arange(start, start + rows * columns, dtype=np.int64)
        yield Product(
            left[index], right[index].T, element.reshape(rows, columns), np.arange(columns)
        )
