"""Directed vectors of max_pool and avg_pool: windows filled on purpose, and windows at borders."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from hw_models.pools.avg_pool import reference as average
from qsim.golden.directed import vectors as v
from qsim.golden.directed.windows import average_windows, max_windows
from qsim.program import format_to_json, shapes
from qsim.target import DivisionRounding

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from hw_models import FixedFormat
    from qsim.golden.case import Case
    from qsim.program import Array, Json
    from qsim.target import Target

    Window = tuple[list[int], str]

# Kernels of the windows that are filled on purpose; (1, 1) is a window of one element.
KERNELS = ((1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (4, 4), (7, 7))
LARGE = (32, 48)  # its sums need many bits
CHANNELS = 5  # no multiple of any array: some lanes stay idle


@dataclass(frozen=True)
class Geometry:
    """The attributes of a pooling that random codes go through.

    Attributes:
        size: of the input.
        kernel, stride, dilation: per dimension; kernel None takes everything.
        padding: (before, after) per dimension.
        ceil: keep a last window that sticks out.
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...] | None
    stride: tuple[int, ...] | None = None
    padding: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))
    dilation: tuple[int, ...] = (1, 1)
    ceil: bool = False

    @property
    def attributes(self) -> dict[str, Json]:
        """What both poolings state."""
        return {
            "kernel": v.lists(self.kernel),
            "stride": v.lists(self.stride),
            "padding": v.lists(self.padding),
            "ceil_mode": self.ceil,
        }


GEOMETRIES = {
    "padded": Geometry((6, 5), (3, 3), (2, 2), ((1, 1), (1, 1))),
    "overlapping": Geometry((5, 6), (3, 2), (1, 1)),
    "uneven-padding": Geometry((5, 5), (3, 2), (2, 1), ((0, 1), (1, 0))),
    "ceil": Geometry((6, 7), (3, 3), (2, 3), ((1, 0), (0, 1)), ceil=True),
    "one-dimension": Geometry((9,), (4,), (3,), ((2, 1),), (1,)),
    "global": Geometry((5, 3), None),
    "dilated": Geometry((7, 7), (3, 2), (1, 2), ((1, 1), (0, 1)), (2, 3)),
}


class MaxPool(v.OneScheme):
    """Vectors of max_pool."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> Iterator[Case]:
        """Give windows whose largest code is everywhere once, then the geometries."""
        codes = target.input.format
        rng = v.stream("max_pool", seed, target.hash)
        for kernel in KERNELS[:5]:
            windows = list(max_windows(codes, math.prod(kernel), rng))
            yield _filled("max_pool", kernel, windows, codes, {"dilation": [1, 1]}, max)
        for name, geometry in GEOMETRIES.items():
            more = {"dilation": v.lists(geometry.dilation)}
            yield _geometry("max_pool", name, geometry, codes, more, max, rng)
        yield from _random("max_pool", codes, {"dilation": [1, 1]}, max, rng, count)


class AvgPool:
    """Vectors of avg_pool."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> Iterator[Case]:
        """Give windows whose mean is a tie or beside one, then the geometries."""
        yield from _averages(target, target.avg_pool.rounding, target.input.format, seed, count, "")

    @staticmethod
    def variants(target: Target, seed: int, count: int) -> Iterator[Case]:
        """Give the other roundings, and an output narrower than the operand."""
        codes = target.input.format
        for rounding in get_args(DivisionRounding):
            if rounding != target.avg_pool.rounding:
                prefix = f"{rounding.replace('_', '-')}."
                yield from _averages(target, rounding, codes, seed, count, prefix)
        if codes.bits > 2:
            from hw_models import FixedFormat

            narrow = FixedFormat(codes.bits - 2, codes.signed)
            rounding = target.avg_pool.rounding
            yield from _averages(target, rounding, narrow, seed, count, "narrow-output.")


def _averages(
    target: Target,
    rounding: DivisionRounding,
    output: FixedFormat,
    seed: int,
    count: int,
    prefix: str,
) -> Iterator[Case]:
    codes = target.input.format
    rng = v.stream("avg_pool", seed, target.hash, prefix)
    stated: dict[str, Json] = {
        "rounding": rounding,
        "count_include_pad": False,
        "zero_point": 0,
        "output": format_to_json(output),
    }

    def mean(window: list[int]) -> int:
        return average(window, rounding, output)

    for kernel in KERNELS:
        windows = list(average_windows(codes, output, math.prod(kernel), rng))
        yield _filled("avg_pool", kernel, windows, codes, stated, mean, prefix)
    many = list(average_windows(codes, output, math.prod(LARGE), rng))
    some = [*many[:2], *rng.sample(many[2:], CHANNELS - 2)]
    yield _filled("avg_pool", LARGE, some, codes, stated, mean, prefix)
    for part, (name, geometry) in enumerate(GEOMETRIES.items()):
        if geometry.dilation == (1,) * len(geometry.dilation):
            point = (codes.min, codes.max, rng.randint(codes.min, codes.max))[part % 3]
            point = v.zero_point(target.input.scheme, point)
            for include in (True, False):
                more = stated | {"count_include_pad": include, "zero_point": point}
                full = f"{prefix}{name}-{'padded' if include else 'valid'}"
                yield _geometry("avg_pool", full, geometry, codes, more, mean, rng)
    yield from _random("avg_pool", codes, stated, mean, rng, count, prefix)


