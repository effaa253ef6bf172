"""Transposed correlation: every element of x scattered over the output, tap by tap."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.transposed_correlation import reference
from tests.hw_models.soak.drawing import (
    bulk,
    code_range,
    codes,
    container,
    integer,
    laid_out,
    pick,
)
from tests.hw_models.soak.sums import Register, Sums, compare_sums, largest, register_near

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def expected(x: Any, w: Any, options: dict[str, Any], zeros: list[int]) -> Sums:
    """Add the products of one kernel position and one channel to all outputs at once."""
    register, groups = options["accumulator"], options["groups"]
    channels, kernel = x.shape[1] // groups, w.shape[2:]
    count = channels * int(np.prod(kernel))
    reach = largest(x, options["x_zero_point"]) * max(largest(w, z) for z in zeros)
    kind = np.int64 if reach * max(count, 1) < 2**61 and register.bits <= 61 else object
    codes_, weights = x.astype(kind) - options["x_zero_point"], w.astype(kind)
    axes = list(
        zip(
            x.shape[2:], kernel, options["stride"], options["dilation"],
            options["padding"], options["output_padding"], strict=True,
        )
    )  # fmt: skip
    size = [(n - 1) * s + d * (k - 1) + 1 - sum(p) + sum(o) for n, k, s, d, p, o in axes]
    outputs = w.shape[1] * groups
    acc = Register((x.shape[0], outputs, *size), kind, register.bits, register.overflow)
    spots = list(product(*(reversed(range(k)) for k in kernel)))
    taps = [(c, spot) for c in range(channels) for spot in spots]
    if register.order == "channel_last":
        taps = [(c, spot) for spot in spots for c in range(channels)]
    for c, spot in taps:
        term = np.zeros(acc.values.shape, kind)
        places, sources = [], []
        for t, (n, _, s, d, p, o), m in zip(spot, axes, size, strict=True):
            at = np.arange(n) * s + t * d - p[0] + o[0]
            inside = (at >= 0) & (at < m)
            places.append(at[inside])
            sources.append(np.arange(n)[inside])
        for out in range(outputs):
            group, within = divmod(out, w.shape[1])
            channel = group * channels + c
            weight = weights[(channel, within, *spot)] - zeros[out]
            values = codes_[:, channel][np.ix_(range(x.shape[0]), *sources)] * weight
            term[np.ix_(range(x.shape[0]), [out], *places)] = values[:, None]
        acc.take(term)
        if register.at == "mac":
            acc.settle()
    if register.at == "sum" and taps:
        acc.settle()
    return acc.result()


def case_transposed_correlation(rng: Rng, scheme: str) -> Outcome:
    nd = int(rng.integers(1, 4))
    most = 4 if nd == 3 else 5
    groups = int(pick(rng, 1, 1, 2, 3))
    per, outs = int(pick(rng, 1, 2, 3, 17)), int(pick(rng, 1, 2, 3))
    size = tuple(int(n) for n in rng.integers(1, most + 1, nd))
    kernel = tuple(int(k) for k in rng.integers(1, most, nd))
    stride = tuple(int(s) for s in rng.integers(1, most, nd))
    dilation = tuple(int(d) for d in rng.integers(1, 4, nd))
    pads, more = (
        tuple((int(b), int(a)) for b, a in rng.integers(0, 4, (nd, 2)) * rng.integers(0, 2))
        for _ in range(2)
    )
    whole = [
        (n - 1) * s + d * (k - 1) + 1 - sum(p) + sum(o)
        for n, k, s, d, p, o in zip(size, kernel, stride, dilation, pads, more, strict=True)
    ]
    xr, wr = code_range(rng), code_range(rng)
    images = int(pick(rng, 0, 1, 1, 2)) if not rng.integers(4) else 1
    x = container(rng, bulk(rng, (images, per * groups, *size), *xr))
    w = container(rng, bulk(rng, (per * groups, outs, *kernel), *wr))
    xz = pick(rng, 0, integer(rng, *xr))
    wz = pick(rng, 0, integer(rng, *wr), np.array(codes(rng, outs * groups, *wr)))
    zeros = [int(z) for z in np.broadcast_to(wz, outs * groups)]
    reach = (max(map(abs, xr)) + abs(xz)) * (max(map(abs, wr)) + max(map(abs, zeros)))
    options: dict[str, Any] = {
        "stride": stride,
        "padding": pads,
        "output_padding": more,
        "dilation": dilation,
        "groups": groups,
        "x_zero_point": xz,
        "weight_zero_point": wz,
        "accumulator": register_near(rng, scheme, reach * per),
    }
    xs, ws = laid_out(rng, x), laid_out(rng, w)
    about = f"x {x.dtype}{x.shape}{xs.strides} w {w.dtype}{w.shape}{ws.strides} {options}"
    if x.size + w.size <= 60:
        about += f" x={x.tolist()} w={w.tolist()}"
    if min(whole) < 1:
        return 1, _refused(lambda: hw.transposed_correlation(xs, ws, **options)), about
    sums = expected(x, w, options, zeros)
    defined = None
    if sums.values.size * per * int(np.prod(kernel)) <= 3000:
        defined = lambda ledger: reference(x, w, **options, ledger=ledger)  # noqa: E731
    problem = compare_sums(
        lambda ledger: hw.transposed_correlation(xs, ws, **options, ledger=ledger),
        defined,
        sums,
        options["accumulator"],
    )
    return sums.values.size, problem, about


def _refused(call: Any) -> str | None:
    try:
        call()
    except hw.ContractError:
        return None
    return "not refused, though no output element is left"
