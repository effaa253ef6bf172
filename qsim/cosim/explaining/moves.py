"""The definitions of move.sv and cache_write.sv: which code an element of the result is.

No beat says what such an element is made of; its index does. So the fields here are the index,
``i0`` of the outermost dimension, and the steps lead from it to the code that is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.cosim.explaining.definition import Definition
from qsim.cosim.jobs.cache_write import positions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsim.cosim.jobs import Job
    from qsim.golden import Case

    Values = Mapping[str, Sequence[Any]]


def index_of(job: Job, beat: int) -> dict[str, list[int]]:
    """Return the index, in the result, of the element that an output beat holds."""
    element = int(job.element[beat, 0])
    index = np.unravel_index(element, job.shape) if job.shape else ()
    return {f"i{d}": [int(i)] for d, i in enumerate(index)}


def move(case: Case) -> Definition:
    """Return the definition of a move that reads its operand in another order."""
    x = next(iter(case.operands.values()))  # of an embedding its table
    codes = np.ascontiguousarray(x).reshape(-1).tolist()
    names = tuple(f"i{d}" for d in range(case.expected.ndim))
    attributes: Any = case.attributes
    axis = attributes.get("axis", 0) % max(x.ndim, 1)

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        from hw_models.tracing import Table, Traced, step

        del select
        at = _positions(case, [values[name][0] for name in names])
        place: Any = 0
        for d, position in enumerate(at):
            note = "of indices" if "indices" in case.operands and d == axis else ""
            position = step(position, f"position{d}", note)
            place = position if d == 0 else place * x.shape[d] + position
        place = step(place, "address", "in C order")
        table: Any = Table(codes) if isinstance(place, Traced) else codes
        return step(table[place], "code", "of x")

    return Definition(names, compute)


def cache_write(case: Case) -> Definition:
    """Return the definition of a cache after a write: a code of the last row there, or its own."""
    attributes: Any = case.attributes
    cache, rows = case.operands["cache"], case.operands["rows"]
    axis = attributes["axis"] % cache.ndim
    names = tuple(f"i{d}" for d in range(cache.ndim))
    places = [at % cache.shape[axis] for at in positions(case)]

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        from hw_models.tracing import Table, Traced, step

        del select
        index = [values[name][0] for name in names]
        written = [j for j, place in enumerate(places) if place == int(index[axis])]
        source, name = (rows, "rows") if written else (cache, "cache")
        if written:
            index[axis] = step(index[axis] - int(index[axis]) + written[-1], "row", "written here")
        place = step(_place(index, source.shape), "address", "in C order")
        codes = np.ascontiguousarray(source).reshape(-1).tolist()
        table: Any = Table(codes) if isinstance(place, Traced) else codes
        return step(table[place], "code", f"of {name}")

    return Definition(names, compute)


def _place(index: list[Any], shape: tuple[int, ...]) -> Any:
    """Return where an element of an array lies in C order."""
    place: Any = 0
    for d, i in enumerate(index):
        place = i if d == 0 else place * shape[d] + i
    return place


def _positions(case: Case, index: list[Any]) -> list[Any]:
    """Return the position along each dimension of the operand that an index reads."""
    from hw_models.tracing import Table, Traced

    attributes: Any = case.attributes
    match case.primitive:
        case "permute":
            return [index[attributes["dims"].index(d)] for d in range(len(index))]
        case "gather":
            axis = attributes["axis"] % len(index)
            where = case.operands["indices"].tolist()
            table: Any = Table(where) if isinstance(index[axis], Traced) else where
            return [table[i] if d == axis else i for d, i in enumerate(index)]
        case "embedding":
            rank = case.operands["indices"].ndim
            rows = case.operands["indices"].reshape(-1).tolist()
            at = _place(index[:rank], case.operands["indices"].shape)
            listed: Any = Table(rows) if isinstance(at, Traced) else rows
            return [listed[at], *index[rank:]]
        case _:
            lists = zip(attributes["starts"], attributes["steps"], index, strict=True)
            return [start + step * i for start, step, i in lists]
