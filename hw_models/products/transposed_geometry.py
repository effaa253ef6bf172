"""The shape of a transposed correlation, and the correlations that it splits into.

Output positions that differ by a multiple of the stride use the same taps. So along a dimension
the outputs fall into ``stride`` *phases*, each a correlation of x at stride 1 with every
``stride / gcd(stride, dilation)``-th tap of the kernel turned around: no product with an inserted
zero is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, cast

import numpy as np

from hw_models.errors import ContractError
from hw_models.formats import is_int
from hw_models.products.geometry import (
    Geometry,
    Pair,
    pads,
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
    """Checked arguments, in as many spatial dimensions as the caller sees.

    Attributes:
        outputs, channels: output channels O and input channels per group.
        groups: number of groups.
        kernel, stride, dilation: one per dimension.
        crop: per dimension, how many elements are removed (in front, behind); negative where
            ``output_padding`` adds more.
    """

    outputs: int
    channels: int
    groups: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    crop: tuple[Pair, ...]

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
        if len(weight_shape) not in (3, 4, 5):
            raise ContractError(
                "weight must have shape [C, O/groups, *kernel] with 1 to 3 spatial dimensions, "
                f"not {weight_shape} (accepted: 3 to 5 dimensions)"
            )
        channels, outputs, *kernel = weight_shape
        if (
            not is_int(groups)
            or not 1 <= cast("int", groups) <= max(channels, 1)
            or (channels % cast("int", groups))
        ):
            raise ContractError(
                f"groups must divide the {channels} input channels, not {groups!r} "
                "(accepted: a divisor, 1 or more)"
            )
        parts, spatial = int(cast("int", groups)), len(kernel)
        # A correlation with the kernel turned around, which has the same arguments to check.
        Geometry.of((outputs * parts, channels // parts, *kernel), stride, padding, dilation, parts)
        crop = tuple(
            (before - more, after - further)
            for (before, after), (more, further) in zip(
                pads("padding", padding, spatial), _added(output_padding, spatial), strict=True
            )
        )
        return cls(
            outputs * parts,
            channels // parts,
            parts,
            tuple(kernel),
            per_dimension("stride", stride, spatial, 1),
            per_dimension("dilation", dilation, spatial, 1),
            crop,
        )

    def dimensions(self) -> list[tuple[int, int, int, Pair]]:
        """Return (kernel, stride, dilation, crop) of every dimension."""
        return list(zip(self.kernel, self.stride, self.dilation, self.crop, strict=True))

    def correlation_weight(self, weight: IntArray) -> IntArray:
        """Return a weight [C, O / groups, *kernel] as [O, C / groups, *kernel]."""
        per_group = self.outputs // self.groups
        split = weight.reshape(self.groups, self.channels, per_group, *self.kernel)
        return split.swapaxes(1, 2).reshape(self.outputs, self.channels, *self.kernel)

    def check_input(self, x: IntArray) -> IntArray:
        """Return x if its shape is [N, C, *spatial]."""
        spatial, channels = len(self.kernel), self.channels * self.groups
        if x.ndim != spatial + 2:
            raise ContractError(
                f"x must have shape [N, C, *spatial] with {spatial} spatial dimension(s) as "
                f"the weight has, not {x.shape} (accepted: {spatial + 2} dimensions)"
            )
        if x.shape[1] != channels:
            raise ContractError(
                f"x must have {channels} channels, as the weight has, not {x.shape[1]} "
                f"(accepted: {channels})"
            )
        if 0 in x.shape[2:]:
            raise ContractError(
                f"x must have an element in every spatial dimension, not shape {x.shape} "
                "(accepted: sizes of 1 or more)"
            )
        return x

    def output_size(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Return the output's spatial sizes for an input's."""
        out = tuple(
            (n - 1) * s + d * (k - 1) + 1 - sum(crop)
            for n, (k, s, d, crop) in zip(size, self.dimensions(), strict=True)
        )
        if min(out) < 1:
            raise ContractError(
                f"padding must leave an output element per dimension, not {min(out)} "
                "(accepted: 1 or more elements)"
            )
        smaller = "smaller stride, dilation or output_padding"
        require_plane("an output plane", math.prod(out[:-1]), out[-1], smaller)
        return out

    def phases(self, size: tuple[int, ...]) -> Iterator[tuple[Phase, ...]]:
        """Give the phases of an output of this size, one per dimension."""
        return product(
            *(
                phases(n, k, s, d, crop[0])
                for n, (k, s, d, crop) in zip(size, self.dimensions(), strict=True)
            )
        )


def _added(value: object, spatial: int) -> tuple[Pair, ...]:
    """Return what output_padding adds (before, after) per dimension."""
    if isinstance(value, (tuple, list)) and any(np.iterable(item) for item in value):
        return pairs_per_dimension("output_padding", value, spatial)
    return tuple((0, n) for n in per_dimension("output_padding", value, spatial, 0))
