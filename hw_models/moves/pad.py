"""Pad: codes are surrounded by other codes.

Real-number meaning: the border holds a constant (usually real 0, whose code is the zero point), or
repeats what is inside.

Integer formula: ``y[i] = x[i - before]``; outside of x, by mode, along each dimension of length n:

| mode      | code at position ``p = i - before``, outside ``0..n-1`` | who                 |
|-----------|---------------------------------------------------------|---------------------|
| constant  | ``value``                                               | PAD, PADV2, torch   |
| edge      | ``x[min(max(p, 0), n - 1)]``                            | torch ``replicate`` |
| reflect   | ``x[-p]`` before, ``x[2 * (n - 1) - p]`` after          | MIRROR_PAD, torch   |
| symmetric | ``x[-p - 1]`` before, ``x[2 * n - 1 - p]`` after        | MIRROR_PAD          |

Corners: ``reflect`` needs pads below n, ``symmetric`` pads up to n: one reflection, not more.
Where two dimensions are padded, a corner is mirrored in both. Pads add less than 2**31 elements.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import numpy as np

from hw_models._arguments import as_array, require_ledger, require_name, show
from hw_models._pointwise import Layout, extremes, memory_order, require_int, require_integers
from hw_models.errors import ContractError, no_case
from hw_models.formats import IntArray, is_int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.ledger import Ledger

PadMode: TypeAlias = Literal["constant", "edge", "reflect", "symmetric"]
PAD_MODES: Final[tuple[PadMode, ...]] = get_args(PadMode)
MAX_ADDED: Final = 1 << 31


def reference(
    codes: Sequence[int], before: int, after: int, value: int = 0, mode: PadMode = "constant"
) -> list[int]:
    """Pad one line of codes: the definition."""
    n, result = len(codes), []
    for p in range(-before, n + after):
        if 0 <= p < n:
            result.append(codes[p])
        elif mode == "constant":
            result.append(value)
        elif mode == "edge":
            result.append(codes[min(max(p, 0), n - 1)])
        elif mode == "reflect":
            result.append(codes[-p if p < 0 else 2 * (n - 1) - p])
        elif mode == "symmetric":
            result.append(codes[-p - 1 if p < 0 else 2 * n - 1 - p])
        else:
            raise ContractError(no_case(mode, "mode", PAD_MODES))
    return result


def pad(
    x: IntArray,
    pads: Sequence[tuple[int, int]],
    value: int = 0,
    mode: PadMode = "constant",
    ledger: Ledger | None = None,
) -> IntArray:
    """Surround codes with others.

    Args:
        x: codes of any integer type, any shape and strides.
        pads: (before, after) for each dimension, 0 or more.
        value: the code of the border under ``constant``; of x's type.
        mode: a name of ``PAD_MODES``.
        ledger: filled with the extremes of the result; nothing overflows.

    Returns:
        Codes of the dtype and the memory order of x.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    require_name(mode, "mode", PAD_MODES)
    codes = require_integers(as_array(x, "x"), "x")
    widths = _widths(pads, codes.shape, mode)
    info = np.iinfo(codes.dtype)
    code = require_int(value, "value", int(info.min), int(info.max))
    dense, layout = memory_order(codes)
    border = [widths[axis] for axis in layout.order]
    shape = tuple(n + b + a for n, (b, a) in zip(codes.shape, widths, strict=True))
    added = math.prod(shape) - codes.size
    if added >= MAX_ADDED:
        raise ContractError(
            f"pads must add less than 2**31 elements, not {added} to shape {codes.shape} "
            "(accepted: smaller pads)"
        )
    y: IntArray
    match mode:
        case _ if not border:
            y = dense.copy()
        case "constant":
            y = np.pad(dense, border, constant_values=code)
        case "edge" | "reflect" | "symmetric":
            y = np.pad(dense, border, mode)  # NumPy's names are ours
        case _:
            raise ContractError(no_case(mode, "mode", PAD_MODES))
    if ledger is not None:
        reason = "no arithmetic: the codes are moved, not changed"
        ledger.fill(y.size, extremes(y), "pad", reason)
    return Layout(layout.order, shape).restore(y)


def _widths(
    pads: Sequence[tuple[int, int]], shape: tuple[int, ...], mode: PadMode
) -> list[tuple[int, int]]:
    accepted = f"{len(shape)} pairs (before, after) of sizes of 0 or more"
    try:
        pairs = [tuple(pair) for pair in pads]
    except TypeError:
        pairs = [()]
    sizes = [size for pair in pairs for size in pair]
    good = len(pairs) == len(shape) and all(len(pair) == 2 for pair in pairs)
    if not good or not all(is_int(size) and 0 <= size < 1 << 31 for size in sizes):
        raise ContractError(
            f"pads must have one pair per dimension, not {show(pads)} (accepted: {accepted})"
        )
    for axis, (length, pair) in enumerate(zip(shape, pairs, strict=True)):
        most = _most(mode, length)
        if most is not None and max(pair) > most:
            raise ContractError(
                f"pads of mode {mode} must be at most {most} along dimension {axis} of length "
                f"{length}, not {max(pair)} (accepted: 0..{most})"
            )
    return [(int(before), int(after)) for before, after in pairs]


def _most(mode: PadMode, length: int) -> int | None:
    """Return the largest pad of a dimension, or None where there is none."""
    match mode:
        case "constant":
            return None
        case "edge":
            return None if length else 0
        case "reflect":
            return max(length - 1, 0)
        case "symmetric":
            return length
        case _:
            raise ContractError(no_case(mode, "mode", PAD_MODES))
