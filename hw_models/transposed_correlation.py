"""Transposed correlation: the sums of products of a transposed convolution ("deconvolution").

Real-number meaning: as hw_models.correlation; the geometry is torch.nn.functional's
conv_transpose1d to conv_transpose3d, with the weight in torch's layout [C, O / groups, *kernel].

Integer formula, for image n, output channel o of group g, output position q::

    acc[n, o, q] = sum over c in g, k, p with p*stride + k*dilation == q + before of
                   (x[n, c, p] - x_zero_point) * (weight[c, o', k] - weight_zero_point[o])

It equals the correlation, at stride 1, of x with ``stride - 1`` elements of ``x_zero_point``
inserted between neighbours, with the kernel turned around: that is how ``reference`` writes it.

``before`` and ``after`` (padding) are *removed* from the output's ends, as in torch; what
``output_padding`` adds to an end may receive products too, or else is 0:
``out = (in - 1)*stride + dilation*(kernel - 1) + 1 - padding + output_padding`` per dimension.

Accumulator: every output has C/groups * kernel products. One whose input position does not exist
(outside x, or between two elements) is a product with 0. Their order at ``mac`` is that of
ascending input positions, which is the kernel from its last position to its first: an engine that
gathers inputs and one that scatters x's elements in row-major order meet here. ``channel_first``
has the input channel outermost, ``channel_last`` innermost.

Corners are those of hw_models.correlation: exact differences and products of up to 68 bits,
``wrap``, ``saturate`` and ``error`` per ``mac`` or per ``sum``, ledgers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models.correlation import reference as correlation_reference
from hw_models.formats import Accumulator, IntArray
from hw_models.products.transposed_geometry import TransposedGeometry
from hw_models.products.transposed_plan import TransposedCorrelationPlan

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.ledger import Ledger
    from hw_models.products.geometry import Padding

__all__ = [
    "TransposedCorrelationPlan",
    "reference",
    "transposed_correlation",
    "transposed_correlation_plan",
]


def reference(
    x: IntArray,
    weight: IntArray,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    x_zero_point: int = 0,
    weight_zero_point: Any = 0,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ledger: Ledger | None = None,
) -> IntArray:
    """Correlate x, spread out, with the kernel turned around: the definition, in Python integers.

    An overflow error is correlation's: its index and value are those of transposed_correlation().
    """
    shape = TransposedGeometry.of(weight.shape, stride, padding, output_padding, dilation, groups)
    spatial = range(2, weight.ndim)
    spread = x.astype(np.int64)
    for axis, (k, s, d, crop) in zip(spatial, shape.dimensions(), strict=True):
        gaps = np.repeat(np.arange(1, spread.shape[axis]), s - 1)
        spread = np.insert(spread, gaps, x_zero_point, axis=axis)
        before, after = (d * (k - 1) - end for end in crop)
        widths = [(0, 0)] * spread.ndim
        widths[axis] = (max(before, 0), max(after, 0))
        spread = np.pad(spread, widths, constant_values=x_zero_point)
        kept = np.arange(max(-before, 0), spread.shape[axis] - max(-after, 0))
        spread = spread.take(kept, axis)
    turned = shape.correlation_weight(np.flip(weight, tuple(spatial)))
    return correlation_reference(
        spread, turned, 1, 0, dilation, groups, x_zero_point, weight_zero_point, None,
        accumulator, ledger,
    )  # fmt: skip


def transposed_correlation_plan(
    weight: npt.ArrayLike,
    stride: int | tuple[int, ...] = 1,
    padding: Padding = 0,
    output_padding: Padding = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    x_zero_point: int = 0,
    weight_zero_point: int | npt.ArrayLike = 0,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
) -> TransposedCorrelationPlan:
    """Check weights once, for many calls; the arguments are those of transposed_correlation()."""
    return TransposedCorrelationPlan(
        weight, stride, padding, output_padding, dilation, groups, x_zero_point,
        weight_zero_point, accumulator,
    )  # fmt: skip


def transposed_correlation(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    stride: int | tuple[int, ...] = 1,
    padding: Padding = 0,
    output_padding: Padding = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    x_zero_point: int = 0,
    weight_zero_point: int | npt.ArrayLike = 0,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ledger: Ledger | None = None,
) -> IntArray:
    """Correlate x, spread out by stride, into accumulators; the contract heads this module.

    Args:
        x: codes [N, C, *spatial], 1 to 3 spatial dimensions, any integer dtype and strides;
            values of at most 32 bits.
        weight: codes [C, O / groups, *kernel].
        stride: distance in the output between neighbours of x, one or one per dimension.
        padding: elements removed from the output's ends: one, one per dimension, or
            (before, after) per dimension.
        output_padding: elements added: one, or one per dimension, at the end (as in torch), or
            (before, after) per dimension. torch's limit (less than stride or dilation) is not
            ours.
        dilation: distance between taps, one or one per dimension.
        groups: channels and outputs are split into this many independent parts.
        x_zero_point: code of x that means 0.
        weight_zero_point: code of weight that means 0: a scalar or one per output channel.
        accumulator: width, overflow rule, where and in which order it applies.
        ledger: filled with what the call did to its accumulators.

    Returns:
        [N, O, *out] of accumulator.dtype.

    Raises:
        ContractError: an argument outside the contract.
        AccumulatorOverflowError: overflow="error" and a value did not fit.
    """
    plan = transposed_correlation_plan(
        weight, stride, padding, output_padding, dilation, groups, x_zero_point,
        weight_zero_point, accumulator,
    )  # fmt: skip
    return plan(x, ledger)
