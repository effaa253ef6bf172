"""Pools: windows that overlap, leave gaps, reach into the padding or share the input out."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.pools.avg_pool import reference as avg_pool_reference
from hw_models.pools.max_pool import reference as max_pool_reference
from tests.hw_models.soak.comparing import difference, element_ledger, ledger_difference
from tests.hw_models.soak.drawing import (
    CONTAINERS,
    bulk,
    code_range,
    container,
    integer,
    laid_out,
    number_format,
    pick,
)
from tests.hw_models.soak.exact import round_ratio

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def pool_starts(
    size: int, taps: int, stride: int, pad: tuple[int, int], dilation: int, *, ceil_mode: bool
) -> list[int]:
    """First taps of the windows, one after another; none where not even one whole window fits."""
    starts, reach = [], dilation * (taps - 1) + 1
    start = -pad[0]
    while start + reach <= size + pad[1]:
        starts.append(start)
        start += stride
    partial = start - stride + reach < size + pad[1]  # something is left over
    if starts and ceil_mode and partial and start < size:
        starts.append(start)
    return starts


def pool_windows(
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    *,
    ceil_mode: bool,
) -> tuple[tuple[int, ...], list[tuple[list[tuple[int, ...]], int]]]:
    """Output shape, and per output its taps in the input and the count with padding."""
    axes = [
        [
            [start + d * t for t in range(k)]
            for start in pool_starts(n, k, s, p, d, ceil_mode=ceil_mode)
        ]
        for n, k, s, p, d in zip(shape, kernel, stride, pads, dilation, strict=True)
    ]
    out = []
    for spot in product(*axes):
        inside = [[t for t in axis if 0 <= t < n] for axis, n in zip(spot, shape, strict=True)]
        padded = [
            sum(-p[0] <= t < n + p[1] for t in axis)
            for axis, n, p in zip(spot, shape, pads, strict=True)
        ]
        out.append((list(product(*inside)), math.prod(padded)))
    return tuple(len(axis) for axis in axes), out


def shares(
    size: tuple[int, ...], count: tuple[int, ...]
) -> list[tuple[list[tuple[int, ...]], int]]:
    """Per adaptive window its taps, and how many: every element that its share touches."""
    axes = [
        [[t for t in range(n) if i * n < (t + 1) * m and t * m < (i + 1) * n] for i in range(m)]
        for n, m in zip(size, count, strict=True)
    ]
    return [(list(product(*spot)), math.prod(map(len, spot))) for spot in product(*axes)]


def _pool_case(rng: Rng, *, dilated: bool) -> tuple[Any, dict[str, Any], Any]:
    """An input, the geometry's arguments, and the oracle's windows (None: refused)."""
    nd = int(rng.integers(1, 4))
    images, channels = int(pick(rng, 1, 1, 2, 0)), int(pick(rng, 1, 3, 16))
    size = tuple(int(s) for s in rng.integers(1, 6 if nd == 3 else 9, nd))
    kernel = tuple(int(k) for k in rng.integers(1, 5, nd))
    stride = tuple(int(s) for s in rng.integers(1, 5, nd))
    dilation = tuple(int(d) for d in rng.integers(1, 4, nd)) if dilated else (1,) * nd
    pads = tuple((int(b), int(a)) for b, a in rng.integers(0, 3, (nd, 2)) * rng.integers(0, 2))
    ceil_mode = bool(rng.integers(2))
    low, high = code_range(rng)
    x = container(rng, bulk(rng, (images, channels, *size), low, high), (*CONTAINERS, "uint64"))
    if not rng.integers(4):
        count = tuple(int(n) for n in rng.integers(1, 7, nd))
        return x, {"output_size": count}, (count, shares(size, count))
    shape, taps = pool_windows(size, kernel, stride, pads, dilation, ceil_mode=ceil_mode)
    bad = 0 in shape or not all(inside for inside, _ in taps)
    options = {"kernel": kernel, "stride": stride, "padding": pads, "ceil_mode": ceil_mode}
    if dilated:
        options["dilation"] = dilation
    if stride == kernel and rng.integers(2):
        options["stride"] = None
    return x, options, None if bad else (shape, taps)


def refused(call: Any) -> str | None:
    try:
        call()
    except hw.ContractError:
        return None
    return "not refused, though a window has no tap in the input"


def case_max_pool(rng: Rng, _scheme_name: str) -> Outcome:
    x, options, found = _pool_case(rng, dilated=True)
    xs = laid_out(rng, x)
    about = f"x {x.dtype}{x.shape}{xs.strides} {options}"
    if found is None:
        return 1, refused(lambda: hw.max_pool(xs, **options)), about
    shape, taps = found
    out = np.zeros((*x.shape[:2], len(taps)), x.dtype)
    for i, (inside, _) in enumerate(taps):
        out[..., i] = np.max([x[(..., *tap)] for tap in inside], axis=0)
    out = out.reshape(*x.shape[:2], *shape)
    ledger = hw.Ledger()
    pool = hw.adaptive_max_pool if "output_size" in options else hw.max_pool
    plain, booked = pool(xs, **options), pool(xs, **options, ledger=ledger)
    ends = (int(out.min()), int(out.max())) if out.size else (0, 0)
    problem = (
        difference("max_pool", plain, out)
        or difference("max_pool with a ledger", booked, out)
        or (None if plain.dtype == x.dtype else f"dtype {plain.dtype}, not {x.dtype}")
        or ledger_difference(
            ledger, elements=out.size, minimum=ends[0], maximum=ends[1], overflows=0, clamped=0
        )
    )
    if problem is None and x.ndim == 3 and x.size and "kernel" in options:
        starts = pool_starts(
            x.shape[2], options["kernel"][0], (options["stride"] or options["kernel"])[0],
            options["padding"][0], options["dilation"][0], ceil_mode=options["ceil_mode"],
        )  # fmt: skip
        line = max_pool_reference(
            x[0, 0].tolist(), starts, options["kernel"][0], options["dilation"][0]
        )
        problem = difference("reference", line, out[0, 0])
    if problem and x.size <= 40:
        about += f" x={x.tolist()}"
    return out.size, problem, about


def case_avg_pool(rng: Rng, rounding: str) -> Outcome:
    x, options, found = _pool_case(rng, dilated=False)
    xs = laid_out(rng, x)
    form = pick(rng, None, number_format(rng))
    include, centered = bool(rng.integers(2)), bool(rng.integers(2))
    zero = pick(rng, 0, integer(rng, -300, 300), integer(rng, -(1 << 32), 1 << 32))
    options |= {"rounding": rounding, "output": form, "centered": centered, "zero_point": zero}
    pool, divisor = hw.adaptive_avg_pool, None
    if "kernel" in options:
        pool, divisor = hw.avg_pool, pick(rng, None, None, integer(rng, 1, 40), 1 << 30)
        options |= {"count_include_pad": include, "divisor": divisor}
    about = f"x {x.dtype}{x.shape}{xs.strides} {options}"
    if found is None:
        return 1, refused(lambda: pool(xs, **options)), about
    shape, taps = found
    form = form or hw.FixedFormat(min(8 * x.dtype.itemsize, 32), signed=x.dtype.kind == "i")
    offset = zero if centered else 0
    wide = x.astype(object)
    values = np.zeros((*x.shape[:2], len(taps)), object)
    defined = []
    for n, c in np.ndindex(*x.shape[:2]):
        for i, (inside, padded) in enumerate(taps):
            window = [wide[(n, c, *tap)] for tap in inside]
            if divisor is None:
                window += [zero] * (padded - len(inside) if include else 0)
            count = divisor or len(window)
            # Every tap less the zero point, over the count; then the zero point again.
            total = sum(code - zero for code in window) + (zero - offset) * count
            values[n, c, i] = round_ratio(total, count, rounding) + offset
            defined.append(avg_pool_reference(window, rounding, form, offset, divisor, zero))
    whole = (*x.shape[:2], *shape)
    expected, book = element_ledger(values.reshape(-1).tolist(), form.min, form.max, whole)
    want = np.array(expected, form.dtype).reshape(whole)
    ledger = hw.Ledger()
    plain, booked = pool(xs, **options), pool(xs, **options, ledger=ledger)
    problem = (
        difference("avg_pool", plain, want)
        or difference("avg_pool with a ledger", booked, want)
        or (None if defined == expected else "reference differs")
        or (None if plain.dtype == form.dtype else f"dtype {plain.dtype}")
        or ledger_difference(ledger, **book)
    )
    if problem and x.size <= 40:
        about += f" x={x.tolist()}"
    return plain.size, problem, about
