"""Shared by the norms: checks, rows with their parameters, the rescale and the ledger."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array, require_ledger, show
from hw_models._pointwise import (
    INT64_MAX,
    INT64_MIN,
    require_codes,
    require_int,
    require_narrow,
    require_output,
    require_signed,
)
from hw_models.errors import ContractError
from hw_models.integer.norms import LIMIT, IntegerNorm, rows
from hw_models.ledger import fixed_register
from hw_models.requantize import requantize

if TYPE_CHECKING:
    from hw_models.formats import FixedFormat, IntArray
    from hw_models.ledger import Ledger

Parameters = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def require_norm(norm: IntegerNorm, codes: FixedFormat, count: int, zero_point: int = 0) -> None:
    """Raise ContractError where rows of so many codes do not fit the registers."""
    if not isinstance(norm, IntegerNorm):
        raise ContractError(
            f"norm must be an IntegerNorm, not {show(norm)} (accepted: hw_models.IntegerNorm)"
        )
    require_narrow(codes, "input")
    size = max(abs(codes.min - zero_point), abs(codes.max - zero_point))
    most = (norm.limit - 1) // size
    if not 1 <= count <= most:
        raise ContractError(
            f"a row must have codes whose sums fit their registers, not {count} of up to {size} "
            f"(accepted: 1..{most} codes)"
        )


def codes_in(x: IntArray, codes: FixedFormat, output: FixedFormat, ledger: Any) -> IntArray:
    """Return the codes, checked."""
    require_ledger(ledger)
    require_narrow(codes, "input")
    require_output(output)
    array = require_signed(as_array(x, "x"), "x")
    require_codes(array, "x", codes)
    return array


def parameters(
    norm: IntegerNorm, weight: Any, bias: Any, shape: tuple[int, ...], count: int
) -> Parameters:
    """Return weight and bias as int64 of that shape, bounded so that sums fit 32 bits."""
    given = []
    for value, name, default in ((weight, "weight", 1), (bias, "bias", 0)):
        array = (
            np.full(shape, default)
            if value is None
            else require_signed(as_array(value, name), name)
        )
        if array.shape != shape:
            raise ContractError(
                f"{name} must have one value per channel, not shape {array.shape} "
                f"(accepted: {shape})"
            )
        given.append(array.astype(np.int64))
    most = [max(abs(int(a.min())), abs(int(a.max()))) if a.size else 0 for a in given]
    bound = norm.largest(count) * most[0] + most[1]
    if bound >= LIMIT:
        raise ContractError(
            f"normalized values times weight plus bias must fit 32 bits, not {bound} "
            f"(accepted: below {LIMIT}; smaller weights, or fewer fraction bits)"
        )
    return given[0], given[1]


def normalize(
    codes: IntArray,
    count: int,
    norm: IntegerNorm,
    table: Parameters,
    finish: tuple[int, FixedFormat, tuple[int, int] | None],
    ledger: Ledger | None,
    *,
    centred: bool,
) -> IntArray:
    """Normalize rows of ``count`` codes that lie one after the other in C order.

    Args:
        codes: of any shape, offsets taken off.
        count: elements of a row.
        norm: how.
        table: weight and bias, [groups, count]; row r has those of ``r % groups``.
        finish: zero point, output and clamp of the rescale.
        ledger: filled, if there is one.
        centred: whether the mean is subtracted.
    """
    dense = np.ascontiguousarray(codes, np.int64).reshape(-1, count)
    acc = np.empty(dense.shape, np.int64)
    ends = np.array([(INT64_MAX, INT64_MIN)] * len(norm.registers), np.int64)
    fields = np.array((norm.epsilon, norm.fraction, norm.root_bits, norm.guard), np.int64)
    rows(dense, acc, *table, fields, ends, centred)
    zero_point, output, clamp = finish
    zero = require_int(zero_point, "zero_point", -(1 << 32), 1 << 32)
    result = requantize(acc.reshape(codes.shape), norm.rescale, zero, output, clamp, ledger=ledger)
    if ledger is not None:
        ledger.kernel = f"norm-{ledger.kernel}"
        own = (
            fixed_register(name, form, (int(low), int(high)) if low <= high else (0, 0))
            for (name, form), (low, high) in zip(norm.registers, ends, strict=True)
        )
        ledger.registers = (*own, *ledger.registers)
    return result


def normalize_last(
    codes: IntArray,
    dims: int,
    norm: IntegerNorm,
    given: tuple[Any, Any],
    form: FixedFormat,
    finish: tuple[int, FixedFormat, tuple[int, int] | None],
    ledger: Ledger | None,
    *,
    x_zero_point: int | None = None,
) -> IntArray:
    """Normalize rows of the last ``dims`` dimensions, each with the same parameters.

    Args:
        codes: as ``codes_in`` returns them.
        dims: dimensions of a row.
        norm: how.
        given: weight and bias of the caller.
        form: format of the codes.
        finish: zero point, output and clamp of the rescale.
        ledger: filled, if there is one.
        x_zero_point: the code of real 0 where no mean is subtracted; None: the mean is.
    """
    shape = last_dims(codes.shape, dims)
    count = math.prod(shape)
    require_norm(norm, form, count, x_zero_point or 0)
    weight, bias = parameters(norm, *given, shape, count)
    table = weight.reshape(1, count), bias.reshape(1, count)
    offsets = codes.astype(np.int64) - x_zero_point if x_zero_point else codes
    return normalize(offsets, count, norm, table, finish, ledger, centred=x_zero_point is None)


def last_dims(shape: tuple[int, ...], dims: int) -> tuple[int, ...]:
    """Return the last dimensions of a shape, one or more."""
    count = require_int(dims, "dims", 1, max(len(shape), 1))
    if not shape or math.prod(shape[-count:]) == 0:
        raise ContractError(
            f"x must have elements in its last {count} dimensions, not shape {shape} "
            "(accepted: 1 or more)"
        )
    return shape[-count:]
