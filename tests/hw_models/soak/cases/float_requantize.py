"""Engines that add a float bias: every kind, beside ties and the edges of the output."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

import hw_models as hw
from hw_models.float_requantize import FloatBias, float_requantize
from hw_models.float_requantize import reference as float_requantize_reference
from tests.hw_models.soak.comparing import difference, element_ledger, ledger_difference, smallest
from tests.hw_models.soak.drawing import (
    codes,
    container,
    fused,
    integer,
    laid_out,
    layout_shape,
    number_format,
    pick,
)
from tests.hw_models.soak.floats import f32, plus, times, whole

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def float_bias(
    x: int, kind: str, scales: tuple[float, float, float], bias: float, zero_point: int
) -> int:
    """The engines' steps with a float bias, before the clamp; scales of x, w and y, as float32."""
    s_x, s_w, s_y = (Fraction(s) for s in scales)
    b, acc, s = Fraction(bias), f32(x), f32(s_w * s_x)
    if kind == "fbgemm-channel":
        return whole(times(plus(acc, f32(b / s)), f32(s / s_y))) + zero_point
    if kind == "fbgemm-tensor":
        return whole(times(f32(b * f32(1 / s) + acc), f32(s / s_y))) + zero_point
    t = times(acc, s) if kind == "onednn-combined" else times(times(acc, s_x), s_w)
    t = plus(t, b)
    t = times(t, 1 / s_y) if kind == "onednn-reference" else times(t, f32(1 / s_y))
    return whole(plus(t, zero_point))


def case_float_requantize(rng: Rng, kind: str) -> Outcome:
    shape = layout_shape(rng, int(pick(rng, 1, 8, 40, 100)))
    ndim = len(shape)
    axis = int(rng.integers(ndim)) if ndim else 0
    channels = shape[axis] if ndim and shape[axis] and rng.integers(2) else 0
    size = max(channels, 1)
    exact = not rng.integers(3)  # powers of two: ties abound

    def scale(low: float, high: float) -> float:
        power = rng.uniform(low, high)
        return float(np.float32(2.0 ** (round(power) if exact else power)))

    s_x, s_y = scale(-12, 2), scale(-12, 2)
    s_w = [scale(-14, 0) for _ in range(size)]
    bias = [float(np.float32(rng.normal() * 100 * s_y)) for _ in range(size)]
    if exact or not rng.integers(4):
        bias = [float(np.float32(integer(rng, -500, 500) * s_y / 2)) for _ in range(size)]
    form = number_format(rng)
    clamp = fused(rng, form)
    zero = pick(rng, 0, integer(rng, max(form.min, -(1 << 24)), min(form.max, 1 << 24)))
    low, high = (form.min, form.max) if clamp is None else map(form.saturate, clamp)
    span = (-(1 << 63), (1 << 63) - 1) if not rng.integers(5) else (-(1 << 31), (1 << 31) - 1)
    array = np.empty(shape, np.int64)
    view = np.moveaxis(array, axis, 0) if channels else array.reshape(1, -1)
    for c in range(len(view)):
        real = s_x * s_w[c % size]
        flat = codes(rng, view[c].size, *span)
        for i in range(len(flat)):
            if rng.integers(3):  # beside a tie, or beside an edge of the output
                code = pick(rng, integer(rng, -300, 300) + 0.5, low + 0.5, high - 0.5) - zero
                near = int((code * s_y - bias[c % size]) / real) + int(rng.integers(-1, 2))
                flat[i] = min(max(near, span[0]), span[1])
        view[c] = np.array(flat, np.int64).reshape(view[c].shape)
    scheme = FloatBias(
        kind, s_x, tuple(s_w) if channels else s_w[0], s_y, tuple(bias) if channels else bias[0]
    )
    acc, flat = laid_out(rng, container(rng, array)), array.reshape(-1).tolist()
    which = np.broadcast_to(
        np.arange(shape[axis]).reshape(-1, *(1,) * (ndim - 1 - axis)) if channels else 0, shape
    ).reshape(-1).tolist()  # fmt: skip
    pairs = list(zip(flat, which, strict=True))
    values = [float_bias(x, kind, (s_x, s_w[c], s_y), bias[c], zero) for x, c in pairs]
    expected, book = element_ledger(values, low, high, shape)
    want = np.array(expected, form.dtype).reshape(shape)
    ledger = hw.Ledger()
    plain = float_requantize(acc, scheme, zero, form, clamp, axis)
    booked = float_requantize(acc, scheme, zero, form, clamp, axis, ledger)
    defined = [float_requantize_reference(x, scheme, zero, form, clamp, c) for x, c in pairs]
    problem = (
        difference("float_requantize", plain, want)
        or difference("float_requantize with a ledger", booked, want)
        or difference("reference", np.array(defined, form.dtype).reshape(shape), want)
        or (None if plain.dtype == form.dtype else f"dtype {plain.dtype}")
        or ledger_difference(ledger, **book)
    )
    wrong = [
        (x, f"channel {c}: oracle {e}, kernel {k}, reference {r}")
        for (x, c), e, k, r in zip(
            pairs, expected, plain.reshape(-1).tolist(), defined, strict=True
        )
        if not e == k == r
    ]
    about = f"{smallest(wrong)} {scheme!r} zero_point={zero} {form!r} clamp={clamp} axis={axis} "
    return acc.size, problem, f"{about} acc {acc.dtype}{acc.shape} {ledger}"
