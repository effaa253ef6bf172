"""Concat: tensors are joined along a dimension, each rescaled to the result's parameters.

Real-number meaning: the values of all operands, one after another along ``axis``.

Integer formula: an operand with a requantizer becomes
``clamp(scheme(x - x_zero_point) + zero_point)`` as in ``hw_models.requantize``; one without is
copied, code by code.

Corners: TFLite's int8 CONCATENATION has equal parameters everywhere, hence no rescale; TOSA and
quantizers that observe each branch on its own rescale. A copied operand must hold codes of the
output format, for nothing would make it fit. ``stochastic`` draws by the position in each operand.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models._arguments import as_array, axis_length, require_ledger, show
from hw_models._pointwise import (
    dimension_order,
    extremes,
    require_axis,
    require_int,
    require_output,
    require_signed,
)
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray, if_else
from hw_models.ledger import Ledger
from hw_models.requantize import reference as requantize_reference
from hw_models.requantize import requantize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import Select
    from hw_models.schemes import Requantizer


def reference(
    x: int,
    requantizer: Requantizer | None,
    x_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat | None = None,
    *,
    draw: int = 0,
    select: Select = if_else,
) -> int:
    """Return what becomes of one code of an operand: the definition; select as in requantize."""
    if requantizer is None:
        return x
    code: int = requantize_reference(
        x, requantizer, zero_point, output, None, x_zero_point, draw=draw, select=select
    )
    return code


def concat(
    operands: Sequence[IntArray],
    axis: int = 1,
    requantizers: Sequence[Requantizer | None] | None = None,
    zero_points: Sequence[int] | None = None,
    zero_point: int = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    ledger: Ledger | None = None,
) -> IntArray:
    """Join code tensors along a dimension.

    Args:
        operands: one array or more, of one shape but for ``axis``; any strides.
        axis: the dimension to join along.
        requantizers: one per operand, per tensor; None copies it. Nothing is rescaled by default.
        zero_points: the code of real 0 in each operand; 0 by default. Copies do not use theirs.
        zero_point: the code of real 0 in the result.
        output: format of 1 to 32 bits.
        ledger: filled with the extremes of the values before the clamp, with what it changed, and
            with the registers of the requantizers: ``x0 ...`` are those of the first operand.

    Returns:
        Codes in ``output.dtype``, in the memory order of the first operand.

    Raises:
        ContractError: for arguments outside the contract; a code that cannot be copied is named
            with its index.
    """
    require_ledger(ledger)
    require_output(output)
    if not isinstance(operands, (list, tuple)) or not operands:
        raise ContractError(
            f"operands must be arrays, one or more, not {show(operands)} (accepted: a list)"
        )
    arrays = [require_signed(as_array(x, f"operand {i}"), f"operand {i}")
              for i, x in enumerate(operands)]  # fmt: skip
    axis, shape, starts = _joined([x.shape for x in arrays], axis)
    schemes = _each(requantizers, None, len(arrays), "requantizers")
    zeros = _each(zero_points, 0, len(arrays), "zero_points")
    order = dimension_order(arrays[0])
    memory = np.empty([shape[i] for i in order], output.dtype)
    y = memory.transpose(np.argsort(order)) if order else memory
    parts = []
    for position, (x, scheme, zero) in enumerate(zip(arrays, schemes, zeros, strict=True)):
        part = Ledger() if ledger is not None else None
        where = (slice(None),) * axis + (slice(starts[position], starts[position] + x.shape[axis]),)
        y[where] = _codes(position, x, scheme, zero, zero_point, output, part)
        if part is not None:
            parts.append(part)
    if ledger is not None:
        _gather(ledger, parts, starts, axis)
    return y


def _each(values: Sequence[Any] | None, default: object, count: int, name: str) -> list[Any]:
    """Return one value per operand."""
    if values is None:
        return [default] * count
    if not isinstance(values, (list, tuple)) or len(values) != count:
        raise ContractError(
            f"{name} must have one entry per operand, not {show(values)} "
            f"(accepted: a list of {count})"
        )
    return list(values)


def _joined(shapes: list[tuple[int, ...]], axis: int) -> tuple[int, tuple[int, ...], list[int]]:
    """Return axis (not negative), the shape of the result, and where each operand starts in it."""
    first = shapes[0]
    length = axis_length(first, axis)
    axis = require_axis(axis, len(first), length, length, "concat")
    rest = (*first[:axis], *first[axis + 1 :])
    for position, shape in enumerate(shapes):
        if len(shape) != len(first) or (*shape[:axis], *shape[axis + 1 :]) != rest:
            raise ContractError(
                f"operands must have one shape but along dimension {axis}, not {first} and, as "
                f"operand {position}, {shape} (accepted: equal sizes elsewhere)"
            )
    ends = list(itertools.accumulate(shape[axis] for shape in shapes))
    return axis, (*first[:axis], ends[-1], *first[axis + 1 :]), [0, *ends[:-1]]


def _codes(
    position: int,
    x: IntArray,
    scheme: Requantizer | None,
    x_zero: int,
    zero: int,
    output: FixedFormat,
    ledger: Ledger | None,
) -> IntArray:
    """Return one operand in the output format."""
    x_zero = require_int(x_zero, f"zero_points[{position}]", -(1 << 32), 1 << 32)
    if scheme is not None:
        if getattr(scheme, "channels", 0):
            raise ContractError(
                f"requantizers[{position}] must be per tensor, not one of {scheme.channels} "
                "channels (accepted: scalars)"
            )
        if x.dtype.itemsize <= 2 and abs(x_zero) < 1 << 30:
            # The same integers, in the type that the fastest kernel takes.
            x, x_zero = x.astype(np.int32) - np.int32(x_zero), 0
        return requantize(x, scheme, zero, output, None, 0, x_zero, ledger)
    if not output.fits(x):
        index = tuple(int(i) for i in np.argwhere((x < output.min) | (x > output.max))[0])
        raise ContractError(
            f"operand {position} must hold codes of the output format to be copied, not "
            f"{int(x[index])} at index {index} (accepted: {output.min}..{output.max})"
        )
    if ledger is not None:
        ledger.fill(x.size, extremes(x), "copy", "the codes are copied")
    return x


def _gather(ledger: Ledger, parts: list[Ledger], starts: list[int], axis: int) -> None:
    """Fill the ledger of the result from those of its operands."""
    for part, start in zip(parts, starts, strict=True):
        part.place(lambda i, start=start: (*i[:axis], i[axis] + start, *i[axis + 1 :]))  # type: ignore[misc]
    ledger.join(
        {f"x{position}": part for position, part in enumerate(parts)},
        "concat",
        "each operand is rescaled or copied on its own",
    )
