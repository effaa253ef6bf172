"""add and sub by every scheme, with broadcasting, refusals and the accumulators' overflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.add import reference as add_reference
from hw_models.sub import reference as sub_reference
from tests.hw_models.registers import Registers, of_adder
from tests.hw_models.soak.adders import combined, draw_adder
from tests.hw_models.soak.comparing import Check, limits, refusal, spot
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
from tests.hw_models.soak.exact import leaves

if TYPE_CHECKING:
    from hw_models.add import Adder
    from tests.hw_models.soak.driver import Outcome, Rng


def _operands(rng: Rng, adder: Adder, zeros: list[int]) -> tuple[Any, Any]:
    shape = layout_shape(rng, int(pick(rng, 1, 10, 60)))
    ranges = [code_range(rng), code_range(rng)]
    zeros[:2] = [pick(rng, 0, integer(rng, *r)) for r in ranges]
    if isinstance(adder, hw.ShiftedAdd):
        if rng.integers(8):
            most = ((1 << 31) >> adder.left_shift) - 1  # the register's reach, halved
            ranges = [
                (max(r[0], z - most // 2), max(r[0], min(r[1], z + most // 2)))
                for r, z in zip(ranges, zeros, strict=False)
            ]
    elif not rng.integers(6):
        zeros[0] = integer(rng, -(1 << 32), 1 << 32)
    other = shape[1:] if len(shape) > 1 and not rng.integers(4) else shape
    a, b = (
        container(rng, np.array(codes(rng, int(np.prod(s)), *r), np.int64).reshape(s))
        for s, r in zip((shape, other), ranges, strict=True)
    )
    return a, b


def _overflowed(adder: Adder, totals: list[Any]) -> list[bool]:
    if not isinstance(adder, hw.AlignedAdd):
        return [False] * len(totals)
    register = adder.accumulator
    return [leaves(total, register.bits, register.overflow) for total in totals]


def _case(rng: Rng, name: str, negate: Any) -> Outcome:
    """``negate``: of sub; None: add."""
    adder = draw_adder(rng, name)
    form = number_format(rng)
    zeros = [0, 0, pick(rng, 0, integer(rng, form.min, form.max))]
    a, b = _operands(rng, adder, zeros)
    clamp = fused(rng, form)
    shape = np.broadcast(a, b).shape
    pairs = list(zip(*(v.reshape(-1).tolist() for v in np.broadcast_arrays(a, b)), strict=True))
    sign = 1 if negate is None else -1
    made = [combined(adder, p, q, zeros, sign, negated=negate == "operand") for p, q in pairs]
    values, totals = [v for v, _ in made], [t for _, t in made]
    xs, ys = laid_out(rng, a), laid_out(rng, b)
    about = (
        f"{adder!r} zeros={zeros} {form!r} clamp={clamp} negate={negate} a {a.dtype}{a.shape}"
        f"{xs.strides} b {b.dtype}{b.shape}"
    )
    if a.size + b.size <= 40:
        about += f" a={a.tolist()} b={b.tolist()}"

    def call(ledger: hw.Ledger | None = None) -> Any:
        arguments = (xs, ys, adder, *zeros, form, clamp)
        if negate is None:
            return hw.add(*arguments, ledger)
        return hw.sub(*arguments, negate, ledger)

    over = _overflowed(adder, totals)
    if None in values:
        at = spot(values.index(None), shape)
        return 1, refusal(call, hw.ContractError, at), about
    if isinstance(adder, hw.AlignedAdd) and adder.accumulator.overflow == "error" and any(over):
        at = spot(over.index(True), shape)
        return 1, refusal(call, hw.AccumulatorOverflowError, at), about
    if negate is None:
        defined = [add_reference(p, q, adder, *zeros, form, clamp) for p, q in pairs]
    else:
        defined = [sub_reference(p, q, adder, *zeros, form, clamp, negate) for p, q in pairs]
    ledger = hw.Ledger()
    check = Check(
        "add" if negate is None else "sub",
        [v for v in values if v is not None],
        limits(form, clamp),
        form,
        shape,
    )
    results = (call(), call(ledger))
    subtract = negate == "term" and isinstance(adder, hw.ShiftedAdd)
    flip = 1 if negate is None or subtract else -1
    held = Registers(of_adder(adder, 0, 0))
    for i, (p, q) in enumerate(pairs):
        operands = p - zeros[0], flip * (q - zeros[1])
        held.hold(spot(i, shape), of_adder(adder, *operands, subtract=subtract))
    book: dict[str, Any] = {"registers": held.all}
    if isinstance(adder, hw.AlignedAdd):  # the ledger is the accumulator's
        book |= {"minimum": min(totals, default=0), "maximum": max(totals, default=0)}
    return len(pairs), check.problem(defined, ledger, *results, **book), about


def case_add(rng: Rng, name: str) -> Outcome:
    return _case(rng, name, None)


def case_sub(rng: Rng, name: str) -> Outcome:
    scheme, _, negate = name.partition("-")
    return _case(rng, scheme, negate or pick(rng, "term", "operand"))
