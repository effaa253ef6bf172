"""A transposed correlation prepared for many calls: one correlation per phase of the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hw_models._arguments import require_accumulator, require_ledger
from hw_models.errors import AccumulatorOverflowError
from hw_models.formats import Accumulator, IntArray
from hw_models.ledger import Ledger, Register
from hw_models.products.geometry import Pair, check_code, check_codes, check_zero_points
from hw_models.products.plan import CorrelationPlan
from hw_models.products.transposed_geometry import Phase, TransposedGeometry

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.products.geometry import Padding


class _Part(NamedTuple):
    """The outputs of one phase of either dimension, and the correlation that fills them.

    Attributes:
        row, column: the phases.
        window: the part of x [N, C, H, W] that it reads.
        plan: None where no product reaches these outputs.
        starts_at_zero: the first product of each of these outputs is one with no input.
    """

    row: Phase
    column: Phase
    window: tuple[slice, ...]
    plan: CorrelationPlan | None
    starts_at_zero: bool

    def place(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return where an element [n, o, i, j] of the part lies in the output."""
        n, o, i, j = index
        row, column = self.row, self.column
        return n, o, row.start + i * row.stride, column.start + j * column.stride


class TransposedCorrelationPlan:
    """A transposed correlation with its weights checked: call it with x.

    The plan copies the weights. What depends on x's height and width is prepared at the first
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
        inner = self.geometry.inner
        self._points = check_zero_points("weight_zero_point", weight_zero_point, inner.outputs)
        rows = self.geometry.correlation_weight(codes.astype(np.int64))
        self._weight = rows.reshape(inner.outputs, inner.channels, *inner.kernel)
        self._size: Pair = (0, 0)
        self._parts: list[_Part] = []

    def __call__(self, x: npt.ArrayLike, ledger: Ledger | None = None) -> IntArray:
        """Correlate x [N, C, *spatial]; arguments and errors as in transposed_correlation()."""
        require_ledger(ledger)
        geometry = self.geometry
        view = geometry.view(check_codes("x", x))
        size = (view.shape[2], view.shape[3])
        shape = geometry.output_size(size)
        if size != self._size:
            self._parts = [self._part(*pair, size) for pair in geometry.phases(shape)]
            self._size = size
        rows = np.zeros((view.shape[0], *shape, geometry.inner.outputs), self.accumulator.dtype)
        out = rows.transpose(0, 3, 1, 2)
        books: list[tuple[_Part, Ledger]] = []
        failed: list[tuple[tuple[int, ...], int]] = []
        for part in self._parts:
            book = Ledger()
            try:
                self._fill(part, view, out, None if ledger is None else book)
            except AccumulatorOverflowError as error:
                failed.append((part.place(error.index), error.value))
            books.append((part, book))
        if failed:
            index, value = min(failed)
            raise AccumulatorOverflowError.of(
                "transposed_correlation", self.accumulator, self._public(index), value
            )
        if ledger is not None:
            self._record(ledger, books, out.size)
        return geometry.inner.unview(out)

    def _part(self, row: Phase, column: Phase, size: Pair) -> _Part:
        (rows, above), (columns, beside) = row.window(size[0]), column.window(size[1])
        kernel = self.geometry.inner.kernel
        late = row.taps[:1] != (kernel[0] - 1,) or column.taps[:1] != (kernel[1] - 1,)
        window = (slice(None), slice(None), rows, columns)
        empty = rows.start >= rows.stop or columns.start >= columns.stop
        if empty or not row.taps or not column.taps:
            return _Part(row, column, window, None, starts_at_zero=True)
        plan = CorrelationPlan(
            self._weight[:, :, row.taps][:, :, :, column.taps],
            1,
            (above, beside),
            (row.spread, column.spread),
            self.geometry.inner.groups,
            self.x_zero_point,
            self._points,
            None,
            self.accumulator,
        )
        return _Part(row, column, window, plan, starts_at_zero=late)

    def _fill(self, part: _Part, view: IntArray, out: IntArray, book: Ledger | None) -> None:
        if part.plan is not None:
            values = part.plan(view[part.window], book)
            out[:, :, part.row.places, part.column.places] = values

    def _record(self, ledger: Ledger, books: list[tuple[_Part, Ledger]], size: int) -> None:
        """Add the ledgers up. At ``mac``, a product without an input leaves a partial sum."""
        at_mac = self.accumulator.at == "mac"
        seen, firsts, names = [], [], []
        for part, book in books:
            if part.plan is None or (at_mac and part.starts_at_zero):
                seen.append(0)
            if part.plan is not None:
                seen += [book.minimum, book.maximum]
                names.append((book.kernel, book.reason))
            if book.first is not None:
                firsts.append(self._public(part.place(book.first)))
        ends = (min(seen), max(seen)) if size else (0, 0)
        overflows = sum(book.overflows for _, book in books)
        register = Register.of(self.accumulator, ends, overflows, min(firsts, default=None))
        kernels = "+".join(dict.fromkeys(kernel for kernel, _ in names)) or "none"
        reasons = "; ".join(dict.fromkeys(reason for _, reason in names)) or "there are no products"
        ledger.fill(size, ends, kernels, reasons, registers=(register,))

    def _public(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return an index [N, O, H, W] in the caller's number of spatial dimensions."""
        return index if self.geometry.inner.spatial == 2 else (index[0], index[1], index[3])
