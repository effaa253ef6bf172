"""The loops of requantize's fast kernels, as LLVM IR emitted from Numba.

Four vectors of codes are packed together, and a channel's parameters stay in registers. Only the
packing names instructions, of AVX512-BW and of AVX2; elsewhere LLVM lowers plain vectors.

A *table* is a flat int32 array: ``HEADER`` words, then the rows of parameters that the mode needs,
each of ``pitch`` words, one word per channel.

A code is saturated to 8 bits signed first and clamped in 8-bit lanes: an unsigned code travels as
``code - 128`` and its top bit is flipped at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hw_models.compiled import instructions
from hw_models.requantization.modes import (
    FLOAT,
    LANES,
    MODES,
    SHIFT_PARITY,
    SHIFT_PLAIN,
    SHIFT_SIGN,
    V32,
    clamp,
    const,
    indices,
    load,
    splat,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BLOCK: Final = 4 * LANES
# Words of a table before its rows: low, high and flip of the codes; then the mode's own.
HEADER: Final = 8
_AHEAD: Final = 2  # pixels
# Bits of the registers that the CPU packs, 0 if it does not.
PACKS: Final = 512 if instructions.AVX512 else 256 if instructions.AVX2 else 0
# Without it, a product and a sum rounded once are a call of the C library for each element.
FUSED: Final = instructions.FMA

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_V8 = ir.VectorType(ir.IntType(8), LANES)


# What these make is within the codes' range before it is packed.
_EXACT_RANGE: Final = (FLOAT, SHIFT_PLAIN, SHIFT_SIGN, SHIFT_PARITY)


class _Loop:
    """Emits one mode: blocks of one or of four vectors, with what they share in registers."""

    def __init__(self, b: Any, table: Any, mode: int, x: Any, y: Any) -> None:
        self.b, self.mode, self.x, self.y, self.table = b, mode, x, y, table
        words = [splat(b, b.load(self._at(table, i)), V32) for i in range(6)]
        self.bounds, self.own = words[:3], words[3:]

    def _at(self, pointer: Any, offset: Any) -> Any:
        index = ir.Constant(_I64, offset) if isinstance(offset, int) else offset
        return self.b.gep(pointer, [index])

    def prefetch(self, offset: Any, groups: int) -> None:
        """Ask for what comes soon: channels of a wide image are too far apart to be foreseen.

        A prefetch never faults, so that it may point beyond the array.
        """
        b, byte = self.b, ir.IntType(8).as_pointer()
        signature = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
        fetch = b.module.declare_intrinsic("llvm.prefetch", (byte,), signature)
        how = [ir.Constant(_I32, i) for i in (0, 3, 1)]  # to read, into every cache, data
        # One line for each vector, and the last element's: arrays need not start on a line.
        for element in (*range(0, LANES * groups, LANES), LANES * groups - 1):
            where = self._at(self._at(self.x, offset), element)
            b.call(fetch, [b.bitcast(where, byte), *how])

    def parameters(self, column: Any, pitch: Any, group: int | None) -> list[Any]:
        """Load the rows of one channel into all lanes, or of a group of sixteen channels."""
        rows, b = [], self.b
        for row in range(MODES[self.mode][0]):
            start = b.add(column, b.mul(pitch, ir.Constant(_I64, row)))
            pointer = self._at(self._at(self.table, HEADER + LANES * (group or 0)), start)
            rows.append(splat(b, b.load(pointer), V32) if group is None else load(b, pointer))
        return rows

    def block(self, offset: Any, groups: Sequence[Sequence[Any]]) -> None:
        """Requantize one vector per group, next to each other in memory from offset on."""
        b = self.b
        codes = [
            self._codes(b.add(offset, ir.Constant(_I64, LANES * index)), rows)
            for index, rows in enumerate(groups)
        ]
        if PACKS and len(codes) == BLOCK // LANES:
            self._store(_pack(b, codes), offset)
            return
        limits = const(V32, -128), const(V32, 127)
        for index, code in enumerate(codes):
            bytes_ = b.trunc(clamp(b, code, *limits), _V8)
            self._store(bytes_, b.add(offset, ir.Constant(_I64, LANES * index)))

    def four(self, offsets: Sequence[Any], rows: Sequence[Any]) -> None:
        """Requantize one vector of a channel at each of four offsets, which may overlap."""
        b = self.b
        packed = _pack(b, [self._codes(at, rows) for at in offsets])
        for index, at in enumerate(offsets):
            own = indices(list(range(LANES * index, LANES * (index + 1))))
            self._store(b.shuffle_vector(packed, packed, own), at)

    def _codes(self, offset: Any, rows: Sequence[Any]) -> Any:
        x = load(self.b, self._at(self.x, offset))
        return MODES[self.mode][1](self.b, x, rows, self.own)

    def _store(self, code: Any, offset: Any) -> None:
        b, kind = self.b, code.type
        low, high, flip = (
            splat(b, b.trunc(b.extract_element(v, ir.Constant(_I32, 0)), kind.element), kind)
            for v in self.bounds
        )
        if self.mode not in _EXACT_RANGE:
            code = clamp(b, code, low, high)
        code = b.xor(code, flip)
        stored = b.store(code, b.bitcast(self._at(self.y, offset), kind.as_pointer()))
        stored.align = 1


def _pack(b: Any, codes: Sequence[Any]) -> Any:
    """Saturate four vectors of int32 to 64 int8 in order."""
    if PACKS == 512:
        return _saturate(b, codes, "llvm.x86.avx512.pack{}.512")
    half = LANES // 2
    halves = [
        b.shuffle_vector(code, code, indices(list(range(first, first + half))))
        for code in codes
        for first in (0, half)
    ]
    low, high = (_saturate(b, halves[i : i + 4], "llvm.x86.avx2.pack{}") for i in (0, 4))
    return b.shuffle_vector(low, high, indices(list(range(BLOCK))))


def _saturate(b: Any, codes: Sequence[Any], name: str) -> Any:
    """Saturate four registers of int32 to one of int8, in order."""
    count = codes[0].type.count
    kinds = [ir.VectorType(ir.IntType(32 >> i), count << i) for i in range(3)]
    for step in ("ssdw", "sswb"):
        instruction = name.format(step)
        codes = [
            instructions.call(b, instruction, *codes[i : i + 2]) for i in range(0, len(codes), 2)
        ]
    # The packs work within 128 bits: word 4 * lane + register belongs at lanes * register + lane.
    lanes = count // 4
    mixed = b.bitcast(codes[0], kinds[0])
    order = indices([4 * (i % lanes) + i // lanes for i in range(count)])
    return b.bitcast(b.shuffle_vector(mixed, mixed, order), kinds[2])


def _word(value: int) -> Any:
    return ir.Constant(_I64, value)


def _emit_rows(b: Any, loop: _Loop, width: Any, pitch: Any, size: Any, outer: Any) -> None:
    with cgutils.for_range(b, outer) as images, cgutils.for_range(b, width) as column:
        rows = loop.parameters(column.index, pitch, None)
        first = b.mul(b.add(b.mul(images.index, width), column.index), size)
        with cgutils.for_range(b, b.lshr(size, _word(6))) as blocks:
            at = b.add(first, b.mul(blocks.index, _word(BLOCK)))
            loop.block(at, [rows] * (BLOCK // LANES))
        _emit_rest(b, loop, rows, first, size)


def _emit_rest(b: Any, loop: _Loop, rows: Sequence[Any], first: Any, size: Any) -> None:
    """Requantize what whole blocks leave. Some of it twice, to the same codes."""
    start, left = b.add(first, b.and_(size, _word(-BLOCK))), b.and_(size, _word(BLOCK - 1))
    last = b.add(first, b.sub(size, _word(LANES)))

    def each() -> None:
        with cgutils.for_range(b, b.lshr(left, _word(4))) as rest:
            loop.block(b.add(start, b.mul(rest.index, _word(LANES))), [rows])
        with b.if_then(b.icmp_signed("!=", b.and_(left, _word(LANES - 1)), _word(0))):
            loop.block(last, [rows])

    if not PACKS:
        each()
        return
    with b.if_else(b.icmp_signed(">", left, _word(2 * LANES))) as (many, few):
        with many:
            second, third = (b.add(start, _word(LANES * i)) for i in (1, 2))
            third = b.select(b.icmp_signed("<", third, last), third, last)
            loop.four([start, second, third, last], rows)
        with few:
            each()


def _emit_columns(groups: int) -> Callable[..., None]:
    def emit(b: Any, loop: _Loop, column: Any, pitch: Any, step: Any, count: Any) -> None:
        rows = [loop.parameters(column, pitch, group) for group in range(groups)]
        with cgutils.for_range(b, count) as pixels:
            offset = b.mul(pixels.index, step)
            loop.prefetch(b.add(offset, b.mul(step, _word(_AHEAD))), groups)
            loop.block(offset, rows)

    return emit


def _switch(b: Any, args: Sequence[Any], emit: Callable[..., None]) -> None:
    """Emit every mode's loop, chosen once per call."""
    x, y, table, mode, *rest = args
    done = b.append_basic_block("requantized")
    switch = b.switch(mode, done)
    for number in range(len(MODES)):
        block = b.append_basic_block(f"mode{number}")
        switch.add_case(number, block)
        with b.goto_block(block):
            emit(b, _Loop(b, table, number, x, y), *rest)
            b.branch(done)
    b.position_at_end(done)


