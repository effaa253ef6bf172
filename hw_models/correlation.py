"""Correlation: the sums of products of a convolution, a linear layer or a matrix product.

Real-number meaning: with ``real = scale * (code - zero_point)`` on both operands, the result times
``scale_x * scale_w`` is the cross-correlation of the real input with the real kernel (no kernel
flip, as torch.nn.functional.conv2d).

Integer formula, for image n, output channel o of group g, output position p::

    acc[n, o, p] = sum over c, k of (x[n, g*C' + c, p*stride + k*dilation - before] - x_zero_point)
                                  * (weight[o, c, k] - weight_zero_point[o])

Every difference and product is exact: operands are codes of up to 32 bits, so differences take up
to 34 bits and products 68. Then the accumulator's rule, in two places:

* ``at="sum"``: once, on the exact sum.
* ``at="mac"``: after every product, the products taken in ``accumulator.order``; what the rule
  leaves is what the next product is added to. Under ``wrap`` both places give the same result
  (the ring of integers modulo ``2**bits``); under ``saturate`` they differ.

Corners:

* A tap in the padding reads ``pad_value``; it is a product like any other, in its place in the
  order. With ``pad_value=None`` it reads ``x_zero_point`` and adds 0.
* ``saturate`` holds at ``-2**(bits-1)`` and ``2**(bits-1) - 1``; ``saturate_symmetric`` at
  ``-(2**(bits-1) - 1)`` below: there the code ``-2**(bits-1)`` itself is an overflow.
* ``error`` at ``mac``: the value reported is the partial sum that did not fit first.
* No products (no channels): the sum is 0, and 0 is all that a ledger sees.
* A ledger's extremes at ``mac`` are those of the unbounded partial sums *after* each product (not
  the 0 before the first); at ``sum``, those of the exact sums.

Kernels: where the weights' L1 norms and the inputs' range prove that nothing can overflow, or where
the rule is a wrap, the fastest exact kernel runs; else one that keeps the order. All of them give
the same integers on any number of threads. ``QSIM_KERNEL=portable`` in the environment leaves out
the kernels that need special instructions.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hw_models.errors import AccumulatorOverflowError, ContractError, no_case
from hw_models.formats import ORDERS, Accumulator, IntArray, if_else
from hw_models.ledger import Ledger, Register
from hw_models.products.plan import CorrelationPlan
from hw_models.tracing import step

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from hw_models.formats import Select
    from hw_models.products.geometry import Padding

__all__ = ["CorrelationPlan", "correlation", "correlation_plan", "reference"]


def output_reference(
    taps: Sequence[tuple[Any, Any]],
    x_zero_point: int,
    weight_zero_point: int,
    accumulator: Accumulator,
    index: tuple[int, ...] = (),
    *,
    select: Select = if_else,
) -> tuple[Any, list[Any], bool]:
    """Sum the products of one output in Python integers, one after another: the definition.

    Args:
        taps: (code of x, code of the weight), in the order in which the accumulator takes them.
        x_zero_point: subtracted from every code of x.
        weight_zero_point: subtracted from every weight.
        accumulator: width, overflow rule and where it applies.
        index: of the output, for the error.
        select: ``if``-expression of whoever traces it.

    Returns:
        What the accumulator holds in the end, the exact sums that were written to it, and whether
        one of them did not fit.

    Raises:
        AccumulatorOverflowError: overflow="error" and a sum did not fit.
    """
    acc: Any = 0
    exact: Any = 0
    written = []
    flagged = False
    for number, (code, weight) in enumerate(taps):
        term = (code - x_zero_point) * (weight - weight_zero_point)
        exact += term
        acc = step(acc + term, "sum")
        if accumulator.each_mac or number == len(taps) - 1:
            written.append(exact)
            if not accumulator.min <= acc <= accumulator.max:
                if accumulator.overflow == "error":
                    raise AccumulatorOverflowError.of("correlation", accumulator, index, acc)
                flagged = True
                acc = accumulator.hold(acc, select)
    return acc, written, flagged


def reference(
    x: IntArray,
    weight: IntArray,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    x_zero_point: int = 0,
    weight_zero_point: Any = 0,
    pad_value: int | None = None,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ledger: Ledger | None = None,
) -> IntArray:
    """Correlate in Python integers, one product after another: the definition of correlation()."""
    nd = weight.ndim - 2
    group_outputs, channels = weight.shape[0] // groups, weight.shape[1]
    strides = [int(v) for v in np.broadcast_to(stride, nd)]
    dilations = [int(v) for v in np.broadcast_to(dilation, nd)]
    pads = [(int(v), int(v)) for v in np.broadcast_to(padding, nd)] if np.ndim(padding) < 2 else [
        (int(before), int(after)) for before, after in padding
    ]  # fmt: skip
    pad = x_zero_point if pad_value is None else pad_value
    zero_points = [int(z) for z in np.broadcast_to(weight_zero_point, weight.shape[0])]
    size = [
        (n + before + after - d * (k - 1) - 1) // s + 1
        for n, k, s, d, (before, after) in zip(
            x.shape[2:], weight.shape[2:], strides, dilations, pads, strict=True
        )
    ]
    taps = list(product(range(channels), *(range(k) for k in weight.shape[2:])))
    match accumulator.order:
        case "channel_first":
            pass  # as product() makes them
        case "channel_last":
            taps.sort(key=lambda tap: (*tap[1:], tap[0]))
        case _:
            raise ContractError(no_case(accumulator.order, "Accumulator.order", ORDERS))
    out = np.zeros((x.shape[0], weight.shape[0], *size), accumulator.dtype)
    overflows: list[tuple[int, ...]] = []
    written: list[int] = []
    for index in np.ndindex(*out.shape):
        n, o, *position = index
        terms: list[tuple[int, int]] = []
        for c, *k in taps:
            at = [
                p * s + j * d - before
                for p, s, j, d, (before, _) in zip(
                    position, strides, k, dilations, pads, strict=True
                )
            ]
            inside = all(0 <= i < limit for i, limit in zip(at, x.shape[2:], strict=True))
            code = int(x[(n, o // group_outputs * channels + c, *at)]) if inside else pad
            terms.append((code, int(weight[(o, c, *k)])))
        out[index], held, flagged = output_reference(
            terms, x_zero_point, zero_points[o], accumulator, index
        )
        written += held
        if flagged:
            overflows.append(index)
    if ledger is not None:
        ends = min(written, default=0), max(written, default=0)
        first = overflows[0] if overflows else None
        register = Register.of(accumulator, ends, len(overflows), first)
        ledger.fill(out.size, ends, "reference", "the definition", registers=(register,))
    return cast("IntArray", out)


def correlation_plan(
    weight: npt.ArrayLike,
    stride: int | tuple[int, ...] = 1,
    padding: Padding = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    x_zero_point: int = 0,
    weight_zero_point: int | npt.ArrayLike = 0,
    pad_value: int | None = None,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
) -> CorrelationPlan:
    """Check and pack weights once, for many calls; the arguments are those of correlation()."""
    return CorrelationPlan(
        weight, stride, padding, dilation, groups, x_zero_point, weight_zero_point, pad_value,
        accumulator,
    )  # fmt: skip


def correlation(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    stride: int | tuple[int, ...] = 1,
    padding: Padding = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    x_zero_point: int = 0,
    weight_zero_point: int | npt.ArrayLike = 0,
    pad_value: int | None = None,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ledger: Ledger | None = None,
) -> IntArray:
    """Correlate x with weight into accumulators, to the bit; the contract heads this module.

    Args:
        x: codes [N, C, *spatial], 1 to 3 spatial dimensions, any integer dtype and strides;
            values of at most 32 bits.
        weight: codes [O, C / groups, *kernel].
        stride: elements between windows, one or one per spatial dimension.
        padding: elements around x: one, one per dimension, or (before, after) per dimension.
            A padded plane has less than 2**31 elements.
        dilation: elements between taps, one or one per spatial dimension.
        groups: channels and outputs are split into this many independent parts.
        x_zero_point: code of x that means 0.
        weight_zero_point: code of weight that means 0: a scalar or one per output channel.
        pad_value: code that the padding reads; None for x_zero_point.
        accumulator: width, overflow rule, where and in which order it applies.
        ledger: filled with what the call did to its accumulators.

    Returns:
        [N, O, *out] of accumulator.dtype. Its memory order is free (often channels last).

    Raises:
        ContractError: an argument outside the contract.
        AccumulatorOverflowError: overflow="error" and a value did not fit.
    """
    plan = correlation_plan(
        weight, stride, padding, dilation, groups, x_zero_point, weight_zero_point, pad_value,
        accumulator,
    )  # fmt: skip
    return plan(x, ledger)
