"""Binding of the primitive that writes into a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program.bindings.binding import AXIS, Attributes, Binding, Kernel, Operand, container

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import Format
    from qsim.program.attributes import Constants


def _infer(operands: Sequence[Operand], attributes: Attributes) -> tuple[tuple[int, ...], Format]:
    cache, rows, positions = operands
    shape, rank = cache.shape, len(cache.shape)
    axis = attributes["axis"]
    if not -rank <= axis < rank or shape[axis] == -1:
        raise ModelError.of(
            "axis must be a dimension of the cache, not the batch", axis, f"1..{rank - 1}"
        )
    axis %= rank
    beside = (*rows.shape[:axis], *rows.shape[axis + 1 :])
    if len(rows.shape) != rank or beside != (*shape[:axis], *shape[axis + 1 :]):
        raise ModelError.of(
            "new rows must have the cache's shape but along axis", rows.shape, str(shape)
        )
    if _plain(rows) != _plain(cache):
        raise ModelError.of(
            "new rows must have the cache's format", str(rows.format), str(cache.format)
        )
    count = rows.shape[axis]
    if positions.shape not in ((1,), (count,)):
        accepted = f"(1,) or ({count},)"
        raise ModelError.of(
            "positions must be one for each row, or the first one's", positions.shape, accepted
        )
    return shape, cache.format


def _plain(operand: Operand) -> object:
    """Return what decides which codes a format has."""
    form = operand.format
    return (form.dtype, getattr(form, "min", None), getattr(form, "max", None))


def _prepare(operands: Sequence[Operand], attributes: Attributes, constants: Constants) -> Kernel:
    from hw_models.states.cache_write import cache_write

    del constants
    kind, axis, ring = operands[0].format.dtype, attributes["axis"], attributes["ring"]
    return lambda arrays, ledger: cache_write(
        container(arrays[0], kind), container(arrays[1], kind), arrays[2], axis, ring, ledger
    )


CACHES: Final[Mapping[str, Binding]] = {
    "cache_write": Binding(
        ("cache", "rows", "positions"),
        {"axis": AXIS, "ring": check.boolean},
        _infer,
        _prepare,
        overwrites=("cache",),
        floats=("cache", "rows"),
    ),
}
