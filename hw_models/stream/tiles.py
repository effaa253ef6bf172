"""Register tiles of the command stream's products, as LLVM IR emitted from Numba.

A tile keeps the sums of a few pixels times some output channels in registers, from the first
product to the last. One *step* takes four bytes of each pixel: two int16 codes (``pairs``) or four
uint8 codes (``bytes``), times weights of one byte each, or of two (``pairs`` of wide weights). Sums
are int32 modulo 2**32; no instruction used here saturates. Where the processor has none that fits,
the same sums are plain vector IR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from hw_models.compiled import instructions, part
from hw_models.stream.emit import load, store

if TYPE_CHECKING:
    from collections.abc import Sequence

_AVX512: Final = instructions.AVX512
WORDS: Final = 16 if _AVX512 else 8  # int32 lanes of a register
# Pixels of a round: what the pixels of every tile divide.
ROUND: Final = 12 if _AVX512 else 6
# Whether there are blocks of 64 and 32 output channels, or of 16 only.
WIDE: Final = _AVX512
# The narrow codes that the tiles multiply fastest: four bytes at a time, or pairs of 16 bits.
BYTES: Final = instructions.VNNI
# Pixels of the matrix unit's tiles, two of 16; 1 without the unit.
BLOCK: Final = 32 if instructions.MATRIX else 1

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))


@part
def padded(pixels: Any) -> Any:
    """Return how many pixels every kind of tile may write: whole rounds and whole blocks."""
    return max(-(-pixels // ROUND) * ROUND, -(-pixels // BLOCK) * BLOCK)


def _vector(element: ir.Type, lanes: int) -> ir.VectorType:
    return ir.VectorType(element, lanes)


def _indices(numbers: Sequence[int]) -> ir.Constant:
    return ir.Constant(_vector(_I32, len(numbers)), list(numbers))


def _splat(b: Any, scalar: Any, lanes: int) -> Any:
    blank = ir.Constant(_vector(scalar.type, lanes), ir.Undefined)
    one = b.insert_element(blank, scalar, ir.Constant(_I32, 0))
    return b.shuffle_vector(one, blank, _indices([0] * lanes))


def _at(b: Any, base: Any, distance: int) -> Any:
    return b.add(base, ir.Constant(_I64, distance)) if distance else base


def _plain_dot(b: Any, acc: Any, left: Any, right: Any, *, unsigned: bool) -> Any:
    """Add the products of neighbours, as the special instructions do."""
    lanes = acc.type.count
    each = left.type.count // lanes
    for i in range(each):
        mask = _indices([each * lane + i for lane in range(lanes)])
        one, other = (b.shuffle_vector(v, v, mask) for v in (left, right))
        widened = b.zext(one, acc.type) if unsigned else b.sext(one, acc.type)
        acc = b.add(acc, b.mul(widened, b.sext(other, acc.type)))
    return acc


def dot_pairs(b: Any, acc: Any, left: Any, right: Any) -> Any:
    """Add the products of two neighbours of int16 to each int32."""
    lanes = acc.type.count
    if _AVX512 and lanes == 16:
        name = "llvm.x86.avx512.pmaddw.d.512"
    elif instructions.AVX2 and lanes == 8:
        name = "llvm.x86.avx2.pmadd.wd"
    else:
        return _plain_dot(b, acc, left, right, unsigned=False)
    return b.add(acc, instructions.call(b, name, left, right))


def _dot_bytes(b: Any, acc: Any, left: Any, right: Any) -> Any:
    """Add the products of four neighbours, uint8 times int8, to each int32."""
    if BYTES:
        pair = [b.bitcast(v, acc.type) for v in (left, right)]
        return instructions.call(b, "llvm.x86.avx512.vpdpbusd.512", acc, *pair)
    return _plain_dot(b, acc, left, right, unsigned=True)


class _Kind(NamedTuple):
    """How the codes of a tile lie.

    Attributes:
        codes: a register of codes.
        weights: what is loaded of the weights, the same or narrower.
        step: bytes of the weights of a register and a step.
        dot: adds the products of a register.
    """

    codes: Any
    weights: Any
    step: int
    dot: Any


_KINDS: Final = {
    "bytes": _Kind(_vector(_I8, 4 * WORDS), _vector(_I8, 4 * WORDS), 4 * WORDS, _dot_bytes),
    "pairs": _Kind(_vector(_I16, 2 * WORDS), _vector(_I8, 2 * WORDS), 2 * WORDS, dot_pairs),
    "words": _Kind(_vector(_I16, 2 * WORDS), _vector(_I16, 2 * WORDS), 4 * WORDS, dot_pairs),
}


def _weights(b: Any, where: Any, vectors: int, kind: _Kind) -> list[Any]:
    """Load one step's weights of a block, as registers of the codes' width."""
    loaded = [load(b, _at(b, where, kind.step * v), kind.weights) for v in range(vectors)]
    return loaded if kind.weights == kind.codes else [b.sext(w, kind.codes) for w in loaded]


def _emit(b: Any, args: Sequence[Any], pixels: int, vectors: int, kind: _Kind) -> None:
    """Emit ``out[m, :] = init[m, :] + sum over steps of dot(pixel[m], weights)``."""
    bases, offsets, steps, weights, init, pitch, out = args
    sums_kind = _vector(_I32, WORDS)
    starts = [load(b, _at(b, bases, 8 * m), _I64, 8) for m in range(pixels)]
    rows = [b.add(init, b.mul(pitch, ir.Constant(_I64, m))) for m in range(pixels)]
    initial = [
        load(b, _at(b, row, 4 * WORDS * v), sums_kind) for row in rows for v in range(vectors)
    ]
    entry = b.block
    loop, end = b.append_basic_block("steps"), b.append_basic_block("store")
    b.branch(loop)
    b.position_at_end(loop)
    step, block = b.phi(_I64), b.phi(_I64)
    step.add_incoming(ir.Constant(_I64, 0), entry)
    block.add_incoming(weights, entry)
    phis = [b.phi(sums_kind) for _ in range(pixels * vectors)]
    for phi, value in zip(phis, initial, strict=True):
        phi.add_incoming(value, entry)
    offset = load(b, b.add(offsets, b.mul(step, ir.Constant(_I64, 8))), _I64, 8)
    columns = _weights(b, block, vectors, kind)
    new = []
    for m in range(pixels):
        four = load(b, b.add(starts[m], offset), _I32)
        codes = b.bitcast(_splat(b, four, WORDS), kind.codes)
        new += [kind.dot(b, phis[m * vectors + v], codes, columns[v]) for v in range(vectors)]
    following = b.add(step, ir.Constant(_I64, 1))
    step.add_incoming(following, loop)
    block.add_incoming(_at(b, block, kind.step * vectors), loop)
    for phi, value in zip(phis, new, strict=True):
        phi.add_incoming(value, loop)
    b.cbranch(b.icmp_signed("<", following, steps), loop, end)
    b.position_at_end(end)
    for index, value in enumerate(new):
        store(b, value, _at(b, out, 4 * WORDS * index))


def _tile(pixels: int, width: int, kind: str) -> Any:
    """Make the intrinsic of a tile of pixels and output channels.

    Its arguments are int64: addresses of the pixels' bases and of the offset of each step, the
    number of steps (1 or more), addresses of the weights [steps, width, 4 codes or 2] and of the
    initial sums [width], bytes between those of two pixels (0: all pixels share them), address of
    the results, int32 [pixels, width], which may be where the initial sums are.
    """
    codes = _KINDS[kind]

    @intrinsic
    def tile(_typing, _bases, _offsets, _steps, _weights, _init, _pitch, _out):  # type: ignore[no-untyped-def]
        signature = types.void(*(types.int64,) * 7)

        def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
            _emit(builder, args, pixels, width // WORDS, codes)
            return context.get_dummy_value()

        return signature, codegen

    return tile


# Pixels of the tiles of 64 channels, which have room for half a round only, and of a smaller tile
# for a last round of no more: 4 x 4 images have one.
HALF: Final = 6
FEW: Final = 4
bytes_16, bytes_32, bytes_64 = (
    _tile(ROUND, 16, "bytes"),
    _tile(12, 32, "bytes"),
    _tile(HALF, 64, "bytes"),
)
bytes_32_few = _tile(FEW, 32, "bytes")
pairs_16, pairs_32, pairs_64 = (
    _tile(ROUND, 16, "pairs"),
    _tile(12, 32, "pairs"),
    _tile(HALF, 64, "pairs"),
)
words_16, words_32, words_64 = (
    _tile(ROUND, 16, "words"),
    _tile(12, 32, "words"),
    _tile(HALF, 64, "words"),
)


def _emit_depth(b: Any, args: Sequence[Any], pixels: int) -> None:
    """Emit the sums of 16 channels of neighbouring pixels, two taps at a time."""
    base, column, offsets, steps, weights, init, out = args
    eight, words = _vector(_I32, 8), _vector(_I16, 16)
    low = [i + 16 * side for half in (0, 8) for i in range(half, half + 4) for side in (0, 1)]
    orders = _indices(low), _indices([i + 4 for i in low])
    starts = [b.add(base, b.mul(column, ir.Constant(_I64, m))) for m in range(pixels)]
    entry = b.block
    loop, end = b.append_basic_block("taps"), b.append_basic_block("store")
    b.branch(loop)
    b.position_at_end(loop)
    step = b.phi(_I64)
    step.add_incoming(ir.Constant(_I64, 0), entry)
    phis = [b.phi(eight) for _ in range(2 * pixels)]
    for phi in phis:
        phi.add_incoming(ir.Constant(eight, [0] * 8), entry)
    table = b.add(offsets, b.mul(step, ir.Constant(_I64, 16)))
    taps = [load(b, _at(b, table, 8 * i), _I64, 8) for i in range(2)]
    block = b.add(weights, b.mul(step, ir.Constant(_I64, 64)))
    factors = [load(b, _at(b, block, 32 * half), words) for half in range(2)]
    new = []
    for m, start in enumerate(starts):
        one, other = (load(b, b.add(start, tap), words) for tap in taps)
        for half, order in enumerate(orders):
            pairs = b.shuffle_vector(one, other, order)
            new.append(dot_pairs(b, phis[2 * m + half], pairs, factors[half]))
    following = b.add(step, ir.Constant(_I64, 1))
    step.add_incoming(following, loop)
    for phi, value in zip(phis, new, strict=True):
        phi.add_incoming(value, loop)
    b.cbranch(b.icmp_signed("<", following, steps), loop, end)
    b.position_at_end(end)
    # The interleaving works within 128 bits: channels 0-3 and 8-11, then 4-7 and 12-15.
    halves = _indices([0, 1, 2, 3, 8, 9, 10, 11]), _indices([4, 5, 6, 7, 12, 13, 14, 15])
    for m in range(pixels):
        for half, order in enumerate(halves):
            total = b.shuffle_vector(new[2 * m], new[2 * m + 1], order)
            total = b.add(total, load(b, _at(b, init, 32 * half), eight))
            store(b, total, _at(b, out, 64 * m + 32 * half))


def _depth(pixels: int) -> Any:
    """Make the intrinsic of neighbouring pixels times 16 channels of a depthwise correlation.

    Its arguments are int64: address of the first pixel's window in int16 codes, bytes between two
    pixels, addresses of two offsets for each step, the number of steps (1 or more), addresses of
    int16 weights [steps, 2 halves, 8 channels, 2 taps], of the initial sums [16] and of the
    results, int32 [pixels, 16].
    """

    @intrinsic
    def tile(_typing, _base, _column, _offsets, _steps, _weights, _init, _out):  # type: ignore[no-untyped-def]
        signature = types.void(*(types.int64,) * 7)

        def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
            _emit_depth(builder, args, pixels)
            return context.get_dummy_value()

        return signature, codegen

    return tile


depth_4, depth_1 = _depth(4), _depth(1)
