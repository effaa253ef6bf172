"""Requantize inside the command stream: a block of accumulators of 16 channels each.

The arithmetic is that of ``_requantize_modes``; only where accumulators come from and codes go to
differs: a dense block [pixels, lanes] in the first cache, and rows of a wider tensor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hw_models.requantization.exact import fixed_rows
from hw_models.requantization.modes import LANES, MODES, V32, clamp, const, indices, load, splat
from hw_models.requantization.plan import RequantizePlan
from hw_models.requantization.vector import _EXACT_RANGE, HEADER, PACKS, _pack
from hw_models.schemes import FixedPoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import FixedFormat, IntArray
    from hw_models.requantization.fast import Parameters
    from hw_models.schemes import Requantizer

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_GROUP: Final = 4  # pixels that are packed together
_V8 = ir.VectorType(_I8, LANES)


def parameters_of(
    requantizer: Requantizer,
    zero_point: int,
    output: FixedFormat,
    limits: tuple[int, int],
    input_zero_point: int,
) -> Parameters | None:
    """Return what the vector arithmetic needs, or None where it would not be exact."""
    plan = RequantizePlan(requantizer, zero_point, output, limits, 1, input_zero_point)
    return plan._parameters  # noqa: SLF001 - one family of kernels


def table_of(parameters: Parameters, groups: int, outputs: int, columns: int) -> IntArray:
    """Return a table: HEADER words, then rows of parameters, ``groups`` times ``columns`` words.

    Args:
        parameters: of the scheme.
        groups: of channels.
        outputs: channels of a group.
        columns: words of a group; those after its channels repeat the last channel's.
    """
    rows = parameters.rows
    channel = np.minimum(np.arange(columns), outputs - 1)
    channels = (np.arange(groups)[:, None] * outputs + channel).reshape(-1)
    wide = rows[:, channels if rows.shape[1] > 1 else np.zeros_like(channels)]
    words = np.zeros(HEADER + wide.size, np.int64)
    words[: len(parameters.header)] = parameters.header
    words[HEADER:] = wide.reshape(-1)
    # Constants of float32 and of unsigned kind travel as the int32 of the same bits.
    return cast("IntArray", words.astype(np.uint32).view(np.int32))


def wide_table_of(
    scheme: Requantizer,
    zero_point: int,
    limits: tuple[int, int],
    input_zero_point: int,
    shape: tuple[int, int, int],
) -> IntArray | None:
    """Return the table for codes of 16 bits, or None where a product and a shift are not enough.

    Args:
        scheme: of the requantize.
        zero_point: of the codes.
        limits: the least and the largest code.
        input_zero_point: of the sums.
        shape: groups, their channels, and their columns, as those of ``table_of``.
    """
    if not isinstance(scheme, FixedPoint) or scheme.rounding not in ("single", "s64-reduced"):
        return None
    fixed = fixed_rows(scheme)
    multipliers, shifts, halves = fixed[:, 0], fixed[:, 3], fixed[:, 5]
    # x has 32 bits: |x * m| <= 2**62, and the addend stays below 2**62.
    if abs(input_zero_point) >= 1 << 29 or (np.abs(multipliers) >= 1 << 31).any():
        return None
    if (shifts > 62).any():
        return None
    rows = np.stack([multipliers, halves - input_zero_point * multipliers, shifts])
    groups, outputs, columns = shape
    channel = np.minimum(np.arange(columns), outputs - 1)
    channels = (np.arange(groups)[:, None] * outputs + channel).reshape(-1)
    wide = rows[:, channels if rows.shape[1] > 1 else np.zeros_like(channels)]
    return cast("IntArray", np.concatenate([[zero_point, *limits], wide.reshape(-1)]))


def _word(value: int) -> Any:
    return ir.Constant(_I64, value)


def _vector_at(b: Any, address: Any) -> Any:
    return load(b, b.inttoptr(address, _I32.as_pointer()))


def _finish(b: Any, mode: int, code: Any, bounds: Sequence[Any]) -> Any:
    low, high, flip = (
        splat(b, b.trunc(b.extract_element(v, ir.Constant(_I32, 0)), _I8), code.type)
        for v in bounds
    )
    if mode not in _EXACT_RANGE:
        code = clamp(b, code, low, high)
    return b.xor(code, flip)


def _emit(b: Any, mode: int, args: Sequence[Any]) -> None:
    x, x_step, y, y_step, table, column, pitch, count = args
    words = [
        splat(b, b.load(b.inttoptr(b.add(table, _word(4 * i)), _I32.as_pointer())), V32)
        for i in range(6)
    ]
    bounds, own = words[:3], words[3:]
    first = b.add(table, b.mul(b.add(column, _word(HEADER)), _word(4)))
    rows = [
        _vector_at(b, b.add(first, b.mul(pitch, _word(4 * row)))) for row in range(MODES[mode][0])
    ]

    def codes(pixel: Any) -> Any:
        source = b.add(x, b.mul(pixel, x_step))
        return MODES[mode][1](b, _vector_at(b, source), rows, own)

    def store(code: Any, pixel: Any) -> None:
        where = b.inttoptr(b.add(y, b.mul(pixel, y_step)), code.type.as_pointer())
        b.store(code, where).align = 1

    start = b.and_(count, _word(-_GROUP)) if PACKS else _word(0)
    if PACKS:
        with cgutils.for_range(b, b.lshr(count, _word(2))) as groups:
            at = b.mul(groups.index, _word(_GROUP))
            pixels = [b.add(at, _word(i)) for i in range(_GROUP)]
            packed = _finish(b, mode, _pack(b, [codes(p) for p in pixels]), bounds)
            for i, pixel in enumerate(pixels):
                mask = indices(list(range(LANES * i, LANES * (i + 1))))
                store(b.shuffle_vector(packed, packed, mask), pixel)
    with cgutils.for_range(b, b.sub(count, start)) as rest:
        pixel = b.add(start, rest.index)
        code = clamp(b, codes(pixel), const(V32, -128), const(V32, 127))
        store(_finish(b, mode, b.trunc(code, _V8), bounds), pixel)


@intrinsic
def requantize_16(  # type: ignore[no-untyped-def]
    _typing, _x, _x_step, _y, _y_step, _table, _column, _pitch, _count, _mode
):
    """Requantize 16 channels of ``count`` pixels.

    Arguments are int64: address of int32 accumulators and bytes between two pixels; address of the
    codes and bytes between two pixels; address of the table, its first column and its width;
    pixels; mode.
    """
    signature = types.void(*(types.int64,) * 9)

    def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        *rest, mode = args
        done = builder.append_basic_block("requantized")
        switch = builder.switch(mode, done)
        for number in range(len(MODES)):
            block = builder.append_basic_block(f"mode{number}")
            switch.add_case(number, block)
            with builder.goto_block(block):
                _emit(builder, number, rest)
                builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return signature, codegen
