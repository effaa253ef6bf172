"""Loops over float32 values of a command stream, as LLVM IR emitted from Numba.

Each does the steps of the kernel that it stands for, 16 values at a time, then one at a time: no
operation is put in another's place, so every bit is that of ``hw_models.quantize``,
``hw_models.dynamic.min_max`` and ``hw_models.dynamic.dequantize_sums``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from hw_models.requantization.modes import LANES, const, splat
from hw_models.stream.emit import choose, load, store, word

if TYPE_CHECKING:
    from collections.abc import Callable

_I1, _I32, _I64, _F32 = ir.IntType(1), ir.IntType(32), ir.IntType(64), ir.FloatType()
_REST: Final = 0x7FFFFFFF  # all bits but the sign
# How a quotient becomes whole (quantize), and what follows a product (dequantize).
FUSED, ADDED, EVEN, AWAY = range(4)
PLAIN, TWICE, ONCE, ROW_FIRST, ROW_FIRST_ADDED = range(5)


def _vector(element: Any, lanes: int) -> Any:
    return ir.VectorType(element, lanes)


def _call(b: Any, name: str, *operands: Any) -> Any:
    """Call an operation of LLVM that has a form for vectors of float32."""
    kind = operands[0].type
    signature = ir.FunctionType(kind, [operand.type for operand in operands])
    full = f"llvm.{name}.v{kind.count}f32"
    return b.call(b.module.declare_intrinsic(full, (), signature), operands)


def _along(b: Any, count: Any, body: Callable[[Any, int], None]) -> None:
    """Emit a body for whole vectors of ``count`` elements, then one for each that is left."""
    whole = b.sdiv(count, word(LANES))
    with cgutils.for_range(b, whole) as loop:
        body(b.mul(loop.index, word(LANES)), LANES)
    start = b.mul(whole, word(LANES))
    with cgutils.for_range(b, b.sub(count, start)) as loop:
        body(b.add(start, loop.index), 1)


def _rounded(b: Any, way: int, x: Any, factor: Any, zero: Any) -> Any:
    """Return the whole number of a value in float32, the zero point added but by EVEN and AWAY."""
    if way == FUSED:
        return _call(b, "rint", _call(b, "fma", x, factor, zero))
    if way == ADDED:
        return b.fadd(_call(b, "rint", b.fmul(x, factor)), zero)
    r = b.fdiv(x, factor)
    whole = _call(b, "rint", r)
    if way == EVEN:
        return whole
    half = b.fcmp_ordered("==", _call(b, "fabs", b.fsub(r, whole)), const(x.type, 0.5))
    away = b.fadd(_call(b, "trunc", r), _call(b, "copysign", const(x.type, 1.0), r))
    return b.select(half, away, whole)


def _quantizer(way: int, bits: int) -> Any:
    """Make the intrinsic that quantizes ``count`` values to codes of 8 or 16 bits.

    Its arguments: addresses of values and codes; count; scale or its reciprocal, and the zero
    point, float32; least and greatest whole number, float32; what is added to it then, int32. It
    returns 1 where a value is NaN, else 0.
    """

    @intrinsic
    def quantizer(_typing, _x, _y, _count, _factor, _zero, _low, _high, _back):  # type: ignore[no-untyped-def]
        signature = types.int64(*(types.int64,) * 3, *(types.float32,) * 4, types.int32)

        def codegen(_context, b, _signature, args):  # type: ignore[no-untyped-def]
            x, y, count, *floats, back = args
            bad = cgutils.alloca_once_value(b, ir.Constant(_vector(_I1, LANES), [0] * LANES))
            one = cgutils.alloca_once_value(b, ir.Constant(_vector(_I1, 1), [0]))

            def body(at: Any, lanes: int) -> None:
                kind = _vector(_F32, lanes)
                value = load(b, b.add(x, b.mul(at, word(4))), kind)
                factor, zero, low, high = (splat(b, each, kind) for each in floats)
                seen = bad if lanes == LANES else one
                b.store(b.or_(b.load(seen), b.fcmp_unordered("uno", value, value)), seen)
                whole = _rounded(b, way, value, factor, zero)
                whole = b.select(b.fcmp_ordered(">", whole, low), whole, low)
                whole = b.select(b.fcmp_ordered("<", whole, high), whole, high)
                code = b.fptosi(whole, _vector(_I32, lanes))
                code = b.add(code, splat(b, back, code.type))
                narrow = b.trunc(code, _vector(ir.IntType(bits), lanes))
                store(b, narrow, b.add(y, b.mul(at, word(bits // 8))))

            _along(b, count, body)
            mask = b.bitcast(b.load(bad), ir.IntType(LANES))
            some = b.icmp_unsigned("!=", mask, ir.Constant(mask.type, 0))
            last = b.extract_element(b.load(one), ir.Constant(_I32, 0))
            return b.zext(b.or_(some, last), _I64)

        return signature, codegen

    return quantizer


fused_8, added_8, even_8, away_8 = (_quantizer(way, 8) for way in range(4))
fused_16, added_16, even_16, away_16 = (_quantizer(way, 16) for way in range(4))


@intrinsic
def extremes(_typing, _x, _count, _to):  # type: ignore[no-untyped-def]
    """Write least and greatest of the places of ``count`` values at an address, two int32.

    A place is the integer of a value's bits, in the order of the numbers: see ``min_max``.
    """

    def codegen(context, b, _signature, args):  # type: ignore[no-untyped-def]
        x, count, to = args
        start = (_REST, -_REST - 1)
        held = [
            [cgutils.alloca_once_value(b, const(_vector(_I32, lanes), end)) for end in start]
            for lanes in (LANES, 1)
        ]

        def body(at: Any, lanes: int) -> None:
            kind = _vector(_I32, lanes)
            bits = load(b, b.add(x, b.mul(at, word(4))), kind)
            sign = b.ashr(bits, const(kind, 31))
            place = b.xor(bits, b.and_(sign, const(kind, _REST)))
            for end, compare in zip(held[lanes == 1], "<>", strict=True):
                kept = b.load(end)
                b.store(b.select(b.icmp_signed(compare, place, kept), place, kept), end)

        _along(b, count, body)
        for number, compare in enumerate("<>"):
            many, one = (b.load(each[number]) for each in held)
            found = b.extract_element(one, ir.Constant(_I32, 0))
            for lane in range(LANES):
                other = b.extract_element(many, ir.Constant(_I32, lane))
                found = b.select(b.icmp_signed(compare, other, found), other, found)
            store(b, found, b.add(to, word(4 * number)))
        return context.get_dummy_value()

    signature = types.void(*(types.int64,) * 3)
    return signature, codegen


@intrinsic
def dequantize_16(  # type: ignore[no-untyped-def]
    _typing, _sums, _pitch, _y, _step, _factors, _weights, _bias, _scales, _points, _pixels, _way
):
    """Dequantize sums of 16 outputs of ``pixels`` rows.

    Arguments are int64: address of int32 sums and bytes between two rows; address of the
    values and bytes between two rows; address of the outputs' float32 scales, of their int32 sums
    of weights and of their float32 biases; address of the rows' float32 scales and of their int32
    zero points; rows; the way, PLAIN to ROW_FIRST_ADDED. The sums less the zero point's share are
    below 2**31.
    """
    signature = types.void(*(types.int64,) * 11)

    def codegen(context, b, _signature, args):  # type: ignore[no-untyped-def]
        sums, pitch, y, step, factors, weights, bias, scales, points, pixels, way = args
        values, whole = _vector(_F32, LANES), _vector(_I32, LANES)
        factor, weight = load(b, factors, values), load(b, weights, whole)
        added = load(b, bias, values)

        def body(number: int) -> None:
            with cgutils.for_range(b, pixels) as loop:
                four = b.mul(loop.index, word(4))
                scale = splat(b, load(b, b.add(scales, four), _F32), values)
                point = splat(b, load(b, b.add(points, four), _I32), whole)
                total = load(b, b.add(sums, b.mul(loop.index, pitch)), whole)
                if number in (ROW_FIRST, ROW_FIRST_ADDED):
                    share = b.fmul(b.fmul(scale, b.sitofp(point, values)), b.sitofp(weight, values))
                    t = b.fsub(b.fmul(b.sitofp(total, values), scale), share)
                    m = factor
                else:
                    t = b.sitofp(b.sub(total, b.mul(point, weight)), values)
                    m = b.fmul(scale, factor)
                if number == ONCE:
                    made = _call(b, "fma", t, m, added)
                else:
                    made = b.fmul(t, m)
                    again = number in (TWICE, ROW_FIRST_ADDED)
                    made = b.fadd(made, added) if again else made
                store(b, made, b.add(y, b.mul(loop.index, step)))

        choose(b, way, 5, body)
        return context.get_dummy_value()

    return signature, codegen