def _filled(
    primitive: str,
    kernel: tuple[int, int],
    windows: list[Window],
    codes: FixedFormat,
    more: dict[str, Json],
    function: Callable[[list[int]], int],
    prefix: str = "",
) -> Case:
    """Return a call whose windows lie side by side, CHANNELS planes of one row of them."""
    windows = windows + windows[: -len(windows) % CHANNELS]
    across = len(windows) // CHANNELS
    x = np.array([window for window, _ in windows]).reshape(CHANNELS, across, *kernel)
    plane = x.transpose(0, 2, 1, 3).reshape(1, CHANNELS, kernel[0], across * kernel[1])
    geometry = Geometry(plane.shape[2:], kernel)
    expected = [function(window) for window, _ in windows]
    return _case(
        primitive, f"{prefix}windows-{kernel[0]}x{kernel[1]}", geometry, codes, more,
        (plane, np.array(expected).reshape(1, CHANNELS, 1, across)),
        [label for _, label in windows],
    )  # fmt: skip


def _geometry(
    primitive: str,
    name: str,
    geometry: Geometry,
    codes: FixedFormat,
    more: dict[str, Json],
    function: Callable[[list[int]], int],
    rng: random.Random,
    label: str = v.WINDOW,
) -> Case:
    """Return a call on random codes; windows inside the input are random, others at a border."""
    shape = (2, 3, *geometry.size)
    size = math.prod(shape)
    x = np.array([rng.randint(codes.min, codes.max) for _ in range(size)]).reshape(shape)
    attributes: Any = geometry.attributes | more
    out = shapes.pool(shape, attributes)
    include = attributes.get("count_include_pad", False)
    expected, labels = [], []
    for n, c, *place in product(*map(range, out)):
        inside, padded, whole = _taps(geometry, place)
        window = [int(x[(n, c, *tap)]) for tap in inside]
        window += [attributes["zero_point"]] * padded if include else []
        expected.append(function(window))
        labels.append(v.RANDOM if whole else label)
    return _case(
        primitive, name, geometry, codes, more, (x, np.array(expected).reshape(out)), labels
    )


def _taps(geometry: Geometry, place: list[int]) -> tuple[list[tuple[int, ...]], int, bool]:
    """Return the taps in the input, how many lie in the padding, and whether all are inside."""
    if geometry.kernel is None:
        return list(product(*map(range, geometry.size))), 0, True
    stride = geometry.stride or geometry.kernel
    axes = [
        [p * s - before + k * d for k in range(taps)]
        for p, s, (before, _), taps, d in zip(
            place, stride, geometry.padding, geometry.kernel, geometry.dilation, strict=True
        )
    ]
    taps = list(product(*axes))
    limits = list(zip(geometry.size, geometry.padding, strict=True))
    inside = [t for t in taps if all(0 <= i < s for i, (s, _) in zip(t, limits, strict=True))]
    padded = [
        t for t in taps if all(i < s + after for i, (s, (_, after)) in zip(t, limits, strict=True))
    ]
    return inside, len(padded) - len(inside), len(inside) == len(taps)


def _random(
    primitive: str,
    codes: FixedFormat,
    more: dict[str, Json],
    function: Callable[[list[int]], int],
    rng: random.Random,
    count: int,
    prefix: str = "",
) -> Iterator[Case]:
    made = 0
    while made < count:
        kernel = rng.randint(1, 4), rng.randint(1, 4)
        windows = [
            ([rng.randint(codes.min, codes.max) for _ in range(math.prod(kernel))], v.RANDOM)
            for _ in range(CHANNELS * 40)
        ]
        yield _filled(primitive, kernel, windows, codes, more, function, f"{prefix}random-{made}.")
        made += len(windows)


def _case(
    primitive: str,
    name: str,
    geometry: Geometry,
    codes: FixedFormat,
    more: dict[str, Json],
    arrays: tuple[Array, Array],
    labels: list[str],
) -> Case:
    from qsim.program import format_from_json

    output = format_from_json(more["output"]) if "output" in more else codes
    x, expected = arrays
    return v.make_case(
        primitive, name, geometry.attributes | more, {"x": x.astype(codes.dtype)},
        {"x": codes, "output": output}, expected.astype(output.dtype), labels,
    )  # fmt: skip
