"""Two operands of an element-wise primitive: checked, broadcast, in one memory order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array
from hw_models._pointwise import Layout, as_int64, dimension_order, require_integers
from hw_models.errors import ContractError

if TYPE_CHECKING:
    from hw_models.formats import IntArray


def broadcast_shape(a: IntArray, b: IntArray, names: tuple[str, str] = ("a", "b")) -> None:
    """Refuse shapes that NumPy does not broadcast."""
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ContractError(
            f"{names[0]} and {names[1]} must have shapes that broadcast, not {a.shape} and "
            f"{b.shape} (accepted: equal shapes, or as NumPy broadcasts)"
        ) from None


def codes_of(x: object, name: str) -> IntArray:
    """Return x as an integer array of codes of up to 32 bits, signed or not."""
    array = require_integers(as_array(x, name), name)
    if array.dtype.itemsize < 8:
        return array
    wide = as_int64(array, name)
    if wide.size and not -(1 << 31) <= int(wide.min()) <= int(wide.max()) < 1 << 32:
        ends = f"{int(wide.min())}..{int(wide.max())}"
        raise ContractError(
            f"{name} must be codes of up to 32 bits, not {ends} (accepted: -2**31..2**32-1)"
        )
    return wide


def operands(a: IntArray, b: IntArray) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Layout]:
    """Return both operands flat, as int64, in the memory order of a (broadcast), and the way back.

    Raises:
        ContractError: no integers, codes of more than 32 bits, or shapes that do not broadcast.
    """
    x, y = codes_of(a, "a"), codes_of(b, "b")
    broadcast_shape(x, y)
    shape = np.broadcast_shapes(x.shape, y.shape)
    left, right = np.broadcast_to(x, shape), np.broadcast_to(y, shape)
    layout = Layout(dimension_order(left), shape)
    # Copies, always: Numba compiles read-only arrays anew, as broadcast views are.
    flat = [np.array(v.transpose(layout.order), np.int64, order="C") for v in (left, right)]
    return flat[0].reshape(-1), flat[1].reshape(-1), layout
