"""argmax: of equal maxima the first, or the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import hw_models as hw
from hw_models.argmax import reference
from tests.hw_models.soak.comparing import difference, ledger_difference
from tests.hw_models.soak.drawing import CONTAINERS, bulk, integer, laid_out, pick

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def case_argmax(rng: Rng, _scheme: str) -> Outcome:
    ndim = int(rng.integers(1, 5))
    shape = [int(n) for n in rng.integers(1, 9, ndim)]
    axis = int(rng.integers(-ndim, ndim))
    shape[axis] = int(pick(rng, 1, 2, 10, 100, 300))
    kind = np.iinfo(pick(rng, *CONTAINERS, "uint64"))
    near = integer(rng, int(kind.min), int(kind.max) - 3)
    x = (bulk(rng, tuple(shape), 0, 3).astype(object) + near).astype(kind.dtype)  # many maxima
    if rng.integers(2):
        x = rng.integers(kind.min, kind.max, shape, kind.dtype, endpoint=True)
    xs, keep, ledger = laid_out(rng, x), bool(rng.integers(2)), hw.Ledger()
    form = pick(rng, hw.FixedFormat(32), hw.FixedFormat(64), hw.FixedFormat(10, signed=False))
    last = bool(rng.integers(2))
    result = hw.argmax(xs, axis, keepdims=keep, last=last, output=form, ledger=ledger)
    lines = np.moveaxis(x, axis, -1).reshape(-1, shape[axis]).tolist()
    found = [
        len(line) - 1 - line[::-1].index(max(line)) if last else line.index(max(line))
        for line in lines
    ]
    out = list(shape)
    out[axis] = 1
    if not keep:
        del out[axis if axis >= 0 else axis + ndim]
    want = np.array(found, form.dtype).reshape(out)
    problem = (
        difference("argmax", result, want)
        or (
            None if [reference(line, last=last) for line in lines] == found else "reference differs"
        )
        or (None if result.dtype == form.dtype else f"dtype {result.dtype}")
        or ledger_difference(ledger, elements=len(found), minimum=min(found), maximum=max(found))
    )
    shown = f"{x.dtype}{shape}{xs.strides} axis={axis} keepdims={keep} last={last} {form!r}"
    return len(found), problem, shown
