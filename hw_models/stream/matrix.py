"""Products of bytes on the processor's matrix unit (Intel AMX), where it has one.

A tile register holds 16 rows of 64 bytes. TDPBUSD adds, to 16 pixels times 16 channels of int32,
the products of 64 uint8 codes of each pixel with 64 int8 weights of each channel: modulo 2**32, as
the steps of ``hw_models.stream.tiles`` do, so that either may go on where the other stopped.

A block is 32 pixels times 32 channels: two registers of codes, two of weights, four of sums. Codes
are read where they lie if the pixels are equally far from one another and the bytes of a row lie
together, else from a panel into which they are copied.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from hw_models.compiled import part
from hw_models.compiled.instructions import MATRIX, MATRIX_MODELLED
from hw_models.stream.memory import int8_at, int32_at, int64_at, uint8_at
from hw_models.stream.tiles import BLOCK

STEPS: Final = 16  # of four bytes: a register's row
ROWS: Final = 16
COLUMNS: Final = 32  # channels of a block
ROWS_AT_ONCE: Final = 2 * ROWS
GATHERED: Final = 64  # channels that are worth a copy
PANEL_ROWS: Final = 8
_FEWEST: Final = 8  # pixels that are worth a block
PANEL: Final = 2 * PANEL_ROWS * ROWS * 64  # bytes
_I8, _I16, _I64 = ir.IntType(8), ir.IntType(16), ir.IntType(64)
_POINTER: Final = _I8.as_pointer()
_REGISTERS: Final = 8
NATIVE: Final = MATRIX and not MATRIX_MODELLED


def matrix_steps(offsets: Any, pixels: int, widest: int) -> tuple[int, int]:
    """Return how many steps, from the first one, the unit takes.

    They come in whole rows. The first number is of rows of bytes that lie together, none if these
    are the smaller part; the second one is also of rows of pairs of steps that do, whose copy into
    a panel pays for a block of ``GATHERED`` channels only.

    Args:
        offsets: of the steps.
        pixels: of a band.
        widest: channels of the widest block.
    """
    if not MATRIX or pixels < _FEWEST or widest < COLUMNS:
        return 0, 0
    rows = np.asarray(offsets)[: len(offsets) // STEPS * STEPS].reshape(-1, STEPS)
    apart = np.diff(rows, axis=1) != 4
    broken, torn = apart.any(axis=1), apart[:, ::2].any(axis=1)
    whole, paired = (
        STEPS * (int(np.argmax(end)) if end.any() else len(rows)) for end in (broken, torn)
    )
    enough = 2 * whole >= len(offsets)
    return whole if enough else 0, paired if widest >= GATHERED else 0


def call(b: Any, name: str, *operands: Any) -> None:
    """Emit an instruction of the unit."""
    kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
    b.call(b.module.declare_intrinsic(f"llvm.x86.{name}", (), kind), operands)


def number_of(number: int) -> Any:
    """Return a register's number as the instructions take it."""
    return ir.Constant(_I8, number)


def place_at(b: Any, base: Any, distance: int = 0) -> Any:
    """Return a pointer to bytes from an address on."""
    return b.inttoptr(b.add(base, ir.Constant(_I64, distance)), _POINTER)


def load(b: Any, register: int, where: Any, pitch: Any) -> None:
    """Load a register, whose rows lie ``pitch`` bytes apart."""
    call(b, "tileloadd64", number_of(register), where, pitch)


def shape(b: Any, steps: int = STEPS) -> Any:
    """Return the address of what the unit is told: 8 registers of 16 rows of 64 bytes.

    ``steps`` of four bytes are the rows of codes, and the number of rows of weights.
    """
    bytes_, rows = [64] * _REGISTERS, [ROWS] * _REGISTERS
    bytes_[4:6], rows[6:] = [4 * steps] * 2, [steps] * 2
    lengths = [byte for each in bytes_ for byte in (each, 0)]
    told = [1, *[0] * 15, *lengths, *[0] * 16, *rows, *[0] * 8]
    name = f"matrix_shape_{steps}"
    held = b.module.globals.get(name)
    if held is None:
        kind = ir.ArrayType(_I8, len(told))
        held = ir.GlobalVariable(b.module, kind, name)
        held.linkage, held.global_constant = "internal", True
        held.initializer = ir.Constant(kind, told)
    return b.bitcast(held, _POINTER)


@intrinsic
def begin(_typing):  # type: ignore[no-untyped-def]
    """Take the unit: all registers are whole ones."""

    def codegen(context, builder, _signature, _args):  # type: ignore[no-untyped-def]
        if NATIVE:
            call(builder, "ldtilecfg", shape(builder))
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def end(_typing):  # type: ignore[no-untyped-def]
    """Give the unit back, so that nobody keeps its registers."""

    def codegen(context, builder, _signature, _args):  # type: ignore[no-untyped-def]
        if NATIVE:
            call(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), codegen


