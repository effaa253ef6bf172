"""Addition and subtraction of flat operands by every scheme: which kernel, and its ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_ledger, show
from hw_models._broadcast import operands
from hw_models._pointwise import (
    INT64_MAX,
    INT64_MIN,
    extremes,
    output_range,
    require_int,
    require_output,
)
from hw_models.addition import kernels
from hw_models.addition.adders import (
    ADD_FORMULAS,
    Adder,
    AlignedAdd,
    FloatAdd,
    MultiplierAdd,
    ShiftedAdd,
)
from hw_models.bias_add import bias_add
from hw_models.errors import AccumulatorOverflowError, ContractError, no_case
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger, Register, fixed_register
from hw_models.requantization.exact import fixed_rows
from hw_models.requantization.registers import registers_of
from hw_models.requantize import requantize
from hw_models.schemes import PowerOfTwo
from hw_models.schemes.fixed_point import TOSA, FixedPoint

if TYPE_CHECKING:
    from hw_models._pointwise import Layout
    from hw_models.formats import IntArray


_NAMES = tuple(kind.__name__ for kind in get_args(Adder))


@dataclass(frozen=True, slots=True)
class Job:
    """One checked call.

    Attributes:
        name: of the primitive, for ledgers and errors.
        x, y: codes of a and b, flat, int64, in memory order.
        layout: back to the logical shape.
        zeros: zero points of a, of b and of the result.
        output: format of the result.
        limits: smallest and largest code.
        ledger: to be filled, or None.
        sign: 1, or -1 where ``ShiftedAdd`` subtracts the rescaled b.
    """

    name: str
    x: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    layout: Layout
    zeros: tuple[int, int, int]
    output: FixedFormat
    limits: tuple[int, int]
    ledger: Ledger | None
    sign: int

    def offset(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return both operands less their zero points."""
        return self.x - self.zeros[0], self.y - self.zeros[1]

    def logical(self, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return an array in memory order as a C-contiguous one of the logical shape."""
        return np.ascontiguousarray(self.layout.restore(flat)).reshape(self.layout.shape)

    def back(self, logical: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a result of the logical shape in a's memory order."""
        shape, order = self.layout.shape, self.layout.order
        memory = np.ascontiguousarray(logical.reshape(shape).transpose(order))
        return self.layout.restore(memory)


def compute(
    name: str,
    a: IntArray,
    b: IntArray,
    adder: Adder,
    zero_points: tuple[int, int, int],
    output: FixedFormat,
    clamp: tuple[int, int] | None,
    ledger: Ledger | None,
    *,
    negate: bool = False,
    sign: int = 1,
) -> IntArray:
    """Check the arguments of add() or sub(), which are theirs, and compute it.

    ``zero_points`` are of a, of b and of the result; with ``negate`` the second operand is
    ``-(b - b_zero_point)``; ``sign`` is that of b's rescaled term in a ``ShiftedAdd``.
    """
    require_ledger(ledger)
    if not isinstance(adder, Adder):
        raise ContractError(
            f"adder must be a scheme object, not {show(adder)} (accepted: {', '.join(_NAMES)})"
        )
    limits = output_range(require_output(output), clamp)
    zeros = [
        require_int(z, f"{operand}zero_point", -(1 << 32), 1 << 32)
        for operand, z in zip(("a_", "b_", ""), zero_points, strict=True)
    ]
    x, y, layout = operands(a, b)
    if negate:
        y, zeros[1] = -y, -zeros[1]
    job = Job(name, x, y, layout, (zeros[0], zeros[1], zeros[2]), output, limits, ledger, sign)
    if isinstance(adder, AlignedAdd):
        return _aligned(job, adder)
    if isinstance(adder, MultiplierAdd):
        return _multiplied(job, adder)
    if isinstance(adder, (ShiftedAdd, FloatAdd)):
        return _element_by_element(job, adder)
    raise ContractError(no_case(adder, "adder", _NAMES))


def _element_by_element(job: Job, adder: ShiftedAdd | FloatAdd) -> IntArray:
    ledger, size = job.ledger, job.x.size
    result = np.empty(size, np.int32)
    flags = np.empty(size if ledger is not None else 0, np.bool_)
    stats = np.array([INT64_MAX, INT64_MIN, 0], np.int64)
    registers: tuple[Register, ...] = ()
    out = (result, flags, stats, np.array([*job.limits, job.zeros[2]], np.int64))
    if isinstance(adder, FloatAdd):
        scales = np.array([adder.scale_a, adder.scale_b, adder.scale_out], np.float32)
        points = np.array(job.zeros, np.int64)
        mode = ADD_FORMULAS.index(adder.formula)
        kernels.float_add(job.x, job.y, *out, scales, points, mode)
    elif isinstance(adder, ShiftedAdd):
        table = np.concatenate([_row(s) for s in (adder.a, adder.b, adder.out)])
        totals = np.empty(flags.size, np.int64)
        given = (*out, totals, adder.left_shift, table, job.sign)
        offset = job.offset()
        if kernels.shifted(*offset, *given) >= 0:
            # Memory order found one; the first in C order is what every error names.
            logical = [job.logical(v).reshape(-1) for v in offset]
            _refuse(job.layout, int(kernels.shifted(*logical, *given)))
        if ledger is not None:
            registers = _shifted_registers(job, adder, offset, totals)
    else:
        raise ContractError(no_case(adder, "adder", _NAMES))
    if ledger is not None:
        ledger.fill(
            size,
            (int(stats[0]), int(stats[1])) if size else (0, 0),
            f"{job.name}-{type(adder).__name__}",
            "element by element",
            clamped=int(stats[2]),
            first_clamped=job.layout.first(flags) if stats[2] else None,
            registers=registers,
        )
    codes = result if job.output.signed else result.view(np.uint32)
    return job.layout.restore(codes.astype(job.output.dtype, copy=False))


def _shifted_registers(
    job: Job,
    adder: ShiftedAdd,
    offset: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    totals: npt.NDArray[np.int64],
) -> tuple[Register, ...]:
    """Return the 32 bits of both shifted operands and of their sum, and those of the rescales."""
    found = []
    a, b = (operand << adder.left_shift for operand in offset)
    for name, operand, values, scheme in (
        ("a", "shifted a", a, adder.a),
        ("b", "shifted b", b, adder.b),
        ("out", "sum", totals, adder.out),
    ):
        found.append(fixed_register(operand, FixedFormat(32), extremes(values)))
        inner = registers_of(scheme, values.reshape(1, 1, -1), 0, job.layout.first)
        found += [replace(register, name=f"{name} {register.name}") for register in inner]
    return tuple(found)


def _row(scheme: FixedPoint) -> npt.NDArray[np.int64]:
    """Return the row of one rescaling, with the column ``kernels.REACH``."""
    narrow = int(scheme.shifts[0]) if scheme.bits == 32 else scheme.operand_bits
    return np.append(fixed_rows(scheme), [[narrow if scheme.rounding in TOSA else 0]], axis=1)


def _refuse(layout: Layout, position: int) -> None:
    index = tuple(int(i) for i in np.unravel_index(position, layout.shape))
    raise ContractError(
        f"ShiftedAdd must stay within its 32-bit register, but it leaves it at index {index} "
        "(accepted: shifted inputs and the sum of the rescaled ones in -2**31..2**31-1, and what "
        "TOSA rescales)"
    )


def _multiplied(job: Job, adder: MultiplierAdd) -> IntArray:
    x, y = job.offset()
    total = x * adder.multiplier_a + y * adder.multiplier_b
    shift, zero = PowerOfTwo(adder.right_shift, adder.rounding), job.zeros[2]
    if job.ledger is None:
        return job.layout.restore(requantize(total, shift, zero, job.output, job.limits))
    # In logical order, so that the ledger's first index is the logical one.
    logical = job.logical(total)
    return job.back(requantize(logical, shift, zero, job.output, job.limits, ledger=job.ledger))


def _aligned(job: Job, adder: AlignedAdd) -> IntArray:
    x, y = job.offset()
    left, right = job.logical(x << adder.left_a), job.logical(y << adder.left_b)
    ledger, sums, shape = job.ledger, Ledger(), job.layout.shape
    filled = sums if ledger is not None else None
    try:
        total = bias_add(left.reshape(1, -1), right.reshape(-1), adder.accumulator, 1, filled)
    except AccumulatorOverflowError as error:
        index = tuple(int(i) for i in np.unravel_index(error.index[1], shape))
        accepted = f"{adder.accumulator.min}..{adder.accumulator.max}"
        raise AccumulatorOverflowError(job.name, index, error.value, accepted) from None
    codes = Ledger()
    result = requantize(
        total.reshape(shape),
        adder.out,
        job.zeros[2],
        job.output,
        job.limits,
        ledger=codes if ledger is not None else None,
    )
    if ledger is not None:
        sums.place(lambda i: tuple(int(n) for n in np.unravel_index(i[1], shape)))
        ledger.fill(
            job.x.size,
            (sums.minimum, sums.maximum),
            f"{job.name}-AlignedAdd",
            "the aligned sum fits 64 bits",
            clamped=codes.clamped,
            first_clamped=codes.first_clamped,
            registers=sums.registers,
        )
    return job.back(result)
