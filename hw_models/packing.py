"""Packing: narrow codes side by side in bytes, as memories and model files hold them.

Meaning: storage only. ``unpack(pack(codes))`` is ``codes``; no primitive computes on bytes.

Formula, for codes of w = 1, 2 or 4 bits, n = 8 / w of them to a byte, taken in C order::

    byte[i] = sum over j in 0..n-1 of (code[n*i + j] mod 2**w) << (w * place(j))
    place(j) = j            first="low": TFLite's and CMSIS-NN's INT4, TOSA's
             = n - 1 - j    first="high"

Corners: signed codes are two's complement in their w bits. Rows are not aligned: a code follows the
last of the row before. What is left of the last byte is 0, and other bits there are refused, so
that equal codes have equal bytes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast, get_args

import numpy as np

from hw_models._arguments import as_array, require_name, show
from hw_models.errors import ContractError, no_case
from hw_models.formats import FixedFormat, IntArray, is_int

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

First: TypeAlias = Literal["low", "high"]

WIDTHS: Final = (1, 2, 4)
FIRSTS: Final[tuple[First, ...]] = get_args(First)


def reference(codes: Sequence[int], form: FixedFormat, first: First = "low") -> list[int]:
    """Return the bytes of the codes, in Python integers."""
    width, count = form.bits, 8 // form.bits
    packed = [0] * -(-len(codes) // count)
    low_first = _low_first(first)
    for index, code in enumerate(codes):
        place = index % count if low_first else count - 1 - index % count
        packed[index // count] |= code % (1 << width) << width * place
    return packed


def pack(codes: npt.ArrayLike, form: FixedFormat, first: First = "low") -> npt.NDArray[np.uint8]:
    """Return the bytes of the codes.

    Args:
        codes: any shape, any integer dtype and strides; taken in C order.
        form: format of a code, 1, 2 or 4 bits.
        first: which end of a byte holds its first code, ``low`` or ``high``.

    Returns:
        uint8, 1-D: ``ceil(codes.size * form.bits / 8)`` bytes.

    Raises:
        ContractError: for arguments outside the contract; a code outside ``form`` is named.
    """
    shifts = _shifts(form, first)
    array = as_array(codes, "codes")
    if array.dtype.kind not in "iu":
        raise ContractError(
            f"codes must have an integer dtype, not {array.dtype} (accepted: int8 to uint64)"
        )
    if not form.fits(array):
        low, high = int(array.min()), int(array.max())
        raise ContractError(
            f"codes must be codes of their format, not {low if low < form.min else high} "
            f"(accepted: {form.min}..{form.max})"
        )
    places = np.zeros(-(-array.size // shifts.size) * shifts.size, np.uint8)
    places[: array.size] = array.astype(np.uint8).reshape(-1) & (2**form.bits - 1)
    lifted = places.reshape(-1, shifts.size) << shifts
    return cast("npt.NDArray[np.uint8]", np.bitwise_or.reduce(lifted, axis=1))


def unpack(
    packed: npt.ArrayLike, shape: Sequence[int], form: FixedFormat, first: First = "low"
) -> IntArray:
    """Return the codes that :func:`pack` made bytes of.

    Args:
        packed: uint8, 1-D.
        shape: of the codes.
        form: format of a code, as given to :func:`pack`.
        first: as given to :func:`pack`.

    Returns:
        Codes in ``form.dtype``, of that shape.

    Raises:
        ContractError: for arguments outside the contract: a number of bytes that the shape does
            not need, bits beyond the last code, the unused code of a narrow format.
    """
    shifts = _shifts(form, first)
    sizes = _sizes(shape)
    array = as_array(packed, "packed")
    count = math.prod(sizes)
    needed = -(-count * form.bits // 8)
    if array.dtype != np.uint8 or array.shape != (needed,):
        raise ContractError(
            f"packed must be {needed} bytes for {count} codes of {form.bits} bits, not "
            f"{array.dtype} of shape {array.shape} (accepted: uint8 of shape ({needed},))"
        )
    places = ((array[:, None] >> shifts) & np.uint8(2**form.bits - 1)).reshape(-1)
    if places[count:].any():
        raise ContractError(
            f"packed must end in zero bits after its {count} codes, not {int(array[-1])} in the "
            "last byte (accepted: 0 in the unused bits)"
        )
    codes = FixedFormat(form.bits, form.signed).wrap(places[:count].view(np.int8))
    if not form.fits(codes):
        raise ContractError(
            f"packed must hold codes of their format, not {int(codes.min())} "
            f"(accepted: {form.min}..{form.max})"
        )
    return codes.reshape(sizes)


def _low_first(first: First) -> bool:
    match first:
        case "low":
            return True
        case "high":
            return False
        case _:
            raise ContractError(no_case(first, "first", FIRSTS))


def _shifts(form: object, first: First) -> npt.NDArray[np.uint8]:
    """Return where the codes of a byte begin, after checks of both arguments."""
    if not isinstance(form, FixedFormat) or form.bits not in WIDTHS:
        raise ContractError(
            f"form must be a FixedFormat of 1, 2 or 4 bits, not {show(form)} "
            "(accepted: FixedFormat(bits=1, 2 or 4))"
        )
    require_name(first, "first", FIRSTS)
    shifts = np.arange(0, 8, form.bits, dtype=np.uint8)
    return shifts if _low_first(first) else shifts[::-1]


def _sizes(shape: object) -> tuple[int, ...]:
    values = tuple(shape) if isinstance(shape, (tuple, list)) else None
    if values is None or not all(is_int(size) and size >= 0 for size in values):
        raise ContractError(
            f"shape must be sizes of 0 or more, not {show(shape)} (accepted: a tuple of integers)"
        )
    return tuple(int(size) for size in values)
