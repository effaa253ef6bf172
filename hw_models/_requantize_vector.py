"""Sixteen requantizations at a time, written as LLVM vectors.

LLVM does not find this form by itself: the even and the odd int32 lanes are multiplied as the low
halves of int64 lanes (one instruction on x86), so nothing is widened. Every operation is exact, and
LLVM lowers the vectors to whatever the CPU has.

A code is saturated to 8 bits signed first and clamped in 8-bit lanes: an unsigned code travels as
``code - 128`` and its top bit is flipped at the end.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES: Final = 16
_I32, _I64 = ir.IntType(32), ir.IntType(64)
_V8 = ir.VectorType(ir.IntType(8), LANES)
_V32, _V64 = ir.VectorType(_I32, LANES), ir.VectorType(_I64, LANES // 2)


def _splat(builder: Any, value: Any, kind: Any) -> Any:
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_I32, 0))
    zeros = ir.Constant(ir.VectorType(_I32, kind.count), [0] * kind.count)
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)


def _const(kind: Any, value: int) -> Any:
    return ir.Constant(kind, [value] * kind.count)


def _load(builder: Any, pointer: Any) -> Any:
    vector = builder.load(builder.bitcast(pointer, _V32.as_pointer()))
    vector.align = 4
    return vector


def _halves(builder: Any, x: Any) -> tuple[Any, Any]:
    """The even and the odd lanes, as int64."""
    pairs, by = builder.bitcast(x, _V64), _const(_V64, 32)
    return builder.ashr(builder.shl(pairs, by), by), builder.ashr(pairs, by)


def _upper(builder: Any, even: Any, odd: Any, drop: int) -> Any:
    """Bits ``drop`` to ``drop + 31`` of each product, back in 32-bit lanes."""
    low = builder.and_(builder.lshr(even, _const(_V64, drop)), _const(_V64, (1 << 32) - 1))
    high = builder.and_(builder.shl(odd, _const(_V64, 32 - drop)), _const(_V64, -(1 << 32)))
    return builder.bitcast(builder.or_(low, high), _V32)


def _clamp(builder: Any, x: Any, low: Any, high: Any) -> Any:
    x = builder.select(builder.icmp_signed(">", x, low), x, low)
    return builder.select(builder.icmp_signed("<", x, high), x, high)


def _store(builder: Any, x: Any, pointer: Any, bounds: tuple[Any, ...]) -> None:
    low, high, flip = (_splat(builder, builder.trunc(v, _V8.element), _V8) for v in bounds)
    code = builder.trunc(_clamp(builder, x, _const(_V32, -128), _const(_V32, 127)), _V8)
    code = builder.xor(_clamp(builder, code, low, high), flip)
    stored = builder.store(code, builder.bitcast(pointer, _V8.as_pointer()))
    stored.align = 1


def _single(builder: Any, args: Any, m: Any, r: Any, e: Any) -> None:
    (x, mx) = (_halves(builder, v) for v in (_load(builder, args[0]), m))
    even, odd = (builder.mul(p, q) for p, q in zip(x, mx, strict=True))
    h = builder.ashr(builder.add(_upper(builder, even, odd, 32), r), e)
    _store(builder, h, args[1], args[-3:])


def _double(builder: Any, args: Any, m: Any, r: Any, e: Any) -> None:
    (x, mx) = (_halves(builder, v) for v in (_load(builder, args[0]), m))
    nudge = _const(_V64, 1 << 30)
    even, odd = (builder.add(builder.mul(p, q), nudge) for p, q in zip(x, mx, strict=True))
    h = _upper(builder, even, odd, 31)
    h = builder.add(h, builder.ashr(h, _const(_V32, 31)))
    h = builder.ashr(builder.add(builder.ashr(h, e), r), _const(_V32, 1))
    _store(builder, h, args[1], args[-3:])


def _intrinsic(emit: Any, *, lanes: bool) -> Any:
    """An intrinsic of (x, y, m, r, e, low, high, flip); m, r, e are pointers where lanes."""
    word, byte = types.CPointer(types.int32), types.CPointer(types.int8)
    parameter = word if lanes else types.int32
    signature = types.void(word, byte, *[parameter] * 3, *[types.int32] * 3)

    def typed(
        typingctx: Any, x: Any, y: Any, m: Any, r: Any, e: Any, low: Any, high: Any, flip: Any
    ) -> Any:
        del typingctx, x, y, m, r, e, low, high, flip

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            del sig
            bring = _load if lanes else lambda b, v: _splat(b, v, _V32)
            emit(builder, args, *(bring(builder, v) for v in args[2:5]))
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(typed)


single_rows16 = _intrinsic(_single, lanes=False)
single_lanes16 = _intrinsic(_single, lanes=True)
double_rows16 = _intrinsic(_double, lanes=False)
double_lanes16 = _intrinsic(_double, lanes=True)


@intrinsic
def pointer(typingctx: Any, array: Any, index: Any) -> Any:
    """Return the address of an element of a C-contiguous array, counted in elements."""
    del typingctx, index
    signature = types.CPointer(array.dtype)(array, types.intp)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        return builder.gep(data, [args[1]])

    return signature, codegen
