"""pad in every mode: a corner is mirrored in both dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.moves.pad import reference
from tests.hw_models.soak.comparing import difference, ledger_difference
from tests.hw_models.soak.drawing import CONTAINERS, codes, integer, laid_out, layout_shape, pick

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def _sources(n: int, before: int, after: int, mode: str) -> Any:
    """The index read by every position, by the triangle wave that repeated mirrors make."""
    p = np.arange(-before, n + after)
    if mode == "reflect" and n > 1:
        return np.abs((p + n - 1) % (2 * (n - 1)) - (n - 1))
    if mode == "symmetric" and n:
        return np.minimum(p % (2 * n), 2 * n - 1 - p % (2 * n))
    return np.clip(p, 0, max(n - 1, 0))


def case_pad(rng: Rng, mode: str) -> Outcome:
    shape = layout_shape(rng, int(pick(rng, 1, 30, 100)))
    kind = np.iinfo(pick(rng, *CONTAINERS, "uint64"))
    span = (int(kind.min), int(kind.max))
    x = np.array(codes(rng, int(np.prod(shape)), *span), kind.dtype).reshape(shape)
    most = [{"reflect": max(n - 1, 0), "symmetric": n}.get(mode, 4 if n else 0) for n in shape]
    if mode == "constant":
        most = [4] * len(shape)
    pads = [
        (int(rng.integers(0, min(m, 4) + 1)), int(rng.integers(0, min(m, 4) + 1))) for m in most
    ]
    value = integer(rng, *span)
    want, lines = x, x
    for axis, (n, (before, after)) in enumerate(zip(shape, pads, strict=True)):
        if mode == "constant":
            sides = [
                np.full((*want.shape[:axis], side, *want.shape[axis + 1 :]), value, x.dtype)
                for side in (before, after)
            ]
            want = np.concatenate([sides[0], want, sides[1]], axis)
        else:
            want = want.take(_sources(n, before, after, mode), axis)
        lines = _by_lines(lines, axis, before, after, value, mode)
    xs, ledger = laid_out(rng, x), hw.Ledger()
    result = hw.pad(xs, pads, value, mode, ledger)
    flat = want.reshape(-1).tolist()
    problem = (
        difference("pad", result, want)
        or difference("pad without a ledger", hw.pad(xs, pads, value, mode), want)
        or difference("reference", lines, want)
        or (None if result.dtype == x.dtype else f"dtype {result.dtype}")
        or ledger_difference(
            ledger,
            elements=want.size,
            minimum=min(flat, default=0),
            maximum=max(flat, default=0),
            clamped=0,
        )
    )
    # The border counts for nothing: there is more of it than of x.
    return x.size, problem, f"{x.dtype}{shape}{xs.strides} {pads} {value} {mode}"


def _by_lines(x: Any, axis: int, before: int, after: int, value: int, mode: Any) -> Any:
    """The definition along one dimension."""
    moved = np.moveaxis(x, axis, -1)
    size = moved.shape[-1] + before + after
    out = np.empty((*moved.shape[:-1], size), x.dtype)
    for index in np.ndindex(*moved.shape[:-1]):
        out[index] = np.array(reference(moved[index].tolist(), before, after, value, mode), x.dtype)
    return np.moveaxis(out, -1, axis)
