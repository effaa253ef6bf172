"""Loops over bytes of a command stream, as LLVM IR emitted from Numba.

A compiler leaves these loops scalar where results may take the place of operands, as they do in an
arena.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from hw_models.stream.emit import load, store, word

if TYPE_CHECKING:
    from collections.abc import Sequence

LANES: Final = 16
_I8, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
_V8, _V32 = ir.VectorType(_I8, LANES), ir.VectorType(_I32, LANES)
_VF: Final = ir.VectorType(_F32, LANES)
_MAGIC: Final = 12582912.0  # 1.5 * 2**23: float32 has only integers there


def _splat(b: Any, value: Any, kind: Any) -> Any:
    one = b.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_I32, 0))
    mask = ir.Constant(ir.VectorType(_I32, kind.count), [0] * kind.count)
    return b.shuffle_vector(one, one, mask)


def _emit_line(b: Any, args: Sequence[Any], *, signed: bool) -> None:
    x, x2, y, count, table, low, high = args
    factors = [_splat(b, load(b, b.add(table, word(4 * i)), _F32), _VF) for i in range(3)]
    limits = [_splat(b, limit, _V32) for limit in (low, high)]
    fma = b.module.declare_intrinsic(f"llvm.fma.v{LANES}f32", (), ir.FunctionType(_VF, [_VF] * 3))
    magic = ir.Constant(_VF, [_MAGIC] * LANES)
    with cgutils.for_range(b, count) as loop:
        at = b.mul(loop.index, word(LANES))
        real = []
        for operand in (x, x2):
            codes = load(b, b.add(operand, at), _V8)
            wide = b.sext(codes, _V32) if signed else b.zext(codes, _V32)
            real.append(b.sitofp(wide, _VF))
        inner = b.call(fma, [real[1], factors[1], factors[2]])
        value = b.call(fma, [real[0], factors[0], inner])
        code = b.fptosi(b.fsub(b.fadd(value, magic), magic), _V32)
        code = b.select(b.icmp_signed(">", code, limits[0]), code, limits[0])
        code = b.select(b.icmp_signed("<", code, limits[1]), code, limits[1])
        store(b, b.trunc(code, _V8), b.add(y, at))


def _line(*, signed: bool) -> Any:
    """Make the intrinsic of ``_stream_moves.sum_line`` for whole vectors."""

    @intrinsic
    def line(_typing, _x, _x2, _y, _count, _table, _low, _high):  # type: ignore[no-untyped-def]
        signature = types.void(*(types.int64,) * 5, types.int32, types.int32)

        def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
            _emit_line(builder, args, signed=signed)
            return context.get_dummy_value()

        return signature, codegen

    return line


line_int8, line_uint8 = _line(signed=True), _line(signed=False)


@intrinsic
def largest(_typing, _taps, _count, _vectors, _flip, _y):  # type: ignore[no-untyped-def]
    """Write the largest of ``count`` bytes, 32 lanes at a time.

    Arguments are int64: address of the addresses of the taps; their number, 1 or more; vectors;
    0 for int8, -128 for uint8; address of the result.
    """
    signature = types.void(*(types.int64,) * 5)

    def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        _emit_largest(builder, args)
        return context.get_dummy_value()

    return signature, codegen


def _emit_largest(b: Any, args: Sequence[Any]) -> None:
    taps, count, vectors, flip, y = args
    kind = ir.VectorType(_I8, 2 * LANES)
    mask = _splat(b, b.trunc(flip, _I8), kind)
    most = cgutils.alloca_once(b, kind)
    with cgutils.for_range(b, vectors) as vector:
        at = b.mul(vector.index, word(2 * LANES))
        b.store(ir.Constant(kind, [-128] * (2 * LANES)), most)
        with cgutils.for_range(b, count) as tap:
            where = load(b, b.add(taps, b.mul(tap.index, word(8))), _I64)
            codes = b.xor(load(b, b.add(where, at), kind), mask)
            held = b.load(most)
            b.store(b.select(b.icmp_signed(">", codes, held), codes, held), most)
        store(b, b.xor(b.load(most), mask), b.add(y, at))
