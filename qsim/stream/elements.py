"""Encodes element-wise calls: by a table of all codes, or by a line.

A table is what the primitive's own kernel makes of every code, or of every pair of codes, so that
every scheme is served, with its clamp. One operand may have 16 bits, two have 8 each. A sum of two
is tried as a line in float32 first, which is faster than 65536 entries; it is taken only if it
makes the table's code of every pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.program import decode_scheme
from qsim.stream.command import Command, NotInStream
from qsim.stream.copies import copy_words
from qsim.stream.joins import placed
from qsim.stream.layout import Layout
from qsim.stream.lines import same_order
from qsim.stream.sums import sum_of_words

if TYPE_CHECKING:
    from hw_models import FixedFormat
    from qsim.program import Array, Call
    from qsim.stream.source import Source

UNARY: Final = frozenset({"clamp", "integer_function", "interpolate", "lookup", "requantize"})
BINARY: Final = frozenset({"add", "maximum", "minimum", "mul", "prelu", "shift_right", "sub"})


def encode(source: Source, index: int) -> list[Command]:
    """Encode an element-wise call; operands that are broadcast or constant are spread out first.

    Raises:
        NotInStream: the reason, where its result depends on more than the codes.
    """
    call = source.program.calls[index]
    _require_element_wise(call)
    if len(call.inputs) == 1:
        return _one(source, index, call.inputs[0], source.kept_once(call, "table", _table))
    if call.primitive == "add" and source.layouts[call.output].dtype == np.int16:
        names, found = spread(source, index, call.inputs)
        return [*found, sum_of_words(source, index, names)]
    for name in call.inputs:
        _require_bytes(source, name)
    _require_bytes(source, call.output)
    table = source.kept_once(call, "table", _table)
    single = [i for i, name in enumerate(call.inputs) if _is_single(source, name)]
    if single:
        code = source.program.constants[call.inputs[single[0]]].reshape(-1).view(np.uint8)[0]
        pairs = table.reshape(256, 256)
        row = pairs[code] if single[0] == 0 else pairs[:, code]
        other = call.inputs[1 - single[0]]
        if source.program.constants.get(other) is not None:
            raise NotInStream("both operands are constants")
        names, found = spread(source, index, (other,))
        return [*found, *_one(source, index, names[0], np.ascontiguousarray(row))]
    names, found = spread(source, index, call.inputs)
    return [*found, _two(source, index, names, table)]


def _one(source: Source, index: int, name: str, table: Array) -> list[Command]:
    """Return the commands that replace every code of a tensor by its entry."""
    from hw_models.stream import fields as f

    output = source.program.calls[index].output
    y = source.layouts[output]
    name, copies = same_order(source, index, name, y)
    x = source.layouts[name]
    words = {f.SIZE: y.size, f.TABLE: source.constants.add(table)}
    if (x.dtype.itemsize, y.dtype.itemsize) == (1, 1):
        return [*copies, Command((index,), (name,), output, f.UNARY, words)]
    words |= {f.X_ITEM: x.dtype.itemsize, f.Y_ITEM: y.dtype.itemsize}
    return [*copies, Command((index,), (name,), output, f.WIDE, words)]


def _two(source: Source, index: int, names: tuple[str, ...], table: Array) -> Command:
    """Return the command that makes a code of two."""
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    words = {f.SIZE: source.layouts[call.output].size}
    line = source.kept_once(call, "line", lambda source, _index, call: _line(source, call, table))
    if line is None:
        words[f.TABLE] = source.constants.add(table)
        return Command((index,), names, call.output, f.BINARY, words)
    signed, factors, low, high = line
    words |= {f.TABLE: source.constants.add(factors), f.LOW: low, f.HIGH: high, f.SIGNED: signed}
    return Command((index,), names, call.output, f.LINE, words)


def _is_single(source: Source, name: str) -> bool:
    constant = source.program.constants.get(name)
    return constant is not None and constant.size == 1


def _require_bytes(source: Source, name: str) -> None:
    if _format(source, name).bits > 8:
        raise NotInStream(f"{name} has more than 8 bits: the loop takes 8 of two operands")


def _format(source: Source, name: str) -> FixedFormat:
    from hw_models import FixedFormat

    constant = source.program.constants.get(name)
    if constant is None:
        return source.format(name)
    return FixedFormat(8 * constant.dtype.itemsize, constant.dtype.kind == "i")


def spread(
    source: Source, index: int, operands: tuple[str, ...]
) -> tuple[tuple[str, ...], list[Command]]:
    """Copy what does not lie as the result does: constants, and what is broadcast."""
    y = source.layouts[source.program.calls[index].output]
    names, found = [], []
    for number, name in enumerate(operands):
        made, commands = spread_one(source, index, number, name, y)
        names.append(made)
        found += commands
    return tuple(names), found


def spread_one(
    source: Source, index: int, number: int, name: str, y: Layout
) -> tuple[str, list[Command]]:
    """Return an operand that lies as ``y`` does, its shape included; a copy where it does not."""
    from hw_models.stream import fields as f

    call, constant = source.program.calls[index], source.program.constants.get(name)
    words: dict[int, int] = {}
    reads: tuple[str, ...] = (name,)
    if constant is None:
        x = source.layouts[name]
    else:
        x = Layout(constant.shape, tuple(range(constant.ndim)), constant.dtype)
        words, reads = placed(source, constant, x.order), ()
    if constant is None and (x.shape, x.order) == (y.shape, y.order):
        return name, []
    words |= copy_words(y.memory, distances(x, y), x.dtype.itemsize)
    between = source.between(call, number, Layout(y.shape, y.order, x.dtype))
    return between, [Command((index,), reads, between, f.COPY, words)]


def distances(x: Layout, y: Layout) -> list[int]:
    """Return how far an operand's elements lie apart, in the result's order; 0: broadcast."""
    missing = len(y.shape) - len(x.shape)
    lengths, strides = (1,) * missing + x.shape, (0,) * missing + x.strides
    steps = [0 if length == 1 else s for length, s in zip(lengths, strides, strict=True)]
    return [steps[axis] for axis in y.order]


def _require_element_wise(call: Call) -> None:
    """Refuse parameters per channel and draws, which depend on the place of an element."""
    attributes = {k: v for k, v in call.attributes.items() if k != "table"}
    if _mentions(attributes, "stochastic"):
        raise NotInStream("a draw depends on the element's place")
    if any(_mentions_key(value, "constant") for value in attributes.values()):
        raise NotInStream("parameters per channel outside a correlation")


def _mentions(value: Any, word: str) -> bool:
    if isinstance(value, dict):
        return any(_mentions(item, word) for item in value.values())
    return bool(value == word)


def _mentions_key(value: Any, key: str) -> bool:
    if not isinstance(value, dict):
        return False
    return key in value or any(_mentions_key(item, key) for item in value.values())


def _codes_of(source: Source, name: str) -> Array:
    """Return every code of a tensor's format, or those of a constant."""
    constant = source.program.constants.get(name)
    if constant is not None:
        return np.unique(constant)
    codes = _format(source, name)
    return np.arange(codes.min, codes.max + 1).astype(codes.dtype)


