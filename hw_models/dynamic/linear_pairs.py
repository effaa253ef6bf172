"""Linear whose pairs of products are added with saturation: uint8 times int8 without VNNI.

Integer formula, for j from 0 in steps of 2; where K is odd, the last product has no partner:

    pair  = x[..., j] * weight[o, j] + x[..., j + 1] * weight[o, j + 1]     17 bits, exact
    acc[..., o] = sum over j of min(max(pair, -32768), 32767)               modulo 2**32

x holds codes 0..255 and weight -128..127, as they are: zero points come later, from sums of codes
and of weights (``dequantize_sums``). ``linear`` with zero points 0 has the same products without
the saturation, which is what VNNI's VPDPBUSD adds.

Corners: a pair saturates upwards from 32768 on, which two products of 128 * 128 make: no pair of
codes up to 127 does (127 * 127 * 2 = 32258), nor of codes up to 128 with weights of -127..127.
Downwards, codes up to 128 reach -32768 exactly, and no further. That is what reduced ranges are
for. No products give 0.

Source: Intel Software Developer's Manual, VPMADDUBSW (pairs, saturated to int16), VPMADDWD with
ones and VPADDD (sums modulo 2**32); pytorch/FBGEMM's kernels that accumulate in 32 bits, for
processors with AVX2 or AVX-512 and without VNNI.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array, require_ledger
from hw_models._pointwise import as_int64, require_codes, require_integers
from hw_models.compiled import kernel
from hw_models.errors import ContractError
from hw_models.formats import Accumulator, FixedFormat
from hw_models.ledger import Register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import IntArray
    from hw_models.ledger import Ledger

X_CODES: Final = FixedFormat(8, signed=False)
WEIGHT_CODES: Final = FixedFormat(8)
PAIR: Final = FixedFormat(16)
SUM: Final = Accumulator(32, "wrap")


def reference(x: Sequence[int], weight: Sequence[int]) -> int:
    """Multiply one row by one output's weights, in Python integers: the definition."""
    products = [code * factor for code, factor in zip(x, weight, strict=True)]
    pairs = [sum(products[j : j + 2]) for j in range(0, len(products), 2)]
    total = sum(PAIR.saturate(pair) for pair in pairs)
    return (total + (1 << 31)) % (1 << 32) - (1 << 31)


@kernel(nogil=True)
def _pairs(left: Any, right: Any, y: Any) -> None:
    """Sum saturated pairs of [rows, 2, steps] times [outputs, 2, steps]."""
    for r in range(left.shape[0]):
        even, odd = left[r, 0], left[r, 1]
        for o in range(right.shape[0]):
            first, second = right[o, 0], right[o, 1]
            total = np.int32(0)
            for j in range(even.shape[0]):
                pair = np.int32(even[j]) * np.int32(first[j])
                pair += np.int32(odd[j]) * np.int32(second[j])
                total += min(max(pair, np.int32(-32768)), np.int32(32767))
            y[r, o] = total


@kernel
def _record(left: Any, right: Any, ends: Any, over: Any, wrapped: Any) -> None:
    """Find the extremes of pairs and of their sums, which outputs saturate, and which wrap."""
    for r in range(left.shape[0]):
        for o in range(right.shape[0]):
            total = 0
            for j in range(left.shape[2]):
                pair = np.int64(left[r, 0, j]) * np.int64(right[o, 0, j])
                pair += np.int64(left[r, 1, j]) * np.int64(right[o, 1, j])
                kept: Any = min(max(pair, -32768), 32767)
                ends[0] = min(ends[0], pair)
                ends[1] = max(ends[1], pair)
                over[r, o] |= kept != pair
                total += kept
            ends[2] = min(ends[2], total)
            ends[3] = max(ends[3], total)
            wrapped[r, o] = not -(1 << 31) <= total < 1 << 31


def linear_pairs(
    x: npt.ArrayLike, weight: npt.ArrayLike, ledger: Ledger | None = None
) -> npt.NDArray[np.int32]:
    """Multiply rows of x with weight, adding pairs of products with saturation.

    Args:
        x: codes [..., K] of 0..255, any integer dtype and strides.
        weight: codes [O, K] of -128..127.
        ledger: filled with the extremes of the sums, and of the pairs before they saturate.

    Returns:
        int32 [..., O].

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    codes = as_int64(require_integers(as_array(x, "x"), "x"), "x")
    factors = as_int64(require_integers(as_array(weight, "weight"), "weight"), "weight")
    if factors.ndim != 2:
        raise ContractError(
            f"weight must have shape [O, K], not {factors.shape} (accepted: 2 dimensions)"
        )
    outputs, depth = factors.shape
    if codes.ndim == 0 or codes.shape[-1] != depth:
        raise ContractError(
            f"x must have shape [..., {depth}] as the weight has, not {codes.shape} "
            f"(accepted: a last dimension of {depth})"
        )
    require_codes(codes, "x", X_CODES)
    require_codes(factors, "weight", WEIGHT_CODES)
    lead = codes.shape[:-1]
    left, right = _halves(codes.reshape(math.prod(lead), depth)), _halves(factors)
    y = np.empty((len(left), outputs), np.int32)
    _pairs(left, right, y)
    if ledger is not None:
        _fill(ledger, left, right, lead, y)
    return y.reshape(*lead, outputs)


def _halves(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
    """Return [rows, 2, steps]: the first codes of all pairs, then the second ones."""
    rows, depth = codes.shape
    even = np.zeros((rows, -(-depth // 2), 2), np.int16)
    even.reshape(rows, -1)[:, :depth] = codes
    return np.ascontiguousarray(even.transpose(0, 2, 1))


def _fill(ledger: Ledger, left: Any, right: Any, lead: tuple[int, ...], y: IntArray) -> None:
    flags = [np.zeros(y.shape, np.bool_) for _ in range(2)]
    ends = np.zeros(4, np.int64)
    if y.size and left.shape[2]:
        ends[:] = [1 << 62, -(1 << 62)] * 2
        _record(left, right, ends, *flags)
    pairs, sums = ((int(low), int(high)) for low, high in ends.reshape(2, 2))
    (over, first), (wrapped, first_wrapped) = (_count(flag, lead) for flag in flags)
    registers = (
        Register("pair of products", PAIR.bits, "saturate", *pairs, over, first),
        Register.of(SUM, sums, wrapped, first_wrapped),
    )
    ledger.fill(
        y.size, sums, "linear-pairs", "pairs saturate at 16 bits", registers=registers
    )  # fmt: skip


def _count(
    flags: npt.NDArray[np.bool_], lead: tuple[int, ...]
) -> tuple[int, tuple[int, ...] | None]:
    """Return how many outputs are marked, and the index of the first of them."""
    if not flags.any():
        return 0, None
    found = np.unravel_index(int(np.argmax(flags)), (*lead, flags.shape[1]))
    return int(flags.sum()), tuple(int(i) for i in found)
