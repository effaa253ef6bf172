"""Bias additions at the edges of the register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.bias_add import reference as bias_add_reference
from tests.hw_models.soak.drawing import codes, container, laid_out, layout_shape, pick
from tests.hw_models.soak.exact import leaves, store
from tests.hw_models.soak.sums import Sums, compare_sums

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def case_bias_add(rng: Rng, overflow: str) -> Outcome:
    shape = layout_shape(rng, int(pick(rng, 1, 10, 60)))
    ndim = len(shape)
    axis = int(rng.integers(-ndim, ndim)) if ndim else 0
    bits = int(pick(rng, 32, 32, 64, rng.integers(2, 65)))
    register = hw.Accumulator(bits, overflow, pick(rng, "mac", "sum"))
    span = (register.min, register.max)
    if not rng.integers(3):
        span = (-(1 << 63), (1 << 63) - 1)
    channels = shape[axis] if ndim and rng.integers(3) else 0
    bias = codes(rng, max(channels, 1), *span)
    array = np.array(codes(rng, int(np.prod(shape)), *span), np.int64).reshape(shape)
    index = np.zeros(shape, np.int64)
    if channels:
        index = np.broadcast_to(
            np.arange(channels).reshape(-1, *(1,) * (ndim - 1 - axis % ndim)), shape
        )
    which, flat = index.reshape(-1).tolist(), array.reshape(-1).tolist()
    edge = [register.min, register.max, register.min - 1, register.max + 1, 0]
    for i in range(len(flat)):  # sums directed at the edges of the register
        aimed = pick(rng, *edge) - bias[which[i]]
        if not rng.integers(3) and -(1 << 63) <= aimed < 1 << 63:
            flat[i] = aimed
    array = np.array(flat, np.int64).reshape(shape)
    acc = laid_out(rng, container(rng, array))
    biases: Any = laid_out(rng, container(rng, bias)) if channels else bias[0]
    totals = [x + bias[c] for x, c in zip(flat, which, strict=True)]
    flags = [leaves(t, bits, overflow) for t in totals]
    values = [store(t, bits, overflow) for t in totals]
    offender = None
    if any(flags):
        at = flags.index(True)
        offender = tuple(int(i) for i in np.unravel_index(at, shape)), totals[at]
    kind = object if overflow == "error" else register.dtype
    sums = Sums(
        np.array(values, kind).reshape(shape),
        np.array(flags, bool).reshape(shape),
        min(totals, default=0),
        max(totals, default=0),
        offender,
    )

    def defined(ledger: hw.Ledger) -> Any:
        out = np.empty(len(flat), register.dtype)
        for i, (x, c) in enumerate(zip(flat, which, strict=True)):
            try:
                out[i] = bias_add_reference(x, bias[c], register)
            except hw.AccumulatorOverflowError as error:
                position = tuple(int(j) for j in np.unravel_index(i, shape))
                raise hw.AccumulatorOverflowError("", position, error.value, "") from None
        ends = sums.minimum, sums.maximum
        record = hw.Register.of(register, ends, int(sums.flags.sum()), sums.first)
        ledger.fill(len(flat), ends, "reference", "the definition", registers=(record,))
        return out.reshape(shape)

    problem = compare_sums(
        lambda ledger: hw.bias_add(acc, biases, register, axis, ledger), defined, sums, register
    )
    about = f"acc {acc.dtype}{acc.shape}{acc.strides} axis={axis} bias={bias[:9]} {register}"
    if problem and acc.size <= 40:
        about += f" acc={acc.tolist()}"
    return acc.size, problem, about
