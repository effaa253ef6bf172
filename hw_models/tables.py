"""Tables for ``lookup``: every code of an input format through a real function.

Real-number meaning: ``y = f(x)``, where x and y each have a scale and a zero point.

Two kinds of tables, which datapaths and interpreters keep apart:

* ``table``: the entry is computed with floats, once, when the network is compiled. In
  ``TableArithmetic.dtype``, each operation rounded:

      real  = input_scale * (code - input_zero_point)
      ratio = f(real) * (1 / output_scale)          divide: f(real) / output_scale
      entry = clamp(round(ratio) + output_zero_point)

* ``unit_table``: the entry is what an integer unit makes of the code
  (``hw_models.functions.units``):

| operator   | int8 in LiteRT (reference, optimized)       | int16 in LiteRT (reference)           |
|------------|---------------------------------------------|---------------------------------------|
| sigmoid    | ``table``, TFLITE                           | ``Sigmoid16``                         |
| tanh       | ``table``, TFLITE                           | ``Tanh16``                            |
| elu, gelu  | ``table``, TFLITE                           | not there                             |
| exp, log   | ``table``, TFLITE                           | ``interpolation_table``, float32      |
| hard_swish | ``HardSwish``                               | not there                             |
| leaky_relu | ``LeakyRelu``; XNNPACK: ``ByteLeakyRelu``   | ``LeakyRelu``                         |

LiteRT's LSTM, and its optimized int16 kernels at scales of 2**-12, have ``FixedSigmoid`` and
``FixedTanh`` instead of ``Sigmoid16`` and ``Tanh16``.

Sources: tensorflow lite/kernels/internal/common.h (LUTPopulate), lite/kernels/activations.cc and
elementwise.cc; ``ONNX`` is onnxruntime core/providers/cpu/quantization's QLinearLookupTable,
``TORCH`` the formula of quantized_decomposed.

Corners: an infinite result saturates; where the function has no value (log below 0) the caller
says which code is written, or the table is refused. TFLite's ``round`` is half away from zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from hw_models._arguments import require_flag, require_name, require_scale, show
from hw_models._pointwise import require_int
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray
from hw_models.functions.curves import Sigmoid16, Tanh16
from hw_models.functions.fixed16 import FixedSigmoid, FixedTanh
from hw_models.functions.real import FUNCTIONS, ask
from hw_models.functions.units import ByteLeakyRelu, HardSwish, LeakyRelu
from hw_models.rounding import DETERMINISTIC, Rounding, round_shift, rounding_code

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "FUNCTIONS",
    "ONNX",
    "TFLITE",
    "TORCH",
    "ByteLeakyRelu",
    "FixedSigmoid",
    "FixedTanh",
    "HardSwish",
    "LeakyRelu",
    "Sigmoid16",
    "TableArithmetic",
    "TableUnit",
    "Tanh16",
    "leaky_relu",
    "reference",
    "table",
    "unit_table",
]

FloatType: TypeAlias = Literal["float32", "float64"]
TableUnit: TypeAlias = (
    HardSwish | LeakyRelu | ByteLeakyRelu | Sigmoid16 | Tanh16 | FixedSigmoid | FixedTanh
)
Function: TypeAlias = "str | Callable[[float], float]"
FLOATS: Final[dict[str, type[Any]]] = {"float32": np.float32, "float64": np.float64}
MAX_BITS: Final = 16


@dataclass(frozen=True, slots=True)
class TableArithmetic:
    """How a table's entries are computed.

    Attributes:
        dtype: ``float32`` or ``float64``, of every operation.
        rounding: of the ratio to an integer; a name of ``ROUNDINGS`` but ``stochastic``.
        divide: by the output scale, instead of a product with its reciprocal.
    """

    dtype: FloatType = "float32"
    rounding: Rounding = "half_away"
    divide: bool = False

    def __post_init__(self) -> None:
        require_name(self.dtype, "TableArithmetic.dtype", tuple(FLOATS))
        rounding_code(self.rounding)
        if self.rounding not in DETERMINISTIC:
            raise ContractError(
                f"a table's rounding must be a rule of the value, not {self.rounding!r} "
                f"(accepted: {', '.join(DETERMINISTIC)})"
            )
        require_flag(self.divide, "TableArithmetic.divide")


TFLITE: Final = TableArithmetic()
ONNX: Final = TableArithmetic(rounding="half_even", divide=True)
TORCH: Final = TableArithmetic(rounding="half_even")


def reference(
    code: int,
    function: Callable[[Any], Any],
    scales: tuple[float, float],
    zero_points: tuple[int, int],
    output: FixedFormat,
    arithmetic: TableArithmetic = TFLITE,
) -> int | None:
    """Compute one entry, operation by operation: the definition. None where f has no value.

    Args:
        code: of the input.
        function: from a NumPy scalar to one of its type.
        scales: of the input and of the output.
        zero_points: of the input and of the output.
        output: format of the entry.
        arithmetic: of every operation.
    """
    real = FLOATS[arithmetic.dtype]
    scale, inverse = real(scales[0]), real(scales[1])
    with np.errstate(all="ignore"):
        value = function(scale * real(code - zero_points[0]))
        ratio = float(value / inverse if arithmetic.divide else value * (1 / inverse))
    if ratio != ratio:
        return None
    if abs(ratio) >= 1 << 40:
        return output.max if ratio > 0 else output.min
    numerator, denominator = ratio.as_integer_ratio()
    rounded = round_shift(numerator, denominator.bit_length() - 1, arithmetic.rounding)
    return output.saturate(int(rounded) + zero_points[1])


def leaky_relu(slope: float) -> Callable[[Any], Any]:
    """Return ``x`` above 0, ``slope * x`` below, for ``table``."""
    require_scale(-slope if isinstance(slope, float) and slope < 0 else slope, "slope")
    return lambda x: x if x > 0 else x * type(x)(slope)


def table(
    function: Function,
    input_scale: float,
    output_scale: float,
    input_zero_point: int = 0,
    output_zero_point: int = 0,
    input: FixedFormat = FixedFormat(8),  # noqa: A002, B008  # the contract's name; frozen
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    arithmetic: TableArithmetic = TFLITE,
    undefined: int | None = None,
) -> IntArray:
    """Make the table of a real function.

    Args:
        function: a name of ``FUNCTIONS``, or a function of one float, whose result is rounded to
            the arithmetic's type. Where it has no value it returns NaN or raises ValueError or
            ZeroDivisionError; an infinity it must return, as OverflowError has no sign.
        input_scale: real step of the input's codes.
        output_scale: real step of the entries.
        input_zero_point: the code of real 0 in the input.
        output_zero_point: the code of real 0 in the entries.
        input: format of the codes, 1 to 16 bits.
        output: format of the entries, 1 to 32 bits.
        arithmetic: of every operation.
        undefined: the entry where the function has no value; None refuses such a code.

    Returns:
        1-D, one entry in ``output.dtype`` per code of ``input``, the smallest code's first.

    Raises:
        ContractError: for arguments outside the contract.
    """
    compute = require_function(function)
    if not isinstance(arithmetic, TableArithmetic):
        raise ContractError(
            f"arithmetic must be a TableArithmetic, not {show(arithmetic)} (accepted: "
            "hw_models.TableArithmetic(dtype, rounding, divide))"
        )
    real = FLOATS[arithmetic.dtype]
    scales = (
        require_scale(input_scale, "input_scale", real),
        require_scale(output_scale, "output_scale", real),
    )
    zeros = (
        require_int(input_zero_point, "input_zero_point", -(1 << 32), 1 << 32),
        require_int(output_zero_point, "output_zero_point", -(1 << 32), 1 << 32),
    )
    require_formats(input, output)
    if undefined is not None:
        require_int(undefined, "undefined", output.min, output.max)
    entries = []
    for code in range(input.min, input.max + 1):
        entry = reference(code, compute, scales, zeros, output, arithmetic)
        if entry is None and undefined is None:
            raise ContractError(
                f"the function must have a value for every code, not NaN at code {code} "
                "(accepted: a function that has one, or `undefined`)"
            )
        entries.append(undefined if entry is None else entry)
    return np.array(entries, output.dtype)


def unit_table(
    unit: TableUnit,
    input: FixedFormat = FixedFormat(8),  # noqa: A002, B008  # the contract's name; frozen
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
) -> IntArray:
    """Make the table of an integer unit: arguments and result as ``table``."""
    if not isinstance(unit, TableUnit):
        raise ContractError(
            f"unit must be an integer unit, not {show(unit)} (accepted: HardSwish, LeakyRelu, "
            "ByteLeakyRelu, Sigmoid16, Tanh16, FixedSigmoid, FixedTanh)"
        )
    require_formats(input, output)
    codes = range(input.min, input.max + 1)
    return np.array([unit.reference(code, output) for code in codes], output.dtype)


def require_function(function: Function) -> Callable[[Any], Any]:
    """Return the function from a NumPy scalar to one of its type, or raise ContractError."""
    if isinstance(function, str) and function in FUNCTIONS:
        return FUNCTIONS[function]
    if isinstance(function, str) or not callable(function):
        raise ContractError(
            f"function must be a name or a function of one float, not {show(function)} "
            f"(accepted: {', '.join(FUNCTIONS)}, or a callable)"
        )
    return lambda x: ask(function, x)


def require_formats(codes: FixedFormat, output: FixedFormat, most: int = 32) -> None:
    """Raise ContractError where codes or entries (of ``most`` bits) are of another format."""
    for form, name, bits in ((codes, "input", MAX_BITS), (output, "output", most)):
        if not isinstance(form, FixedFormat) or form.bits > bits:
            raise ContractError(
                f"{name} must be a FixedFormat of 1 to {bits} bits, not {show(form)} "
                f"(accepted: 1..{bits} bits)"
            )