def _table(source: Source, index: int, call: Call) -> Array:
    """Return what the primitive's kernel makes of all codes, by the bits of its operands."""
    from hw_models import ContractError

    widest = 16 if len(call.inputs) == 1 else 8
    for name in (*call.inputs, call.output):
        if _format(source, name).bits > widest:
            raise NotInStream(f"{name} has more than {widest} bits")
    codes = [_codes_of(source, name) for name in call.inputs]
    grid = [np.ascontiguousarray(part) for part in np.meshgrid(*codes, indexing="ij")]
    try:
        made = source.program.kernel(index)([part.reshape(1, -1) for part in grid], None)
    except (ContractError, ArithmeticError, ValueError) as error:
        raise NotInStream(f"its kernel refuses a code: {error}") from None
    kind = source.format(call.output).dtype
    bits = np.dtype(f"u{kind.itemsize}")
    table = np.zeros([1 << 8 * part.dtype.itemsize for part in codes], bits)
    where = tuple(part.reshape(-1).view(f"u{part.dtype.itemsize}") for part in grid)
    table[where] = np.asarray(made).reshape(-1).astype(kind).view(bits)
    return table.reshape(-1)


def _line(source: Source, call: Call, table: Array) -> tuple[int, Array, int, int] | None:
    """Return factors that make the table's code of every pair, and the limits of the codes."""
    from hw_models.stream.lines import factors_of_sum, find_line

    formats = [_format(source, name) for name in (*call.inputs, call.output)]
    signed = formats[0].signed
    if call.primitive != "add" or any(form.signed != signed for form in formats):
        return None
    a: Any = call.attributes
    scheme = decode_scheme(a["scheme"], source.program.constants)
    points = a["a_zero_point"], a["b_zero_point"], a["zero_point"]
    start = factors_of_sum(scheme, *points)
    codes = [_codes_of(source, name) for name in call.inputs]
    kind = np.int8 if signed else np.uint8
    wanted = table.reshape(256, 256)[np.ix_(*(part.view(np.uint8) for part in codes))].view(kind)
    factors = find_line(start, codes[0], codes[1], wanted)
    if factors is None:
        return None
    return int(signed), factors, int(wanted.min()), int(wanted.max())
