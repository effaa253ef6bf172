"""Quantized addition of two code tensors.

Real-number meaning: ``y = a + b`` where each of the three has its own scale and zero point.

Integer formula: ``clamp(scheme(a - a_zero_point, b - b_zero_point) + zero_point)``. Schemes:

* ``ShiftedAdd`` (tensorflow lite/kernels/internal/reference/integer_ops/add.h): both offset inputs
  shifted left, each rescaled by a ``FixedPoint``, added, the sum rescaled by a third. A 32-bit
  register: a shifted input or a sum outside int32 is refused (C++ leaves it undefined).
* ``AlignedAdd``: powers of two. Both shifted left, exactly, to the finer scale; added in an
  ``Accumulator``; ``PowerOfTwo`` to the output.
* ``MultiplierAdd``: ``round_shift(a * ma + b * mb, right_shift)``; with ``from_scales`` it is
  QNNPACK's (pytorch aten/src/ATen/native/quantized/cpu/qnnpack/src/requantization.h).
* ``FloatAdd``: float32, in one of the orders below; ``sX`` scales, ``zX`` zero points, every
  operation rounded to float32 unless it is inside ``fma``; ``rint`` rounds halves to even:

| formula         | value before the clamp                                          | who       |
|-----------------|-----------------------------------------------------------------|-----------|
| torch           | ``rint(((a-za)*sa + (b-zb)*sb) * (1/so)) + zo``                 | Q/DQ      |
| onnx            | ``rint(((a-za)*sa + (b-zb)*sb) / so) + zo``                     | Q/DQ      |
| torch_quantized | ``rint((fma(a,sa,sa*-za) + fma(b,sb,sb*-zb)) * (1/so)) + zo``   | torch     |
| torch_scalar    | ``rint(((a-za)*sa + (b-zb)*sb) * (1/so) + zo)``                 | torch     |
| mlas            | ``rint(fma(a, sa/so, fma(b, sb/so, f)))``,                      | ONNX      |
|                 | ``f = zo - fma(sa/so, za, (sb/so)*zb)``                         | Runtime   |

``torch_quantized`` is torch.ops.quantized.add (fbgemm, x86, onednn; signed codes under qnnpack
too), ``mlas`` is com.microsoft QLinearAdd on x86 with FMA.

Corners: in ``mlas`` the zero point is added before rounding, so with an odd one ties go the other
way, as in ``torch_scalar``: torch runs ``torch_quantized`` on whole vectors, and elements after
the last one (64 codes, with AVX512 and AVX2) go one by one, in that other order. Codes and zero
points that enter a float operation are rounded to float32 first (no more than 24 bits change
nothing); differences of codes are exact. Values beyond +-2**62 count as that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw_models import _add as kernels
from hw_models._adders import (
    ADD_FORMULAS,
    Adder,
    AddFormula,
    AlignedAdd,
    FloatAdd,
    MultiplierAdd,
    ShiftedAdd,
    f32,
)
from hw_models._arguments import as_array, require_ledger, show
from hw_models._pointwise import (
    INT64_MAX,
    INT64_MIN,
    Layout,
    as_int64,
    memory_order,
    output_range,
    require_int,
    require_integers,
    require_output,
)
from hw_models.bias_add import bias_add
from hw_models.errors import AccumulatorOverflowError, ContractError
from hw_models.formats import FixedFormat, IntArray
from hw_models.ledger import Ledger
from hw_models.requantize import requantize
from hw_models.schemes import PowerOfTwo

if TYPE_CHECKING:
    from hw_models.schemes import FixedPoint

__all__ = [
    "ADD_FORMULAS",
    "AddFormula",
    "Adder",
    "AlignedAdd",
    "FloatAdd",
    "MultiplierAdd",
    "ShiftedAdd",
    "add",
    "f32",
    "reference",
]


def reference(
    a: int,
    b: int,
    adder: Adder,
    a_zero_point: int = 0,
    b_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat | None = None,
    clamp: tuple[int, int] | None = None,
) -> int:
    """Add two codes: the definition. The adders' own ``reference`` also take bit-vectors."""
    low, high = output_range(output or FixedFormat(8), clamp)
    if isinstance(adder, FloatAdd):
        value = adder.reference(a, b, a_zero_point, b_zero_point, zero_point)
    else:
        value = adder.reference(a - a_zero_point, b - b_zero_point) + zero_point
    return min(max(value, low), high)


