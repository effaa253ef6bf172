"""Encodes products of two tensors, whose zero points are attributes or come at run time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.program import attributes as check
from qsim.stream.command import Command, NotInStream
from qsim.stream.lines import ends_of
from qsim.stream.products import Chain, held_sums, take_requantize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.stream.source import Source


def encode(source: Source, index: int) -> list[Command]:
    """Encode a product of two tensors, with the requantize that follows.

    Zero points are attributes, or tensors of one code.

    Raises:
        NotInStream: a constant operand, another order than the logical one, matrices that are
            broadcast, a zero point per column, sums that may exceed 32 bits.
    """
    from hw_models.products.geometry import Geometry
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    at: Any = call.attributes
    names, points = call.inputs[:2], call.inputs[2:]
    a, b = (source.codes(name, wide=True) for name in names)
    y = source.layouts[call.output]
    if min(len(a.shape), len(b.shape)) < 2 or a.shape[:-2] != b.shape[:-2]:
        raise NotInStream("matrices of a matmul are broadcast")
    if not (a.plain and b.plain and y.plain):
        raise NotInStream("an operand of a matmul has its channels innermost")
    if not points and not isinstance(at["b_zero_point"], int):
        raise NotInStream("a zero point per column")
    zeros = [ends_of(source, name) for name in points]
    zeros = zeros or [(at[name], at[name]) for name in ("a_zero_point", "b_zero_point")]
    kinds, most = [], a.shape[-1]
    for name, ends in zip(names, zeros, strict=True):
        codes = source.format(name)
        most *= max(codes.max - ends[0], ends[1] - codes.min)
        kinds.append(f.INT16 if codes.bits > 8 else f.INT8 if codes.signed else f.UINT8)
    held = held_sums(check.accumulator_from_json(at["accumulator"]), -most, most)
    if held is None or max(max(-low, high) for low, high in zeros) >= 1 << 24:
        raise NotInStream("a sum may exceed 32 bits")
    chain = Chain([index], call.output, *held)
    (rows, depth), columns = a.shape[-2:], b.shape[-1]
    geometry = Geometry.of((columns, depth, 1, 1), 1, 0, 1, 1)
    padded = -(-columns // 16) * 16
    if not points:  # whose sums are a step of their own
        take_requantize(source, chain, len(y.shape) - 1, geometry, padded)
    made = source.layouts[chain.output]
    if not made.plain or (chain.table is None and made.dtype != np.int32):
        raise NotInStream("sums of more than 32 bits leave the command")
    words = {
        f.N: math.prod(a.shape[:-2]), f.H: rows, f.W: depth, f.O: columns,
        f.LEFT: zeros[0][0], f.PAD: zeros[1][0], f.SIGNED: kinds[0], f.FLIP: kinds[1],
        f.SUMS: 0, f.TAIL: 4 * padded, f.MODE: chain.mode, f.PITCH: padded,
        f.UNIT: chain.unit if chain.table is not None else 4,
        f.TABLE: 0 if chain.table is None else source.constants.add(chain.table),
    }  # fmt: skip
    reads, own = _points(source, points)
    work = -(-4 * padded // 64) * 64 + 64
    products = made.size * depth
    command = Command(
        tuple(chain.calls), (*names, *reads), chain.output, f.MATMUL, words | own, work,
        products=products,
    )  # fmt: skip
    return [command]


def _points(source: Source, names: Sequence[str]) -> tuple[tuple[str, ...], dict[int, int]]:
    """Return the zero points of run time that a matmul reads, X3 and X4, and their kinds.

    Where the first is a constant the second stands for it, and is not read as such.
    """
    from hw_models.stream import fields as f

    reads: tuple[str, ...] = ()
    words = {}
    for word, name in zip((f.LEFT_KIND, f.PAD_KIND), names, strict=False):
        if name not in source.program.constants:
            codes = source.format(name)
            if codes.bits > (16 if codes.signed else 8):
                raise NotInStream(f"{name} has {codes.bits} bits: a zero point of run time has 8")
            words[word] = 1 + (f.INT16 if codes.bits > 8 else f.INT8 if codes.signed else f.UINT8)
            reads = (*reads, name)
    if f.PAD_KIND in words and f.LEFT_KIND not in words:
        reads = (reads[0], reads[0])
    return reads, words
