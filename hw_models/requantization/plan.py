"""A requantization prepared for many calls: which kernel computes a call, and its ledger."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from hw_models._arguments import axis_length, require_ledger
from hw_models._pointwise import (
    INT64_MAX,
    INT64_MIN,
    Layout,
    channel_view,
    dimension_order,
    extremes,
    output_range,
    require_axis,
    require_int,
    require_output,
    require_signed,
)
from hw_models.errors import ContractError, no_case
from hw_models.formats import FixedFormat, IntArray
from hw_models.requantization import exact, fast
from hw_models.requantization.modes import LANES
from hw_models.requantization.registers import registers_of
from hw_models.schemes import (
    REQUANTIZERS,
    Converter,
    FixedPoint,
    Float64Scale,
    FloatScale,
    MulAddShift,
    PowerOfTwo,
    Requantizer,
)
from hw_models.schemes.fixed_point import TOSA

if TYPE_CHECKING:
    from collections.abc import Callable

    from hw_models.ledger import Ledger

# shape and strides of acc; elements; how the codes are viewed; arguments of the fast kernel
_Arranged: TypeAlias = tuple[
    tuple[int, ...] | None,
    tuple[int, ...],
    int,
    tuple[tuple[int, ...], tuple[int, ...] | None],
    tuple[Any, ...],
]
_NOTHING: Final[_Arranged] = (None, (), 0, ((), None), ())
_SCHEMES: Final = ", ".join(scheme.__name__ for scheme in REQUANTIZERS)
_INT8: Final = np.dtype(np.int8)
_INT32: Final = np.dtype(np.int32)


class RequantizePlan:
    """A requantization with its parameters checked: call it with accumulators.

    Build one per layer and keep it. What depends on the shape and strides of acc is prepared at
    the first such call and kept for a few of them.

    Attributes:
        requantizer: the scheme.
        zero_point, input_zero_point: of the output; of acc.
        output: format of the codes.
        low, high: range of codes, the fused activation included.
        axis: the dimension of the channels.
    """

    __slots__ = (
        "_arranged", "_bytes", "_last", "_parameters", "axis", "high", "input_zero_point", "low",
        "output", "requantizer", "zero_point",
    )  # fmt: skip

    def __init__(
        self,
        requantizer: Requantizer,
        zero_point: int = 0,
        output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
        clamp: tuple[int, int] | None = None,
        axis: int = 1,
        input_zero_point: int = 0,
    ) -> None:
        self.low, self.high = output_range(require_output(output), clamp)
        self.zero_point = require_int(zero_point, "zero_point", -(1 << 32), 1 << 32)
        self.input_zero_point = require_int(
            input_zero_point, "input_zero_point", -(1 << 32), 1 << 32
        )
        if not isinstance(requantizer, REQUANTIZERS):
            raise ContractError(
                f"requantizer must be a scheme object, not {requantizer!r} (accepted: {_SCHEMES})"
            )
        self.requantizer, self.output = requantizer, output
        # No array of NumPy's has more than 64 dimensions; the array's own are checked with it.
        self.axis = require_int(axis, "axis", -64, 63)
        quick = output.bits <= 8 and self.input_zero_point == 0
        self._parameters = (
            fast.prepare(requantizer, self.low, self.high, self.zero_point) if quick else None
        )
        self._bytes = None if output.signed else np.dtype(np.uint8)
        # Replaced whole, never changed: threads may share a plan.
        self._last: _Arranged = _NOTHING
        self._arranged: dict[Any, _Arranged] = {}

    def __call__(
        self, acc: IntArray, ledger: Ledger | None = None, out: IntArray | None = None
    ) -> IntArray:
        """Rescale acc; arguments, result and errors as in requantize().

        Args:
            acc: integers of up to 64 bits.
            ledger: filled, where given.
            out: an array of acc's shape and of the output's type, which receives the codes and is
                returned. It must not overlap acc.
        """
        if out is not None:
            return self._into(acc, ledger, out)
        if ledger is None and self._parameters is not None and type(acc) is np.ndarray:
            last = self._last
            if acc.shape != last[0] or acc.strides != last[1] or acc.dtype is not _INT32:
                last = self._arrange(acc)
            _, _, size, (shape, back), arguments = last
            if size:
                y = np.empty(shape, _INT8)
                fast.run(acc.ravel("K"), y.ravel(), *arguments)
                if self._bytes is not None:
                    y = y.view(self._bytes)
                return y if back is None else y.transpose(back)
        return self._exact(acc, ledger)

    def _arrange(self, acc: IntArray) -> _Arranged:
        """Return what the fast kernel needs for arrays like acc; size 0: it cannot take them."""
        key = (acc.shape, acc.strides, acc.dtype)
        found = self._arranged.get(key)
        if found is None:
            if len(self._arranged) >= 16:
                self._arranged.clear()
            found = self._arranged[key] = self._measure(acc)
        if found[2]:
            self._last = found
        return found

    def _measure(self, acc: IntArray) -> _Arranged:
        parameters = self._parameters
        if parameters is None or acc.dtype != _INT32 or acc.size < LANES:
            return _NOTHING
        channels, axis = self._channels(acc)
        order = dimension_order(acc)
        memory = acc.transpose(order)
        if not memory.flags.c_contiguous:
            return _NOTHING
        inner = math.prod(memory.shape[order.index(axis) + 1 :]) if channels > 1 else acc.size
        arguments = parameters.arguments(inner, acc.size)
        back = None if order == tuple(range(acc.ndim)) else tuple(np.argsort(order).tolist())
        view = (memory.shape, back)
        return acc.shape, acc.strides, acc.size, view, arguments

    def _channels(self, x: IntArray) -> tuple[int, int]:
        """Return the number of channels (0: none) and the axis for arrays like x, checked."""
        channels, axis = self.requantizer.channels, self.axis
        if not channels:
            return 0, 0
        length = axis_length(x.shape, axis)
        return length, require_axis(axis, x.ndim, length, channels, "requantizer")

    def _into(self, acc: IntArray, ledger: Ledger | None, out: IntArray) -> IntArray:
        shape, dtype = np.shape(acc), self.output.dtype
        if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype:
            found = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else repr(out)
            raise ContractError(
                f"out must have the shape of acc and the type of the output, not {found} "
                f"(accepted: a {dtype} array of shape {shape})"
            )
        last = self._last
        same = out.flags.c_contiguous and last[3][1] is None and type(acc) is np.ndarray
        if (
            same and ledger is None and last[2]
            and acc.shape == last[0] and acc.strides == last[1] and acc.dtype is _INT32
            and not np.may_share_memory(acc, out)
        ):  # fmt: skip
            fast.run(acc.ravel("K"), out.reshape(-1).view(_INT8), *last[4])
        else:
            np.copyto(out, self(acc, ledger))
        return out

    def _exact(self, acc: IntArray, ledger: Ledger | None) -> IntArray:
        require_ledger(ledger)
        x = require_signed(acc, "acc")
        channels, axis = self._channels(x)
        requantizer, offset, zero = self.requantizer, self.input_zero_point, self.zero_point
        if _is_stochastic(requantizer):
            x = np.ascontiguousarray(x).reshape(x.shape)  # the draws count in C order
        view, layout = channel_view(x, axis, channels)
        bounds = np.array([self.low, self.high, zero], np.int64)
        y = np.empty(view.shape, np.int32)
        flags = np.empty(view.shape if ledger is not None else (0, 0, 0), np.bool_)
        stats = np.array([INT64_MAX, INT64_MIN, 0], np.int64)
        wide = x.size > 0 and _run(view, layout, offset, requantizer, (y, flags, stats, bounds))
        if ledger is not None:
            span = (int(stats[0]), int(stats[1]))
            if wide:
                ends = _exact_ends(view, requantizer, offset, zero)
                if isinstance(requantizer, PowerOfTwo) and _draws(requantizer):
                    # Draws make right shifts less than monotone; the kernel's extremes are exact
                    # there, and no nearer to 0 than 2**62 where left shifts saturate.
                    ends += list(span)
                span = (min(ends), max(ends))
            ledger.fill(
                x.size,
                span if x.size else (0, 0),
                f"requantize-{'wide' if wide else 'int64'}",
                "the product may exceed 64 bits: two limbs"
                if wide
                else "the product fits 64 bits, by the extremes of acc",
                clamped=int(stats[2]),
                first_clamped=layout.first(flags) if stats[2] else None,
                registers=registers_of(requantizer, view, offset, layout.first),
            )
        codes = y.view(np.uint32) if not self.output.signed else y
        return layout.restore(codes.astype(self.output.dtype, copy=False))


def _is_stochastic(requantizer: Requantizer) -> bool:
    return isinstance(requantizer, PowerOfTwo) and requantizer.rounding == "stochastic"


def _draws(requantizer: PowerOfTwo) -> bool:
    return _is_stochastic(requantizer) and int(requantizer.shifts.max()) > 0


def _per_channel(values: npt.NDArray[Any], view: IntArray) -> npt.NDArray[Any]:
    """A table with one entry for each channel of the view (a scalar is repeated)."""
    return values if len(values) == view.shape[1] else np.repeat(values, view.shape[1], axis=0)


def _run(
    view: IntArray, layout: Layout, offset: int, requantizer: Requantizer, out: tuple[Any, ...]
) -> bool:
    """Fill the output of one call; return whether the two-limb kernel was needed."""
    span = tuple(value - offset for value in extremes(view))
    if isinstance(requantizer, FixedPoint):
        return _run_fixed(view, layout, offset, requantizer, out)
    if isinstance(requantizer, (FloatScale, Float64Scale)):
        _require64(span, "for a float scale")
        return _run_chosen(view, offset, choose(requantizer, *span), out)
    if isinstance(requantizer, PowerOfTwo) and _is_stochastic(requantizer):
        _require64(span, "to round stochastically")
        table = _per_channel(exact.rounding_table(requantizer.shifts, "stochastic"), view)
        exact.stochastic(_moved(view, offset), *out, table, np.uint64(requantizer.seed))
        widest = max(map(abs, span)) << int(table[:, 1].max())
        return widest >= exact.LIMIT and bool((table[:, 0] == 0).any())
    if isinstance(requantizer, (PowerOfTwo, MulAddShift, Converter)):
        return _run_chosen(view, offset, choose(requantizer, *span), out)
    raise ContractError(no_case(requantizer, "a requantizer", (c.__name__ for c in REQUANTIZERS)))


def _moved(view: IntArray, offset: int) -> IntArray:
    return view.astype(np.int64, copy=False) - offset


def _require64(span: tuple[int, ...], why: str) -> None:
    if span[0] < INT64_MIN or span[1] > INT64_MAX:
        raise ContractError(
            f"acc - input_zero_point must fit 64 bits {why}, not {span[0]}..{span[1]} "
            "(accepted: a 64-bit signed difference)"
        )


def _run_fixed(
    view: IntArray, layout: Layout, offset: int, requantizer: FixedPoint, out: tuple[Any, ...]
) -> bool:
    least, most = (value - offset for value in extremes(view))
    reach = 1 << (requantizer.operand_bits - 1)
    if requantizer.operand_bits < 64 and (least < -reach or most >= reach):
        _refuse_wide(view, layout, offset, requantizer)
    if requantizer.rounding in TOSA:
        _require_tosa(view, layout, offset, requantizer)
    return _run_chosen(view, offset, choose(requantizer, least, most), out)


def choose(
    requantizer: Requantizer, least: int, most: int
) -> tuple[Callable[..., None], tuple[npt.NDArray[Any], ...]]:
    """Return the exact kernel for values of a range, and its parameters of every channel.

    Args:
        requantizer: a scheme that takes these values and draws nothing.
        least: the smallest value, the zero point taken off.
        most: the largest.
    """
    if isinstance(requantizer, FixedPoint):
        return _choose_fixed(requantizer, max(abs(least), abs(most)))
    if isinstance(requantizer, FloatScale):
        return exact.float_scale, (requantizer.scales,)
    if isinstance(requantizer, Float64Scale):
        return exact.float64_scale, (requantizer.scales,)
    if isinstance(requantizer, (PowerOfTwo, MulAddShift, Converter)):
        return _choose_affine(requantizer, max(abs(least), abs(most)))
    raise ContractError(no_case(requantizer, "a requantizer", (c.__name__ for c in REQUANTIZERS)))


def _run_chosen(
    view: IntArray,
    offset: int,
    chosen: tuple[Callable[..., None], tuple[npt.NDArray[Any], ...]],
    out: tuple[Any, ...],
) -> bool:
    """Fill the output of one call; return whether the two-limb kernel was needed."""
    kernel, parameters = chosen
    own = [_per_channel(values, view) for values in parameters]
    if kernel is exact.affine_wide:
        kernel(_as_int64(view), *out, *own, offset)
        return True
    kernel(_moved(view, offset), *out, *own)
    return False


def _choose_fixed(
    requantizer: FixedPoint, largest: int
) -> tuple[Callable[..., None], tuple[npt.NDArray[Any], ...]]:
    rows = exact.fixed_rows(requantizer)
    largest = largest * int(abs(rows[:, 0]).max()) + 2 * int(rows[:, 5].max())
    # A 32-bit x: |p| <= 2**62, and what is added to it is less than 2**62.
    if requantizer.operand_bits == 32 or largest < exact.LIMIT:
        return exact.fixed, (rows,)
    # Of those that round once only apply_scale_16, single and s64-reduced take so wide an x.
    table = exact.rounding_table(rows[:, 3], "half_up")
    return exact.affine_wide, (rows[:, 0], np.zeros(len(rows), np.int64), table)


def _as_int64(view: IntArray) -> npt.NDArray[np.int64]:
    return view.astype(np.int64, copy=False)


def _choose_affine(
    requantizer: PowerOfTwo | MulAddShift | Converter, largest: int
) -> tuple[Callable[..., None], tuple[npt.NDArray[Any], ...]]:
    table = exact.rounding_table(requantizer.shifts, requantizer.rounding)
    if isinstance(requantizer, PowerOfTwo):
        multipliers, addends = np.ones(len(table), np.int64), np.zeros(len(table), np.int64)
    else:
        multipliers, addends = requantizer.multipliers, requantizer.addends
    largest = largest * _largest(multipliers) + _largest(addends)
    largest = (largest + 2 * int(table[:, 2].max()) + 2) << int(table[:, 1].max())
    kernel = exact.affine if largest < exact.LIMIT else exact.affine_wide
    return kernel, (multipliers, addends, table)


def _largest(values: npt.NDArray[np.int64]) -> int:
    return max(abs(value) for value in extremes(values))


def _refuse_wide(view: IntArray, layout: Layout, offset: int, requantizer: FixedPoint) -> None:
    values = layout.restore(view)
    info, bits = np.iinfo(view.dtype), requantizer.operand_bits
    low, high = offset - (1 << (bits - 1)), offset + (1 << (bits - 1)) - 1
    low, high = max(low, info.min), min(high, info.max)
    index = tuple(int(i) for i in np.argwhere((values < low) | (values > high))[0])
    name = "double" if requantizer.rounding == "double" else repr(requantizer.rounding)
    raise ContractError(
        f"{name} rounding is defined on {bits}-bit accumulators, not on "
        f"{int(values[index]) - offset} at index {index} (accepted: -2**{bits - 1}.."
        f"2**{bits - 1}-1; rounding='single' takes 64 bits)"
    )


def _require_tosa(view: IntArray, layout: Layout, offset: int, requantizer: FixedPoint) -> None:
    """Refuse results outside int32: a scale of at least 0 makes none but from the ends."""
    for c in range(view.shape[1]):
        column = c if requantizer.channels > 1 else 0
        try:
            for x in extremes(view[:, c]):
                requantizer.reference(x - offset, column)
        except ContractError:
            break
    else:
        return
    values, columns = layout.restore(view), np.empty(view.shape, np.int64)
    columns[:] = np.arange(view.shape[1])[:, None] if requantizer.channels > 1 else 0
    channels = layout.restore(columns)
    for index in np.ndindex(values.shape):
        try:
            requantizer.reference(int(values[index]) - offset, int(channels[index]))
        except ContractError as error:
            raise ContractError(f"acc at index {index}: {error}") from None


def _exact_ends(view: IntArray, requantizer: Requantizer, offset: int, zero: int) -> list[int]:
    """The values beyond 64 bits at each channel's ends: exact shifts and products are monotone."""
    ends = []
    for c in range(view.shape[1]):
        if _is_stochastic(requantizer) and requantizer.shifts[c % len(requantizer.shifts)] > 0:  # type: ignore[union-attr]
            continue
        ends += [requantizer.reference(x - offset, c) + zero for x in extremes(view[:, c])]
    return ends
