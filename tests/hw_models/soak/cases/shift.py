"""shift_right in every rounding, one shift for all and one for each element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.shift import reference
from tests.hw_models.soak.comparing import Check
from tests.hw_models.soak.directed import ties
from tests.hw_models.soak.drawing import (
    code_range,
    codes,
    container,
    laid_out,
    layout_shape,
    number_format,
    pick,
)
from tests.hw_models.soak.exact import shift_round

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def case_shift(rng: Rng, rounding: Any) -> Outcome:
    shape = layout_shape(rng, int(pick(rng, 1, 30, 100, 300)))
    span = code_range(rng)
    most = max(span[1].bit_length() + 2, 3)
    wild = not rng.integers(5)
    count = int(np.prod(shape))
    amounts = rng.integers(-31 if wild else -4, 63 if wild else most, shape)
    if rng.integers(2):
        amounts = np.full(shape, amounts.reshape(-1)[0] if count else 0)
    flat = codes(rng, count, *span)
    for i, k in enumerate(amounts.reshape(-1).tolist()):
        pool = ties(rng, 1, k, *span) if not rng.integers(3) else []
        flat[i] = pick(rng, *pool) if pool else flat[i]
    x = container(rng, np.array(flat, np.int64).reshape(shape))
    xs, form = laid_out(rng, x), pick(rng, None, number_format(rng))
    shift: Any = laid_out(rng, container(rng, amounts, ("int8", "int32", "int64")))
    if amounts.size and (amounts == amounts.reshape(-1)[0]).all() and rng.integers(2):
        shift = int(amounts.reshape(-1)[0])
    given = form or hw.FixedFormat(min(8 * x.dtype.itemsize, 32), signed=x.dtype.kind == "i")
    pairs = list(zip(flat, amounts.reshape(-1).tolist(), strict=True))
    values = [shift_round(v, k, rounding) for v, k in pairs]
    ledger = hw.Ledger()
    check = Check("shift_right", values, (given.min, given.max), given, shape)
    problem = check.problem(
        [reference(v, k, rounding, given) for v, k in pairs],
        ledger,
        hw.shift_right(xs, shift, rounding, form, ledger),
        hw.shift_right(xs, shift, rounding, form),
    )
    return count, problem, f"{x.dtype}{shape}{xs.strides} {rounding} {form!r} {shift!r:.200}"
