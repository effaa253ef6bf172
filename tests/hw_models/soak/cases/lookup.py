"""lookup: tables of every size, all codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import hw_models as hw
from hw_models.lookup import reference
from tests.hw_models.soak.comparing import Check
from tests.hw_models.soak.drawing import (
    bulk,
    container,
    laid_out,
    layout_shape,
    number_format,
    pick,
)

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def case_lookup(rng: Rng, _scheme: str) -> Outcome:
    codes_, output = number_format(rng, 16), number_format(rng)
    size = codes_.max - codes_.min + 1
    table = container(rng, bulk(rng, (size,), output.min, output.max))
    shape = layout_shape(rng, int(pick(rng, 1, 100, 500)))
    x = container(rng, bulk(rng, shape, codes_.min, codes_.max))
    if not rng.integers(4):  # every code once, of narrow formats
        x = container(rng, rng.permutation(np.arange(codes_.min, codes_.max + 1))[:2000])
    entry = dict(zip(range(codes_.min, codes_.max + 1), table.tolist(), strict=True))
    flat, entries = x.reshape(-1).tolist(), table.tolist()
    xs, ts, ledger = laid_out(rng, x), laid_out(rng, table), hw.Ledger()
    check = Check("lookup", [entry[v] for v in flat], (output.min, output.max), output, x.shape)
    problem = check.problem(
        [reference(v, entries, codes_) for v in flat],
        ledger,
        hw.lookup(xs, ts, codes_, output, ledger),
        hw.lookup(xs, ts, codes_, output),
    )
    about = f"{codes_!r} {output!r} x {x.dtype}{x.shape}{xs.strides} table {table.dtype}"
    return x.size, problem, about
