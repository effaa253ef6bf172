"""The fast correlation: an implicit matrix product over register tiles, with no im2col.

Each output pixel's window starts at a base address in a padded NHWC buffer; each *step* reads four
bytes at an offset from it, the same for every pixel. A kernel row of adjacent taps is one run of
bytes, cut into steps; where a run is not a multiple of four bytes its last step reads on, with
weights of 0. Weights are packed in blocks of 64, 32 or 16 output channels as the tiles read them.

The sums are int32 modulo 2**32. ``init`` holds what they start from: it takes back the offset that
made the codes unsigned, so that the result is the sum of differences itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

import numpy as np

from hw_models import _team
from hw_models._aligned import address, aligned
from hw_models.compiled import kernel
from hw_models.errors import ContractError
from hw_models.products.gemm_tiles import (
    PAIRS_16_PIXELS,
    PAIRS_WIDE,
    bytes_16,
    bytes_32,
    bytes_64,
    pairs_16,
    pairs_32,
    pairs_64,
)

if TYPE_CHECKING:
    from hw_models.formats import IntArray
    from hw_models.products.geometry import Geometry

# The containers of weights that kernels read; those of codes are uint8 and int16.
Element: TypeAlias = Literal["int8", "int16"]
# Pixels of one round of tiles: what every tile's number of pixels divides.
ROUND: Final = 12
# Pixels whose windows stay in the cache while the blocks of weights pass by.
_CHUNK: Final = 20 * ROUND
# Fewer are done before a second thread is awake.
_PARALLEL_PRODUCTS: Final = 1 << 23


@dataclass(frozen=True, slots=True)
class PackedWeights:
    """Weights of all groups as the tiles read them.

    Attributes:
        codes: flat bytes; group after group, block after block, [steps, width, 4 bytes].
        blocks: int64 [blocks, 3]: width, first column, first byte within the group.
        runs: int64 [steps, 3]: ky, kx and bytes past that tap's first channel, of each step.
        columns: output channels of a group, rounded up to what the blocks hold.
        sums: int64 [groups * columns]: sum of each channel's weights.
        overrun: whether a step reads past its run.
        offsets: bytes from a window's start to each step, for the last (row, column) distances.
    """

    codes: IntArray
    blocks: IntArray
    runs: IntArray
    columns: int
    sums: IntArray
    overrun: bool
    offsets: dict[tuple[int, int], IntArray] = field(default_factory=dict)


def wrong_codes(buffer: IntArray) -> str:
    """Return what to say of a buffer that no kernel reads."""
    return f"a kernel's codes must be bytes or int16, not {buffer.dtype} (accepted: uint8, int16)"


def _steps(geometry: Geometry, per_step: int) -> tuple[IntArray, IntArray, bool]:
    """Return runs (see PackedWeights), the tap of each step's elements (-1: none), overrun."""
    height, width = geometry.kernel
    channels = geometry.channels
    merge = geometry.dilation[1] == 1 and geometry.groups == 1
    length = channels * width if merge else channels
    size = 4 // per_step
    runs, taps = [], []
    for ky in range(height):
        for kx in range(1 if merge else width):
            for start in range(0, length, per_step):
                runs.append((ky, kx, start * size))
                row = []
                for element in range(start, start + per_step):
                    dx, c = divmod(element, channels)
                    at = (c * height + ky) * width + kx + dx
                    row.append(at if element < length else -1)
                taps.append(row)
    return (
        cast("IntArray", np.array(runs, np.int64).reshape(-1, 3)),
        cast("IntArray", np.array(taps, np.int64).reshape(-1)),
        bool(length % per_step),
    )


def _block_widths(columns: int, *, wide: bool) -> list[int]:
    """Cut a group's output channels into blocks of 64, 32 and 16."""
    widths = []
    while columns > 0:
        width = 64 if wide and columns > 32 else 32 if wide and columns > 16 else 16
        widths.append(width)
        columns -= width
    return widths


