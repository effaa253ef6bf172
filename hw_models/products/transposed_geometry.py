"""The shape of a transposed correlation, and the correlations that it splits into.

Output positions that differ by a multiple of the stride use the same taps. So along a dimension
the outputs fall into ``stride`` *phases*, each a correlation of x at stride 1 with every
``stride / gcd(stride, dilation)``-th tap of the kernel turned around: no product with an inserted
zero is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from hw_models.errors import ContractError
from hw_models.formats import is_int
from hw_models.products.geometry import (
    Geometry,
    Pair,
    pairs_per_dimension,
    per_dimension,
    require_plane,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hw_models.formats import IntArray


@dataclass(frozen=True, slots=True)
class Phase:
    """The outputs of one dimension that use the same taps.

    Attributes:
        start, count, stride: their positions in the output: ``start + i*stride``.
        taps: kernel positions, last one first; none where no product reaches these outputs.
        first: input position under the first tap at output ``start``; may lie outside x.
        spread: distance between the input positions of two taps.
    """

    start: int
    count: int
    stride: int
    taps: tuple[int, ...]
    first: int
    spread: int

    @property
    def places(self) -> slice:
        """Where the outputs lie."""
        return slice(self.start, None, self.stride)

    def window(self, size: int) -> tuple[slice, Pair]:
        """Return the part of ``size`` inputs under the taps, and the padding around it."""
        after = self.first + self.count - 1 + self.spread * (len(self.taps) - 1) - (size - 1)
        kept = slice(max(self.first, 0), max(size - max(-after, 0), 0))
        return kept, (max(-self.first, 0), max(after, 0))


def phases(size: int, kernel: int, stride: int, dilation: int, crop: int) -> Iterator[Phase]:
    """Give the phases of ``size`` outputs; ``crop`` is how many are removed in front of them."""
    for rest in sorted((start + crop) % stride for start in range(min(stride, size))):
        start = (rest - crop) % stride
        count = (size - 1 - start) // stride + 1
        taps = tuple(k for k in reversed(range(kernel)) if (k * dilation - rest) % stride == 0)
        first = (start + crop - taps[0] * dilation) // stride if taps else 0
        spread = (taps[0] - taps[1]) * dilation // stride if len(taps) > 1 else 1
        yield Phase(start, count, stride, taps, first, spread)


@dataclass(frozen=True, slots=True)
class TransposedGeometry:
    """Checked arguments. One spatial dimension is held as a height of 1.

    Attributes:
        inner: groups, channels, outputs, kernel, stride and dilation.
        crop: (before, after) per dimension, padding less output_padding; may be negative.
    """

    inner: Geometry
    crop: tuple[Pair, Pair]

    @classmethod
    def of(
        cls,
        weight_shape: tuple[int, ...],
        stride: object,
        padding: object,
        output_padding: object,
        dilation: object,
        groups: object,
    ) -> TransposedGeometry:
        """Check the arguments against a weight of shape [C, O / groups, *kernel]."""
        if len(weight_shape) not in (3, 4):
            raise ContractError(
                "weight must have shape [C, O/groups, *kernel] with 1 or 2 spatial dimensions, "
                f"not {weight_shape} (accepted: 3 or 4 dimensions)"
            )
        channels, outputs = weight_shape[:2]
        if (
            not is_int(groups)
            or not 1 <= cast("int", groups) <= max(channels, 1)
            or (channels % cast("int", groups))
        ):
            raise ContractError(
                f"groups must divide the {channels} input channels, not {groups!r} "
                "(accepted: a divisor, 1 or more)"
            )
        parts = int(cast("int", groups))
        shape = (outputs * parts, channels // parts, *weight_shape[2:])
        inner = Geometry.of(shape, stride, padding, dilation, parts)
        added = _added(output_padding, inner.spatial)
        crop = tuple(
            (before - more, after - further)
            for (before, after), (more, further) in zip(inner.padding, added, strict=True)
        )
        return cls(inner, cast("tuple[Pair, Pair]", crop))

    def dimensions(self) -> list[tuple[int, int, int, Pair]]:
        """Return (kernel, stride, dilation, crop) of every dimension that the caller sees."""
        inner = self.inner
        zipped = zip(inner.kernel, inner.stride, inner.dilation, self.crop, strict=True)
        return list(zipped)[2 - inner.spatial :]

    def correlation_weight(self, weight: IntArray) -> IntArray:
        """Return a weight [C, O / groups, *kernel] as [O, C / groups, *kernel]."""
        inner = self.inner
        kernel = weight.shape[2:]
        split = weight.reshape(inner.groups, inner.channels, inner.group_outputs, *kernel)
        return split.swapaxes(1, 2).reshape(inner.outputs, inner.channels, *kernel)

    def view(self, x: IntArray) -> IntArray:
        """Return x [N, C, *spatial] as a view [N, C, H, W]."""
        view = self.inner.view(x)
        if 0 in view.shape[2:]:
            raise ContractError(
                f"x must have an element in every spatial dimension, not shape {x.shape} "
                "(accepted: sizes of 1 or more)"
            )
        return view

    def output_size(self, size: Pair) -> Pair:
        """Return the output's height and width for an input's."""
        inner = self.inner
        zipped = zip(size, inner.kernel, inner.stride, inner.dilation, self.crop, strict=True)
        out = [(n - 1) * s + d * (k - 1) + 1 - sum(crop) for n, k, s, d, crop in zipped]
        if min(out) < 1:
            raise ContractError(
                f"padding must leave an output element per dimension, not {min(out)} "
                "(accepted: 1 or more elements)"
            )
        smaller = "smaller stride, dilation or output_padding"
        require_plane("an output plane", out[0], out[1], smaller)
        return out[0], out[1]

    def phases(self, size: Pair) -> Iterator[tuple[Phase, Phase]]:
        """Give the (vertical, horizontal) phases of an output of this size."""
        inner = self.inner
        axes = [
            list(phases(size[axis], inner.kernel[axis], inner.stride[axis], inner.dilation[axis],
                        self.crop[axis][0]))
            for axis in (0, 1)
        ]  # fmt: skip
        return ((row, column) for row in axes[0] for column in axes[1])


def _added(value: object, spatial: int) -> tuple[Pair, ...]:
    """Return what output_padding adds (before, after) to a height and a width."""
    if isinstance(value, (tuple, list)) and any(np.iterable(item) for item in value):
        pairs = pairs_per_dimension("output_padding", value, spatial)
    else:
        pairs = tuple((0, n) for n in per_dimension("output_padding", value, spatial, 0))
    return pairs if spatial == 2 else ((0, 0), *pairs)
