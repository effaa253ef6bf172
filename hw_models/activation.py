"""Activations on codes: clamp, relu and relu6.

Real-number meaning: ``min(max(x, low), high)``; relu has ``low = 0``, relu6 ``high = 6`` too.

Integer formula: the same on codes, with ``0 -> zero_point`` and ``6 -> quantize(6.0)`` in the
tensor's own scale, zero point and float formula (``hw_models.quantize``).

Corners: a bound outside the container's range clamps nothing on its side (or everything, when it
lies beyond the other end: then the nearest code of the container is the result). The code of 6
saturates to the output format, so relu6 is relu where 6 cannot be represented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models._arguments import as_array, require_ledger
from hw_models._pointwise import extremes, memory_order, require_int, require_integers
from hw_models.compiled import kernel
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray, clamped, if_else
from hw_models.quantize import quantize

if TYPE_CHECKING:
    from hw_models.formats import Select
    from hw_models.ledger import Ledger
    from hw_models.quantize import Formula

_FAR = 1 << 64


def reference(x: int, low: int, high: int, *, select: Select = if_else) -> int:
    """Clamp one code: the definition."""
    code: int = clamped(x, low, high, select)
    return code


@kernel
def _clamp(x: Any, y: Any, low: Any, high: Any) -> Any:
    changed = 0
    for i in range(x.size):
        y[i] = min(max(x[i], low), high)
        changed += y[i] != x[i]
    return changed


def clamp(x: IntArray, low: int, high: int, ledger: Ledger | None = None) -> IntArray:
    """Clamp codes to low..high.

    Args:
        x: codes, any shape and strides.
        low: smallest result.
        high: largest result, not below low.
        ledger: filled with the extremes of x and with what was clamped.

    Returns:
        Codes of the dtype, shape and memory order of x.

    Raises:
        ContractError: for a float array, or low above high.
    """
    require_ledger(ledger)
    codes = require_integers(as_array(x, "x"), "x")
    low, high = (require_int(v, n, -_FAR, _FAR) for v, n in ((low, "low"), (high, "high")))
    if low > high:
        raise ContractError(f"low must not exceed high, not {low} > {high} (accepted: low <= high)")
    info = np.iinfo(codes.dtype)
    least, most = (min(max(v, int(info.min)), int(info.max)) for v in (low, high))
    dense, layout = memory_order(codes)
    y = np.empty_like(dense)
    changed = int(
        _clamp(dense.reshape(-1), y.reshape(-1), codes.dtype.type(least), codes.dtype.type(most))
    )
    if ledger is not None:
        ledger.fill(
            dense.size,
            extremes(dense),
            "clamp",
            "a clamp is exact in its own container",
            clamped=changed,
            first_clamped=layout.first(y != dense) if changed else None,
        )
    return layout.restore(y)


def relu(x: IntArray, zero_point: int = 0, ledger: Ledger | None = None) -> IntArray:
    """Replace codes below the zero point with it; arguments and errors as ``clamp``."""
    low = require_int(zero_point, "zero_point", -_FAR, _FAR)
    return clamp(x, low, _FAR, ledger)


def relu6(
    x: IntArray,
    scale: float,
    zero_point: int = 0,
    output: FixedFormat | None = None,
    formula: Formula = "torch",
    ledger: Ledger | None = None,
) -> IntArray:
    """Clamp codes to the codes of 0 and 6.

    Args:
        x: codes, any shape and strides.
        scale: of x.
        zero_point: of x.
        output: the format of x, in which 6 is quantized; by default that of its container.
        formula: how 6 is quantized, see ``hw_models.quantize``.
        ledger: as ``clamp``.

    Returns:
        Codes of the dtype, shape and memory order of x.

    Raises:
        ContractError: as ``clamp`` and ``quantize``.
    """
    require_ledger(ledger)
    codes = require_integers(as_array(x, "x"), "x")
    zero_point = require_int(zero_point, "zero_point", -(1 << 32), 1 << 32)
    form = (
        output
        if output is not None
        else FixedFormat(min(codes.dtype.itemsize * 8, 32), signed=codes.dtype.kind == "i")
    )
    six = quantize(np.full((), 6.0, np.float32), scale, zero_point, form, formula)
    return clamp(codes, zero_point, max(int(six), zero_point), ledger)
