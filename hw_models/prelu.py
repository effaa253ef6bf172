"""A parametric relu: codes above real 0 by one rescale, codes below it times a slope by another.

Real-number meaning: ``y = x`` where x is not below 0, else ``y = slope * x``; x, the slopes and y
each have their own scale and zero point. The slopes broadcast against x: one for all elements, one
for each channel, ...

Integer formula, with ``v = x - x_zero_point`` and ``a = slope - slope_zero_point``:

    y = clamp(positive(v) + zero_point)         v >= 0; positive rescales by s_x / s_y
    y = clamp(negative(v * a) + zero_point)     v < 0; negative rescales by s_x * s_slope / s_y

| schemes                    | who                                                             |
|----------------------------|-----------------------------------------------------------------|
| ``FixedPoint(.., double)`` | TFLite's PRELU of 8 bits: lite/kernels/activations.cc, and      |
|                            | BroadcastPrelu4DSlow of internal/reference/prelu.h              |

Corners: real 0 takes the first rescale, so a code equal to the zero point gives the result's zero
point. A slope may be negative or above 1. TFLite derives both multipliers from float32 quotients of
the scales, as those of mul. What a scheme refuses of an accumulator it refuses of ``v`` and of
``v * a``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_ledger
from hw_models._broadcast import broadcast_shape, codes_of
from hw_models._pointwise import require_int, require_output
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray, if_else
from hw_models.ledger import Ledger
from hw_models.requantize import reference as requantize_reference
from hw_models.requantize import requantize
from hw_models.tracing import step

if TYPE_CHECKING:
    from hw_models.formats import Select
    from hw_models.schemes import Requantizer

_CODE_BITS = 32


def reference(
    x: int,
    slope: int,
    positive: Requantizer,
    negative: Requantizer,
    x_zero_point: int = 0,
    slope_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat | None = None,
    *,
    select: Select = if_else,
) -> int:
    """Compute one code: the definition; select as in requantize."""
    value = step(x - x_zero_point, "value")
    product = step(value * (slope - slope_zero_point), "product")
    if select is if_else:
        scheme, taken = (positive, value) if value >= 0 else (negative, product)
        plain: int = requantize_reference(taken, scheme, zero_point, output)
        return plain
    above = requantize_reference(value, positive, zero_point, output, select=select)
    below = requantize_reference(product, negative, zero_point, output, select=select)
    code: int = select(value >= 0, above, below)
    return code


def prelu(
    x: IntArray,
    slopes: IntArray,
    positive: Requantizer,
    negative: Requantizer,
    x_zero_point: int = 0,
    slope_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    ledger: Ledger | None = None,
) -> IntArray:
    """Apply a parametric relu to codes.

    Args:
        x: codes of up to 32 bits.
        slopes: codes of up to 32 bits; they broadcast to the shape of x, as in NumPy.
        positive: the rescale of codes that are not below real 0; one for all, not stochastic.
        negative: the rescale of products with a slope; likewise.
        x_zero_point: the code of real 0 in x.
        slope_zero_point: the code of real 0 in the slopes.
        zero_point: the code of real 0 in the result.
        output: format of 1 to 32 bits.
        ledger: filled with the extremes of both rescales before the clamp, and with their
            registers: ``positive ...`` and ``negative ...``.

    Returns:
        Codes in ``output.dtype``, of the shape of x.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    codes, steep = codes_of(x, "x"), codes_of(slopes, "slopes")
    broadcast_shape(codes, steep)
    if np.broadcast_shapes(codes.shape, steep.shape) != codes.shape:
        raise ContractError(
            f"slopes must broadcast to the shape of x, {codes.shape}, not {steep.shape} "
            "(accepted: one slope, or one for each channel as (channels, 1, 1))"
        )
    for scheme, name in ((positive, "positive"), (negative, "negative")):
        if getattr(scheme, "channels", 0) or getattr(scheme, "rounding", "") == "stochastic":
            raise ContractError(
                f"{name} must rescale every element alike, not {scheme!r} (accepted: a scheme of "
                "scalars that draws nothing)"
            )
    zeros = [
        require_int(z, f"{name}_zero_point", -(1 << _CODE_BITS), 1 << _CODE_BITS)
        for name, z in (("x", x_zero_point), ("slope", slope_zero_point))
    ]
    value = codes.astype(np.int64) - zeros[0]
    below = value < 0
    factor = np.broadcast_to(steep.astype(np.int64) - zeros[1], value.shape)
    require_output(output)
    y = np.empty(value.shape, output.dtype)
    parts: list[Ledger] = []
    sides = ((positive, ~below, value[~below]), (negative, below, _products(value, factor, below)))
    for scheme, chosen, taken in sides:
        part = Ledger()
        y[chosen] = requantize(taken, scheme, zero_point, output, None, 0, ledger=part)
        places = np.argwhere(chosen)
        part.place(lambda at, places=places: tuple(map(int, places[at[0]])))  # type: ignore[misc]
        parts.append(part)
    if ledger is not None:
        ledger.join(
            dict(zip(("positive", "negative"), parts, strict=True)),
            "prelu",
            "codes on either side of 0 are rescaled on their own",
        )
    return y


def _products(value: IntArray, factor: IntArray, chosen: npt.NDArray[np.bool_]) -> IntArray:
    """Return the products of the chosen elements; refuse those outside 64 bits."""
    taken, steep = value[chosen], factor[chosen]
    if taken.size and float(np.abs(taken).max()) * float(np.abs(steep).max()) >= 2.0**62:
        exact = taken.astype(object) * steep.astype(object)
        if any(abs(int(product)) >= 1 << 63 for product in exact):
            raise ContractError(
                "the product of a code and a slope must fit 64 bits (accepted: narrower codes)"
            )
    product: IntArray = taken * steep
    return product
