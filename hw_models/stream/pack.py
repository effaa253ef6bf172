"""Weights of a command stream's products: what the tiles read, and what each sum starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from hw_models.products import gemm
from hw_models.products.bounds import Bounds, WeightNorms
from hw_models.stream.fields import BYTES_KIND, PAIRS_KIND, WORDS_KIND
from hw_models.stream.tiles import BYTES

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.formats import IntArray
    from hw_models.products.geometry import Geometry

_LANES: Final = 16
FLIP: Final = 0x80  # turns int8 into uint8 plus 128


@dataclass(frozen=True, slots=True)
class PackedProducts:
    """Weights, less their zero points, as the tiles read them.

    Attributes:
        kind: BYTES_KIND, PAIRS_KIND or WORDS_KIND; None for depthwise.
        codes: flat bytes.
        blocks: int64 [blocks, 3]: channels, first column, first byte within a group.
        taps: int64 [offsets, 3]: ky, kx and bytes past that tap's first channel.
        steps: steps of one block.
        columns: output channels of a group, rounded up to what the blocks hold.
        sums: int64 [groups, columns], of each channel's weights.
        norms: of the weights.
    """

    kind: int | None
    codes: IntArray
    blocks: IntArray
    taps: IntArray
    steps: int
    columns: int
    sums: IntArray
    norms: WeightNorms

    @property
    def item(self) -> int:
        """Bytes of a copied code."""
        return 1 if self.kind == BYTES_KIND else 2

    def initial(
        self, zero_point: int, bias: npt.NDArray[np.int64] | None, *, signed: bool
    ) -> IntArray:
        """Return int32 [groups * columns]: what each sum starts from, modulo 2**32.

        Args:
            zero_point: of the codes.
            bias: one per output channel, or none.
            signed: whether the codes are int8 (and not uint8).
        """
        shift = zero_point + (128 if self.kind == BYTES_KIND and signed else 0)
        start = self.sums * np.int64(-shift)
        if bias is not None:
            groups = start.shape[0]
            start[:, : len(bias) // groups] += bias.reshape(groups, -1)
        return cast("IntArray", start.astype(np.int32).reshape(-1))

    def bounds(self, low: int, high: int) -> Bounds:
        """Bound the sums for codes, less their zero point, in low..high."""
        return self.norms.bounds(low, high)


def pack(weight: IntArray, geometry: Geometry, *, wide: bool = False) -> PackedProducts | None:
    """Pack int64 weights [O, C / groups, kh, kw], less their zero points.

    Args:
        weight: what is packed.
        geometry: of the correlation.
        wide: whether codes have 16 bits, which no tile for bytes takes.

    Returns:
        None where no tile serves: weights beyond 16 bits, groups of few channels.
    """
    norms = WeightNorms.of(weight.reshape(geometry.outputs, -1))
    if norms.minimum < -32768 or norms.maximum > 32767 or geometry.taps == 0:
        return None
    if geometry.channels == 1 < geometry.groups == geometry.outputs:
        return _depthwise(weight, geometry, norms)
    if geometry.groups > 1 and geometry.group_outputs < 8:
        return None
    narrow = norms.minimum >= -128 and norms.maximum <= 127
    kind = PAIRS_KIND if narrow else WORDS_KIND
    if narrow and BYTES and not wide:
        kind = BYTES_KIND
    packed = gemm.pack(weight, geometry, "int8" if kind == BYTES_KIND else "int16")
    codes, blocks = packed.codes, packed.blocks.copy()
    if kind == PAIRS_KIND:
        codes = codes.view(np.int16).astype(np.int8).view(np.uint8)
        blocks[:, 2] //= 2
    return PackedProducts(
        kind,
        codes,
        blocks,
        packed.runs,
        len(packed.runs),
        packed.columns,
        packed.sums.reshape(geometry.groups, -1),
        norms,
    )


def _depthwise(weight: IntArray, geometry: Geometry, norms: WeightNorms) -> PackedProducts:
    """Pack [blocks, steps, halves, 8 channels, 2 taps]; an odd last tap meets a weight of 0."""
    channels, taps = geometry.outputs, geometry.taps
    columns, steps = -(-channels // _LANES) * _LANES, -(-taps // 2)
    dense = np.zeros((columns, 2 * steps), np.int16)
    dense[:channels, :taps] = weight.reshape(channels, taps)
    halves = np.array([[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]])
    split = dense.reshape(-1, _LANES, steps, 2).transpose(0, 2, 1, 3)[:, :, halves]
    sums = np.zeros((1, columns), np.int64)
    sums[0, :channels] = weight.reshape(channels, taps).sum(axis=1)
    where = np.zeros((2 * steps, 3), np.int64)
    where[:taps, :2] = np.indices(geometry.kernel).reshape(2, -1).T
    return PackedProducts(
        None,
        cast("IntArray", np.ascontiguousarray(split).reshape(-1).view(np.uint8)),
        cast("IntArray", np.zeros((0, 3), np.int64)),
        cast("IntArray", where),
        steps,
        columns,
        cast("IntArray", sums),
        norms,
    )
