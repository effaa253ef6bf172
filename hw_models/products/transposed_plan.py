"""A transposed correlation prepared for many calls: one correlation per phase of the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from hw_models._arguments import require_accumulator, require_ledger
from hw_models.errors import AccumulatorOverflowError
from hw_models.formats import Accumulator, IntArray
from hw_models.ledger import Ledger, Register
from hw_models.products.geometry import check_code, check_codes, check_zero_points
from hw_models.products.plan import CorrelationPlan
from hw_models.products.transposed_geometry import Phase, TransposedGeometry

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.products.geometry import Padding


class _Part(NamedTuple):
    """The outputs of one phase of every dimension, and the correlation that fills them.

    Attributes:
        phases: one per dimension.
        window: the part of x [N, C, *spatial] that it reads.
        plan: None where no product reaches these outputs.
        starts_at_zero: the first product of each of these outputs is one with no input.
    """

    phases: tuple[Phase, ...]
    window: tuple[slice, ...]
    plan: CorrelationPlan | None
    starts_at_zero: bool

    @property
    def places(self) -> tuple[slice, ...]:
        """Where its outputs lie."""
        return (slice(None), slice(None), *(phase.places for phase in self.phases))

    def place(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return where an element [n, o, *position] of the part lies in the output."""
        n, o, *position = index
        zipped = zip(self.phases, position, strict=True)
        return n, o, *(phase.start + i * phase.stride for phase, i in zipped)


class TransposedCorrelationPlan:
    """A transposed correlation with its weights checked: call it with x.

    The plan copies the weights. What depends on x's spatial sizes is prepared at the first
    call, and again when they change.

    Attributes:
        geometry: shapes and steps.
        accumulator: the register.
        x_zero_point: code.
    """

    def __init__(
        self,
        weight: npt.ArrayLike,
        stride: int | tuple[int, ...] = 1,
        padding: Padding = 0,
        output_padding: Padding = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        x_zero_point: int = 0,
        weight_zero_point: int | npt.ArrayLike = 0,
        accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ) -> None:
        self.accumulator = require_accumulator(accumulator)
        codes = check_codes("weight", weight)
        self.geometry = TransposedGeometry.of(
            codes.shape, stride, padding, output_padding, dilation, groups
        )
        self.x_zero_point = check_code("x_zero_point", x_zero_point)
        outputs = self.geometry.outputs
        self._points = check_zero_points("weight_zero_point", weight_zero_point, outputs)
        self._weight = self.geometry.correlation_weight(codes.astype(np.int64))
        self._size: tuple[int, ...] = ()
        self._parts: list[_Part] = []

    def __call__(self, x: npt.ArrayLike, ledger: Ledger | None = None) -> IntArray:
        """Correlate x [N, C, *spatial]; arguments and errors as in transposed_correlation()."""
        require_ledger(ledger)
        geometry = self.geometry
        codes = geometry.check_input(check_codes("x", x))
        size = codes.shape[2:]
        shape = geometry.output_size(size)
        if size != self._size:
            self._parts = [self._part(found, size) for found in geometry.phases(shape)]
            self._size = size
        rows = np.zeros((len(codes), *shape, geometry.outputs), self.accumulator.dtype)
        out = np.moveaxis(rows, -1, 1)
        books: list[tuple[_Part, Ledger]] = []
        failed: list[tuple[tuple[int, ...], int]] = []
        for part in self._parts:
            book = Ledger()
            try:
                self._fill(part, codes, out, None if ledger is None else book)
            except AccumulatorOverflowError as error:
                failed.append((part.place(error.index), error.value))
            books.append((part, book))
        if failed:
            index, value = min(failed)
            raise AccumulatorOverflowError.of(
                "transposed_correlation", self.accumulator, index, value
            )
        if ledger is not None:
            self._record(ledger, books, out.size)
        return cast("IntArray", out)

    def _part(self, phases: tuple[Phase, ...], size: tuple[int, ...]) -> _Part:
        windows, around = zip(
            *(p.window(n) for p, n in zip(phases, size, strict=True)), strict=True
        )
        window = (slice(None), slice(None), *windows)
        kernel = self.geometry.kernel
        late = any(p.taps[:1] != (k - 1,) for p, k in zip(phases, kernel, strict=True))
        if any(w.start >= w.stop or not p.taps for w, p in zip(windows, phases, strict=True)):
            return _Part(phases, window, None, starts_at_zero=True)
        plan = CorrelationPlan(
            self._weight[np.ix_(*map(range, self._weight.shape[:2]), *(p.taps for p in phases))],
            1,
            around,
            tuple(phase.spread for phase in phases),
            self.geometry.groups,
            self.x_zero_point,
            self._points,
            None,
            self.accumulator,
        )
        return _Part(phases, window, plan, starts_at_zero=late)

    def _fill(self, part: _Part, x: IntArray, out: IntArray, book: Ledger | None) -> None:
        if part.plan is not None:
            out[part.places] = part.plan(x[part.window], book)

    def _record(self, ledger: Ledger, books: list[tuple[_Part, Ledger]], size: int) -> None:
        """Add the ledgers up. At ``mac``, a product without an input leaves a partial sum."""
        at_mac = self.accumulator.at == "mac"
        seen, firsts, names = [], [], []
        for part, book in books:
            if part.plan is None or (at_mac and part.starts_at_zero):
                seen.append(0)
            if part.plan is not None:
                seen += [int(book.minimum), int(book.maximum)]
                names.append((book.kernel, book.reason))
            if book.first is not None:
                firsts.append(part.place(book.first))
        ends = (min(seen), max(seen)) if size else (0, 0)
        overflows = sum(book.overflows for _, book in books)
        register = Register.of(self.accumulator, ends, overflows, min(firsts, default=None))
        kernels = "+".join(dict.fromkeys(kernel for kernel, _ in names)) or "none"
        reasons = "; ".join(dict.fromkeys(reason for _, reason in names)) or "there are no products"
        ledger.fill(size, ends, kernels, reasons, registers=(register,))
