"""Encodes linear layers whose weights have a scale for every group of inputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from qsim.program import resolve
from qsim.stream.bands import Window, bands
from qsim.stream.command import Command, NotInStream
from qsim.stream.dynamic import parameters

if TYPE_CHECKING:
    from qsim.program import Array, Call
    from qsim.stream.source import Source

_ITEMS: Final = 8  # pieces of work that a few threads share well


class _Packed(NamedTuple):
    """What does not depend on the batch: where weights and tables lie, and their sizes.

    Attributes:
        words: of a descriptor.
        blocks: int64 [blocks, 3]: channels, first column, first byte.
        sums: int64 [groups, columns], of weights.
        offsets: of the steps, bytes from the start of a row.
    """

    words: dict[int, int]
    blocks: Array
    sums: Array
    offsets: Array


def encode(source: Source, index: int) -> list[Command]:
    """Encode a linear_groups.

    Raises:
        NotInStream: no VNNI instructions, weights less their zero points beyond 8 bits.
    """
    from hw_models.compiled.instructions import MATRIX
    from hw_models.products.geometry import Geometry
    from hw_models.stream import fields as f
    from hw_models.stream.group_floats import TOGETHER
    from hw_models.stream.grouped import CHUNKS, ROW
    from hw_models.stream.tiles import padded

    call = source.program.calls[index]
    x, y = source.codes(call.inputs[0]), source.layouts[call.output]
    if not (x.plain and y.plain) or x.size == 0:
        raise NotInStream("inputs of a linear layer must lie innermost")
    signed = source.format(call.inputs[0]).signed
    named = call.inputs[0], *call.inputs[2:]
    reads, words = parameters(source, call, named[1:])
    if words[f.PARAMETERS_PLACE]:
        raise NotInStream("scale or zero point is a constant")
    packed = source.kept_once(call, "groups", _pack)
    rows, depth, outputs = math.prod(x.shape[:-1]), x.shape[-1], y.shape[-1]
    geometry = Geometry.of((outputs, depth, 1, 1), 1, 0, 1, 1)
    widest = int(packed.blocks[:, 0].max())
    cut, work = bands(Window(rows, 1, 1, depth, 1, 1), geometry, 1, widest)
    keep = source.constants.add
    rows_read = int(
        padded(cut[f.IMAGES])
    )  # whole blocks: what lies behind the rows counts for nothing
    work = max(work, rows_read * depth + 64)
    totals = -(-work // 64) * 64
    apart = int(padded(max(CHUNKS))) * widest * 4
    sums = totals + apart
    pointed = sums + TOGETHER * apart
    laid_out = MATRIX and packed.words[f.PART_STEPS] == _POINTED and rows >= _FEWEST
    room = packed.words[f.PARTS] * cut[f.IMAGES] * ROW if laid_out else 0
    floats = pointed + room
    words |= cut | packed.words | {
        f.PAD: 0, f.SIGNED: f.INT8 if signed else f.UINT8, f.FLIP: 0x80 if signed else 0,
        f.OFFSETS: keep(packed.offsets), f.INIT: keep(np.zeros(packed.sums.shape[1], np.int32)),
        f.BLOCKS: keep(packed.blocks), f.BLOCK_COUNT: len(packed.blocks), f.O: outputs,
        f.MATRIX_STEPS: packed.words[f.PART_STEPS] if MATRIX and rows >= _FEWEST else 0,
        f.SHARES: min(len(packed.blocks), -(-_ITEMS // cut[f.BANDS])),
        f.POINTED: pointed if laid_out else 0, f.TOTALS: totals, f.SUMS: sums,
        f.SUMS_APART: apart, f.ROWS_FLOATS: floats,
    }  # fmt: skip
    work = floats + 16 * cut[f.IMAGES] + 64
    command = Command(
        (index,), (call.inputs[0], *reads), call.output, f.LINEAR_GROUPS, words, work,
        products=rows * depth * outputs,
    )  # fmt: skip
    return [command]


_FEWEST: Final = 8  # rows that are worth a block of the matrix unit
_HALF: Final = 8  # steps of half a row of the unit
_POINTED: Final = _HALF + 1  # with one for the zero point's share


def _pack(source: Source, _index: int, call: Call) -> _Packed:
    """Pack weights, group after group, each filled up to whole rows of the matrix unit."""
    from hw_models.compiled.instructions import MATRIX
    from hw_models.products import gemm
    from hw_models.products.geometry import Geometry
    from hw_models.stream import fields as f
    from hw_models.stream import group_floats as floats
    from hw_models.stream.tiles import BYTES

    if not BYTES:
        raise NotInStream("the processor has no products of bytes")
    a: Any = call.attributes
    constants = source.program.constants
    scale: Any = resolve(a["weight_scale"], constants)
    zero: Any = resolve(a["weight_zero_point"], constants)
    weight = constants[call.inputs[1]].astype(np.int64)
    outputs, groups = scale.shape
    split = weight.reshape(outputs, groups, -1)
    if zero is not None:
        split = split - zero.astype(np.int64)[:, :, None]
    if split.min(initial=0) < -128 or split.max(initial=0) > 127:
        raise NotInStream("weights less their zero points exceed 8 bits")
    if np.abs(split.sum(axis=2)).max(initial=0) >= 1 << 15:
        raise NotInStream("the weights of a group add up to more than 16 bits")
    size = split.shape[2]
    steps = -(-size // 4)
    half = _HALF if steps <= _HALF else 2 * _HALF  # steps of the matrix unit's rows
    whole = -(-steps // half) * half if MATRIX else steps
    share = _shares(-split.sum(axis=2)) if MATRIX and steps <= _HALF else None
    if share is not None:
        whole = _POINTED
    filled = np.zeros((outputs, groups, 4 * whole), np.int64)
    filled[:, :, :size] = split
    if share is not None:
        filled[:, :, 4 * _HALF :] = share
    geometry = Geometry.of((outputs, groups * 4 * whole, 1, 1), 1, 0, 1, 1)
    made = gemm.pack(filled.reshape(outputs, -1, 1, 1), geometry, "int8")
    sums = np.zeros((groups, made.columns), np.int64)
    sums[:, :outputs] = split.sum(axis=2).T
    factors = np.zeros((groups, made.columns), np.float32)
    factors[:, :outputs] = scale.T
    bias = np.zeros(made.columns, np.float32)
    given = resolve(a["bias"], constants)
    if given is not None:
        bias[:outputs] = given
    table = [factors, (sums & 0xFFFF).astype(np.int32), bias]
    by_row, fused = a["order"] == "row", bool(a["fused"])
    way = (floats.BY_ROW if by_row else floats.BY_GROUP) + fused
    if given is None:
        end = floats.SCALED if by_row else floats.KEPT
    elif by_row:
        end = floats.SCALED_FUSED if fused else floats.SCALED_ADDED
    else:
        end = floats.ADDED
    keep = source.constants.add
    offsets = np.arange(groups)[:, None] * size + 4 * np.arange(whole)
    words = {
        f.WEIGHTS: keep(made.codes), f.PITCH: made.columns, f.PARTS: groups, f.STEPS: steps,
        f.PART_STEPS: whole, f.WAY: 1 + way, f.END_WAY: end,
        f.TABLE: keep(np.concatenate([part.reshape(-1).view(np.uint8) for part in table])),
    }  # fmt: skip
    return _Packed(words, made.blocks, sums, offsets.reshape(-1).astype(np.int64))


def _shares(sums: Array) -> Array | None:
    """Return four weights of 8 bits that add up to each of some sums; None where one is larger."""
    shares = np.zeros((*sums.shape, 4), np.int64)
    for place in range(4):
        shares[..., place] = np.clip(sums - shares.sum(axis=-1), -128, 127)
    return shares if (shares.sum(axis=-1) == sums).all() else None
