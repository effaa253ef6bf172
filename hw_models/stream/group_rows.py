"""Sums of groups on the matrix unit while those of the group before become float32.

The unit and the vector units work side by side only where an instruction of one is near those of
the other: a group is eight pieces of the unit's work, and behind each stand four rows of floats.

A group of 32 codes or fewer leaves room in the unit's rows for the zero point's share: four times
the zero point behind the codes, and weights that add up to the negative sum of the others. Its sums
are whole then, and a float operation less is left.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from hw_models.requantization.modes import splat
from hw_models.stream.emit import choose, load, store, word
from hw_models.stream.group_floats import FLOATS, WHOLE, added, total_of
from hw_models.stream.matrix import NATIVE, ROWS, STEPS, call, number_of, place_at, shape
from hw_models.stream.matrix import load as load_register

_PIECES: Final = 8
WIDTH: Final = 64  # outputs
_PITCH: Final = 4 * WIDTH
AT_ONCE: Final = 2 * ROWS
_EACH: Final = AT_ONCE // _PIECES
_VECTORS: Final = 4
_LATER: Final = 2  # pieces between a product and the store of its sum


class _Unit:
    """Emits the unit's work on a group in pieces: products, and sums that are two pieces old."""

    def __init__(self, b: Any, apart: Any) -> None:
        self.b, self.apart, self.pitch = b, apart, word(_PITCH)

    def multiply(self, piece: int, codes: Any, weights: Any) -> None:
        """Sum 16 rows times 16 outputs of a group."""
        b, half, register = self.b, piece // 4, piece % 4
        if piece == 0:
            below = b.add(codes, b.mul(self.apart, word(ROWS)))
            load_register(b, 4, place_at(b, codes), self.apart)
            load_register(b, 5, place_at(b, below), self.apart)
        if register == 0:
            for side in (0, 1):
                place = place_at(b, weights, 128 * half + 64 * side)
                load_register(b, 6 + side, place, self.pitch)
        call(b, "tilezero", number_of(register))
        operands = (register, 4 + register // 2, 6 + register % 2)
        call(b, "tdpbusd", *map(number_of, operands))

    def keep(self, piece: int, sums: Any) -> None:
        """Store what a piece summed."""
        half, register = piece // 4, piece % 4
        place = 128 * half + 64 * (register % 2) + _PITCH * ROWS * (register // 2)
        where = place_at(self.b, sums, place)
        call(self.b, "tilestored64", number_of(register), where, self.pitch)


def _rows(
    b: Any, number: int, piece: int, sums: Any, held: Any, tables: Any, *, whole: bool
) -> None:
    """Add the sums of four rows to their totals."""
    totals, scales, points = held
    factors, weights = tables
    for row in range(_EACH * piece, _EACH * (piece + 1)):
        scale = splat(b, load(b, b.add(scales, word(4 * row)), ir.FloatType()), FLOATS)
        point = splat(b, load(b, b.add(points, word(4 * row)), ir.IntType(32)), WHOLE)
        for v in range(_VECTORS):
            at = word(_PITCH * row + 64 * v)
            there = b.add(sums, at)
            if whole:
                t = b.sitofp(load(b, there, WHOLE), FLOATS)
            else:
                t = total_of(b, there, point, weights[v])
            total = load(b, b.add(totals, at), FLOATS)
            made = added(b, number, t, scale, factors[v], total)
            store(b, made, b.add(totals, at))


@intrinsic
def begin_pointed(_typing):  # type: ignore[no-untyped-def]
    """Take the unit for rows of 32 bytes with a zero point behind them."""

    def codegen(context, builder, _signature, _args):  # type: ignore[no-untyped-def]
        if NATIVE:
            call(builder, "ldtilecfg", shape(builder, STEPS // 2 + 1))
        return context.get_dummy_value()

    return types.void(), codegen


def _adder(*, whole: bool) -> Any:
    """Make the intrinsic that adds all groups of 32 rows and 64 outputs to their totals.

    A group is one row of the unit. Arguments are int64: the way, BY_ROW to BY_GROUP_FUSED; address
    of the first row's codes, bytes between two rows and between two groups; address of the weights
    of these outputs and bytes between two groups; groups; address of room for the sums of two
    groups and the bytes between them; address of the totals; of the outputs' scales and sums of
    weights, bytes between those of two groups; of the rows' scales and zero points, as
    ``group_floats`` takes them. ``whole``: sums are less the zero point's share already.
    """

    @intrinsic
    def adder(  # type: ignore[no-untyped-def]
        _typing, _way, _codes, _apart, _next_codes, _weights, _next_weights, _groups, _sums,
        _sums_apart, _totals, _factors, _parts, _step, _scales, _points,
    ):  # fmt: skip
        signature = types.void(*(types.int64,) * 15)

        def codegen(context, b, _signature, args):  # type: ignore[no-untyped-def]
            if NATIVE:
                way, *rest = args
                choose(b, way, 4, lambda number: _emit(b, number, rest, whole=whole))
            return context.get_dummy_value()

        return signature, codegen

    return adder


def _emit(b: Any, number: int, args: Any, *, whole: bool) -> None:
    codes, apart, next_codes, weights, next_weights, groups, sums, sums_apart, *rest = args
    totals, factors, parts, step, scales, points = rest
    unit, last = _Unit(b, apart), b.sub(groups, word(1))
    for piece in range(_PIECES):
        unit.multiply(piece, codes, weights)
        if piece >= _LATER:
            unit.keep(piece - _LATER, sums)
    with cgutils.for_range(b, groups) as loop:
        group = loop.index
        following = b.add(group, word(1))
        following = b.select(b.icmp_signed("<", following, last), following, last)
        odd = b.and_(group, word(1))
        here = b.add(sums, b.mul(odd, sums_apart))
        there = b.add(sums, b.mul(b.xor(odd, word(1)), sums_apart))
        code = b.add(codes, b.mul(following, next_codes))
        weight = b.add(weights, b.mul(following, next_weights))
        table = b.mul(group, step)
        tables = [
            [load(b, b.add(b.add(start, table), word(64 * v)), kind) for v in range(_VECTORS)]
            for start, kind in ((factors, FLOATS), (parts, WHOLE))
        ]
        for piece in range(_PIECES):
            late = piece < _LATER  # what is left of this group
            unit.keep((piece - _LATER) % _PIECES, here if late else there)
            unit.multiply(piece, code, weight)
            held = totals, scales, points
            _rows(b, number, piece, here, held, tables, whole=whole)


add_groups, add_whole_groups = _adder(whole=False), _adder(whole=True)
