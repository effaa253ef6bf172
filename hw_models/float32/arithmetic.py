"""Sum and product of two float32 tensors: IEEE 754's, one rounding; shapes broadcast as NumPy's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_ledger
from hw_models._pointwise import ends_of, require_floats
from hw_models.errors import ContractError
from hw_models.float32.steps import f32

if TYPE_CHECKING:
    from hw_models.formats import FloatArray
    from hw_models.ledger import Ledger


def add_reference(a: float, b: float) -> float:
    """``f32(a + b)``: the definition."""
    return f32(a + b)


def mul_reference(a: float, b: float) -> float:
    """``f32(a * b)``: the definition."""
    return f32(a * b)


def float_add(
    a: FloatArray, b: FloatArray, ledger: Ledger | None = None
) -> npt.NDArray[np.float32]:
    """Return ``f32(a + b)`` of float32 tensors that broadcast.

    Raises:
        ContractError: for arguments outside the contract.
    """
    return _of_two(np.add, "float_add", a, b, ledger)


def float_mul(
    a: FloatArray, b: FloatArray, ledger: Ledger | None = None
) -> npt.NDArray[np.float32]:
    """Return ``f32(a * b)`` of float32 tensors that broadcast.

    Raises:
        ContractError: for arguments outside the contract.
    """
    return _of_two(np.multiply, "float_mul", a, b, ledger)


def _of_two(
    operation: Any, name: str, a: FloatArray, b: FloatArray, ledger: Ledger | None
) -> npt.NDArray[np.float32]:
    require_ledger(ledger)
    left, right = require_floats(a, "a"), require_floats(b, "b")
    try:
        np.broadcast_shapes(left.shape, right.shape)
    except ValueError:
        raise ContractError(
            f"a and b must broadcast, not {left.shape} with {right.shape} "
            "(accepted: equal sizes, or 1)"
        ) from None
    with np.errstate(all="ignore"):
        y = np.asarray(operation(left, right), np.float32)
    if ledger is not None:
        ledger.fill(y.size, ends_of(y), name, "one rounding")
    return y