def _emit(b: Any, args: Any) -> None:
    """Emit ``out[p, c] = init[p, c] + sum over rows of codes[p] . weights[c]`` for 32 x 32."""
    sides, (offsets, rows, weights, pitch, init, every, out) = (args[:3], args[3:6]), args[6:]
    high = b.mul(every, ir.Constant(_I64, ROWS))
    for register in range(4):
        start = b.add(init, high) if register >= 2 else init
        load(b, register, place_at(b, start, 64 * (register % 2)), every)
    loop, after = b.append_basic_block("rows"), b.append_basic_block("sums")
    entry = b.block
    b.branch(loop)
    b.position_at_end(loop)
    row, block = b.phi(_I64), b.phi(_I64)
    row.add_incoming(ir.Constant(_I64, 0), entry)
    block.add_incoming(weights, entry)
    where = b.add(offsets, b.mul(row, ir.Constant(_I64, 8 * STEPS)))
    offset = b.load(b.inttoptr(where, _I64.as_pointer()))
    for register, (codes, apart, panel) in enumerate(sides, 4):
        # Rows of a panel follow one another; elsewhere the row's offset says where it is.
        there = b.select(
            b.icmp_signed("!=", panel, ir.Constant(_I64, 0)), b.mul(row, panel), offset
        )
        load(b, register, place_at(b, b.add(codes, there)), apart)
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
        where = place_at(b, start, 64 * (register % 2))
        call(b, "tilestored64", number_of(register), where, pitch)


@intrinsic
def _unit(  # type: ignore[no-untyped-def]
    _typing, _left, _left_apart, _left_panel, _right, _right_apart, _right_panel, _offsets, _rows,
    _weights, _pitch, _init, _every, _out,
):  # fmt: skip
    """Sum 32 pixels times 32 channels.

    Its arguments are int64: for the first and the last 16 pixels the address of the first one's
    codes, the bytes between two, and those between two rows of a panel (0: none); the address of
    the offset of each step; rows of 16 steps, 1 or more; the address of the weights [steps,
    channels, 4] and the bytes between two steps, which are also those between two pixels of the
    sums; the address of the initial sums and the bytes between two pixels of these (0: all share
    them); the address of the sums.
    """

    def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        if NATIVE:
            _emit(builder, args)
        return context.get_dummy_value()

    return types.void(*(types.int64,) * 13), codegen


@part
def _modelled(  # type: ignore[no-untyped-def]
    left, left_apart, left_panel, right, right_apart, right_panel, offsets, rows, weights, pitch,
    init, every, out,
):  # fmt: skip
    """Compute what ``_unit`` does, where the processor lacks it: TDPBUSD's pseudo-code."""
    table = int64_at(offsets, rows * STEPS)
    for p in range(2 * ROWS):
        upper, q = p >= ROWS, p % ROWS
        codes, panel = (right, right_panel) if upper else (left, left_panel)
        codes += q * (right_apart if upper else left_apart)
        sums = int32_at(out + p * pitch, 2 * ROWS)
        start = int32_at(init + p * every, 2 * ROWS)
        for c in range(2 * ROWS):
            total = start[c]
            for row in range(rows):
                there = codes + (row * panel if panel else table[row * STEPS])
                for step in range(STEPS):
                    four = uint8_at(there + 4 * step, 4)
                    factors = int8_at(weights + (row * STEPS + step) * pitch + 4 * c, 4)
                    for i in range(4):
                        total += np.int32(four[i]) * np.int32(factors[i])
            sums[c] = total


_tile: Final = _modelled if MATRIX_MODELLED else _unit


@part
def _place(bases, offsets, rows, together, panel):  # type: ignore[no-untyped-def]
    """Return where 16 pixels' codes lie, the bytes between two, those between a panel's rows.

    They are copied into the panel where the distances differ, or where rows do not lie together.
    """
    apart = bases[1] - bases[0]
    even = together
    for p in range(2, ROWS):
        even = even and bases[p] - bases[p - 1] == apart
    if even:
        return bases[0], apart, 0
    for row in range(rows):
        steps = offsets[row * STEPS : (row + 1) * STEPS]
        for p in range(ROWS):
            base = bases[p]
            to = int64_at(panel + (row * ROWS + p) * 64, 8)
            if together:
                source = int64_at(base + steps[0], 8)
                for i in range(8):
                    to[i] = source[i]
            else:
                for i in range(8):
                    to[i] = int64_at(base + steps[2 * i], 1)[0]
    return panel, 64, ROWS * 64


@part
def multiply(  # type: ignore[no-untyped-def]
    bases, offsets, rows, together, panel, weights, init, every, out, width, pixels
):
    """Sum pixels, up to whole blocks, times a block of 32 or 64 channels.

    Args:
        bases: address of where each pixel's window begins.
        offsets: address of the offset of each step.
        rows: of 16 steps, up to ``PANEL_ROWS``.
        together: whether the bytes of each row lie together; if not, those of pairs of steps do.
        panel: address of ``PANEL`` bytes that are free.
        weights: address of the weights of the first of these steps.
        init: address of the initial sums.
        every: bytes between two pixels of the initial sums; 0: all share them.
        out: address of the sums [pixels, width].
        width: channels.
        pixels: of the band.
    """
    table = int64_at(offsets, rows * STEPS)
    half = rows * ROWS * 64
    pitch = width * 4
    for first in range(0, pixels, BLOCK):
        where = int64_at(bases + first * 8, BLOCK)
        left, left_apart, left_panel = _place(where[:ROWS], table, rows, together, panel)
        right, right_apart, right_panel = _place(where[ROWS:], table, rows, together, panel + half)
        for column in range(0, width, COLUMNS):
            _tile(
                left, left_apart, left_panel, right, right_apart, right_panel, offsets, rows,
                weights + column * 4, pitch, init + first * every + column * 4, every,
                out + first * pitch + column * 4,
            )  # fmt: skip
