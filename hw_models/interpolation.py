"""Interpolated lookup: 2**k intervals of codes, a straight line in each.

Real-number meaning: a function of one real, as ``lookup`` has, where a table with one entry per
code would be too large.

Integer formula, for a code x of ``input`` (b bits), a table T of 2**k + 1 entries, f = b - k:

    i = (x - input.min) >> f          r = (x - input.min) & (2**f - 1)
    slope = T[i + 1] - T[i]
    rounded:  y = T[i] + ((slope * r + 2**(f-1)) >> f)
    exact:    y = (T[i] << f) + slope * r

* ``rounded`` is TFLite's LUTLookup of int16 (tensorflow lite/kernels/internal/common.h) with 513
  entries: b = 16, k = 9, f = 7; slope and y wrap to the width of the entries.
* ``exact`` is TOSA's TABLE of int16 (tosa-specification, tables/ and chapters/ewise.adoc): y has f
  bits more than the entries, and a RESCALE follows. A slope outside the entries' format is refused.

``interpolation_table`` samples a function as TFLite's LUTPopulate of int16: each entry is moved by
half of what the line misses in the middle of the interval to its right.

Corners: entry 2**k belongs to no code; only the last slope depends on it. The samples divide the
2**16 - 1 steps between the first and the last code by 512, but 128 codes share an entry: in the
middle of the range the table is half a code off, as TFLite's.

Error of a table of 512 intervals against its function, in steps of the output: what the function
changes in one code of the input (the drift above), the chord's ``128**2 / 8`` times what this
changes from code to code, and 1.5 for three roundings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np

from hw_models._arguments import as_array, require_ledger, require_name, require_scale, show
from hw_models._pointwise import (
    extremes,
    memory_order,
    require_codes,
    require_int,
    require_signed,
)
from hw_models.compiled import kernel
from hw_models.errors import ContractError, no_case
from hw_models.formats import FixedFormat, IntArray
from hw_models.ledger import Register
from hw_models.rounding import round_shift
from hw_models.tables import FLOATS, require_formats, require_function

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from hw_models._pointwise import Layout
    from hw_models.ledger import Ledger
    from hw_models.tables import FloatType, Function

Result: TypeAlias = Literal["rounded", "exact"]
RESULTS: Final[tuple[Result, ...]] = get_args(Result)
MAX_BITS: Final = 16
_ZERO_POINTS: Final = (-(1 << MAX_BITS), 1 << MAX_BITS)
_INT16: Final = FixedFormat(16)


def reference(
    x: int,
    table: Sequence[int],
    input: FixedFormat = _INT16,  # noqa: A002  # the contract's name
    entries: FixedFormat = _INT16,
    result: Result = "rounded",
) -> int:
    """Look one code up: the definition."""
    fraction = fraction_bits(len(table), input)
    index, rest = divmod(x - input.min, 1 << fraction)
    slope = table[index + 1] - table[index]
    if _is_exact(result):
        return (table[index] << fraction) + slope * rest
    step = round_shift(entries.wrap(slope) * rest, fraction, "half_up")
    return entries.wrap(table[index] + int(step))


def _is_exact(result: Result) -> bool:
    match result:
        case "rounded":
            return False
        case "exact":
            return True
        case _:
            raise ContractError(no_case(result, "result", RESULTS))


def fraction_bits(size: int, input: FixedFormat) -> int:  # noqa: A002  # the contract's name
    """Return how many low bits of a code lie between two entries, or raise ContractError."""
    intervals = size - 1
    bits = intervals.bit_length() - 1
    if intervals < 1 or intervals != 1 << bits or bits > input.bits or input.narrow:
        raise ContractError(
            f"table must have 2**k + 1 entries for 2**{input.bits} codes, not {size} of "
            f"{show(input)} (accepted: k of 0..{input.bits}, a format that is not narrow)"
        )
    return input.bits - bits


def result_format(
    entries: FixedFormat,
    size: int,
    input: FixedFormat,  # noqa: A002  # the contract's name
    result: Result,
) -> FixedFormat:
    """Return the format of the result: the entries', or f bits more when it is exact."""
    if _is_exact(result):
        return FixedFormat(entries.bits + fraction_bits(size, input), entries.signed)
    return entries


