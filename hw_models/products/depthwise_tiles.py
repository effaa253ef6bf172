"""Register tiles of the depthwise kernel: the lanes are channels, each with its own taps.

``depth_bytes`` interleaves four taps of 64 channels, so that AVX512-VNNI adds four products of a
channel at once; ``depth_words`` multiplies one tap of 16 channels at a time in plain vector IR,
which LLVM lowers for any processor. Sums are int32 modulo 2**32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from hw_models.compiled import instructions

if TYPE_CHECKING:
    from collections.abc import Callable

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_SUMS: Final = ir.VectorType(_I32, 16)
_BYTES: Final = ir.VectorType(_I8, 64)


def _pick(build: Any, left: Any, right: Any, numbers: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_I32, len(numbers)), numbers)
    return build.shuffle_vector(left, right, mask)


def _load(build: Any, where: Any, element: Any) -> Any:
    value = build.load(build.inttoptr(where, element.as_pointer()))
    value.align = 1
    return value


def _at(build: Any, base: Any, distance: int) -> Any:
    return build.add(base, ir.Constant(_I64, distance)) if distance else base


def _interleave(build: Any, left: Any, right: Any, *, high: bool) -> Any:
    """Interleave the low or high halves of each 128-bit lane, as punpckl and punpckh do."""
    count = left.type.count
    lane = count // 4
    start = lane // 2 if high else 0
    numbers = []
    for first in range(0, count, lane):
        for i in range(first + start, first + start + lane // 2):
            numbers += [i, count + i]
    return _pick(build, left, right, numbers)


def _four_taps(build: Any, rows: list[Any]) -> list[Any]:
    """Return four vectors [4 lanes, 4 channels, 4 taps]; channel 16 * lane + 4 * vector + i."""
    words = ir.VectorType(_I16, 32)
    halves = []
    for high in (False, True):
        first, second = (
            build.bitcast(_interleave(build, rows[i], rows[i + 1], high=high), words)
            for i in (0, 2)
        )
        halves += [_interleave(build, first, second, high=part) for part in (False, True)]
    return [build.bitcast(half, _SUMS) for half in halves]


def _in_order(build: Any, sums: list[Any], lane: int) -> Any:
    """Return channels 16 * lane .. 16 * lane + 15 from the sums of _four_taps."""
    numbers = [*range(4 * lane, 4 * lane + 4), *range(16 + 4 * lane, 20 + 4 * lane)]
    first, second = (_pick(build, sums[i], sums[i + 1], numbers) for i in (0, 2))
    return _pick(build, first, second, list(range(16)))


def _emit_bytes(build: Any, step: Any, sums: list[Any], args: Any) -> list[Any]:
    base, offsets, weights, flip = args
    splat = ir.Constant(ir.VectorType(_I32, 16), [0] * 16)
    one = build.insert_element(splat, build.trunc(flip, _I32), ir.Constant(_I32, 0))
    mask = build.bitcast(_pick(build, one, one, [0] * 16), _BYTES)
    table = build.add(offsets, build.mul(step, ir.Constant(_I64, 32)))
    rows = []
    for i in range(4):
        distance = _load(build, _at(build, table, 8 * i), _I64)
        rows.append(build.xor(_load(build, build.add(base, distance), _BYTES), mask))
    block = build.add(weights, build.mul(step, ir.Constant(_I64, 256)))
    name = "llvm.x86.avx512.vpdpbusd.512"
    return [
        instructions.call(build, name, acc, codes, _load(build, _at(build, block, 64 * j), _SUMS))
        for j, (acc, codes) in enumerate(zip(sums, _four_taps(build, rows), strict=True))
    ]


def _emit_words(build: Any, step: Any, sums: list[Any], args: Any) -> list[Any]:
    base, offsets, weights, _ = args
    words = ir.VectorType(_I16, 16)
    distance = _load(build, build.add(offsets, build.mul(step, ir.Constant(_I64, 8))), _I64)
    code = _load(build, build.add(base, distance), words)
    weight = _load(build, build.add(weights, build.mul(step, ir.Constant(_I64, 32))), words)
    term = build.mul(build.sext(code, _SUMS), build.sext(weight, _SUMS))
    return [build.add(sums[0], term)]


def _tile(vectors: int, emit: Callable[..., list[Any]]) -> Any:
    """Make the intrinsic of one pixel times 16 * vectors channels.

    Its arguments are int64: addresses of the pixel's window and of the offset of each tap, the
    number of steps (1 or more), addresses of weights, of the initial sums and of the results, and
    what to xor to each four bytes.
    """

    @intrinsic
    def tile(_typing, _base, _offsets, _steps, _weights, _init, _out, _flip):  # type: ignore[no-untyped-def]
        signature = types.void(*(types.int64,) * 7)

        def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
            _emit_tile(builder, args, vectors, emit)
            return context.get_dummy_value()

        return signature, codegen

    return tile


def _emit_tile(build: Any, args: Any, vectors: int, emit: Callable[..., list[Any]]) -> None:
    base, offsets, steps, weights, init, out, flip = args
    entry = build.block
    loop, end = build.append_basic_block("steps"), build.append_basic_block("store")
    build.branch(loop)
    build.position_at_end(loop)
    step = build.phi(_I64)
    step.add_incoming(ir.Constant(_I64, 0), entry)
    sums = []
    for _ in range(vectors):
        sums.append(build.phi(_SUMS))
        sums[-1].add_incoming(ir.Constant(_SUMS, [0] * 16), entry)
    new = emit(build, step, sums, (base, offsets, weights, flip))
    following = build.add(step, ir.Constant(_I64, 1))
    step.add_incoming(following, loop)
    for phi, value in zip(sums, new, strict=True):
        phi.add_incoming(value, loop)
    build.cbranch(build.icmp_signed("<", following, steps), loop, end)
    build.position_at_end(end)
    for v in range(vectors):
        total = new[v] if vectors == 1 else _in_order(build, new, v)
        total = build.add(total, _load(build, _at(build, init, 64 * v), _SUMS))
        pointer = build.inttoptr(_at(build, out, 64 * v), _SUMS.as_pointer())
        build.store(total, pointer).align = 1


depth_bytes = _tile(4, _emit_bytes)
depth_words = _tile(1, _emit_words)
