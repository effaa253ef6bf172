"""Register tiles of the fast kernels, as LLVM IR emitted from Numba.

A tile multiplies a few pixels by a few vectors of output channels and keeps all of the sums in
registers, which a compiler does not do from a loop nest. One *step* takes four bytes of each pixel:
four codes (uint8) times weights (int8), or two differences (int16) times weights (int16), added to
int32 sums modulo 2**32: no instruction used here saturates.

* ``bytes``: AVX512-VNNI ``vpdpbusd``.
* ``pairs``: ``vpmaddwd`` of AVX512-BW or AVX2; elsewhere the same sums in plain vector IR, which
  LLVM lowers for any processor.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from hw_models.compiled import instructions
from hw_models.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Callable

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))


HAS_VNNI: Final = instructions.VNNI
_PAIRS: Final = "avx512" if instructions.AVX512 else "avx2" if instructions.AVX2 else "plain"
_PAIR_INSTRUCTIONS: Final = {
    "avx512": "llvm.x86.avx512.pmaddw.d.512",
    "avx2": "llvm.x86.avx2.pmadd.wd",
}
# Output channels of the widest tile of `pairs`; the widest of `bytes` is 64.
PAIRS_WIDE: Final = _PAIRS == "avx512"


def portable() -> bool:
    """Return whether the environment asks to leave out special instructions."""
    asked = os.environ.get("QSIM_KERNEL", "auto")
    if asked not in ("auto", "portable"):
        raise ContractError(
            f"QSIM_KERNEL must be one of its names, not {asked!r} (accepted: auto, portable)"
        )
    return asked == "portable"


def _vector(element: ir.Type, lanes: int) -> ir.VectorType:
    return ir.VectorType(element, lanes)


def _indices(numbers: list[int]) -> ir.Constant:
    return ir.Constant(_vector(_I32, len(numbers)), numbers)


def _splat(build: Any, scalar: Any, lanes: int) -> Any:
    blank = ir.Constant(_vector(scalar.type, lanes), ir.Undefined)
    one = build.insert_element(blank, scalar, ir.Constant(_I32, 0))
    return build.shuffle_vector(one, blank, _indices([0] * lanes))


def _dot_bytes(build: Any, acc: Any, pixel: Any, weights: Any) -> Any:
    return instructions.call(build, "llvm.x86.avx512.vpdpbusd.512", acc, pixel, weights)


def _dot_pairs(build: Any, acc: Any, pixel: Any, weights: Any) -> Any:
    lanes = acc.type.count
    halves = _vector(_I16, 2 * lanes)
    left, right = build.bitcast(pixel, halves), build.bitcast(weights, halves)
    if _PAIRS == "plain":
        products = []
        for parity in (0, 1):
            mask = _indices([2 * lane + parity for lane in range(lanes)])
            one, other = (
                build.sext(build.shuffle_vector(v, v, mask), acc.type) for v in (left, right)
            )
            products.append(build.mul(one, other))
        return build.add(acc, build.add(*products))
    return build.add(acc, instructions.call(build, _PAIR_INSTRUCTIONS[_PAIRS], left, right))


def _emit_tile(build: Any, args: Any, shape: tuple[int, int, int], dot: Any) -> None:
    """Emit ``c[m, :] = init + sum over steps of dot(pixel[m], weights)`` for one tile."""
    pixels, vectors, lanes = shape
    bases, offsets, steps, weights, init, out, pitch, flip = args
    kind, size = _vector(_I32, lanes), 4 * lanes

    def address(base: Any, bytes_: int) -> Any:
        return build.add(base, ir.Constant(_I64, bytes_)) if bytes_ else base

    def load(where: Any, element: Any, align: int) -> Any:
        value = build.load(build.inttoptr(where, element.as_pointer()))
        value.align = align
        return value

    starts = [load(address(bases, 8 * m), _I64, 8) for m in range(pixels)]
    initial = [load(address(init, size * v), kind, 1) for v in range(vectors)]
    mask = _splat(build, build.trunc(flip, _I32), lanes)
    entry = build.block
    loop, end = build.append_basic_block("steps"), build.append_basic_block("store")
    build.branch(loop)
    build.position_at_end(loop)
    step = build.phi(_I64)
    step.add_incoming(ir.Constant(_I64, 0), entry)
    sums = []
    for m in range(pixels):
        for v in range(vectors):
            phi = build.phi(kind)
            phi.add_incoming(initial[v], entry)
            sums.append((m, v, phi))
    offset = load(build.add(offsets, build.mul(step, ir.Constant(_I64, 8))), _I64, 8)
    block = build.add(weights, build.mul(step, ir.Constant(_I64, size * vectors)))
    columns = [load(address(block, size * v), kind, 1) for v in range(vectors)]
    rows: list[Any] = []
    new = []
    for m, v, phi in sums:
        if v == 0:
            code = load(build.add(starts[m], offset), _I32, 1)
            rows.append(build.xor(_splat(build, code, lanes), mask))
        new.append(dot(build, phi, rows[m], columns[v]))
    following = build.add(step, ir.Constant(_I64, 1))
    step.add_incoming(following, loop)
    for (_, _, phi), value in zip(sums, new, strict=True):
        phi.add_incoming(value, loop)
    build.cbranch(build.icmp_signed("<", following, steps), loop, end)
    build.position_at_end(end)
    for (m, v, _), value in zip(sums, new, strict=True):
        row = build.add(out, build.mul(pitch, ir.Constant(_I64, m))) if m else out
        pointer = build.inttoptr(address(row, size * v), kind.as_pointer())
        build.store(value, pointer).align = 1


def _tile(shape: tuple[int, int, int], dot: Callable[..., Any]) -> Any:
    """Make the intrinsic of a (pixels, vectors, lanes) tile.

    Its arguments are int64: addresses of the pixels' bases, of the offset of each step, the number
    of steps (1 or more), addresses of weights [steps, vectors * lanes, 4 bytes], of the initial
    sums and of the results, bytes between two pixels' results, and what to xor to each four bytes.
    """

    @intrinsic
    def tile(_typing, _bases, _offsets, _steps, _weights, _init, _out, _pitch, _flip):  # type: ignore[no-untyped-def]
        signature = types.void(*(types.int64,) * 8)

        def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
            _emit_tile(builder, args, shape, dot)
            return context.get_dummy_value()

        return signature, codegen

    return tile


bytes_64 = _tile((6, 4, 16), _dot_bytes)
bytes_32 = _tile((12, 2, 16), _dot_bytes)
bytes_16 = _tile((12, 1, 16), _dot_bytes)
_NARROW: Final = (6, 2, 8) if _PAIRS == "avx2" else (6, 1, 16)
pairs_64 = _tile((6, 4, 16), _dot_pairs)
pairs_32 = _tile((12, 2, 16), _dot_pairs)
pairs_16 = _tile((12, 1, 16) if PAIRS_WIDE else _NARROW, _dot_pairs)
PAIRS_16_PIXELS: Final = 12 if PAIRS_WIDE else 6