@kernel
def _interpolate(
    x: Any, y: Any, table: Any, low: Any, fraction: Any, drop: Any, signed: Any
) -> None:
    """Interpolate every code; ``drop`` is 64 less the entries' width, or -1 for exact."""
    mask = (1 << fraction) - 1
    half = (1 << fraction) >> 1
    for i in range(x.size):
        code = x[i] - low
        index = code >> fraction
        base = table[index]
        slope = table[index + 1] - base
        if drop < 0:
            y[i] = (base << fraction) + slope * (code & mask)
        elif signed:
            slope = (slope << drop) >> drop
            v = base + ((slope * (code & mask) + half) >> fraction)
            y[i] = (v << drop) >> drop
        else:
            keep = (1 << (64 - drop)) - 1
            v = base + (((slope & keep) * (code & mask) + half) >> fraction)
            y[i] = v & keep


def interpolate(
    x: IntArray,
    table: IntArray,
    input: FixedFormat = _INT16,  # noqa: A002  # the contract's name
    entries: FixedFormat = _INT16,
    result: Result = "rounded",
    ledger: Ledger | None = None,
) -> IntArray:
    """Replace codes with a function's values, interpolated between the entries of a table.

    Args:
        x: codes of ``input``, any shape and strides.
        table: 2**k + 1 codes of ``entries``, 1-D, the smallest code's first.
        input: format of x, 1 to 16 bits.
        entries: format of the table, 1 to 16 bits.
        result: ``rounded`` to the entries' format, or ``exact``, with f more bits.
        ledger: filled with the extremes of the result, and with what wrapped if it is ``rounded``.

    Returns:
        Codes of the entries' dtype (``exact``: of ``result_format``), x's shape and memory order.

    Raises:
        ContractError: for arguments outside the contract; a code outside ``input`` is named with
            its index.
    """
    require_ledger(ledger)
    require_name(result, "result", RESULTS)
    for form, name in ((input, "input"), (entries, "entries")):
        if not isinstance(form, FixedFormat) or form.bits > MAX_BITS:
            raise ContractError(
                f"{name} must be a FixedFormat of 1 to {MAX_BITS} bits, not {show(form)} "
                f"(accepted: 1..{MAX_BITS} bits)"
            )
    values = _table(table, input, entries, result)
    codes = require_signed(as_array(x, "x"), "x")
    require_codes(codes, "x", input)
    dense, layout = memory_order(codes)
    y = np.empty(dense.size, np.int64)
    fraction = fraction_bits(values.size, input)
    drop = -1 if _is_exact(result) else 64 - entries.bits
    flat = dense.reshape(-1).astype(np.int64)
    _interpolate(flat, y, values, input.min, fraction, drop, entries.signed)
    if ledger is not None:
        kept = () if drop < 0 else _registers(flat - input.min, values, fraction, entries, layout)
        reason = "a slope times a fraction fits 64 bits"
        ledger.fill(y.size, extremes(y), "interpolate", reason, registers=kept)
    form = result_format(entries, values.size, input, result)
    return layout.restore(y.astype(form.dtype))


def _registers(
    codes: npt.NDArray[np.int64],
    table: npt.NDArray[np.int64],
    fraction: int,
    entries: FixedFormat,
    layout: Layout,
) -> tuple[Register, Register]:
    """Return what the slopes and the results, which wrap, did to registers of the entries' format.

    ``codes`` are offset to 0 and lie in memory order.
    """
    index = codes >> fraction
    slopes = np.diff(table)[index]
    held = entries.wrap(slopes).astype(np.int64)
    half = (1 << fraction) >> 1
    results = table[index] + ((held * (codes & ((1 << fraction) - 1)) + half) >> fraction)
    return (
        _wrapping("slope", slopes, entries, layout),
        _wrapping("result", results, entries, layout),
    )


def _wrapping(name: str, exact: IntArray, form: FixedFormat, layout: Layout) -> Register:
    outside = (exact < form.min) | (exact > form.max)
    count = int(np.count_nonzero(outside))
    first = layout.first(outside) if count else None
    ends = extremes(exact)
    return Register(name, form.bits, "wrap", *ends, count, first, form.signed)


