"""Dequantize: codes become float32 values.

Real-number meaning: ``x = (q - zero_point) * scale``.

| formula          | definition                                           | source               |
|------------------|------------------------------------------------------|----------------------|
| torch            | ``f32(f32(f32(q) - f32(zero_point)) * f32(scale))``  | quantized_decomposed |
| the others       | ``f32(f32(q - zero_point) * f32(scale))``            | ORT, ExecuTorch,     |
|                  |                                                      | TFLite               |

Corners: they agree wherever ``abs(q)`` and ``abs(q - zero_point)`` are at most 2**24, hence for
every format of up to 24 bits with its zero point in range. A product beyond float32 is infinite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array, require_ledger, require_name
from hw_models._pointwise import as_int64, extremes, require_integers
from hw_models.compiled import kernel
from hw_models.errors import ContractError, no_case
from hw_models.quantization.formulas import FORMULAS
from hw_models.quantization.parameters import parameter_view, parameters

if TYPE_CHECKING:
    from hw_models.formats import FloatArray, IntArray
    from hw_models.ledger import Ledger
    from hw_models.quantization.formulas import Formula


def _subtracts_exactly(formula: Formula) -> bool:
    match formula:
        case "torch":
            return False
        case "executorch" | "onnx" | "tflite" | "fbgemm" | "torch-per-token" | "torch-per-group":
            return True
        case _:
            raise ContractError(no_case(formula, "formula", FORMULAS))


def reference(q: int, scale: float, zero_point: int, formula: Formula = "torch") -> np.float32:
    """Dequantize one code, float32 step by float32 step: the definition."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = np.float32(scale)
        if _subtracts_exactly(formula):
            return np.float32(q - zero_point) * narrow
        return (np.float32(q) - np.float32(zero_point)) * narrow


@kernel
def _dequantize(x: Any, y: Any, scales: Any, zeros: Any, exact: Any) -> None:
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            scale, zero = scales[c], zeros[c]
            for i in range(x.shape[2]):
                if exact:
                    difference = np.float32(x[o, c, i] - zero)
                else:
                    difference = np.float32(x[o, c, i]) - np.float32(zero)
                y[o, c, i] = difference * scale


def dequantize(
    q: IntArray,
    scale: float | FloatArray,
    zero_point: int | IntArray = 0,
    axis: int | None = None,
    block: int | None = None,
    formula: Formula = "torch",
    ledger: Ledger | None = None,
) -> npt.NDArray[np.float32]:
    """Return the float32 values of codes.

    Args:
        q: codes, any integer dtype, shape and strides; up to 33 bits.
        scale: real step, as in ``quantize``.
        zero_point: integer, as in ``quantize``.
        axis: the dimension that 1-D or blocked parameters run along; None for scalars.
        block: how many neighbours along ``axis`` share one scale.
        formula: ``torch``, or one of the others, which are the same here.
        ledger: filled with the extremes of the codes; nothing clamps.

    Returns:
        float32 values, the shape and the memory order of q.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_name(formula, "formula", FORMULAS)
    require_ledger(ledger)
    codes = as_int64(require_integers(as_array(q, "q"), "q"), "q")
    if codes.size and (int(codes.min()) < -(1 << 32) or int(codes.max()) > 1 << 32):
        ends = f"{int(codes.min())}..{int(codes.max())}"
        raise ContractError(f"q must be codes of up to 33 bits, not {ends} (accepted: +-2**32)")
    scales, zeros, channels = parameters(codes.shape, scale, zero_point, axis, block)
    with np.errstate(over="ignore", under="ignore"):
        narrow = scales.astype(np.float32)
    good = np.isfinite(narrow) & (narrow > 0)
    if not good.all():
        raise ContractError(
            "scale must be positive and finite as float32, not "
            f"{scales[int(np.argmin(good))]} (accepted: 2e-45..3e38)"
        )
    view, layout = parameter_view(codes, axis, channels, block)
    y = np.empty(view.shape, np.float32)
    _dequantize(view, y, narrow, zeros, _subtracts_exactly(formula))
    if ledger is not None:
        ledger.fill(codes.size, extremes(codes), "dequantize", "float32, step by step")
    return layout.restore(y)