def pack(weight: IntArray, geometry: Geometry, element: Element) -> PackedWeights:
    """Pack int64 weights [O, C / groups, kh, kw] as ``int8`` or ``int16``."""
    per_step = 4 // np.dtype(element).itemsize
    runs, taps, overrun = _steps(geometry, per_step)
    outputs = geometry.group_outputs
    widths = _block_widths(outputs, wide=element == "int8" or PAIRS_WIDE)
    columns = sum(widths)
    dense = np.zeros((geometry.groups, columns, taps.size), element)
    flat = weight.reshape(geometry.groups, outputs, geometry.taps)
    dense[:, :outputs, taps >= 0] = flat[:, :, taps[taps >= 0]]
    split = dense.reshape(geometry.groups, columns, -1, per_step)
    parts, blocks, column, byte = [], [], 0, 0
    for width in widths:
        part = split[:, column : column + width].transpose(0, 2, 1, 3)
        parts.append(np.ascontiguousarray(part).reshape(geometry.groups, -1))
        blocks.append((width, column, byte))
        column += width
        byte += parts[-1].shape[1] * parts[-1].itemsize
    sums = np.zeros((geometry.groups, columns), np.int64)
    sums[:, :outputs] = flat.sum(axis=2)
    joined = np.concatenate(parts, axis=1).reshape(-1).view(np.uint8)
    codes = aligned(joined.size, "uint8")
    codes[:] = joined
    return PackedWeights(
        codes,
        cast("IntArray", np.array(blocks, np.int64)),
        runs,
        columns,
        cast("IntArray", sums.reshape(-1)),
        overrun,
    )


@kernel
def _bases(shape, first, bases):  # type: ignore[no-untyped-def]  # njit infers the types
    """Fill bases with the address of ROUND pixels' windows, the last pixel repeated at the end."""
    x, pixels, height, width, image, row, column = shape
    p = min(first, pixels - 1)
    n = p // (height * width)
    oy = (p - n * height * width) // width
    ox = p - (n * height + oy) * width
    address = x + n * image + oy * row + ox * column
    for m in range(ROUND):
        bases[m] = address
        if first + m < pixels - 1:
            ox += 1
            address += column
            if ox == width:
                ox = 0
                oy += 1
                if oy == height:
                    oy = 0
                    n += 1
                address = x + n * image + oy * row


@kernel
def _bytes_chunk(chunk, shape, offsets, codes, blocks, groups, init, out, flip):  # type: ignore[no-untyped-def]
    pixels = shape[1]
    bases = np.empty(ROUND, np.int64)
    steps = offsets.size
    pitch = out.shape[1] * 4
    group_bytes = codes.size // groups[0]
    columns = out.shape[1] // groups[0]
    for g in range(groups[0]):
        for b in range(blocks.shape[0]):
            width, column = blocks[b, 0], blocks[b, 1] + g * columns
            weights = codes.ctypes.data + g * group_bytes + blocks[b, 2]
            begin = init.ctypes.data + column * 4
            for first in range(chunk * _CHUNK, min(chunk * _CHUNK + _CHUNK, pixels), ROUND):
                _bases(shape, first, bases)
                start = bases.ctypes.data
                taps = offsets.ctypes.data
                if g:
                    for m in range(ROUND):
                        bases[m] += g * groups[1]
                to = out.ctypes.data + first * pitch + column * 4
                if width == 64:
                    bytes_64(start, taps, steps, weights, begin, to, pitch, flip)
                    bytes_64(start + 48, taps, steps, weights, begin, to + 6 * pitch, pitch, flip)
                elif width == 32:
                    bytes_32(start, taps, steps, weights, begin, to, pitch, flip)
                else:
                    bytes_16(start, taps, steps, weights, begin, to, pitch, flip)


