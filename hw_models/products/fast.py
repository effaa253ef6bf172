"""Which fast kernel can serve a correlation exactly, and its operands.

The fast kernels give sums modulo 2**32 of codes in a window of 8 or 16 bits, with weights (less
their zero point) that fit int8 or int16. They serve where that ring is all that the result needs,
or, sixteen bits at a time in pieces, where int64 holds the sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from hw_models._aligned import aligned
from hw_models.products import depthwise, gemm
from hw_models.products.gemm_tiles import HAS_VNNI, portable

if TYPE_CHECKING:
    from hw_models.formats import IntArray
    from hw_models.products.bounds import Bounds, WeightNorms
    from hw_models.products.geometry import Geometry

_FLIP: Final = 0x80808080
# Fewer steps than this between additions to int64 sums, and the int64 kernel is as fast.
_SHORTEST_PIECE: Final = 8
# Readable elements after a buffer's last: what any kernel may read past a pixel's channels.
_SLACK: Final = 64
# Bytes of a copied input that a plan may keep between calls, and initial sums that it keeps.
_LARGEST_SPARE: Final = 1 << 22
_KEPT: Final = 8


@dataclass(frozen=True, slots=True)
class Codes:
    """The range of x's codes, padding included, and its zero point."""

    minimum: int
    maximum: int
    zero_point: int
    pad: int

    @property
    def magnitude(self) -> int:
        """The largest magnitude of ``x - zero_point``."""
        return max(self.maximum - self.zero_point, self.zero_point - self.minimum, 0)

    def byte_offset(self) -> int | None:
        """Return c such that every code less c fits uint8, or None; 0 and -128 need no copy."""
        if self.minimum >= 0 and self.maximum <= 255:
            return 0
        if self.minimum >= -128 and self.maximum <= 127:
            return -128
        return self.minimum if self.maximum - self.minimum <= 255 else None

    def word_offset(self) -> int | None:
        """Return c such that every code less c fits int16, or None; the zero point if it can be."""
        z = self.zero_point
        if self.minimum - z >= -32768 and self.maximum - z <= 32767:
            return z
        middle = self.minimum + 32768
        return middle if self.maximum - self.minimum <= 65535 else None


@dataclass(frozen=True, slots=True)
class _Image:
    """An input as the tiles read it.

    Attributes:
        buffer: [N, H, W, C], padding included.
        inner: the part of it that the input fills.
        pad: what its border holds.
        ours: whether it is a copy of the caller's array.
    """

    buffer: IntArray
    inner: IntArray
    pad: int
    ours: bool = True

    def serves(self, shape: tuple[int, ...], pad: int, kind: str) -> bool:
        """Return whether an input of this shape, padding and type can be written here."""
        return self.inner.shape == shape and self.pad == pad and self.inner.dtype == kind


