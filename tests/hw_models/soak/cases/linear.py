"""Linear layers in every overflow rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import hw_models as hw
from hw_models.linear import reference as linear_reference
from tests.hw_models.soak.drawing import bulk, code_range, codes, container, integer, laid_out, pick
from tests.hw_models.soak.matrices import by_matrix, matmul
from tests.hw_models.soak.sums import compare_sums, register_near

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def case_linear(rng: Rng, scheme: str) -> Outcome:
    lead = pick(rng, (), (1,), (3,), (2, 3), (0,), (17,), (7, 9), (2, 0))
    depth = int(pick(rng, 0, 1, 2, 7, 16, 65, 130)) if rng.integers(3) else 9
    outs = int(pick(rng, 1, 2, 5, 16, 33))
    xr, wr = code_range(rng), code_range(rng)
    x = container(rng, bulk(rng, (*lead, depth), *xr))
    w = container(rng, bulk(rng, (outs, depth), *wr))
    xz = pick(rng, 0, integer(rng, *xr))
    wz = pick(rng, 0, integer(rng, *wr), np.array(codes(rng, outs, *wr)))
    zeros = [int(z) for z in np.broadcast_to(wz, outs)]
    reach = (max(map(abs, xr)) + abs(xz)) * (max(map(abs, wr)) + max(map(abs, zeros)))
    register = register_near(rng, scheme, reach * max(depth, 1))
    rule = (register.bits, register.overflow, register.at, register.order)
    sums = matmul(x, w.T, xz, zeros, rule)
    xs, ws = laid_out(rng, x), laid_out(rng, w)
    defined = None
    if len(lead) == 1 and sums.values.size * depth <= 6000 and register.overflow != "error":
        defined = by_matrix(linear_reference, x, w, xz, wz, register)

    problem = compare_sums(
        lambda ledger: hw.linear(xs, ws, xz, wz, register, ledger), defined, sums, register
    )
    about = f"x {x.dtype}{x.shape}{xs.strides} w {w.dtype}{w.shape} {xz} {wz} {register}"
    if problem and x.size + w.size <= 60:
        about += f" x={x.tolist()} w={w.tolist()}"
    return sums.values.size, problem, about
