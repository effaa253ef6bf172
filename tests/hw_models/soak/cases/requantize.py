"""Requantize with every scheme: a call, plans, calls into arrays, ledgers and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.requantize import reference, requantize_plan
from tests.hw_models.registers import Registers, of_requantizer
from tests.hw_models.soak.comparing import Check, limits, refusal, spot
from tests.hw_models.soak.directed import aimed
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
from tests.hw_models.soak.exact import draw64
from tests.hw_models.soak.rescaling import rescaled
from tests.hw_models.soak.schemes import FLOAT, INT32, INT64, draw, reach

if TYPE_CHECKING:
    from hw_models.schemes import Requantizer
    from tests.hw_models.soak.driver import Outcome, Rng


def channel_of(shape: tuple[int, ...], axis: int, channels: int) -> list[int]:
    """The channel of every element, in C order."""
    if not channels:
        return [0] * int(np.prod(shape))
    column = np.arange(channels).reshape(-1, *(1,) * (len(shape) - 1 - axis))
    return np.broadcast_to(column, shape).reshape(-1).tolist()


def refused_first(q: Requantizer, xs: list[int], values: list[int | None]) -> int | None:
    """Position of what an error names: too wide an operand comes before a result."""
    if None not in values:
        return None
    assert isinstance(q, hw.FixedPoint)
    half = 1 << (q.operand_bits - 1)
    wide = [i for i, x in enumerate(xs) if not -half <= x < half]
    return wide[0] if wide else values.index(None)


def _spans(rng: Rng, q: Requantizer, name: str, channel: int, offset: int) -> tuple[int, int]:
    """Smallest and largest accumulator of a channel."""
    low, high = reach(q, channel)
    low, high = max(low + offset, INT64[0]), min(high + offset, INT64[1])
    if (low, high) == INT64 and rng.integers(3):
        return INT32
    if name in (*FLOAT, "stochastic"):  # the difference must fit 64 bits
        return max(low, INT64[0] + offset), min(high, INT64[1] + offset)
    return low, high


def _filled(
    rng: Rng, q: Requantizer, name: str, view: Any, offset: int, ends: tuple[int, int]
) -> None:
    """Fill accumulators, channels first: random ones, and those aimed at ties and edges."""
    for c in range(len(view)):
        room = view[c].size
        span = _spans(rng, q, name, c, offset)
        pool = aimed(rng, q, c, ends, (span[0] - offset, span[1] - offset))
        free = codes(rng, room, *span)
        drawn = [pool[int(i)] + offset for i in rng.integers(len(pool), size=room)] if pool else []
        mixed = [d if rng.integers(2) else f for d, f in zip(drawn or free, free, strict=True)]
        if not rng.integers(25) and mixed:  # perhaps one that is refused
            mixed[int(rng.integers(room))] = pick(
                rng, max(span[0] - 1, INT64[0]), min(span[1] + 1, INT64[1])
            )
        view[c] = np.array(mixed, np.int64).reshape(view[c].shape)


def case_requantize(rng: Rng, name: str) -> Outcome:
    shape = layout_shape(rng, int(pick(rng, 1, 8, 40, 100, 300)))
    ndim = len(shape)
    axis = int(rng.integers(-ndim, ndim)) % ndim if ndim else 0
    channels = shape[axis] if ndim and shape[axis] and rng.integers(2) else 0
    q = draw(rng, name, channels)
    form = number_format(rng)
    clamp = fused(rng, form)
    zero = pick(rng, 0, integer(rng, form.min, form.max), integer(rng, -(1 << 32), 1 << 32))
    offset = pick(rng, 0, 0, integer(rng, -(1 << 10), 1 << 10), integer(rng, -(1 << 32), 1 << 32))
    low, high = limits(form, clamp)
    array = np.empty(shape, np.int64)
    view = np.moveaxis(array, axis, 0) if channels else array.reshape(1, -1)
    _filled(rng, q, name, view, offset, (low - zero, high - zero))
    if name in (*FLOAT, "stochastic"):
        np.clip(
            array, max(INT64[0], INT64[0] + offset), min(INT64[1], INT64[1] + offset), out=array
        )
    acc = laid_out(rng, container(rng, array))
    xs = [x - offset for x in array.reshape(-1).tolist()]
    which = channel_of(shape, axis, channels)
    made = [rescaled(q, x, c, i) for i, (x, c) in enumerate(zip(xs, which, strict=True))]
    about = (
        f"{q!r} zero_point={zero} {form!r} clamp={clamp} axis={axis} "
        f"input_zero_point={offset} acc {acc.dtype}{acc.shape} strides {acc.strides}"
    )
    plan = requantize_plan(q, zero, form, clamp, axis - ndim if ndim else 0, offset)
    position = refused_first(q, xs, made)
    if position is not None:
        at = spot(position, shape)
        return 1, refusal(lambda: plan(acc), hw.ContractError, at), about
    into = laid_out(rng, np.zeros(shape, form.dtype))
    into = into if into.flags.writeable else into.copy()
    ledger = hw.Ledger()
    results = (
        hw.requantize(acc, q, zero, form, clamp, axis, offset),
        hw.requantize(acc, q, zero, form, clamp, axis, offset, ledger),
        *(plan(acc), plan(acc), plan(acc, out=into), into),
        plan(acc, out=np.zeros(shape, form.dtype)),
    )
    seed = getattr(q, "seed", 0)
    defined = [
        reference(x + offset, q, zero, form, clamp, offset, channel=c, draw=draw64(seed, i))
        for i, (x, c) in enumerate(zip(xs, which, strict=True))
    ]
    values = [v + zero for v in made if v is not None]
    check = Check("requantize", values, (low, high), form, shape)
    held = Registers(of_requantizer(q, 0))
    for i, (x, c) in enumerate(zip(xs, which, strict=True)):
        held.hold(spot(i, shape), of_requantizer(q, x, c))
    problem = check.problem(defined, ledger, *results, registers=held.all)
    return acc.size, problem, f"{about} {ledger}"
