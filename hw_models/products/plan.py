"""A correlation prepared for many calls: how each call is computed, and what its ledger says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from hw_models._arguments import require_accumulator, require_ledger
from hw_models.errors import AccumulatorOverflowError
from hw_models.formats import Accumulator, IntArray
from hw_models.ledger import Register
from hw_models.products.bounds import Bounds, WeightNorms
from hw_models.products.fast import Codes, FastKernels
from hw_models.products.geometry import (
    Geometry,
    Padding,
    check_code,
    check_codes,
    check_zero_points,
)
from hw_models.products.kernels import SATURATE, STATISTICS, SUM
from hw_models.products.lanes import LaneKernels

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.ledger import Ledger


@dataclass(slots=True)
class _Sums:
    """What a kernel computed.

    Attributes:
        values: [N, O, H, W].
        kernel, reason: for the ledger.
        final: the accumulator's rule is applied already.
        flags: with final, which elements it changed, if that was recorded.
        extremes: with final, smallest and largest value before the rule, if recorded.
    """

    values: IntArray
    kernel: str
    reason: str
    final: bool = False
    flags: IntArray | None = None
    extremes: tuple[int, int] = (0, 0)


class CorrelationPlan:
    """A correlation with its weights checked and packed: call it with x.

    The plan copies the weights; changing the array afterwards changes nothing. Build one per
    layer and keep it: packing takes about as long as one image.

    Attributes:
        geometry: shapes and steps.
        accumulator: the register.
        x_zero_point, pad_value: codes.
    """

    def __init__(
        self,
        weight: npt.ArrayLike,
        stride: int | tuple[int, ...] = 1,
        padding: Padding = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        x_zero_point: int = 0,
        weight_zero_point: int | npt.ArrayLike = 0,
        pad_value: int | None = None,
        accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ) -> None:
        require_accumulator(accumulator)
        codes = check_codes("weight", weight)
        self.geometry = Geometry.of(codes.shape, stride, padding, dilation, groups)
        self.accumulator = accumulator
        self.x_zero_point = check_code("x_zero_point", x_zero_point)
        self.pad_value = (
            self.x_zero_point if pad_value is None else check_code("pad_value", pad_value)
        )
        points = check_zero_points("weight_zero_point", weight_zero_point, codes.shape[0])
        differences = codes.astype(np.int64) - points.reshape(-1, *(1,) * (codes.ndim - 1))
        self._weight = differences.reshape(
            codes.shape[0], self.geometry.channels, *self.geometry.kernel
        )
        self._norms = WeightNorms.of(self._weight.reshape(codes.shape[0], self.geometry.taps))
        self._fast = FastKernels(self.geometry, self._weight, self._norms)
        self._lanes = LaneKernels(
            self.geometry, self._weight, accumulator, self.x_zero_point, self.pad_value
        )
        self._low, self._high = accumulator.min, accumulator.max
        self._dtype = accumulator.dtype
        self._wraps = accumulator.wraps
        self._padded = self.geometry.padded
        self._assumed: dict[np.dtype[np.integer], tuple[Codes, Bounds, bool]] = {}

    def __call__(self, x: npt.ArrayLike, ledger: Ledger | None = None) -> IntArray:
        """Correlate x [N, C, *spatial]; arguments, result and errors as in correlation()."""
        require_ledger(ledger)
        codes = check_codes("x", x)
        view = self.geometry.view(codes, self.pad_value)
        shape = self.geometry.output_shape(codes.shape)
        sums, proven = self._sums(view, ledger)
        return self._settle(view, sums, ledger, shape, proven=proven)

    def _sums(self, view: IntArray, ledger: Ledger | None) -> tuple[_Sums, bool]:
        """Return the sums of planes, and whether the accumulator is proven to hold them."""
        size = self.geometry.output_size(view.shape[2], view.shape[3])
        shape = (view.shape[0], self.geometry.outputs, *size)
        if 0 in shape or self.geometry.taps == 0:
            sums = _Sums(np.zeros(shape, np.int32), "none", "there are no products")
            sums.final = 0 in shape
            return sums, True
        codes, bounds, proven = self._range(view, ledger)
        if self.accumulator.each_mac and (ledger is not None or not (proven or self._wraps)):
            counts = self._counts(ledger)
            return self._ordered(view, size, codes, bounds, counts=counts), proven
        # A wrap that nobody counts needs its own ring only; any other rule, the exact sum.
        free = self._wraps and ledger is None
        return self._exact(view, size, codes, bounds, free=free), proven

    def _counts(self, ledger: Ledger | None) -> bool:
        return ledger is not None or self.accumulator.overflow == "error"

    def _range(self, view: IntArray, ledger: Ledger | None) -> tuple[Codes, Bounds, bool]:
        """Return x's codes, what the sums can reach, and whether that fits the accumulator.

        Up to 16 bits the type's range is tried first: it costs nothing.
        """
        if view.dtype.itemsize <= 2:
            assumed = self._assumed.get(view.dtype)
            if assumed is None:
                assumed = self._prove(self._codes(view, scan=False))
                self._assumed[view.dtype] = assumed
            if assumed[2] or (self._wraps and ledger is None):
                return assumed
        return self._prove(self._codes(view, scan=True))

    def _prove(self, codes: Codes) -> tuple[Codes, Bounds, bool]:
        zero_point = codes.zero_point
        bounds = self._norms.bounds(codes.minimum - zero_point, codes.maximum - zero_point)
        return codes, bounds, bounds.within(self._low, self._high)

    def _codes(self, view: IntArray, *, scan: bool) -> Codes:
        """Return the range of x's codes, from its elements or from its type."""
        if scan and view.size:
            low, high = int(view.min()), int(view.max())
        elif scan:
            low = high = self.pad_value
        else:
            info = np.iinfo(view.dtype)
            low, high = int(info.min), int(info.max)
        if self._padded:
            low, high = min(low, self.pad_value), max(high, self.pad_value)
        return Codes(low, high, self.x_zero_point, self.pad_value)

    def _exact(
        self, view: IntArray, size: tuple[int, int], codes: Codes, bounds: Bounds, *, free: bool
    ) -> _Sums:
        """Return exact sums, or, if free, sums modulo a power of two that the wrap divides."""
        result = None
        if (free and self.accumulator.bits <= 32) or bounds.fits_int32:
            kind = "int32"
            result = self._fast.sums32(view, size, codes)
        elif free or bounds.fits_int64:
            kind = "int64"
            result = self._fast.sums64(view, size, codes, bounds)
        else:
            return self._wide(view, size)
        why = "the wrap is a ring" if free else f"the sum of magnitudes fits {kind}"
        if result is not None:
            values = _as_nchw(result.rows, (view.shape[0], *size))
            return _Sums(values, result.kernel, f"{why}; {result.operands}")
        out, _, _ = self._lanes.sums(view, size, kind, SUM)
        return _Sums(_as_nchw(out, (view.shape[0], *size)), f"lanes-{kind}", why)

    def _ordered(
        self, view: IntArray, size: tuple[int, int], codes: Codes, bounds: Bounds, *, counts: bool
    ) -> _Sums:
        """Return what an accumulator that applies its rule at every mac holds at the end."""
        heaviest = max(-self._norms.minimum, self._norms.maximum)
        # The register and one product meet before the rule: there must be room for both.
        reach = codes.magnitude * heaviest + (1 << (self.accumulator.bits - 1))
        for kind, limit, partial in (
            ("int32", 1 << 31, bounds.fits_int32),
            ("int64", 1 << 63, bounds.fits_int64),
        ):
            if reach < limit and (partial or not counts):
                out, flags, extremes = self._lanes.sums(
                    view, size, kind, STATISTICS if counts else SATURATE
                )
                shape = (view.shape[0], *size)
                why = f"every product in its order; the register and a product fit {kind}"
                return _Sums(
                    _as_nchw(out, shape), f"ordered-{kind}", why, final=True,
                    flags=_as_nchw(flags, shape) if counts else None, extremes=extremes,
                )  # fmt: skip
        return self._wide(view, size)

    def _wide(self, view: IntArray, size: tuple[int, int]) -> _Sums:
        out, flags, extremes = self._lanes.wide(view, size)
        shape = (view.shape[0], *size)
        return _Sums(
            _as_nchw(out, shape), "wide",
            "no bound proves that int64 holds every value: two 64-bit limbs", final=True,
            flags=_as_nchw(flags, shape), extremes=extremes,
        )  # fmt: skip

    def _settle(
        self,
        view: IntArray,
        sums: _Sums,
        ledger: Ledger | None,
        shape: tuple[int, ...],
        *,
        proven: bool,
    ) -> IntArray:
        """Apply the accumulator's rule where the kernel did not, raise, and fill the ledger.

        ``shape`` is the result's as the caller sees it.
        """
        accumulator, values = self.accumulator, sums.values
        if sums.final:
            flags, (low, high) = sums.flags, sums.extremes
        else:
            flags, low, high = None, 0, 0
            if ledger is not None or (accumulator.overflow == "error" and not proven):
                low, high = int(values.min()), int(values.max())
                if low < self._low or high > self._high:
                    outside = (values < self._low) | (values > self._high)
                    flags = cast("IntArray", outside.view(np.uint8))
            if not proven:
                values = self._apply(values)
        count = 0 if flags is None else int(np.count_nonzero(flags))
        first = self._first(flags, shape) if flags is not None and count else None
        if first is not None and accumulator.overflow == "error":
            value = self._value_at(view, self.geometry.place(first, shape))
            raise AccumulatorOverflowError.of("correlation", accumulator, first, value)
        if ledger is not None:
            register = Register.of(accumulator, (low, high), count, first)
            ledger.fill(values.size, (low, high), sums.kernel, sums.reason, registers=(register,))
        return self.geometry.unview(values, shape).astype(self._dtype, copy=False)

    def _apply(self, values: IntArray) -> IntArray:
        """Apply the accumulator's rule to exact sums."""
        accumulator = self.accumulator
        if not accumulator.wraps:
            return accumulator.format.saturate(values)
        if accumulator.bits == values.dtype.itemsize * 8:
            return values
        return accumulator.format.wrap(values)

    def _first(self, flags: IntArray, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the first element, in the caller's order, that the rule changed."""
        seen = self.geometry.unview(flags, shape)
        where = np.unravel_index(int(np.argmax(seen.reshape(-1) != 0)), shape)
        return tuple(int(i) for i in where)

    def _value_at(self, view: IntArray, index: tuple[int, int, int, int]) -> int:
        """Return the first value of one output of planes that does not fit."""
        n, o, row, column = index
        geometry, accumulator = self.geometry, self.accumulator
        start = o // geometry.group_outputs * geometry.channels
        total = 0
        for c, ky, kx in geometry.tap_order(accumulator.order).tolist():
            y = row * geometry.stride[0] + ky * geometry.dilation[0] - geometry.padding[0][0]
            x = column * geometry.stride[1] + kx * geometry.dilation[1] - geometry.padding[1][0]
            inside = 0 <= y < view.shape[2] and 0 <= x < view.shape[3]
            code = int(view[n, start + c, y, x]) if inside else self.pad_value
            total += (code - self.x_zero_point) * int(self._weight[o, c, ky, kx])
            if accumulator.each_mac and not accumulator.min <= total <= accumulator.max:
                break
        return total


def _as_nchw(rows: IntArray, shape: tuple[int, int, int]) -> IntArray:
    """Return rows [pixels, O] as a view [N, O, H, W]."""
    return rows.reshape(*shape, rows.shape[1]).transpose(0, 3, 1, 2)
