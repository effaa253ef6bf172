"""minimum and maximum: every pair of containers, broadcasting, and one code for an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.extremum import reference
from tests.hw_models.soak.comparing import difference, ledger_difference
from tests.hw_models.soak.drawing import CONTAINERS, codes, integer, laid_out, layout_shape, pick

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def case_extremum(rng: Rng, name: str) -> Outcome:
    shape = layout_shape(rng, int(pick(rng, 1, 100, 300)))
    kinds = [np.iinfo(pick(rng, *CONTAINERS, "uint64")) for _ in range(2)]
    if rng.integers(2):
        kinds[1] = kinds[0]
    other = shape[1:] if len(shape) > 1 and not rng.integers(4) else shape
    a, b = (
        np.array(codes(rng, int(np.prod(s)), int(k.min), int(k.max)), k.dtype).reshape(s)
        for s, k in zip((shape, other), kinds, strict=True)
    )
    if a.shape == b.shape and a.size and kinds[0].dtype == kinds[1].dtype:  # equal codes too
        b = np.where(rng.integers(0, 3, shape) == 0, a, b).astype(b.dtype)
    xs: Any = laid_out(rng, a)
    ys: Any = laid_out(rng, b)
    if not rng.integers(6):
        ys = integer(rng, int(kinds[0].min), int(kinds[0].max))
        b = np.array(ys, kinds[0].dtype)
    about = f"{name} a {a.dtype}{a.shape}{xs.strides} b {b.dtype}{b.shape}"
    function, ledger = getattr(hw, name), hw.Ledger()
    common = np.promote_types(a.dtype, b.dtype)
    if common.kind not in "iu":
        try:
            function(xs, ys)
        except hw.ContractError:
            return 1, None, about
        return 1, "not refused, though no integer type holds both", about
    pairs = zip(*(v.reshape(-1).tolist() for v in np.broadcast_arrays(a, b)), strict=True)
    pairs = list(pairs)
    chosen = [max(pair) if name == "maximum" else min(pair) for pair in pairs]
    want = np.array(chosen, common).reshape(np.broadcast(a, b).shape)
    result = function(xs, ys, ledger)
    problem = (
        difference(name, result, want)
        or difference(f"{name} without a ledger", function(xs, ys), want)
        or (None if result.dtype == common else f"dtype {result.dtype}, not {common}")
        or ledger_difference(
            ledger,
            elements=len(pairs),
            minimum=min(chosen, default=0),
            maximum=max(chosen, default=0),
            clamped=0,
        )
    )
    if problem is None and [reference(p, q, largest=name == "maximum") for p, q in pairs] != chosen:
        problem = "reference differs"
    return len(pairs), problem, about
