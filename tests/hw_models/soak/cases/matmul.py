"""Matrix products with zero points on both sides, batched and broadcast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import hw_models as hw
from hw_models.matmul import reference as matmul_reference
from tests.hw_models.soak.drawing import bulk, code_range, codes, container, integer, laid_out, pick
from tests.hw_models.soak.matrices import by_matrix, matmul
from tests.hw_models.soak.sums import compare_sums, register_near

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def case_matmul(rng: Rng, scheme: str) -> Outcome:
    m, n = (int(pick(rng, 1, 2, 3, 17)) for _ in range(2))
    depth = int(pick(rng, 0, 1, 2, 5, 16, 65)) if rng.integers(2) else 6
    batches: tuple[tuple[int, ...], tuple[int, ...]] = pick(
        rng,
        ((), ()),
        ((2,), ()),
        ((), (2,)),
        ((2, 1), (3,)),
        ((1,), (4,)),
        ((0,), (1,)),
        ((3,), (3,)),
    )
    one = int(rng.integers(12))
    ashape = (depth,) if one == 0 else (*batches[0], m, depth)
    bshape = (depth,) if one == 1 else (*batches[1], depth, n)
    ar, br = code_range(rng), code_range(rng)
    a, b = container(rng, bulk(rng, ashape, *ar)), container(rng, bulk(rng, bshape, *br))
    columns = 1 if one == 1 else n
    az = pick(rng, 0, integer(rng, *ar))
    bz = pick(rng, 0, integer(rng, *br), np.array(codes(rng, columns, *br)))
    zeros = [int(z) for z in np.broadcast_to(bz, columns)]
    reach = (max(map(abs, ar)) + abs(az)) * (max(map(abs, br)) + max(map(abs, zeros)))
    register = register_near(rng, scheme, reach * max(depth, 1))
    rule = (register.bits, register.overflow, register.at, register.order)
    sums = matmul(a, b, az, zeros, rule)
    defined = None
    if a.ndim == b.ndim == 2 and sums.values.size * depth <= 6000 and register.overflow != "error":
        defined = by_matrix(matmul_reference, a, b, az, bz, register)
    xs, ys = laid_out(rng, a), laid_out(rng, b)
    problem = compare_sums(
        lambda ledger: hw.matmul(xs, ys, az, bz, register, ledger), defined, sums, register
    )
    about = f"a {a.dtype}{a.shape} b {b.dtype}{b.shape} {az} {bz} {register}"
    if problem and a.size + b.size <= 60:
        about += f" a={a.tolist()} b={b.tolist()}"
    return sums.values.size, problem, about
