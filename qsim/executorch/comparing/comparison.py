"""Comparing two programs, operator by operator, bit by bit."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.fx import GraphModule

from qsim.errors import ModelError, UsageError
from qsim.executorch.comparing import boundary, records
from qsim.executorch.comparing.align import align
from qsim.executorch.comparing.record import Record
from qsim.executorch.loading import Pte
from qsim.network import Lowered
from qsim.quantizer import Quantized, check_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.program import Array

_WIDTHS = (28, 22, 10, 16, 9)


@dataclass(frozen=True, slots=True)
class Row:
    """What one operator made on both sides.

    Attributes:
        name: the layer, the instruction or the node, on the left; ``output 0`` for an output.
        operator: what made it, on the left.
        partner: name and operator on the right.
        dtype, shape: both sides' where they differ, as ``int8/uint8``.
        elements: how many the left side has.
        differing: how many differ, in any bit; all, where type or shape do not let them compare.
        index: of the first that differs; None where none does, or shapes differ.
        left, right: the two values there; codes of different types without their zero points.
        largest: the largest difference of two values; None where there is no number for it.
    """

    name: str
    operator: str
    partner: str
    dtype: str
    shape: str
    elements: int
    differing: int
    index: tuple[int, ...] | None = None
    left: float | int | bool | None = None
    right: float | int | bool | None = None
    largest: float | int | None = None


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found; its text is a table of at most 100 columns.

    Attributes:
        rows: one for each operator that both sides have, in order; then one for each output.
        alone: names of what has no partner: on the left, on the right.
    """

    rows: tuple[Row, ...]
    alone: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def equal(self) -> bool:
        """Whether everything that has a partner, and every output, has the same bits."""
        return not any(row.differing for row in self.rows)

    @property
    def first(self) -> Row | None:
        """The first operator whose bits differ."""
        return next((row for row in self.rows if row.differing), None)

    def __str__(self) -> str:
        titles = ("name", "operator", "type", "shape", "elements", "differ")
        lines = [_line(titles)]
        lines += [
            _line((row.name, row.operator, row.dtype, row.shape, row.elements, row.differing))
            for row in self.rows
        ]
        for side, names in zip(("left", "right"), self.alone, strict=True):
            if names:
                text = f"without a partner on the {side}: {len(names)}: {', '.join(names)}"
                lines.append(textwrap.shorten(text, 100, placeholder=" ..."))
        first = self.first
        lines.append(f"all {len(self.rows)} rows are equal" if first is None else _sentence(first))
        return "\n".join(lines)


def compare(left: Any, right: Any, inputs: Any, *, method: str | None = None) -> Comparison:
    """Run two programs on the same inputs and compare what every operator makes, bit by bit.

    Delegates of ``QsimBackend`` are looked into: every call of theirs is an operator.

    Args:
        left: a ``Pte``.
        right: another ``Pte``, or the eager Q/DQ graph (``qsim.Quantized`` or its ``graph``), or a
            ``qsim.Lowered``.
        inputs: a tensor or an array, or a sequence of them, as the left side takes them. Where it
            takes and returns codes and the right side is a graph with floats at its boundary, the
            right side gets the floats that the codes stand for (``qparams``).
        method: of the ``.pte`` files; None for ``forward``, or for the only one.

    Raises:
        UsageError: something that cannot be compared, or a method that is not there.
        InputError: inputs that one of them does not take.
        ModelError: the two return different numbers of outputs; or one fails.
    """
    if not isinstance(left, Pte):
        raise UsageError(f"left is a {type(left).__name__}", where="compare", accepted="a Pte")
    given = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    ours, theirs = _records(left, given, method), _others(left, right, given, method)
    pairs = align(ours.made, theirs.made)
    if len(ours.outputs) != len(theirs.outputs):
        raise ModelError(
            f"they return {len(ours.outputs)} and {len(theirs.outputs)} outputs",
            where="compare",
            accepted="as many",
        )
    for at, outputs in enumerate(zip(ours.outputs, theirs.outputs, strict=True)):
        one, other = (_output(value, at) for value in outputs)
        pairs.append((one, other))
    rows = tuple(_row(*pair) for pair in pairs)
    alone = []
    for side, made in enumerate((ours.made, theirs.made)):
        paired = {id(pair[side]) for pair in pairs}
        alone.append(tuple(_title(record) for record in made if id(record) not in paired))
    return Comparison(rows, (alone[0], alone[1]))


