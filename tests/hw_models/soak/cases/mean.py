"""mean over any dimensions: divisions in every rounding, and every family of requantizers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import hw_models as hw
from hw_models.mean import reference
from tests.hw_models.registers import Registers, of_requantizer
from tests.hw_models.soak.cases.requantize import refused_first
from tests.hw_models.soak.comparing import Check, limits, refusal, spot
from tests.hw_models.soak.drawing import (
    bulk,
    code_range,
    container,
    fused,
    integer,
    laid_out,
    number_format,
    pick,
)
from tests.hw_models.soak.exact import c_divide, draw64, round_ratio
from tests.hw_models.soak.rescaling import rescaled
from tests.hw_models.soak.schemes import FAMILIES, draw

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def _folded(rng: Rng, count: int) -> tuple[hw.FixedPoint, str | None]:
    """reduce.h: the count in the multiplier."""
    q: Any = draw(rng, pick(rng, "double", "double-half-up"))
    m, s = q.multiplier, q.right_shift
    lift = min(int(math.log2(count)), 32, q.bits + 30 - s)
    want = (c_divide(m << lift, count), s + lift)
    found = hw.over_count(q, count)
    same = (found.multiplier, found.right_shift) == want and found.rounding == q.rounding
    return found, None if same else f"over_count({q!r}, {count}): {found!r}, oracle {want}"


def case_mean(rng: Rng, scheme: str) -> Outcome:
    ndim = int(rng.integers(1, 5))
    shape = [int(n) for n in rng.integers(1, 7, ndim)]
    chosen = rng.permutation(ndim)[: int(rng.integers(1, ndim + 1))].tolist()
    kept = [d for d in range(ndim) if d not in chosen]
    if kept:
        shape[kept[0]] = int(pick(rng, 1, 20, 60))
        if not rng.integers(30):
            shape[kept[0]] = 0
    count = math.prod(shape[d] for d in chosen)
    span = code_range(rng)
    x = container(rng, bulk(rng, tuple(shape), *span))
    offset = pick(rng, 0, integer(rng, *span), integer(rng, -(1 << 32), 1 << 32))
    form = number_format(rng)
    clamp, keep = fused(rng, form), bool(rng.integers(2))
    zero = pick(rng, 0, integer(rng, form.min, form.max), integer(rng, -(1 << 32), 1 << 32))
    problem = None
    if scheme.startswith("division-"):
        averager: Any = hw.Division(scheme.removeprefix("division-"))  # type: ignore[arg-type]
    elif scheme == "over-count":
        averager, problem = _folded(rng, count)
    else:
        averager = draw(rng, pick(rng, *FAMILIES[scheme]))
    xs = laid_out(rng, x)
    axes = [d - ndim if rng.integers(2) else d for d in chosen]
    about = (
        f"{averager!r} axes={axes} {offset} {zero} {form!r} clamp={clamp} x {x.dtype}{x.shape}"
        f"{xs.strides}"
    )
    if x.size <= 40:
        about += f" x={x.tolist()}"
    outer = [shape[d] for d in kept]
    lines = x.astype(object).transpose([*kept, *chosen]).reshape(math.prod(outer), count).tolist()
    sums = [sum(line) - offset * count for line in lines]
    out = tuple(1 if d in chosen else n for d, n in enumerate(shape)) if keep else tuple(outer)

    def call(ledger: hw.Ledger | None = None) -> Any:
        return hw.mean(
            xs, pick(rng, axes, tuple(axes)) if len(axes) > 1 else axes[0], averager, offset, zero,
            form, clamp, keepdims=keep, ledger=ledger,
        )  # fmt: skip

    if isinstance(averager, hw.Division):
        made: list[Any] = [round_ratio(total, count, averager.rounding) for total in sums]
    else:
        made = [rescaled(averager, total, 0, i) for i, total in enumerate(sums)]
        position = refused_first(averager, sums, made)
        if position is not None:
            return 1, refusal(call, hw.ContractError, spot(position, out)), about
    seed, ledger = getattr(averager, "seed", 0), hw.Ledger()
    defined = [
        reference(line, averager, offset, zero, form, clamp, draw=draw64(seed, i))
        for i, line in enumerate(lines)
    ]
    check = Check("mean", [v + zero for v in made], limits(form, clamp), form, out)
    held = Registers(of_requantizer(averager, 0))
    for i, total in enumerate(sums):
        held.hold(spot(i, out), of_requantizer(averager, total))
    problem = problem or check.problem(defined, ledger, call(), call(ledger), registers=held.all)
    return len(lines), problem, about
