"""Requantize: an accumulator becomes a narrow code.

Real-number meaning: ``y - zero_point ~ (acc - input_zero_point) * scale``.

Integer formula: ``y = clamp(scheme(acc - input_zero_point) + zero_point)``. The scheme is a value
object of ``hw_models.schemes`` (fixed point in six datapaths, power of two, multiply-add-shift,
NVDLA's converter, float32 and float64 multipliers), whose module docstring defines it to the bit.

Corners: the zero point is added *before* the clamp, in exact integers. The clamp is first the
fused activation, in output codes, then the output format. Nothing wraps: what a scheme makes of an
extreme accumulator saturates, except the 32-bit left shift of the ``double`` roundings. These and
TOSA's refuse accumulators outside int32 (apply_scale_16: outside 48 bits), and TOSA's an element
whose rescaled value leaves int32. The narrow code -2**(bits-1) is kept out by a format with
``narrow=True``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hw_models._pointwise import output_range
from hw_models.formats import FixedFormat, IntArray, clamped, if_else
from hw_models.requantization.plan import RequantizePlan
from hw_models.schemes import REQUANTIZERS, Requantizer
from hw_models.tracing import step

if TYPE_CHECKING:
    from hw_models.formats import Select
    from hw_models.ledger import Ledger

__all__ = ["RequantizePlan", "reference", "requantize", "requantize_plan"]


def reference(
    acc: Any,
    requantizer: Requantizer,
    zero_point: int = 0,
    output: FixedFormat | None = None,
    clamp: tuple[int, int] | None = None,
    input_zero_point: int = 0,
    *,
    channel: int = 0,
    draw: int = 0,
    select: Select = if_else,
) -> Any:
    """Requantize one value in exact integers (or, with ``select``, bit-vectors): the definition.

    Args:
        acc: the accumulator, an integer or a wide enough bit-vector.
        requantizer: the scheme.
        zero_point: added before the clamp.
        output: format of the code; 8 bits signed by default.
        clamp: (low, high) of a fused activation, in output codes.
        input_zero_point: subtracted from the accumulator first.
        channel: which of the requantizer's channels.
        draw: for ``stochastic``, ``splitmix64(seed, index)``.
        select: ``if``-expression of an SMT solver.
    """
    low, high = output_range(output or FixedFormat(8), clamp)
    centred = step(acc - input_zero_point, "offset")
    value = requantizer.reference(centred, channel, draw=draw, select=select)
    return code(value, zero_point, low, high, select)


def code(value: Any, zero_point: Any, low: Any, high: Any, select: Select = if_else) -> Any:
    """Return the code of a rescaled value: zero point first, then the clamp."""
    return clamped(step(value + zero_point, "zero_point"), low, high, select)


def requantize_plan(
    requantizer: Requantizer,
    zero_point: int = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    clamp: tuple[int, int] | None = None,
    axis: int = 1,
    input_zero_point: int = 0,
) -> RequantizePlan:
    """Check and prepare a requantization for many calls; arguments as in requantize()."""
    return RequantizePlan(requantizer, zero_point, output, clamp, axis, input_zero_point)


def requantize(
    acc: IntArray,
    requantizer: Requantizer,
    zero_point: int = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    clamp: tuple[int, int] | None = None,
    axis: int = 1,
    input_zero_point: int = 0,
    ledger: Ledger | None = None,
) -> IntArray:
    """Rescale accumulators to codes of ``output``.

    Args:
        acc: integers of up to 64 bits, any shape and strides.
        requantizer: ``FixedPoint``, ``PowerOfTwo``, ``MulAddShift``, ``Converter``, ``FloatScale``
            or ``Float64Scale``.
        zero_point: of the output, added before the clamp.
        output: format of 1 to 32 bits.
        clamp: (low, high) of a fused activation, in output codes.
        axis: the dimension that per-channel parameters run along.
        input_zero_point: subtracted from acc first, exactly.
        ledger: filled with the extremes of the value (zero point included) before the clamp,
            with what the clamp changed, and with the registers of the scheme
            (``requantization.registers``). Values of float scales count as at most 2**62.

    Returns:
        Codes in ``output.dtype``, the shape and the memory order of acc.

    Raises:
        ContractError: for arguments outside the contract.
    """
    plan = _remembered(requantizer, zero_point, output, clamp, axis, input_zero_point)
    return plan(acc, ledger)


def _remembered(
    requantizer: Requantizer,
    zero_point: int,
    output: FixedFormat,
    clamp: tuple[int, int] | None,
    axis: int,
    input_zero_point: int,
) -> RequantizePlan:
    """Return the plan of these arguments, kept in the requantizer, which is immutable."""
    arguments = (zero_point, output, clamp, axis, input_zero_point)
    # Only plain ints: True and 1.0 equal 1 as keys, and the plan refuses them.
    plain = type(zero_point) is type(axis) is type(input_zero_point) is int and (
        clamp is None or (type(clamp) is tuple and [type(code) for code in clamp] == [int, int])
    )
    if not plain or not isinstance(requantizer, REQUANTIZERS):
        return RequantizePlan(requantizer, *arguments)
    kept = requantizer.prepared
    plan: RequantizePlan | None = kept.get(arguments) if type(output) is FixedFormat else None
    if plan is None:
        plan = RequantizePlan(requantizer, *arguments)
        if len(kept) >= 16:
            kept.clear()
        kept[arguments] = plan
    return plan
