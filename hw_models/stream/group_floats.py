"""Sums of groups become float32 in a command stream, as LLVM IR emitted from Numba.

The steps are those of ``hw_models.dynamic.linear_groups``, in its order, 16 outputs in a register.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from hw_models.compiled import instructions
from hw_models.requantization.modes import LANES, splat
from hw_models.stream.emit import choose, load, store, word

_I32, _F32 = ir.IntType(32), ir.FloatType()
FLOATS, WHOLE = ir.VectorType(_F32, LANES), ir.VectorType(_I32, LANES)
_BYTES: Final = 4 * LANES
# When the row's scale is taken, and how a product is added.
BY_ROW, BY_ROW_FUSED, BY_GROUP, BY_GROUP_FUSED = range(4)
TOGETHER: Final = 2  # groups that are added at once to 64 outputs, if there are as many
# What becomes of the total of the groups.
SCALED, SCALED_ADDED, SCALED_FUSED, KEPT, ADDED = range(5)


def _add(b: Any, left: Any, right: Any, total: Any, *, fused: bool) -> Any:
    if not fused:
        return b.fadd(b.fmul(left, right), total)
    kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
    name = f"llvm.fma.v{LANES}f32"
    return b.call(b.module.declare_intrinsic(name, (), kind), [left, right, total])


def total_of(b: Any, address: Any, point: Any, weight: Any) -> Any:
    """Return sums less the zero point's share, as float32."""
    name = "llvm.x86.avx512.vpdpwssd.512"
    made = instructions.call(b, name, load(b, address, WHOLE), point, weight)
    return b.sitofp(made, FLOATS)


def added(b: Any, number: int, t: Any, scale: Any, factor: Any, total: Any) -> Any:
    """Return the total with a group's sum added, by the way of a number."""
    m = b.fmul(scale, factor) if number in (BY_GROUP, BY_GROUP_FUSED) else factor
    return _add(b, t, m, total, fused=number in (BY_ROW_FUSED, BY_GROUP_FUSED))


def _adder(vectors: int, groups: int = 1) -> Any:
    """Make the intrinsic that adds groups to the totals of ``vectors`` times 16 outputs.

    Its arguments are int64: the way, BY_ROW to BY_GROUP_FUSED; addresses of int32 sums and of
    float32 totals, and the bytes between two rows of both, between the sums of two groups, and
    between the parameters of two groups; addresses of the outputs' float32 scales and sums of
    weights, of the rows' float32 scales and zero points; rows. The sums of weights are the lower 16
    bits of int32 whose upper ones are 0; the zero points are int32 of 16 bits, negative.
    """

    @intrinsic
    def adder(  # type: ignore[no-untyped-def]
        _typing, _way, _sums, _y, _pitch, _apart, _step, _factors, _weights, _scales, _points, _rows
    ):
        signature = types.void(*(types.int64,) * 11)

        def codegen(context, b, _signature, args):  # type: ignore[no-untyped-def]
            way, sums, totals, pitch, apart, step, factors, weights, scales, points, rows = args
            starts = [word(_BYTES * v) for v in range(vectors)]
            numbers = [word(group) for group in range(groups)]
            tables = [b.mul(step, each) for each in numbers]
            factor, weight = (
                [[load(b, b.add(b.add(where, at), start), kind) for start in starts]
                 for at in tables]
                for where, kind in ((factors, FLOATS), (weights, WHOLE))
            )  # fmt: skip
            parts = [b.add(sums, b.mul(apart, each)) for each in numbers]

            def body(number: int) -> None:
                with cgutils.for_range(b, rows) as loop:
                    four = b.mul(loop.index, word(4))
                    there = b.mul(loop.index, pitch)
                    point = splat(b, load(b, b.add(points, four), _I32), WHOLE)
                    scale = splat(b, load(b, b.add(scales, four), _F32), FLOATS)
                    for v, start in enumerate(starts):
                        at = b.add(there, start)
                        total = load(b, b.add(totals, at), FLOATS)
                        for group, part in enumerate(parts):
                            t = total_of(b, b.add(part, at), point, weight[group][v])
                            total = added(b, number, t, scale, factor[group][v], total)
                        store(b, total, b.add(totals, at))

            choose(b, way, 4, body)
            return context.get_dummy_value()

        return signature, codegen

    return adder


add_16, add_64 = _adder(1), _adder(4, TOGETHER)


def _end(b: Any, way: int, total: Any, scale: Any, bias: Any) -> Any:
    match way:
        case 0:
            return b.fmul(total, scale)
        case 1 | 2:
            return _add(b, total, scale, bias, fused=way == SCALED_FUSED)
        case 3:
            return total
        case _:
            return b.fadd(total, bias)


@intrinsic
def end_16(  # type: ignore[no-untyped-def]
    _typing, _totals, _pitch, _y, _step, _bias, _scales, _rows, _way
):
    """Make values of the totals of 16 outputs.

    Arguments are int64: address of the totals and bytes between two rows; address of the values
    and bytes between two rows; addresses of the outputs' biases and of the rows' scales; rows;
    the way, SCALED to ADDED.
    """
    signature = types.void(*(types.int64,) * 8)

    def codegen(context, b, _signature, args):  # type: ignore[no-untyped-def]
        totals, pitch, y, step, biases, scales, rows, way = args
        bias = load(b, biases, FLOATS)

        def body(number: int) -> None:
            with cgutils.for_range(b, rows) as loop:
                four = b.mul(loop.index, word(4))
                scale = splat(b, load(b, b.add(scales, four), _F32), FLOATS)
                total = load(b, b.add(totals, b.mul(loop.index, pitch)), FLOATS)
                made = _end(b, number, total, scale, bias)
                store(b, made, b.add(y, b.mul(loop.index, step)))

        choose(b, way, 5, body)
        return context.get_dummy_value()

    return signature, codegen
