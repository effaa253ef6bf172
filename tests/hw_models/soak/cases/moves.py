"""strided_slice and gather: codes read at positions, in any layout and container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.moves.gather import reference as gathered
from hw_models.moves.strided_slice import reference as sliced
from tests.hw_models.soak.comparing import difference, ledger_difference
from tests.hw_models.soak.drawing import CONTAINERS, codes, laid_out, layout_shape, pick

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hw_models.soak.driver import Outcome, Rng


def case_strided_slice(rng: Rng, direction: str) -> Outcome:
    x = _codes(rng)
    starts, steps, sizes = [], [], []
    want = x
    for axis, length in enumerate(x.shape):
        step = {"forward": 1, "backward": -1, "repeated": 0}[direction] * int(rng.integers(1, 4))
        start = int(rng.integers(0, max(length, 1)))
        room = (length - 1 - start) // step if step > 0 else start // -step if step else 4
        size = int(rng.integers(0, room + 2)) if length else 0
        starts.append(start)
        steps.append(step)
        sizes.append(size)
        want = _by_lines(want, axis, size, lambda v, a=start, b=step, c=size: sliced(v, a, b, c))
    return _outcome(
        rng, x, want, lambda xs, ledger: hw.strided_slice(xs, starts, steps, sizes, ledger),
        f"{starts} {steps} {sizes}",
    )  # fmt: skip


def case_gather(rng: Rng, container: str) -> Outcome:
    x = _codes(rng)
    x = x.reshape(1) if not x.ndim else x
    axis = int(rng.integers(-x.ndim, x.ndim))
    length = x.shape[axis]
    count = int(rng.integers(0, 9)) if length else 0
    where = rng.integers(0, max(length, 1), count).astype(container)
    want = _by_lines(x, axis, count, lambda line: gathered(line, where.tolist()))
    return _outcome(
        rng, x, want, lambda xs, ledger: hw.gather(xs, where, axis, ledger), f"{where} {axis}"
    )


def _codes(rng: Rng) -> Any:
    shape = layout_shape(rng, int(pick(rng, 1, 30, 100)))
    kind = np.iinfo(pick(rng, *CONTAINERS, "uint64"))
    drawn = codes(rng, int(np.prod(shape)), int(kind.min), int(kind.max))
    return np.array(drawn, kind.dtype).reshape(shape)


def _by_lines(x: Any, axis: int, size: int, read: Callable[[list[int]], list[int]]) -> Any:
    """The definition along one dimension."""
    moved = np.moveaxis(x, axis, -1)
    out = np.empty((*moved.shape[:-1], size), x.dtype)
    for index in np.ndindex(*moved.shape[:-1]):
        out[index] = np.array(read(moved[index].tolist()), x.dtype)
    return np.moveaxis(out, -1, axis)


def _outcome(rng: Rng, x: Any, want: Any, run: Callable[[Any, Any], Any], label: str) -> Outcome:
    xs, ledger = laid_out(rng, x), hw.Ledger()
    result = run(xs, ledger)
    flat = want.reshape(-1).tolist()
    problem = (
        difference("move", result, want)
        or difference("move without a ledger", run(xs, None), want)
        or (None if result.dtype == x.dtype else f"dtype {result.dtype}")
        or ledger_difference(
            ledger,
            elements=want.size,
            minimum=min(flat, default=0),
            maximum=max(flat, default=0),
            clamped=0,
        )
    )
    return want.size, problem, f"{x.dtype}{x.shape}{xs.strides} {label}"
