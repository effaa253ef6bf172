"""Bindings of the primitives that read codes at positions, known beforehand or at run time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program.bindings.binding import AXIS, Attributes, Binding, Kernel, Operand, container

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import Format
    from qsim.program.attributes import Array, Constants

_LIMIT: Final = 1 << 30


def _bounded(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a result: a small operand may be read any number of times."""
    if math.prod(map(abs, shape)) > check.MAX_ELEMENTS:
        raise ModelError.of(
            "the result has too many elements", list(shape), f"at most {check.MAX_ELEMENTS}"
        )
    return shape


def _infer_slice(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], Format]:
    (x,) = operands
    lists = tuple(attributes[name] for name in ("starts", "steps", "sizes"))
    for name, values in zip(("starts", "steps", "sizes"), lists, strict=True):
        if len(values) != len(x.shape):
            raise ModelError.of(
                f"{name} must have one entry per dimension", values, f"{len(x.shape)} integers"
            )
    for axis, (length, start, step, size) in enumerate(zip(x.shape, *lists, strict=True)):
        if length == -1 or (axis == 0 and size == -1):  # a recorded call knows its batch
            if (start, step, size) != (0, 1, -1):
                raise ModelError.of(
                    "a slice must leave the batch alone",
                    [start, step, size],
                    "start 0, step 1, size -1",
                )
        elif size < 1 or not all(0 <= p < length for p in (start, start + step * (size - 1))):
            raise ModelError.of(
                f"a slice must stay in dimension {axis} of {length}",
                [start, step, size],
                f"positions 0..{length - 1}, size 1 or more",
            )
    shape = tuple(n if size == -1 else size for n, size in zip(x.shape, lists[2], strict=True))
    return _bounded(shape), x.format


def _prepare_slice(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.moves.strided_slice import strided_slice

    del constants
    starts, steps, sizes = (list(attributes[name]) for name in ("starts", "steps", "sizes"))
    symbolic, kind = sizes[:1] == [-1], operands[0].format.dtype

    def run(arrays: Sequence[Array], ledger: Any) -> Array:
        batch = [arrays[0].shape[0]] if symbolic else []
        shape = [*batch, *sizes[len(batch) :]]
        return strided_slice(container(arrays[0], kind), starts, steps, shape, ledger)

    return run


def _infer_gather(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], Format]:
    x, indices = operands
    rank, axis = len(x.shape), attributes["axis"]
    if not -rank <= axis < rank or x.shape[axis] == -1:
        raise ModelError.of(
            "axis must be a dimension of the operand, not the batch", axis, f"1..{rank - 1}"
        )
    positions, axis = indices.constant, axis % rank
    if positions is None or positions.ndim != 1 or not positions.size:
        raise ModelError.of(
            "indices must be constant, in one dimension", indices.shape, "1 position or more"
        )
    low, high = int(positions.min()), int(positions.max())
    if low < 0 or high >= x.shape[axis]:
        wrong = low if low < 0 else high
        raise ModelError.of("indices must lie in the dimension", wrong, f"0..{x.shape[axis] - 1}")
    shape = (*x.shape[:axis], len(positions), *x.shape[axis + 1 :])
    return _bounded(shape), x.format


def _prepare_gather(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.moves.gather import gather

    del constants
    kind, axis = operands[0].format.dtype, attributes["axis"]
    return lambda arrays, ledger: gather(container(arrays[0], kind), arrays[1], axis, ledger)


def _infer_embedding(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], Format]:
    del attributes
    table, indices = operands
    if not table.shape or 0 in table.shape:
        raise ModelError.of("the table must have rows", list(table.shape), "1 row or more")
    if indices.codes.max < 0:
        raise ModelError.of("indices must count rows", str(indices.codes), "codes of 0 and more")
    return _bounded((*indices.shape, *table.shape[1:])), table.format


def _prepare_embedding(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.embedding import embedding

    del attributes, constants
    kind = operands[0].format.dtype
    return lambda arrays, ledger: embedding(container(arrays[0], kind), arrays[1], ledger)


def _rows(operands: Sequence[Operand], attributes: Attributes, constants: Constants) -> None:
    """Ask of indices that are constants what a run asks of others."""
    del attributes, constants
    table, indices = operands
    if indices.constant is None or not indices.constant.size:
        return
    ends = int(indices.constant.min()), int(indices.constant.max())
    wrong = [end for end in ends if not 0 <= end < table.shape[0]]
    if wrong:
        raise ModelError.of("an index must be a row", wrong[0], f"0..{table.shape[0] - 1}")


_POSITIONS: Final = check.integers(-_LIMIT, _LIMIT)

PICKS: Final[Mapping[str, Binding]] = {
    "strided_slice": Binding(
        ("x",),
        {"starts": _POSITIONS, "steps": _POSITIONS, "sizes": _POSITIONS},
        _infer_slice,
        _prepare_slice,
        floats=("x",),
    ),
    "gather": Binding(
        ("x", "indices"),
        {"axis": AXIS},
        _infer_gather,
        _prepare_gather,
        constant=("indices",),
        floats=("x",),
    ),
    "embedding": Binding(
        ("table", "indices"),
        {},
        _infer_embedding,
        _prepare_embedding,
        constant=("table",),
        require=_rows,
        floats=("table",),
    ),
}
