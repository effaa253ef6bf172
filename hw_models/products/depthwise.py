"""The fast depthwise correlation: one input channel per output channel, channels in the lanes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast, get_args

import numpy as np

from hw_models import _team
from hw_models._aligned import address, aligned
from hw_models.compiled import kernel
from hw_models.errors import ContractError, no_case
from hw_models.products.depthwise_tiles import depth_bytes, depth_words
from hw_models.products.gemm import Element, wrong_codes

if TYPE_CHECKING:
    from hw_models.formats import IntArray
    from hw_models.products.geometry import Geometry

# Fewer are done before a second thread is awake.
_PARALLEL_PRODUCTS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class PackedTaps:
    """Depthwise weights as the tiles read them.

    Attributes:
        codes: flat bytes, [blocks, steps, bytes of a step].
        taps: int64 [steps * taps per step, 2]: ky and kx; weights of 0 where they repeat.
        columns: channels, rounded up to whole blocks.
        sums: int64 [columns]: sum of each channel's weights.
        steps: steps of one block.
        overrun: whether a tile reads past a pixel's channels.
    """

    codes: IntArray
    taps: IntArray
    columns: int
    sums: IntArray
    steps: int
    overrun: bool


def pack(weight: IntArray, geometry: Geometry, element: Element) -> PackedTaps:
    """Pack int64 weights [C, 1, kh, kw] as ``int8`` or ``int16``."""
    channels, taps = geometry.outputs, geometry.taps
    if element == "int8":
        block, per_step = 64, 4
    elif element == "int16":
        block, per_step = 16, 1
    else:
        raise ContractError(no_case(element, "the codes of a kernel", get_args(Element)))
    columns, steps = -(-channels // block) * block, -(-taps // per_step)
    dense = np.zeros((columns, steps * per_step), element)
    dense[:channels, :taps] = weight.reshape(channels, taps)
    if element == "int8":
        # channel = 64 * block + 16 * lane + 4 * vector + i; see _depthwise_tiles._four_taps.
        split = dense.reshape(-1, 4, 4, 4, steps, 4).transpose(0, 4, 2, 1, 3, 5)
    else:
        split = dense.reshape(-1, 16, steps).transpose(0, 2, 1)
    sums = np.zeros(columns, np.int64)
    sums[:channels] = weight.reshape(channels, taps).sum(axis=1)
    where = np.indices(geometry.kernel).reshape(2, -1).T
    padded = np.concatenate([where, np.repeat(where[:1], steps * per_step - taps, axis=0)])
    flat = np.ascontiguousarray(split).reshape(-1).view(np.uint8)
    codes = aligned(flat.size, "uint8")
    codes[:] = flat
    return PackedTaps(
        codes,
        cast("IntArray", padded.astype(np.int64)),
        columns,
        cast("IntArray", sums),
        steps,
        columns != channels,
    )


@kernel
def _bytes_row(y, shape, offsets, steps, codes, init, out, flip):  # type: ignore[no-untyped-def]
    x, height, width, image, row, column = shape
    n = y // height
    start = x + n * image + (y - n * height) * row
    pitch = out.shape[1] * 4
    for b in range(out.shape[1] // 64):
        base = start + b * 64
        to = out.ctypes.data + y * width * pitch + b * 256
        for _ in range(width):
            depth_bytes(
                base, offsets.ctypes.data, steps, codes.ctypes.data + b * steps * 256,
                init.ctypes.data + b * 256, to, flip,
            )  # fmt: skip
            base += column
            to += pitch


@kernel
def _words_row(y, shape, offsets, steps, codes, init, out, flip):  # type: ignore[no-untyped-def]
    x, height, width, image, row, column = shape
    n = y // height
    start = x + n * image + (y - n * height) * row
    pitch = out.shape[1] * 4
    for b in range(out.shape[1] // 16):
        base = start + b * 32
        to = out.ctypes.data + y * width * pitch + b * 64
        for _ in range(width):
            depth_words(
                base, offsets.ctypes.data, steps, codes.ctypes.data + b * steps * 32,
                init.ctypes.data + b * 64, to, flip,
            )  # fmt: skip
            base += column
            to += pitch


@kernel(nogil=True)
def _bytes(first, last, shape, offsets, steps, codes, init, out, flip):  # type: ignore[no-untyped-def]
    for y in range(first, last):
        _bytes_row(y, shape, offsets, steps, codes, init, out, flip)


@kernel(nogil=True)
def _words(first, last, shape, offsets, steps, codes, init, out, flip):  # type: ignore[no-untyped-def]
    for y in range(first, last):
        _words_row(y, shape, offsets, steps, codes, init, out, flip)


def multiply(
    buffer: IntArray,
    packed: PackedTaps,
    geometry: Geometry,
    size: tuple[int, int],
    init: IntArray,
    flip: int,
) -> IntArray:
    """Return int32 [pixels, C] (a view of wider rows), sums modulo 2**32.

    Args:
        buffer: [N, H, W, C] of uint8 or int16, contiguous, padding included, with 64 readable
            elements after the last where packed.overrun.
        packed: weights of the matching type.
        geometry: taps and steps.
        size: output height and width.
        init: int32 [columns], what each sum starts from.
        flip: 0, or 0x80808080 to read int8 codes as uint8 plus 128.
    """
    n, height, width, channels = buffer.shape
    pixel = channels * buffer.itemsize
    row = width * pixel
    shape = (
        address(buffer), size[0], size[1], height * row, geometry.stride[0] * row,
        geometry.stride[1] * pixel,
    )  # fmt: skip
    steps = np.array([geometry.dilation[0] * row, geometry.dilation[1] * pixel], np.int64)
    offsets = packed.taps @ steps
    pixels = n * size[0] * size[1]
    out = aligned(pixels * packed.columns, "int32").reshape(pixels, packed.columns)
    if buffer.itemsize not in (1, 2):
        raise ContractError(wrong_codes(buffer))
    chosen = _bytes if buffer.itemsize == 1 else _words

    def work(first: int, last: int) -> None:
        chosen(first, last, shape, offsets, packed.steps, packed.codes, init, out, flip)

    large = out.size * geometry.taps >= _PARALLEL_PRODUCTS
    _team.share(n * size[0], _team.count() if large else 1, work)
    return out[:, :channels]
