"""The kernels that take every product in its order, and their operands.

They serve any geometry, weights and accumulator: int32 or int64 lanes where one of them holds every
value, two 64-bit limbs where nothing proves that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from hw_models.products.kernels import LANES, STATISTICS, lanes, wide
from hw_models.products.wide import to_int

if TYPE_CHECKING:
    from hw_models.formats import Accumulator, IntArray
    from hw_models.products.geometry import Geometry


class LaneKernels:
    """The ordered kernels of one plan, with the weights that they packed.

    Attributes:
        geometry: taps and steps.
        weight: int64 ``w - w_zero_point`` [O, C / groups, kh, kw].
        accumulator: the register.
        x_zero_point, pad_value: codes.
    """

    def __init__(
        self,
        geometry: Geometry,
        weight: IntArray,
        accumulator: Accumulator,
        x_zero_point: int,
        pad_value: int,
    ) -> None:
        self.geometry = geometry
        self.weight = weight
        self.accumulator = accumulator
        self.x_zero_point = x_zero_point
        self.pad_value = pad_value
        self._packed: dict[tuple[str, bool], IntArray] = {}

    def sums(
        self, view: IntArray, size: tuple[int, int], kind: str, mode: int
    ) -> tuple[IntArray, IntArray, tuple[int, int]]:
        """Run the kernel for ``kind`` accumulators; ``mode`` says when the rule applies.

        Returns:
            Rows [pixels, O], flags of the elements that the rule changed, extremes before it.
        """
        geometry, accumulator = self.geometry, self.accumulator
        buffer = self._differences(view, kind)
        bases, offsets = self._tables(buffer, size)
        shape = (bases.size, geometry.outputs)
        out = np.empty(shape, kind)
        flags = np.zeros(shape if mode == STATISTICS else (1, 1), np.uint8)
        by_pixel = geometry.group_outputs < LANES // 4 and bases.size >= LANES // 4
        blank = np.zeros((geometry.groups, 1, 1, 1), kind)
        info = np.iinfo(kind)
        extremes = lanes(
            buffer.reshape(-1),
            bases,
            offsets,
            blank if by_pixel else self._weights(kind, by_pixel=False),
            self._weights(kind, by_pixel=True) if by_pixel else blank[0],
            by_pixel,
            (geometry.channels, geometry.group_outputs),
            mode,
            max(accumulator.min, info.min),
            min(accumulator.max, info.max),
            info.bits - accumulator.bits if accumulator.wraps else -1,
            out,
            flags,
        )
        return cast("IntArray", out), cast("IntArray", flags), extremes

    def wide(
        self, view: IntArray, size: tuple[int, int]
    ) -> tuple[IntArray, IntArray, tuple[int, int]]:
        """Run the two-limb kernel, which applies and counts every rule; return what sums() does."""
        geometry, accumulator = self.geometry, self.accumulator
        buffer = self._differences(view, "int64")
        bases, offsets = self._tables(buffer, size)
        out = np.empty((bases.size, geometry.outputs), np.int64)
        flags = np.zeros(out.shape, np.uint8)
        limbs = np.zeros(4, np.uint64)
        wide(
            buffer.reshape(-1), bases, offsets, self._weights("int64", by_pixel=True),
            (geometry.channels, geometry.group_outputs), accumulator.each_mac,
            accumulator.wraps, 64 - accumulator.bits, np.int64(accumulator.min),
            np.int64(accumulator.max), out, flags, limbs,
        )  # fmt: skip
        signed = limbs.view(np.int64)
        low, high = (to_int(int(signed[i]), int(limbs[i + 1])) for i in (0, 2))
        return cast("IntArray", out), cast("IntArray", flags), (low, high)

    def _weights(self, kind: str, *, by_pixel: bool) -> IntArray:
        """Return the weights in tap order, packed for the lanes kernels."""
        packed = self._packed.get((kind, by_pixel))
        if packed is not None:
            return packed
        geometry = self.geometry
        order = geometry.tap_order(self.accumulator.order)
        rows = self.weight[:, order[:, 0], order[:, 1], order[:, 2]]
        rows = rows.reshape(geometry.groups, geometry.group_outputs, geometry.taps)
        if not by_pixel:
            blocks = -(-geometry.group_outputs // LANES)
            padded = np.zeros((geometry.groups, blocks * LANES, geometry.taps), np.int64)
            padded[:, : geometry.group_outputs] = rows
            rows = padded.reshape(geometry.groups, blocks, LANES, -1).transpose(0, 1, 3, 2)
        packed = cast("IntArray", np.ascontiguousarray(rows.astype(kind)))
        self._packed[kind, by_pixel] = packed
        return packed

    def _differences(self, view: IntArray, kind: str) -> IntArray:
        """Return ``x - x_zero_point`` as padded NHWC, modulo the width of kind."""
        n, channels, height, width = view.shape
        rows, columns = self.geometry.padded_size(height, width)
        pad = np.int64(self.pad_value - self.x_zero_point).astype(kind)
        buffer = np.full((n, rows, columns, channels), pad)
        top, left = self.geometry.padding[0][0], self.geometry.padding[1][0]
        inner = buffer[:, top : top + height, left : left + width]
        exact = view.transpose(0, 2, 3, 1).astype(np.int64) - np.int64(self.x_zero_point)
        np.copyto(inner, exact, casting="unsafe")
        return cast("IntArray", buffer)

    def _tables(self, buffer: IntArray, size: tuple[int, int]) -> tuple[IntArray, IntArray]:
        """Return where each window starts in the flat buffer, and each tap's distance."""
        n, height, width, channels = buffer.shape
        geometry = self.geometry
        rows = np.arange(size[0], dtype=np.int64) * (geometry.stride[0] * width * channels)
        columns = np.arange(size[1], dtype=np.int64) * (geometry.stride[1] * channels)
        images = np.arange(n, dtype=np.int64) * (height * width * channels)
        bases = (images[:, None, None] + rows[:, None] + columns).reshape(-1)
        order = geometry.tap_order(self.accumulator.order).astype(np.int64)
        offsets = order @ np.array(
            [1, geometry.dilation[0] * width * channels, geometry.dilation[1] * channels], np.int64
        )
        return cast("IntArray", bases), cast("IntArray", offsets)