_WORD, _BYTE, _INDEX = types.CPointer(types.int32), types.CPointer(types.int8), types.int64


@intrinsic
def rows(
    typingctx: Any, x: Any, y: Any, table: Any, mode: Any, width: Any, pitch: Any, size: Any,
    outer: Any,
) -> Any:  # fmt: skip
    """Requantize ``outer`` times ``width`` channels of ``size >= 16`` neighbours each."""
    del typingctx, x, y, table, mode, width, pitch, size, outer
    signature = types.void(_WORD, _BYTE, _WORD, *[_INDEX] * 5)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        del sig
        _switch(builder, args, _emit_rows)
        return context.get_dummy_value()

    return signature, codegen


def _columns(groups: int) -> Any:
    def typed(
        typingctx: Any, x: Any, y: Any, table: Any, mode: Any, column: Any, pitch: Any, step: Any,
        count: Any,
    ) -> Any:  # fmt: skip
        del typingctx, x, y, table, mode, column, pitch, step, count
        signature = types.void(_WORD, _BYTE, _WORD, *[_INDEX] * 5)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            del sig
            _switch(builder, args, _emit_columns(groups))
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(typed)


# Requantize 16 or 64 neighbours, each of its own column, ``count`` times, ``step`` elements apart.
columns16, columns64 = _columns(1), _columns(BLOCK // LANES)


@intrinsic
def pointer(typingctx: Any, array: Any, index: Any) -> Any:
    """Return the address of an element of a C-contiguous array, counted in elements."""
    del typingctx, index
    signature = types.CPointer(array.dtype)(array, types.intp)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        return builder.gep(data, [args[1]])

    return signature, codegen
