"""RMS norm of codes over the last dimensions.

Real-number meaning: ``y = x / sqrt(mean(x**2) + eps) * weight`` over the last ``dims`` dimensions.

Integer formula: as ``hw_models.norms.layer_norm`` without a mean: ``d = N * c`` and ``V = N *
sum(c * c)`` of ``c = x - x_zero_point``, which does not cancel here. Widths, corners and error are
the same ones; a row of zeros makes the zero point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hw_models._pointwise import require_int
from hw_models.formats import FixedFormat, IntArray
from hw_models.norms.layer_norm import reference as normalized
from hw_models.norms.rows import codes_in, normalize_last

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.integer.norms import IntegerNorm
    from hw_models.ledger import Ledger

_INT8 = FixedFormat(8)


def reference(
    row: Sequence[int],
    norm: IntegerNorm,
    weight: Sequence[int] | None = None,
    x_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat = _INT8,
    clamp: tuple[int, int] | None = None,
) -> list[int]:
    """Compute one row: the definition."""
    row = [x - x_zero_point for x in row]
    return normalized(row, norm, weight, None, zero_point, output, clamp, centred=False)


def rms_norm(
    x: IntArray,
    norm: IntegerNorm,
    weight: Any = None,
    dims: int = 1,
    x_zero_point: int = 0,
    zero_point: int = 0,
    input: FixedFormat = _INT8,  # noqa: A002  # the contract's name
    output: FixedFormat = _INT8,
    clamp: tuple[int, int] | None = None,
    ledger: Ledger | None = None,
) -> IntArray:
    """Divide codes by the root of their mean square over the last dimensions.

    Args:
        x: codes of ``input``, any shape and strides.
        norm: how a row is normalized and rescaled.
        weight: integers of the shape of the last ``dims`` dimensions; None: 1.
        dims: how many dimensions a row has.
        x_zero_point: the code of real 0 in x, of 1 to 16 bits.
        zero_point: of the output, added before the clamp.
        input: format of x: 1 to 16 bits.
        output: format of the result: 1 to 32 bits.
        clamp: (low, high) of a fused activation, in output codes.
        ledger: as in layer_norm.

    Returns:
        Codes in ``output.dtype``, the shape of x.

    Raises:
        ContractError: for arguments outside the contract.
    """
    codes = codes_in(x, input, output, ledger)
    zero = require_int(x_zero_point, "x_zero_point", -(1 << 16), 1 << 16)
    finish = (zero_point, output, clamp)
    return normalize_last(
        codes, dims, norm, (weight, None), input, finish, ledger, x_zero_point=zero
    )
