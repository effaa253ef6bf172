"""resize: TFLite's two kernels in C++'s arithmetic, TOSA's RESIZE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.resize import reference
from tests.hw_models.soak.comparing import difference, ledger_difference
from tests.hw_models.soak.drawing import bulk, code_range, container, laid_out, pick
from tests.hw_models.soak.exact import c_divide

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng

# Two positions and two weights.
Taps = list[tuple[int, int, int, int]]


def _nearest(old: int, new: int, *, align: bool, half: bool) -> Taps:
    """resize_nearest_neighbor.h, GetNearestNeighbor."""
    f = np.float32
    scale = f(old - 1) / f(new - 1) if align and new > 1 else f(old) / f(new)
    offset = f(0.5) if half else f(0)
    taps = []
    for i in range(new):
        place = (f(i) + offset) * scale
        whole = int(np.floor(np.float64(place) + 0.5)) if align else int(np.floor(place))
        index = max(min(whole, old - 1), 0) if half else min(whole, old - 1)
        taps.append((index, index, 1, 0))
    return taps


def _bilinear(old: int, new: int, *, align: bool, half: bool) -> Taps | None:
    """resize_bilinear.h, ComputeInterpolationValuesInteger; None: it reads past the end."""
    scale = c_divide(1024 * old + new // 2, new)
    if align and new > 1:
        scale = c_divide(1024 * (old - 1) + (new - 1) // 2, new - 1)
    taps = []
    for i in range(new):
        place = i * scale + (c_divide(scale, 2) - 512 if half else 0)
        low = max(c_divide(place, 1024), 0)
        high = min(c_divide(place + 1023, 1024), old - 1)
        if low >= old:
            return None
        taps.append((low, high, 1024 - (place - 1024 * low), place - 1024 * low))
    return taps


def _rational(old: int, new: int, fraction: tuple[int, int, int], mode: str) -> Taps:
    """TOSA's RESIZE."""
    n, d, offset = fraction
    taps = []
    for i in range(new):
        whole = (i * d + offset) // n
        rest = i * d + offset - whole * n
        low, high = (min(max(j, 0), old - 1) for j in (whole, whole + 1))
        if mode == "nearest":
            low = high if 2 * rest >= n else low
            taps.append((low, low, 1, 0))
        else:
            taps.append((low, high, n - rest, rest))
    return taps


def _sized(rng: Rng, mode: Any, shape: tuple[int, ...]) -> tuple[Any, list[Taps] | None]:
    size = tuple(int(pick(rng, rng.integers(1, 13), n, 2 * n, 3 * n)) for n in shape)
    if len(shape) == 1 and not rng.integers(20):
        size = (int(rng.integers(500, 2100)),)
    flags = pick(rng, (False, False), (True, False), (False, True))
    rule = _nearest if mode == "nearest" else _bilinear
    taps = [rule(o, n, align=flags[0], half=flags[1]) for o, n in zip(shape, size, strict=True)]
    found = None if None in taps else [axis for axis in taps if axis is not None]
    return hw.SizedResize(size, mode, *flags), found


def _scaled(rng: Rng, mode: Any, shape: tuple[int, ...]) -> tuple[Any, list[Taps]]:
    scales, offsets, borders, taps = [], [], [], []
    for old in shape:
        n = int(rng.integers(1, 9))
        d = int(pick(rng, 1, n, rng.integers(1, min(16 * n, 12))))
        offset = int(rng.integers(-n, min(16 * n, 4)))
        reach = (old - 1) * n - offset
        room = [b for b in range(-16 * n, n) if reach + b >= 0 and (reach + b) % d == 0]
        if not room:
            return _scaled(rng, mode, shape)
        border = pick(rng, *room)
        scales += [n, d]
        offsets.append(offset)
        borders.append(border)
        taps.append(_rational(old, (reach + border) // d + 1, (n, d, offset), mode))
    scheme = hw.ScaledResize(tuple(scales), tuple(offsets), tuple(borders), mode)  # type: ignore[arg-type]
    return scheme, taps


def _resized(x: Any, taps: list[Taps]) -> Any:
    """Weighted sums along one spatial dimension after the other, exact."""
    values = x.astype(object)
    for axis, rule in enumerate(taps, 2):
        columns = np.array(rule, object).T
        parts = [
            values.take(columns[i].astype(int), axis)
            * columns[i + 2].reshape(-1, *(1,) * (x.ndim - 1 - axis))
            for i in (0, 1)
        ]
        values = parts[0] + parts[1]
    return values


def _registers(name: str, x: Any, values: list[int]) -> tuple[hw.Register, ...]:
    """TOSA's bilinear leaves its accumulator as it is."""
    if name != "scaled-bilinear":
        return ()
    bits = 32 if x.dtype.itemsize == 1 else 48
    ends = min(values, default=0), max(values, default=0)
    return (hw.Register("accumulator", bits, "error", *ends),)


def case_resize(rng: Rng, name: str) -> Outcome:
    kind, _, mode = name.partition("-")
    nd = 2 if kind == "scaled" else int(rng.integers(1, 3))
    shape = tuple(int(n) for n in rng.integers(1, 9, nd))
    lead = (int(pick(rng, 1, 1, 2, 0)), int(pick(rng, 1, 3, 8)))
    low, high = code_range(rng)
    if name == "scaled-bilinear":
        low, high = max(low, -(1 << 15)), min(high, (1 << 16) - 1)
    x = container(rng, bulk(rng, (*lead, *shape), low, high))
    xs, ledger = laid_out(rng, x), hw.Ledger()
    scheme, taps = (_sized if kind == "sized" else _scaled)(rng, mode, shape)
    about = f"{scheme!r} x {x.dtype}{x.shape}{xs.strides}"
    if taps is None:
        try:
            hw.resize(xs, scheme)
        except hw.ContractError:
            return 1, None, about
        return 1, "not refused, though C++ reads past the end", about
    want = _resized(x, taps)
    if name == "sized-bilinear":
        ones = 1024 if nd == 1 else 1
        rounded = np.frompyfunc(
            lambda v: c_divide(v * ones + (1 << 19 if v > 0 else -(1 << 19)), 1 << 20), 1, 1
        )
        want = rounded(want) if want.size else want
    result = hw.resize(xs, scheme, ledger)
    dtype = x.dtype
    if name == "scaled-bilinear":
        dtype = np.dtype(np.int32 if x.dtype.itemsize == 1 else np.int64)
    flat = want.reshape(-1).tolist()
    problem = (
        difference("resize", result, want.astype(np.int64))
        or difference("resize without a ledger", hw.resize(xs, scheme), want.astype(np.int64))
        or (None if result.dtype == dtype else f"dtype {result.dtype}, not {dtype}")
        or ledger_difference(
            ledger,
            elements=want.size,
            minimum=min(flat, default=0),
            maximum=max(flat, default=0),
            registers=_registers(name, x, flat),
        )
    )
    if problem is None and nd == 2 and want.size:
        problem = difference("reference", reference(x[0, 0].tolist(), scheme), want[0, 0])
    if problem and x.size <= 40:
        about += f" x={x.tolist()}"
    return want.size, problem, about