def _table(
    table: npt.ArrayLike, codes: FixedFormat, entries: FixedFormat, result: Result
) -> npt.NDArray[np.int64]:
    values = require_signed(as_array(table, "table"), "table").astype(np.int64)
    if values.ndim != 1:
        raise ContractError(
            f"table must be 1-D, not of shape {values.shape} (accepted: 2**k + 1 entries)"
        )
    fraction_bits(values.size, codes)
    require_codes(values, "table", entries)
    slopes = np.diff(values)
    if _is_exact(result) and not entries.fits(slopes):
        wrong = int(np.argmax((slopes < entries.min) | (slopes > entries.max)))
        raise ContractError(
            f"the slopes of an exact table must be codes of its format, not {int(slopes[wrong])} "
            f"after entry {wrong} (accepted: {entries.min}..{entries.max})"
        )
    return values


def interpolation_table(
    function: Function,
    input_scale: float,
    output_scale: float,
    input_zero_point: int = 0,
    output_zero_point: int = 0,
    dtype: FloatType = "float32",
    steps: int = 512,
    input: FixedFormat = _INT16,  # noqa: A002  # the contract's name
    output: FixedFormat = _INT16,
) -> IntArray:
    """Sample a real function as TFLite's LUTPopulate of int16 does.

    Args:
        function: as ``hw_models.tables.table`` takes it.
        input_scale: real step of the input's codes.
        output_scale: real step of the entries.
        input_zero_point: the code of real 0 in the input, -2**16..2**16.
        output_zero_point: the same of the output; as in TFLite it enters the scale alone and is
            not added.
        dtype: float type of every operation: LiteRT has float32 for exp and log, float64 in
            softmax.
        steps: intervals, a power of two.
        input: format of the codes, 1 to 16 bits, not narrow.
        output: format of the entries, 1 to 16 bits.

    Returns:
        1-D, ``steps + 1`` entries in ``output.dtype``.

    Raises:
        ContractError: for arguments outside the contract, and where the function has no value.
    """
    compute = require_function(function)
    require_name(dtype, "dtype", tuple(FLOATS))
    require_formats(input, output, MAX_BITS)
    count = require_int(steps, "steps", 1, 1 << MAX_BITS)
    fraction_bits(count + 1, input)
    zero_in = require_int(input_zero_point, "input_zero_point", *_ZERO_POINTS)
    zero_out = require_int(output_zero_point, "output_zero_point", *_ZERO_POINTS)
    real = FLOATS[dtype]
    scale_in = real(require_scale(input_scale, "input_scale", real))
    scale_out = real(require_scale(output_scale, "output_scale", real))
    with np.errstate(all="ignore"):
        first, last = (scale_in * real(end - zero_in) for end in (input.min, input.max))
        bottom, top = (scale_out * real(end - zero_out) for end in (output.min, output.max))
        inverse = real(1 << output.bits) / (top - bottom)
        step = (last - first) / real(count)
        entries = [
            _sample(compute, first + real(i) * step, first + real(i + 1) * step, step, inverse)
            for i in range(count)
        ]
        entries.append(_away(compute(last) * inverse))
    return np.array([_code(entry, i, output) for i, entry in enumerate(entries)], output.dtype)


def _sample(compute: Any, left: Any, right: Any, step: Any, inverse: Any) -> Any:
    value, middle, following = compute(left), compute(left + step / 2), compute(right)
    here = _away(value * inverse)
    line = _away((following * inverse + here) / 2)
    return here - _away((line - _away(middle * inverse)) / 2)


def _away(x: Any) -> Any:
    """Round half away from zero in the type of x, as C's ``round``."""
    return np.copysign(np.floor(abs(np.float64(x)) + 0.5), x).astype(type(x))


def _code(entry: Any, index: int, output: FixedFormat) -> int:
    if entry != entry:
        raise ContractError(
            f"the function must have a value at every sample, not NaN near entry {index} "
            "(accepted: a function that is finite over the input's range)"
        )
    return int(min(max(float(entry), output.min), output.max))
