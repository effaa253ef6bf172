"""Softmax of codes along one dimension.

Real-number meaning: ``y = exp(beta * x) / sum(exp(beta * x))`` over the dimension.

Integer formula: with ``d = x - max(x)`` in each row, one of

* ``FixedSoftmax`` (tensorflow lite/kernels/internal/reference/softmax.h, with
  google/gemmlowp fixedpoint/fixedpoint.h; LiteRT's reference kernel, TFLite Micro and CMSIS-NN):
  ``d`` is rescaled to 5 integer and 26 fraction bits, exp by gemmlowp's barrel of products, each
  term rounded to 19 fraction bits for the sum, the sum's reciprocal by three steps of Newton,
  their product rounded half away to ``output.bits`` bits, plus ``output.min``: output scale
  ``2**-bits``, zero point ``output.min``.
* ``FloatSoftmax`` (lite/kernels/internal/optimized/optimized_ops.h; LiteRT without a delegate and
  with XNNPACK): ``round_half_away(exp_table[-d] * (1 / (sum * output_scale))) + zero_point``, all
  in float32, the sum from the left.
* ``TableSoftmax`` (SoftmaxInt16 in reference/softmax.h): ``d`` rescaled so that 65536 steps make
  10, exp and reciprocal interpolated between 513 entries, the product rounded half up to 15
  fraction bits: output scale ``2**-15``, zero point 0.
* ``IbertSoftmax`` (algorithm 2 of arXiv 2101.01321, IntSoftmax of transformers' I-BERT, for
  datapaths without floats and tables): ``term = exp(d) >> term_shift`` of 16 bits, exp as
  ``hw_models.integer.exponential`` has it, ``factor = floor(2**32 / sum)``, ``(term * factor) >>
  (32 - output.bits)``, plus ``output.min``: output scale ``2**-bits``, zero point ``output.min``.
  The shift takes the floor as I-BERT's does (``floor``), or rounds half up. I-BERT rescales the
  exponentials to 16 bits with a range that training found; here the shift is fixed. The largest
  error against float is 0.0025 + depth * 2**-15 (each term is floored) and one step of the output,
  half of one with half_up.

Then the clamp to the output format, which a probability next to 1 reaches.

Error against float, p being the probability, and half a step of the output besides: of
``FixedSoftmax`` ``(depth + 2) * 2**-20`` (each term of the sum is rounded), of ``FloatSoftmax``
``(depth + 6) * 2**-24``, of ``TableSoftmax`` ``(depth * p + 1) * 2**-14`` (its table has two steps
of 2**-15 for all that is below exp(-10)); of ``IbertSoftmax`` as above.

With a mask (``shown``), a row is what it shows: maximum, sum and quotients are those of the shown
elements alone, whatever codes the hidden ones have, and a hidden element is the code of
probability 0, as is every element of a row that shows none.

Corners: a difference below ``min_difference`` makes ``output.min``. The sum's register has 32 bits,
a larger one (4096 equal codes, 65549 in 16 bits, of ``IbertSoftmax`` 32768 or more) is refused: C++
leaves it undefined. So does it a right shift of 32 and more (``FixedSoftmax``, a sum of 512 and
more to 8 bits); here it rounds as any other, to 0. Exponentials of the float table are float64's,
rounded once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from hw_models._arguments import as_array, require_ledger, show
from hw_models._pointwise import extremes, require_codes, require_int, require_signed
from hw_models.errors import ContractError, no_case
from hw_models.formats import FixedFormat, IntArray
from hw_models.interpolation import interpolate
from hw_models.ledger import fixed_register
from hw_models.requantize import requantize
from hw_models.softmaxes import ibert
from hw_models.softmaxes import kernels as kernels
from hw_models.softmaxes.ibert import IbertSoftmax
from hw_models.softmaxes.schemes import (
    MAX_INPUT_BITS,
    MAX_OUTPUT_BITS,
    FixedSoftmax,
    FloatSoftmax,
    SoftmaxScheme,
    TableSoftmax,
    tables16,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from hw_models.ledger import Ledger

__all__ = [
    "FixedSoftmax",
    "FloatSoftmax",
    "IbertSoftmax",
    "SoftmaxScheme",
    "TableSoftmax",
    "reference",
    "softmax",
    "terms",
]

_INT8 = FixedFormat(8)
_NAMES = tuple(kind.__name__ for kind in get_args(SoftmaxScheme))


def reference(
    row: Sequence[int],
    scheme: SoftmaxScheme,
    output: FixedFormat = _INT8,
    shown: Sequence[bool] | None = None,
) -> list[int]:
    """Compute one row of codes: the definition. The schemes' own ``reference`` do not clamp."""
    low, high = _range(scheme, output)
    marks = [True] * len(row) if shown is None else shown
    read = [code for code, mark in zip(row, marks, strict=True) if mark]
    made = iter(scheme.reference(read, output) if read else ())
    nothing = _nothing(scheme, output)
    return [min(max(next(made), low), high) if mark else nothing for mark in marks]


