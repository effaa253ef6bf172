"""A function of one code by integer arithmetic: exp, sigmoid, SiLU, GELU, 1/x, 1/sqrt(x).

Real-number meaning: ``y = f(x)``, where x and y each have a scale and a zero point.

Integer formula: the unit's, see ``hw_models.integer.curves`` (``IbertExp``, ``ExpSigmoid``,
``ExpSilu``, ``IbertGelu``) and ``hw_models.integer.inverses`` (``NewtonReciprocal``,
``NewtonRsqrt``), each with its widths and its largest error; then
``clamp(value + zero_point)``.

Corners: 1/0 and the root of what is not positive are ``output.max`` (a ledger counts them as
2**40). No register overflows.

A ``lookup`` (``hw_models.tables``) computes any function of 8-bit codes with no error but the
rounding; of 16-bit codes ``interpolate``, as TFLite does. These units are for datapaths that have
multipliers rather than memory for tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args

import numpy as np

from hw_models._arguments import as_array, require_ledger, show
from hw_models._pointwise import (
    INT64_MAX,
    INT64_MIN,
    memory_order,
    require_codes,
    require_narrow,
    require_output,
    require_signed,
)
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray, if_else
from hw_models.integer.curves import ExpSigmoid, ExpSilu, IbertExp, IbertGelu
from hw_models.integer.exponential import Exponential
from hw_models.integer.inverses import NewtonReciprocal, NewtonRsqrt
from hw_models.integer.kernels import run
from hw_models.ledger import fixed_register
from hw_models.requantize import requantize
from hw_models.schemes import PowerOfTwo

if TYPE_CHECKING:
    from hw_models.formats import Select
    from hw_models.ledger import Ledger, Register

__all__ = [
    "ExpSigmoid",
    "ExpSilu",
    "Exponential",
    "FunctionUnit",
    "IbertExp",
    "IbertGelu",
    "NewtonReciprocal",
    "NewtonRsqrt",
    "integer_function",
    "reference",
    "require_unit",
]

FunctionUnit: TypeAlias = (
    IbertExp | ExpSigmoid | ExpSilu | IbertGelu | NewtonReciprocal | NewtonRsqrt
)
_INT8: Final = FixedFormat(8)
_AS_IS: Final = PowerOfTwo(0)
_INFINITE: Final = 1 << 40  # beyond every output format and zero point
_NAMES: Final = tuple(kind.__name__ for kind in get_args(FunctionUnit))


def reference(
    code: Any, unit: FunctionUnit, output: FixedFormat = _INT8, *, select: Select = if_else
) -> Any:
    """Compute one code, an integer or a bit-vector: the definition."""
    return unit.reference(code, output, select)


def integer_function(
    x: IntArray,
    unit: FunctionUnit,
    input: FixedFormat = _INT8,  # noqa: A002  # the contract's name
    output: FixedFormat = _INT8,
    ledger: Ledger | None = None,
) -> IntArray:
    """Compute a function of every code.

    Args:
        x: codes of ``input``, any shape and strides.
        unit: IbertExp, ExpSigmoid, ExpSilu, IbertGelu, NewtonReciprocal or NewtonRsqrt.
        input: format of x: 1 to 16 bits.
        output: format of the result: 1 to 32 bits.
        ledger: filled with the extremes of the value before the clamp, with what the clamp changed
            and with the registers of the unit and of its rescale.

    Returns:
        Codes in ``output.dtype``, the shape and the memory order of x.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    require_unit(unit, input)
    require_output(output)
    codes = require_signed(as_array(x, "x"), "x")
    require_codes(codes, "x", input)
    dense, layout = memory_order(codes)
    values = np.empty(dense.size, np.int64)
    ends = np.array([(INT64_MAX, INT64_MIN)] * len(unit.registers), np.int64)
    run(unit, dense.reshape(-1).astype(np.int64), values, ends, _INFINITE)
    rescale = getattr(unit, "rescale", _AS_IS)
    shaped = layout.restore(values)
    result = requantize(shaped, rescale, unit.zero_point, output, ledger=ledger)
    if ledger is not None:
        ledger.kernel = f"{type(unit).__name__}-{ledger.kernel}"
        ledger.registers = (*_records(unit, ends), *ledger.registers)
    return result


def require_unit(unit: FunctionUnit, codes: FixedFormat) -> None:
    """Raise ContractError where a unit does not take these codes."""
    if not isinstance(unit, FunctionUnit):
        raise ContractError(
            f"unit must be an integer function, not {show(unit)} (accepted: {', '.join(_NAMES)})"
        )
    require_narrow(codes, "input")
    name = "top" if isinstance(unit, IbertExp) else "input_zero_point"
    origin = unit.top if isinstance(unit, IbertExp) else unit.input_zero_point
    if not codes.fits(origin):
        raise ContractError(
            f"{name} must be a code of the input, not {origin} (accepted: {codes.min}..{codes.max})"
        )


def _records(unit: FunctionUnit, ends: Any) -> tuple[Register, ...]:
    return tuple(
        fixed_register(name, form, (int(low), int(high)) if low <= high else (0, 0))
        for (name, form), (low, high) in zip(unit.registers, ends, strict=True)
    )