def _others(left: Pte, right: Any, given: list[Any], method: str | None) -> records.Records:
    if not isinstance(right, (GraphModule, Lowered, Quantized)):
        return _records(right, given, method)
    name = method or ""
    found = _records(right, boundary.real_inputs(left, name, given, right), method)
    return records.Records(found.made, boundary.coded_outputs(left, name, found.outputs))


def _records(side: Any, inputs: Sequence[Any], method: str | None) -> records.Records:
    if isinstance(side, Pte):
        return records.of_pte(side, inputs, method)
    if isinstance(side, Lowered):
        return records.of_lowered(side, inputs)
    if isinstance(side, Quantized):
        tensors = tuple(torch.as_tensor(value) for value in inputs)
        check_batch(tensors, side.example_inputs, batch=side.batch)
        return records.of_graph(side.graph, tensors)
    if isinstance(side, GraphModule):
        return records.of_graph(side, inputs)
    raise UsageError(
        f"right is a {type(side).__name__}",
        where="compare",
        accepted="a Pte, an eager Q/DQ graph (Quantized or its graph), a Lowered",
    )


def _output(value: Any, at: int) -> Record:
    array = value if isinstance(value, (torch.Tensor, np.ndarray)) else np.asarray(value)
    return Record.of(array, f"output {at}", "output", "output", "output")


def _title(record: Record) -> str:
    return f"{record.name} ({record.operator})"


def _row(left: Record, right: Record) -> Row:
    a, b = left.array, right.array
    shapes = [str(list(array.shape)).replace(" ", "") for array in (a, b)]
    fields = (
        left.name,
        left.operator,
        _title(right),
        left.dtype if left.dtype == right.dtype else f"{left.dtype}/{right.dtype}",
        shapes[0] if shapes[0] == shapes[1] else "/".join(shapes),
        a.size,
    )
    if a.shape != b.shape:
        return Row(*fields, differing=max(a.size, b.size, 1))
    if left.dtype != right.dtype and left.zero_point is not None and right.zero_point is not None:
        # A signed and an unsigned datapath: the same numbers lie half a range apart.
        a = a.astype(np.int64) - left.zero_point
        b = b.astype(np.int64) - right.zero_point
    differing = _differing(a, b)
    count = int(np.count_nonzero(differing))
    if not count:
        return Row(*fields, differing=0)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(differing)), a.shape))
    return Row(*fields, count, index, a[index].item(), b[index].item(), _largest(a, b))


def _differing(a: Array, b: Array) -> Array:
    """Return which elements differ in any bit; containers of integers may differ."""
    integers = a.dtype.kind in "iu" and b.dtype.kind in "iu"
    if a.dtype != b.dtype and not integers:
        return np.ones(a.shape, np.bool_)
    if a.dtype.kind != "f":
        return np.asarray(a != b)
    bits = np.dtype(f"u{a.dtype.itemsize}")  # NaN equals itself here, and -0.0 is not 0.0
    one, other = (np.ascontiguousarray(array).view(bits).reshape(array.shape) for array in (a, b))
    return np.asarray(one != other)


def _largest(a: Array, b: Array) -> float | int | None:
    if a.dtype.kind not in "iuf" or b.dtype.kind not in "iuf":
        return None
    wide: Any = np.int64 if "f" not in (a.dtype.kind, b.dtype.kind) else np.float64
    with np.errstate(invalid="ignore"):
        found = np.abs(a.astype(wide) - b.astype(wide)).max()
    return None if np.isnan(found) else found.item()


def _line(cells: Sequence[object]) -> str:
    *texts, last = (str(cell) for cell in cells)
    # Of a long name the end tells more than the beginning.
    cut = [
        text if len(text) <= width else ".." + text[2 - width :]
        for text, width in zip(texts, _WIDTHS, strict=True)
    ]
    padded = [text.ljust(width) for text, width in zip(cut[:4], _WIDTHS, strict=False)]
    return " ".join((*padded, cut[4].rjust(_WIDTHS[4]), last.rjust(9))).rstrip()


def _sentence(row: Row) -> str:
    where = f"first: {row.name} ({row.operator}): {row.differing} of {row.elements} differ"
    if row.index is None:
        return f"{where}; the shapes are {row.shape}"[:100]
    largest = "" if row.largest is None else f"; at most by {row.largest:g}"
    at = f"\n       at {list(row.index)}: {row.left!r} and {row.right!r}{largest}"
    return where[:100] + at
