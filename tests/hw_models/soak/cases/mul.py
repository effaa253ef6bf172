"""mul: products by every family of requantizers, some aimed at their ties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.mul import reference
from tests.hw_models.registers import Registers, of_requantizer
from tests.hw_models.soak.cases.requantize import channel_of, refused_first
from tests.hw_models.soak.comparing import Check, limits, refusal, spot
from tests.hw_models.soak.directed import aimed
from tests.hw_models.soak.drawing import (
    code_range,
    codes,
    container,
    fused,
    integer,
    laid_out,
    layout_shape,
    number_format,
    pick,
)
from tests.hw_models.soak.exact import draw64, leaves
from tests.hw_models.soak.rescaling import rescaled
from tests.hw_models.soak.schemes import FAMILIES, draw, reach

if TYPE_CHECKING:
    from hw_models.schemes import Requantizer
    from tests.hw_models.soak.driver import Outcome, Rng


def _drawn(
    rng: Rng, q: Requantizer, shapes: list[Any], zeros: list[int], which: list[int], ends: Any
) -> tuple[Any, Any]:
    """Two operands whose products the scheme takes, but for few."""
    ranges = [code_range(rng), code_range(rng)]
    zeros[:] = [pick(rng, 0, integer(rng, *r)) for r in ranges]
    flat = [codes(rng, int(np.prod(s)), *r) for s, r in zip(shapes, ranges, strict=True)]
    if shapes[0] == shapes[1]:
        unit = [z + 1 if z < r[1] else z for z, r in zip(zeros, ranges, strict=True)][1]
        for i, c in enumerate(which):
            pool = [] if rng.integers(3) else aimed(rng, q, c, ends, reach(q, c))
            value = pick(rng, *pool) + zeros[0] if pool else ranges[0][1] + 1
            if ranges[0][0] <= value <= ranges[0][1]:
                flat[0][i], flat[1][i] = value, unit
    a, b = (np.array(v, np.int64).reshape(s) for v, s in zip(flat, shapes, strict=True))
    if rng.integers(12):
        product = (a.astype(object) - zeros[0]) * (b.astype(object) - zeros[1])
        spans = [reach(q, c) for c in which]
        taken = [
            low <= v <= high
            for v, (low, high) in zip(np.asarray(product).reshape(-1).tolist(), spans, strict=True)
        ]
        a = np.where(
            np.array(taken, bool).reshape(a.shape),
            a,
            max(min(zeros[0], ranges[0][1]), ranges[0][0]),
        )
    return container(rng, a), container(rng, b)


def case_mul(rng: Rng, family: str) -> Outcome:
    shape = layout_shape(rng, int(pick(rng, 1, 30, 100)))
    ndim = len(shape)
    axis = int(rng.integers(-ndim, ndim)) % ndim if ndim else 0
    channels = shape[axis] if ndim and shape[axis] and not rng.integers(3) else 0
    q = draw(rng, pick(rng, *FAMILIES[family]), channels)
    form = number_format(rng)
    clamp = fused(rng, form)
    zero = pick(rng, 0, integer(rng, form.min, form.max))
    low, high = limits(form, clamp)
    other = shape[1:] if ndim > 1 and not rng.integers(4) else shape
    zeros, which = [0, 0], channel_of(shape, axis, channels)
    a, b = _drawn(rng, q, [shape, other], zeros, which, (low - zero, high - zero))
    xs, ys = laid_out(rng, a), laid_out(rng, b)
    pairs = list(zip(*(v.reshape(-1).tolist() for v in np.broadcast_arrays(a, b)), strict=True))
    products = [(p - zeros[0]) * (r - zeros[1]) for p, r in pairs]
    about = (
        f"{q!r} zeros={zeros} {zero} {form!r} clamp={clamp} axis={axis} a {a.dtype}{a.shape}"
        f"{xs.strides} b {b.dtype}{b.shape}"
    )
    if a.size + b.size <= 40:
        about += f" a={a.tolist()} b={b.tolist()}"

    def call(ledger: hw.Ledger | None = None) -> Any:
        return hw.mul(xs, ys, q, *zeros, zero, form, clamp, axis, ledger)

    wide = [i for i, p in enumerate(products) if leaves(p, 64, "wrap")]
    if wide:
        return 1, refusal(call, hw.ContractError, spot(wide[0], shape)), about
    made = [rescaled(q, p, c, i) for i, (p, c) in enumerate(zip(products, which, strict=True))]
    position = refused_first(q, products, made)
    if position is not None:
        return 1, refusal(call, hw.ContractError, spot(position, shape)), about
    seed = getattr(q, "seed", 0)
    defined = [
        reference(p, r, q, *zeros, zero, form, clamp, channel=c, draw=draw64(seed, i))
        for i, ((p, r), c) in enumerate(zip(pairs, which, strict=True))
    ]
    ledger = hw.Ledger()
    check = Check("mul", [v + zero for v in made if v is not None], (low, high), form, shape)
    held = Registers(of_requantizer(q, 0))
    for i, (product, c) in enumerate(zip(products, which, strict=True)):
        held.hold(spot(i, shape), of_requantizer(q, product, c))
    problem = check.problem(defined, ledger, call(), call(ledger), registers=held.all)
    return len(pairs), problem, about