class FastKernels:
    """The fast kernels of one plan, with the weights that they packed.

    Attributes:
        geometry: taps and steps.
        weight: int64 ``w - w_zero_point`` [O, C / groups, kh, kw].
        norms: its norms.
    """

    def __init__(self, geometry: Geometry, weight: IntArray, norms: WeightNorms) -> None:
        self.geometry = geometry
        self.weight = weight
        self.norms = norms
        fits_int8 = norms.minimum >= -128 and norms.maximum <= 127
        self._vnni = HAS_VNNI and fits_int8 and not portable()
        self._fit16 = norms.minimum >= -32768 and norms.maximum <= 32767
        self._padded = geometry.padded
        self._depthwise = geometry.channels == 1 < geometry.groups == geometry.outputs
        # Elsewhere the tiles must find use for their 16 lanes and for a step's four bytes.
        run = geometry.channels * (geometry.kernel[1] if geometry.groups == 1 else 1)
        self._tiles = geometry.groups == 1 or (geometry.group_outputs >= 8 and run >= 4)
        self._packed: dict[str, gemm.PackedWeights | depthwise.PackedTaps] = {}
        self._initial: dict[tuple[str, int], IntArray] = {}
        self._spare: list[_Image] = []

    def sums32(self, view: IntArray, size: tuple[int, int], codes: Codes) -> Result | None:
        """Return the sums modulo 2**32 as int32 [pixels, O], or None where no kernel serves."""
        depthwise = self._depthwise
        if not depthwise and not self._tiles:
            return None
        name = "depthwise-" if depthwise else ""
        offset = codes.byte_offset()
        if self._vnni and offset is not None:
            init = self._init("int8", offset - codes.zero_point)
            image, flip = self._bytes(view, codes, offset)
            rows = self._multiply(image, "int8", size, init, flip)
            return Result(rows, f"{name}vnni", "8-bit codes")
        offset = codes.word_offset()
        if offset is not None and self._fit16:
            init = self._init("int16", offset - codes.zero_point)
            image = self._words(view, codes, offset)
            rows = self._multiply(image, "int16", size, init, 0)
            return Result(rows, f"{name}pairs", "16-bit codes")
        return None

    def _multiply(
        self, image: _Image, element: gemm.Element, size: tuple[int, int], init: IntArray, flip: int
    ) -> IntArray:
        packed = self._packed[element]
        if isinstance(packed, depthwise.PackedTaps):
            rows = depthwise.multiply(image.buffer, packed, self.geometry, size, init, flip)
        else:
            rows = gemm.multiply(image.buffer, packed, self.geometry, size, init, flip)
        self._release(image)
        return rows

    def sums64(
        self, view: IntArray, size: tuple[int, int], codes: Codes, bounds: Bounds
    ) -> Result | None:
        """Return the exact sums as int64 [pixels, O], or None where no kernel serves."""
        if bounds.fits_int32:
            result = self.sums32(view, size, codes)
            return result and replace(result, rows=result.rows.astype(np.int64))
        z = codes.zero_point
        if self._depthwise or not self._tiles or not self._fit16 or codes.word_offset() != z:
            return None
        heaviest = 2 * max(-self.norms.minimum, self.norms.maximum)
        piece = ((1 << 31) - 1) // max(1, codes.magnitude * heaviest)
        if piece < _SHORTEST_PIECE:
            return None
        zeros = self._init("int16", 0)
        image = self._words(view, codes, z)
        packed = cast("gemm.PackedWeights", self._packed["int16"])
        total: IntArray | None = None
        for first in range(0, packed.runs.shape[0], piece):
            blocks = packed.blocks.copy()
            blocks[:, 2] += first * 4 * blocks[:, 0]
            part = replace(
                packed, runs=packed.runs[first : first + piece], blocks=blocks, offsets={}
            )
            rows = gemm.multiply(image.buffer, part, self.geometry, size, zeros, 0)
            total = rows.astype(np.int64) if total is None else np.add(total, rows, out=total)
        self._release(image)
        return None if total is None else Result(total, "pairs-pieces", "16-bit codes, in pieces")

    def _pack(self, element: gemm.Element) -> gemm.PackedWeights | depthwise.PackedTaps:
        packed = self._packed.get(element)
        if packed is None:
            pack = depthwise.pack if self._depthwise else gemm.pack
            packed = self._packed[element] = pack(self.weight, self.geometry, element)
        return packed

    def _init(self, element: gemm.Element, shift: int) -> IntArray:
        init = self._initial.get((element, shift))
        if init is None:
            sums = self._pack(element).sums
            if len(self._initial) >= _KEPT:
                self._initial.clear()
            init = cast("IntArray", (sums * np.int64(shift)).astype(np.int32))
            self._initial[element, shift] = init
        return init

    def _image(self, view: IntArray, pad: int, kind: str) -> _Image:
        """Return an NHWC buffer with its border written, the last one's if it was such."""
        n, channels, height, width = view.shape
        # A list's pop is atomic: two threads never share a buffer.
        try:
            spare = self._spare.pop()
        except IndexError:
            spare = None
        if spare is not None and spare.serves((n, height, width, channels), pad, kind):
            return spare
        rows, columns = self.geometry.padded_size(height, width)
        flat = aligned(n * rows * columns * channels + _SLACK, kind)
        buffer = cast("IntArray", flat[:-_SLACK].reshape(n, rows, columns, channels))
        if not self._padded:
            return _Image(buffer, buffer, pad)
        top, left = self.geometry.padding[0][0], self.geometry.padding[1][0]
        buffer[...] = pad
        return _Image(buffer, buffer[:, top : top + height, left : left + width], pad)

    def _release(self, image: _Image) -> None:
        """Keep a buffer of ours for the next call: a warm one, its border written."""
        if image.ours and image.buffer.nbytes <= _LARGEST_SPARE:
            self._spare[:] = [image]

    def _bytes(self, view: IntArray, codes: Codes, offset: int) -> tuple[_Image, int]:
        """Return x as uint8 NHWC, and what the kernel must xor to get ``x - offset``."""
        flip = _FLIP if offset == -128 else 0
        last = view.transpose(0, 2, 3, 1)
        if view.dtype.itemsize == 1 and offset in (0, -128):
            last = last.view(np.uint8)
            in_place = not self._padded and not self._packed["int8"].overrun
            if in_place and last.flags.c_contiguous:
                return _Image(last, last, 0, ours=False), flip
            stored = 0
        else:
            stored = 0 if offset == -128 else offset
            if stored:
                last = last.astype(np.int64) - np.int64(stored)
        pad = (codes.pad - stored) & 0xFF if self._padded else 0
        image = self._image(view, pad, "uint8")
        np.copyto(image.inner, last, casting="unsafe")
        return image, flip

    def _words(self, view: IntArray, codes: Codes, offset: int) -> _Image:
        """Return ``x - offset`` as int16 NHWC."""
        pad = codes.pad - offset if self._padded else 0
        image = self._image(view, pad, "int16")
        inner = image.inner
        last = view.transpose(0, 2, 3, 1)
        if offset == 0:
            np.copyto(inner, last, casting="unsafe")
        elif view.dtype.itemsize <= 2 and -32768 <= offset <= 32767:
            # Modulo 2**16, which holds the difference.
            np.subtract(last, np.int16(offset), out=inner, dtype=np.int16, casting="unsafe")
        else:
            wide = last.astype(np.int64) - np.int64(offset)
            np.copyto(inner, wide, casting="unsafe")
        return image


@dataclass(frozen=True, slots=True)
class Result:
    """Sums of a fast kernel.

    Attributes:
        rows: int32 or int64 [pixels, O].
        kernel: its name, for the ledger.
        operands: what made it possible.
    """

    rows: IntArray
    kernel: str
    operands: str