def add(
    a: IntArray,
    b: IntArray,
    adder: Adder,
    a_zero_point: int = 0,
    b_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    clamp: tuple[int, int] | None = None,
    ledger: Ledger | None = None,
) -> IntArray:
    """Add two code tensors.

    Args:
        a: codes of up to 32 bits.
        b: as a; the shapes broadcast as in NumPy.
        adder: the scheme with its parameters.
        a_zero_point: the code of real 0 in a.
        b_zero_point: the code of real 0 in b.
        zero_point: the code of real 0 in the result.
        output: format of 1 to 32 bits.
        clamp: (low, high) of a fused activation, in output codes.
        ledger: filled with the extremes of the value before the clamp and what the clamp changed;
            for ``AlignedAdd`` the extremes and overflows are those of its accumulator.

    Returns:
        Codes in ``output.dtype``; the memory order of ``a`` where both have one shape.

    Raises:
        ContractError: for arguments outside the contract.
        AccumulatorOverflowError: from an ``AlignedAdd`` whose accumulator's overflow is ``error``.
    """
    require_ledger(ledger)
    if not isinstance(adder, Adder):
        raise ContractError(
            f"adder must be a scheme object, not {show(adder)} (accepted: ShiftedAdd, AlignedAdd, "
            "MultiplierAdd, FloatAdd)"
        )
    low, high = output_range(require_output(output), clamp)
    zeros = [
        require_int(z, f"{name}zero_point", -(1 << 32), 1 << 32)
        for name, z in (("a_", a_zero_point), ("b_", b_zero_point), ("", zero_point))
    ]
    x, y, layout = _operands(a, b)
    if isinstance(adder, AlignedAdd):
        codes = _aligned(x, y, adder, zeros, layout, output, (low, high), ledger)
        return layout.restore(codes)
    result = np.empty(x.shape, np.int32)
    flags = np.empty(x.shape if ledger is not None else (0,), np.bool_)
    stats = np.array([INT64_MAX, INT64_MIN, 0], np.int64)
    bounds = np.array([low, high, zeros[2]], np.int64)
    if isinstance(adder, FloatAdd):
        scales = np.array([adder.scale_a, adder.scale_b, adder.scale_out], np.float32)
        points = np.array(zeros, np.int64)
        mode = ADD_FORMULAS.index(adder.formula)
        kernels.float_add(x, y, result, flags, stats, bounds, scales, points, mode)
    elif isinstance(adder, ShiftedAdd):
        offset = (x - zeros[0], y - zeros[1])
        table = np.array([_row(s) for s in (adder.a, adder.b, adder.out)], np.int64)
        out = (result, flags, stats, bounds, adder.left_shift, table)
        if kernels.shifted(*offset, *out) >= 0:
            # Memory order found one; the first in C order is what every error names.
            logical = [np.ascontiguousarray(layout.restore(v)).reshape(-1) for v in offset]
            _refuse(layout, int(kernels.shifted(*logical, *out)))
    else:
        total = (x - zeros[0]) * adder.multiplier_a + (y - zeros[1]) * adder.multiplier_b
        shift = PowerOfTwo(adder.right_shift, adder.rounding)
        return layout.restore(
            requantize(total, shift, zeros[2], output, (low, high), ledger=ledger)
            if ledger is None
            else _relabel(total, shift, zeros[2], output, (low, high), layout, ledger)
        )
    if ledger is not None:
        ledger.elements, ledger.overflows, ledger.clamped = x.size, 0, int(stats[2])
        ledger.minimum, ledger.maximum = (int(stats[0]), int(stats[1])) if x.size else (0, 0)
        ledger.first = layout.first(flags) if stats[2] else None
        ledger.kernel, ledger.reason = f"add-{type(adder).__name__}", "element by element"
    codes = result if output.signed else result.view(np.uint32)
    return layout.restore(codes.astype(output.dtype, copy=False))


