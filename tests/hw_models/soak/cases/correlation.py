"""Correlation in every overflow rule, at every mac or at the sum, in both orders."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.correlation import reference as correlation_reference
from tests.hw_models.soak.drawing import bulk, code_range, codes, container, integer, laid_out, pick
from tests.hw_models.soak.sums import Register, Sums, compare_sums, largest, register_near

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def expected(
    x: Any,
    weight: Any,
    stride: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    groups: int,
    x_zero: int,
    weight_zeros: list[int],
    pad_value: int | None,
    register: tuple[int, str, str, str],
) -> Sums:
    """Pad the array, then add the products tap by tap to all outputs at once."""
    bits, overflow, at, order = register
    outputs, channels = weight.shape[:2]
    kernel = weight.shape[2:]
    pad = x_zero if pad_value is None else pad_value
    reach = max(largest(x, x_zero), abs(pad - x_zero))
    span = max((largest(weight, z) for z in weight_zeros), default=0)
    small = reach * span * max(channels * math.prod(kernel), 1) < 2**61 and bits <= 61
    kind = np.int64 if small else object
    padded = np.full(
        (*x.shape[:2], *(n + b + a for n, (b, a) in zip(x.shape[2:], pads, strict=True))), pad, kind
    )
    inner = tuple(slice(b, b + n) for n, (b, _) in zip(x.shape[2:], pads, strict=True))
    padded[(slice(None), slice(None), *inner)] = x.astype(kind)
    padded = padded - x_zero
    zeros = np.array(weight_zeros, kind).reshape(-1, *(1,) * (weight.ndim - 1))
    weights = weight.astype(kind) - zeros
    size = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(padded.shape[2:], kernel, stride, dilation, strict=True)
    ]
    acc = Register((x.shape[0], outputs, *size), kind, bits, overflow)
    group_of = np.arange(outputs) // max(outputs // groups, 1)
    spots = list(product(*(range(k) for k in kernel)))
    if order == "channel_last":
        taps = [(c, spot) for spot in spots for c in range(channels)]
    else:
        taps = [(c, spot) for c in range(channels) for spot in spots]
    for c, spot in taps:
        window = tuple(
            slice(j * d, j * d + (n - 1) * s + 1, s)
            for j, d, n, s in zip(spot, dilation, size, stride, strict=True)
        )
        seen = padded[(slice(None), group_of * channels + c, *window)]
        acc.take(seen * weights[(slice(None), c, *spot)].reshape(-1, *(1,) * len(size)))
        if at == "mac":
            acc.settle()
    if at == "sum" and taps:
        acc.settle()
    return acc.result()


def case_correlation(rng: Rng, scheme: str) -> Outcome:
    nd = int(rng.integers(1, 4))
    big = not rng.integers(8)
    groups = int(pick(rng, 1, 1, 2, 3, 5, 17))
    depthwise = groups > 1 and rng.integers(2)
    per = 1 if depthwise else int(pick(rng, 1, 2, 3, 4, *((33, 64, 70) if big else (5,))))
    outs = groups * int(pick(rng, 1, 1, 2, 3, *((33, 65) if big and groups == 1 else (4,))))
    kernel = tuple(int(k) for k in rng.integers(1, (6, 4, 3)[nd - 1], nd))
    stride = tuple(int(s) for s in rng.integers(1, 4, nd))
    dilation = tuple(int(d) for d in rng.integers(1, 4, nd))
    pads = tuple((int(b), int(a)) for b, a in rng.integers(0, 4, (nd, 2)) * rng.integers(0, 2))
    reaches = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    size = tuple(
        max(1, reach - sum(pad) + int(rng.integers(0, 16 if big and nd < 3 else 5)))
        for reach, pad in zip(reaches, pads, strict=True)
    )
    images = int(pick(rng, 0, 1, 1, 2)) if not rng.integers(4) else 1
    channels = 0 if not rng.integers(50) else per
    xr, wr = code_range(rng), code_range(rng)
    x = container(rng, bulk(rng, (images, channels * groups, *size), *xr))
    w = container(rng, bulk(rng, (outs, channels, *kernel), *wr))
    wild = (-(1 << 31), (1 << 32) - 1)
    xz = pick(rng, 0, integer(rng, *xr), integer(rng, *wild))
    scalar = integer(rng, *wr)
    wz = pick(rng, 0, scalar, np.array(codes(rng, outs, *wr)), np.array(codes(rng, outs, *wild)))
    pad = pick(rng, None, 0, integer(rng, *xr))
    zeros = [int(z) for z in np.broadcast_to(wz, outs)]
    reach = (max(map(abs, xr)) + abs(xz)) * (max(map(abs, wr)) + max(map(abs, zeros)))
    register = register_near(rng, scheme, reach * max(channels, 1))
    options: dict[str, Any] = {
        "stride": stride if rng.integers(2) or len(set(stride)) > 1 else stride[0],
        "padding": pads,
        "dilation": dilation,
        "groups": groups,
        "x_zero_point": xz,
        "weight_zero_point": wz,
        "pad_value": pad,
        "accumulator": register,
    }
    sums = expected(
        x, w, stride, pads, dilation, groups, xz, zeros, pad,
        (register.bits, register.overflow, register.at, register.order),
    )  # fmt: skip
    xs, ws = laid_out(rng, x), laid_out(rng, w)
    elements = sums.values.size
    defined = None
    if elements * channels * int(np.prod(kernel)) <= 6000:
        defined = lambda ledger: correlation_reference(x, w, **options, ledger=ledger)  # noqa: E731
    problem = compare_sums(
        lambda ledger: hw.correlation(xs, ws, **options, ledger=ledger), defined, sums, register
    )
    about = f"x {x.dtype}{x.shape}{xs.strides} w {w.dtype}{w.shape}{ws.strides} {options}"
    if problem and x.size + w.size <= 60:
        about += f" x={x.tolist()} w={w.tolist()}"
    return elements, problem, about
