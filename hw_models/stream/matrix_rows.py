"""Rows of codes times blocks of channels on the matrix unit, from 0 on: the sums of one group.

Codes are read where they lie, 32 rows equally far from one another; see ``matrix``, whose registers
these are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from hw_models.compiled import part
from hw_models.compiled.instructions import MATRIX_MODELLED
from hw_models.stream.matrix import (
    COLUMNS,
    GATHERED,
    NATIVE,
    ROWS,
    STEPS,
    call,
    load,
    number_of,
    place_at,
    shape,
)
from hw_models.stream.memory import int8_at, int32_at, uint8_at

_I64 = ir.IntType(64)


@intrinsic
def begin_halves(_typing):  # type: ignore[no-untyped-def]
    """Take the unit for rows of 32 bytes: see ``multiply_rows``."""

    def codegen(context, builder, _signature, _args):  # type: ignore[no-untyped-def]
        if NATIVE:
            call(builder, "ldtilecfg", shape(builder, STEPS // 2))
        return context.get_dummy_value()

    return types.void(), codegen


def _emit_zeroed(b: Any, args: Any) -> None:
    """Emit ``out[p, c] = sum over rows of codes[p] . weights[c]`` for 32 x 32."""
    codes, apart, rows, weights, pitch, out = args
    for register in range(4):
        call(b, "tilezero", number_of(register))
    entry, loop = b.block, b.append_basic_block("rows")
    after = b.append_basic_block("sums")
    below = b.mul(apart, ir.Constant(_I64, ROWS))
    b.branch(loop)
    b.position_at_end(loop)
    row, block = b.phi(_I64), b.phi(_I64)
    row.add_incoming(ir.Constant(_I64, 0), entry)
    block.add_incoming(weights, entry)
    there = b.add(codes, b.mul(row, ir.Constant(_I64, 64)))
    load(b, 4, place_at(b, there), apart)
    load(b, 5, place_at(b, b.add(there, below)), apart)
    load(b, 6, place_at(b, block), pitch)
    load(b, 7, place_at(b, block, 64), pitch)
    for register in range(4):
        operands = (register, 4 + register // 2, 6 + register % 2)
        call(b, "tdpbusd", *map(number_of, operands))
    following = b.add(row, ir.Constant(_I64, 1))
    row.add_incoming(following, loop)
    block.add_incoming(b.add(block, b.mul(pitch, ir.Constant(_I64, STEPS))), loop)
    b.cbranch(b.icmp_signed("<", following, rows), loop, after)
    b.position_at_end(after)
    down = b.mul(pitch, ir.Constant(_I64, ROWS))
    for register in range(4):
        start = b.add(out, down) if register >= 2 else out
        call(b, "tilestored64", number_of(register), place_at(b, start, 64 * (register % 2)), pitch)


@intrinsic
def _zeroed_unit(_typing, _codes, _apart, _rows, _weights, _pitch, _out):  # type: ignore[no-untyped-def]
    """Sum 32 rows times 32 channels from 0 on: see ``multiply_rows``."""

    def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        if NATIVE:
            _emit_zeroed(builder, args)
        return context.get_dummy_value()

    return types.void(*(types.int64,) * 6), codegen


@part
def _modelled_rows(codes, apart, rows, weights, pitch, out):  # type: ignore[no-untyped-def]
    """Compute what ``_zeroed_unit`` does, where the processor lacks it."""
    steps = rows * STEPS if rows else STEPS // 2
    for p in range(2 * ROWS):
        four = uint8_at(codes + p * apart, 4 * steps)
        sums = int32_at(out + p * pitch, 2 * ROWS)
        for c in range(2 * ROWS):
            total = np.int32(0)
            for step in range(steps):
                factors = int8_at(weights + step * pitch + 4 * c, 4)
                for i in range(4):
                    total += np.int32(four[4 * step + i]) * np.int32(factors[i])
            sums[c] = total


def _emit_single(b: Any, args: Any) -> None:
    """Emit ``out[p, c] = codes[p] . weights[c]`` for 32 rows that a register holds, and 64."""
    codes, apart, weights, out = args
    pitch = ir.Constant(_I64, 256)
    load(b, 4, place_at(b, codes), apart)
    load(b, 5, place_at(b, b.add(codes, b.mul(apart, ir.Constant(_I64, ROWS)))), apart)
    for half in (0, 128):
        for side in (0, 1):
            load(b, 6 + side, place_at(b, weights, half + 64 * side), pitch)
        for register in range(4):
            call(b, "tilezero", number_of(register))
            operands = (register, 4 + register // 2, 6 + register % 2)
            call(b, "tdpbusd", *map(number_of, operands))
        for register in range(4):
            place = half + 64 * (register % 2) + 256 * ROWS * (register // 2)
            call(b, "tilestored64", number_of(register), place_at(b, out, place), pitch)


@intrinsic
def _single_unit(_typing, _codes, _apart, _weights, _out):  # type: ignore[no-untyped-def]
    """Sum 32 rows of one register times 64 channels: see ``multiply_rows``."""

    def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        if NATIVE:
            _emit_single(builder, args)
        return context.get_dummy_value()

    return types.void(*(types.int64,) * 4), codegen


@part
def multiply_rows(codes, apart, rows, weights, out, width):  # type: ignore[no-untyped-def]
    """Sum 32 rows of codes times a block of 32 or 64 channels.

    Behind ``begin_halves`` the bytes of a row are 32, and there is one row only.

    Args:
        codes: address of the first row's.
        apart: bytes between two rows.
        rows: of 64 bytes that lie together; 0: half of one.
        weights: address of the weights of the first of these steps.
        out: address of the sums [32, width].
        width: channels.
    """
    pitch = width * 4
    if not MATRIX_MODELLED and rows <= 1 and width == GATHERED:
        _single_unit(codes, apart, weights, out)
        return
    for column in range(0, width, COLUMNS):
        at = column * 4
        if MATRIX_MODELLED:
            _modelled_rows(codes, apart, rows, weights + at, pitch, out + at)
        else:
            _zeroed_unit(codes, apart, max(rows, 1), weights + at, pitch, out + at)