def _operands(a: IntArray, b: IntArray) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Layout]:
    arrays = [
        as_int64(require_integers(as_array(x, name), name), name)
        for x, name in ((a, "a"), (b, "b"))
    ]
    for name, array in zip(("a", "b"), arrays, strict=True):
        if array.size and not -(1 << 31) <= int(array.min()) <= int(array.max()) < 1 << 32:
            ends = f"{int(array.min())}..{int(array.max())}"
            raise ContractError(
                f"{name} must be codes of up to 32 bits, not {ends} (accepted: -2**31..2**32-1)"
            )
    try:
        left, right = np.broadcast_arrays(*arrays)
    except ValueError:
        raise ContractError(
            f"a and b must have shapes that broadcast, not {arrays[0].shape} and "
            f"{arrays[1].shape} (accepted: equal shapes, or as NumPy broadcasts)"
        ) from None
    dense, layout = memory_order(left)
    other = np.ascontiguousarray(right.transpose(layout.order))
    return dense.reshape(-1), other.reshape(-1), layout


def _row(scheme: FixedPoint) -> tuple[int, int, int, int, int]:
    """(multiplier, double?, left or shift, right, n) of one rescaling."""
    m, s, n = int(scheme.multipliers[0]), int(scheme.shifts[0]), scheme.bits - 1
    if scheme.rounding == "double":
        return m, 1, max(n - s, 0), max(s - n, 0), n
    return m, 0, s, 0, n


def _refuse(layout: Layout, position: int) -> None:
    index = tuple(int(i) for i in np.unravel_index(position, layout.shape))
    raise ContractError(
        f"ShiftedAdd must stay within its 32-bit register, not so at index {index} "
        "(accepted: shifted inputs and their rescaled sum in -2**31..2**31-1)"
    )


def _relabel(
    total: IntArray,
    shift: PowerOfTwo,
    zero: int,
    output: FixedFormat,
    clamp: tuple[int, int],
    layout: Layout,
    ledger: Ledger,
) -> IntArray:
    """Requantize a flat array in memory order; name the first clamp by its logical index."""
    logical = np.ascontiguousarray(layout.restore(total)).reshape(layout.shape)
    codes = requantize(logical, shift, zero, output, clamp, ledger=ledger)
    return np.ascontiguousarray(codes.reshape(layout.shape).transpose(layout.order))


def _aligned(
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    adder: AlignedAdd,
    zeros: list[int],
    layout: Layout,
    output: FixedFormat,
    clamp: tuple[int, int],
    ledger: Ledger | None,
) -> IntArray:
    left = np.ascontiguousarray(layout.restore((x - zeros[0]) << adder.left_a)).reshape(1, -1)
    right = np.ascontiguousarray(layout.restore((y - zeros[1]) << adder.left_b)).reshape(-1)
    sums, codes_ledger = Ledger(), Ledger()
    try:
        total = bias_add(left, right, adder.accumulator, 1, sums if ledger is not None else None)
    except AccumulatorOverflowError as error:
        index = tuple(int(i) for i in np.unravel_index(error.index[1], layout.shape))
        accepted = f"{adder.accumulator.min}..{adder.accumulator.max}"
        raise AccumulatorOverflowError("add", index, error.value, accepted) from None
    codes = requantize(
        total.reshape(-1),
        adder.out,
        zeros[2],
        output,
        clamp,
        ledger=codes_ledger if ledger is not None else None,
    ).reshape(layout.shape)
    if ledger is not None:
        first = sums.first[1:] if sums.first else codes_ledger.first
        ledger.elements, ledger.minimum, ledger.maximum = x.size, sums.minimum, sums.maximum
        ledger.overflows, ledger.clamped = sums.overflows, codes_ledger.clamped
        ledger.first = (
            tuple(int(i) for i in np.unravel_index(first[0], layout.shape)) if first else None
        )
        ledger.kernel, ledger.reason = "add-AlignedAdd", "the aligned sum fits 64 bits"
    return np.ascontiguousarray(codes.transpose(layout.order))
