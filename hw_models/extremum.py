"""Minimum and maximum of two code tensors, element by element.

Real-number meaning: ``min(a, b)`` and ``max(a, b)``, all three with the same scale and zero point.

Integer formula: the same on codes: a positive scale keeps their order.

Corners: operands with other parameters must be requantized first; nothing here could tell. A
Python integer is a constant code, of the other operand's type. Arrays of two types have their
result in the type that holds both; no integer type holds both int64 and uint64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models._arguments import as_array, require_ledger
from hw_models._broadcast import broadcast_shape
from hw_models._pointwise import extremes, require_integers
from hw_models.errors import ContractError
from hw_models.formats import IntArray, if_else, is_int

if TYPE_CHECKING:
    from collections.abc import Callable

    from hw_models.formats import Select
    from hw_models.ledger import Ledger


def reference(a: Any, b: Any, *, largest: bool, select: Select = if_else) -> Any:
    """Return the larger or the smaller of two codes (or bit-vectors): the definition."""
    return select(a > b, a, b) if largest else select(a < b, a, b)


def minimum(a: IntArray | int, b: IntArray | int, ledger: Ledger | None = None) -> IntArray:
    """Take the smaller of two codes.

    Args:
        a: codes of any integer type, any shape and strides; or one code.
        b: as a; the shapes broadcast as in NumPy.
        ledger: filled with the extremes of the result; nothing overflows.

    Returns:
        Codes in the common type.

    Raises:
        ContractError: for arguments outside the contract.
    """
    return _extremum("minimum", np.minimum, a, b, ledger)


def maximum(a: IntArray | int, b: IntArray | int, ledger: Ledger | None = None) -> IntArray:
    """Take the larger of two codes; arguments, result and errors as ``minimum``."""
    return _extremum("maximum", np.maximum, a, b, ledger)


def _extremum(
    name: str,
    choose: Callable[[IntArray, IntArray], IntArray],
    a: IntArray | int,
    b: IntArray | int,
    ledger: Ledger | None,
) -> IntArray:
    require_ledger(ledger)
    if is_int(a) and is_int(b):
        raise ContractError(
            f"a or b must be an array, not {a!r} and {b!r} (accepted: one code at most)"
        )
    x, y = _typed(a, "a", b), _typed(b, "b", a)
    broadcast_shape(x, y)
    if np.promote_types(x.dtype, y.dtype).kind not in "iu":
        raise ContractError(
            f"a and b must have types that one integer type holds, not {x.dtype} and {y.dtype} "
            "(accepted: not int64 or narrower signed with uint64)"
        )
    result = np.asarray(choose(x, y))
    if ledger is not None:
        ledger.fill(result.size, extremes(result), name, "comparisons are exact")
    return result


def _typed(value: IntArray | int, name: str, other: IntArray | int) -> IntArray:
    """Return an operand as an array; one code takes the other's type, which must hold it."""
    if not is_int(value):
        return require_integers(as_array(value, name), name)
    code = int(value)
    info = np.iinfo(require_integers(as_array(other, "the array"), "the array").dtype)
    if not info.min <= code <= info.max:
        raise ContractError(
            f"{name} must be a code of the array's type, not {code} "
            f"(accepted: {info.min}..{info.max})"
        )
    return np.asarray(code, info.dtype)