def softmax(
    x: IntArray,
    scheme: SoftmaxScheme,
    axis: int = -1,
    input: FixedFormat = _INT8,  # noqa: A002  # the contract's name
    output: FixedFormat = _INT8,
    ledger: Ledger | None = None,
    shown: npt.NDArray[np.bool_] | None = None,
) -> IntArray:
    """Compute softmax along a dimension.

    Args:
        x: codes of ``input``, any shape and strides; the zero point cancels.
        scheme: FixedSoftmax, FloatSoftmax, TableSoftmax or IbertSoftmax.
        axis: the dimension whose probabilities add up to 1.
        input: format of x: 1 to 8 bits, for TableSoftmax and IbertSoftmax to 16.
        output: format of the result: up to 16 bits, for FloatSoftmax to 32.
        ledger: filled with the extremes of the values before the clamp, with what it changed, and
            with the register of the sums, unless these are floats.
        shown: true for the elements that count, of a shape that broadcasts to that of x; all by
            default.

    Returns:
        Codes in ``output.dtype``, the shape of x.

    Raises:
        ContractError: for arguments outside the contract, and for a row whose sum of exponentials
            exceeds 32 bits.
    """
    require_ledger(ledger)
    require_softmax(scheme, input, output)
    codes = require_signed(as_array(x, "x"), "x")
    if codes.ndim == 0:
        raise ContractError("x must have a dimension, not shape () (accepted: 1 or more)")
    require_int(axis, "axis", -codes.ndim, codes.ndim - 1)
    require_codes(codes, "x", input)
    moved = np.moveaxis(codes, axis, -1)
    rows = np.ascontiguousarray(moved, np.int64).reshape(_count(moved.shape), moved.shape[-1])
    values = np.empty(rows.shape, np.int64)
    sums = np.zeros(len(rows) if rows.size else 0, np.int64)
    if shown is None:
        wrong = _run(scheme, rows, values, sums, output) if rows.size else -1
    else:
        marks = np.moveaxis(_marks(shown, codes.shape), axis, -1).reshape(rows.shape)
        wrong = _masked(scheme, rows, np.ascontiguousarray(marks), (values, sums), output)
    if wrong >= 0:
        raise ContractError(
            f"a row's sum of exponentials must fit 32 bits, not {rows.shape[1]} codes in row "
            f"{wrong} (accepted: shorter rows, or codes further apart)"
        )
    low, high = _range(scheme, output)
    clamped = np.clip(values, low, high)
    shaped = clamped.astype(output.dtype).reshape(moved.shape)
    result = np.ascontiguousarray(np.moveaxis(shaped, -1, axis))
    if ledger is not None:
        changed = np.moveaxis((clamped != values).reshape(moved.shape), -1, axis)
        _fill(ledger, values, changed, scheme, sums)
    return result


def require_softmax(scheme: SoftmaxScheme, codes: FixedFormat, output: FixedFormat) -> None:
    """Raise ContractError where a scheme does not take these formats."""
    if not isinstance(scheme, SoftmaxScheme):
        raise ContractError(
            f"scheme must be a softmax scheme, not {show(scheme)} (accepted: {', '.join(_NAMES)})"
        )
    limits = ((codes, "input", MAX_INPUT_BITS), (output, "output", MAX_OUTPUT_BITS))
    for form, name, most in limits:
        bits = most[type(scheme)]
        if not isinstance(form, FixedFormat) or form.bits > bits:
            raise ContractError(
                f"{name} of {type(scheme).__name__} must be a FixedFormat of 1 to {bits} bits, not "
                f"{show(form)} (accepted: 1..{bits} bits)"
            )


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[:-1], dtype=np.int64))