@kernel
def _pairs_chunk(chunk, shape, offsets, codes, blocks, groups, init, out, flip):  # type: ignore[no-untyped-def]
    pixels = shape[1]
    bases = np.empty(ROUND, np.int64)
    steps = offsets.size
    pitch = out.shape[1] * 4
    group_bytes = codes.size // groups[0]
    columns = out.shape[1] // groups[0]
    for g in range(groups[0]):
        for b in range(blocks.shape[0]):
            width, column = blocks[b, 0], blocks[b, 1] + g * columns
            weights = codes.ctypes.data + g * group_bytes + blocks[b, 2]
            begin = init.ctypes.data + column * 4
            for first in range(chunk * _CHUNK, min(chunk * _CHUNK + _CHUNK, pixels), ROUND):
                _bases(shape, first, bases)
                start = bases.ctypes.data
                taps = offsets.ctypes.data
                if g:
                    for m in range(ROUND):
                        bases[m] += g * groups[1]
                to = out.ctypes.data + first * pitch + column * 4
                if PAIRS_WIDE and width == 64:
                    pairs_64(start, taps, steps, weights, begin, to, pitch, flip)
                    pairs_64(start + 48, taps, steps, weights, begin, to + 6 * pitch, pitch, flip)
                elif PAIRS_WIDE and width == 32:
                    pairs_32(start, taps, steps, weights, begin, to, pitch, flip)
                else:
                    for m in range(0, ROUND, PAIRS_16_PIXELS):
                        pairs_16(
                            start + 8 * m, taps, steps, weights, begin, to + m * pitch, pitch,
                            flip,
                        )  # fmt: skip


@kernel(nogil=True)
def _bytes(first, last, shape, offsets, codes, blocks, groups, init, out, flip):  # type: ignore[no-untyped-def]
    for chunk in range(first, last):
        _bytes_chunk(chunk, shape, offsets, codes, blocks, groups, init, out, flip)


@kernel(nogil=True)
def _pairs(first, last, shape, offsets, codes, blocks, groups, init, out, flip):  # type: ignore[no-untyped-def]
    for chunk in range(first, last):
        _pairs_chunk(chunk, shape, offsets, codes, blocks, groups, init, out, flip)


def multiply(
    buffer: IntArray,
    packed: PackedWeights,
    geometry: Geometry,
    size: tuple[int, int],
    init: IntArray,
    flip: int,
) -> IntArray:
    """Return int32 [pixels, O] (a view of wider rows), sums modulo 2**32.

    Args:
        buffer: [N, H, W, C] of uint8 or int16, contiguous, padding included; where packed.overrun,
            with 4 readable bytes after the last.
        packed: weights of the matching type.
        geometry: taps and steps.
        size: output height and width.
        init: int32 [groups * columns], what each sum starts from.
        flip: 0, or 0x80808080 to read int8 codes as uint8 plus 128.
    """
    n, height, width, channels = buffer.shape
    element = buffer.itemsize
    pixel, row = channels * element, width * channels * element
    pixels = n * size[0] * size[1]
    shape = (
        address(buffer), pixels, size[0], size[1], height * row, geometry.stride[0] * row,
        geometry.stride[1] * pixel,
    )  # fmt: skip
    steps = (geometry.dilation[0] * row, geometry.dilation[1] * pixel)
    offsets = packed.offsets.get(steps)
    if offsets is None:
        packed.offsets.clear()
        offsets = packed.runs @ np.array([*steps, 1], np.int64)
        packed.offsets[steps] = offsets
    # The last round of pixels is whole: its surplus goes to rows that nobody sees.
    rows = -(-pixels // ROUND) * ROUND
    columns = geometry.groups * packed.columns
    out = aligned(rows * columns, "int32").reshape(rows, columns)
    chunks = -(-pixels // _CHUNK)
    large = pixels * offsets.size * out.shape[1] >= _PARALLEL_PRODUCTS
    groups = (geometry.groups, geometry.channels * element)
    if element not in (1, 2):
        raise ContractError(wrong_codes(buffer))
    chosen = _bytes if element == 1 else _pairs

    def work(first: int, last: int) -> None:
        chosen(first, last, shape, offsets, packed.codes, packed.blocks, groups, init, out, flip)

    _team.share(chunks, _team.count() if large else 1, work)
    used = out[:pixels]
    if packed.columns != geometry.group_outputs:
        used = used.reshape(pixels, geometry.groups, packed.columns)
        used = used[:, :, : geometry.group_outputs]
        if geometry.groups == 1:
            return used[:, 0]
    return used.reshape(pixels, geometry.outputs)