def _nothing(scheme: SoftmaxScheme, output: FixedFormat) -> int:
    """Return the code of probability 0."""
    return scheme.zero_point if isinstance(scheme, FloatSoftmax) else _range(scheme, output)[0]


def _marks(shown: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return which elements count, one mark for each."""
    marks = np.asarray(shown)
    try:
        if marks.dtype == np.bool_:
            return np.broadcast_to(marks, shape)
    except ValueError:
        pass
    raise ContractError(
        f"shown must have one bool per element, not {marks.dtype} {marks.shape} (accepted: bools "
        f"of what broadcasts to {shape})"
    )


def _masked(
    scheme: SoftmaxScheme, x: Any, marks: Any, made: tuple[Any, Any], output: FixedFormat
) -> int:
    """As ``_run``, of the elements that are marked: rows that show as many go together."""
    values, sums = made
    values[:] = _nothing(scheme, output)
    counts = np.count_nonzero(marks, -1) if x.size else np.zeros(0, np.int64)
    for count in np.unique(counts[counts > 0]):
        (rows,) = np.nonzero(counts == count)
        where = marks[rows]
        y = np.empty((rows.size, count), np.int64)
        totals = np.zeros(rows.size, np.int64)
        wrong = _run(scheme, x[rows][where].reshape(y.shape), y, totals, output)
        if wrong >= 0:
            return int(rows[wrong])
        part = values[rows]
        part[where] = y.reshape(-1)
        values[rows], sums[rows] = part, totals
    return -1


def _range(scheme: SoftmaxScheme, output: FixedFormat) -> tuple[int, int]:
    return (max(0, output.min) if isinstance(scheme, TableSoftmax) else output.min), output.max


@lru_cache(maxsize=64)
def terms(scheme: SoftmaxScheme) -> npt.NDArray[Any]:
    """Return the exponential of every difference, 0 first."""
    if isinstance(scheme, TableSoftmax):
        differences = -np.arange(1 << 16, dtype=np.int64)
        points = requantize(differences, scheme.rescale, 32767, FixedFormat(32))
        codes = np.clip(points, -32768, 32767)
        return interpolate(codes, tables16()[0]).astype(np.int64)
    if isinstance(scheme, IbertSoftmax):
        made, e = np.empty(1 << 16, np.int64), scheme.exponential
        ibert.exponentials(made, e.ln2, e.b, e.one, e.left_shift, scheme.term_shift)
        return made
    dtypes = {FixedSoftmax: np.int64, FloatSoftmax: np.float32}
    return np.array([scheme.term(-d) for d in range(1 << 8)], dtypes[type(scheme)])


def _run(scheme: SoftmaxScheme, x: Any, y: Any, sums: Any, output: FixedFormat) -> int:
    exponentials = terms(scheme)
    if isinstance(scheme, FixedSoftmax):
        return int(kernels.fixed(x, y, sums, exponentials, output.min, output.bits))
    if isinstance(scheme, FloatSoftmax):
        scale = np.float32(scheme.output_scale)
        return int(kernels.floating(x, y, exponentials, scale, scheme.zero_point))
    if isinstance(scheme, TableSoftmax):
        return int(kernels.interpolated(x, y, sums, exponentials, tables16()[1].copy()))
    if isinstance(scheme, IbertSoftmax):
        return int(
            ibert.divided(x, y, sums, exponentials, output.min, output.bits, scheme.nudge(output))
        )
    raise ContractError(no_case(scheme, "scheme", _NAMES))


def _fill(
    ledger: Ledger, values: IntArray, changed: Any, scheme: SoftmaxScheme, sums: IntArray
) -> None:
    clamped = int(np.count_nonzero(changed))
    index = np.unravel_index(int(np.argmax(changed)), changed.shape) if clamped else ()
    adds_integers = not isinstance(scheme, FloatSoftmax)
    total = fixed_register("sum of exponentials", FixedFormat(32), extremes(sums))
    ledger.fill(
        values.size,
        extremes(values),
        f"softmax-{type(scheme).__name__}",
        "row by row, the exponentials of all differences in a table",
        clamped=clamped,
        first_clamped=tuple(int(i) for i in index) if clamped else None,
        registers=(total,) if adds_integers else (),
    )
