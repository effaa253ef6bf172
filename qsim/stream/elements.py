"""Encodes element-wise calls on codes of 8 bits: by a table of all codes, or by a line.

A table is what the primitive's own kernel makes of every code, or of every pair of codes, so that
every scheme is served, with its clamp. A sum of two is tried as a line in float32 first, which is
faster than 65536 entries; it is taken only if it makes the table's code of every pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.program import decode_scheme
from qsim.stream.command import Command, NotInStream

if TYPE_CHECKING:
    from qsim.program import Array, Call
    from qsim.stream.source import Source

UNARY: Final = frozenset({"clamp", "lookup", "requantize"})
BINARY: Final = frozenset({"add", "maximum", "minimum", "mul", "sub"})


def encode(source: Source, index: int) -> Command:
    """Encode an element-wise call.

    Raises:
        NotInStream: the reason, where its result depends on more than the codes.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    operands = [source.codes(name) for name in call.inputs]
    result = source.codes(call.output)
    if any(item.shape != result.shape or item.order != result.order for item in operands):
        raise NotInStream("operands are broadcast")
    _require_element_wise(call)
    key = ("table", call.name)
    if key not in source.kept:
        source.kept[key] = _table(source, index, call)
    table = source.kept[key]
    words = {f.SIZE: result.size}
    if len(operands) == 1:
        words[f.TABLE] = source.constants.add(table)
        return Command((index,), call.inputs, call.output, f.UNARY, words)
    key = ("line", call.name)
    if key not in source.kept:
        source.kept[key] = _line(source, call, table)
    line = source.kept[key]
    if line is None:
        words[f.TABLE] = source.constants.add(table)
        return Command((index,), call.inputs, call.output, f.BINARY, words)
    signed, factors, low, high = line
    words |= {f.TABLE: source.constants.add(factors), f.LOW: low, f.HIGH: high, f.SIGNED: signed}
    return Command((index,), call.inputs, call.output, f.LINE, words)


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
    """Return every code of a tensor's format."""
    codes = source.format(name)
    return np.arange(codes.min, codes.max + 1).astype(codes.dtype)


def _table(source: Source, index: int, call: Call) -> Array:
    """Return what the primitive's kernel makes of all codes, by the bytes of its operands."""
    from hw_models import ContractError

    codes = [_codes_of(source, name) for name in call.inputs]
    grid = [np.ascontiguousarray(part) for part in np.meshgrid(*codes, indexing="ij")]
    try:
        made = source.program.kernel(index)([part.reshape(1, -1) for part in grid], None)
    except (ContractError, ArithmeticError, ValueError) as error:
        raise NotInStream(f"its kernel refuses a code: {error}") from None
    table = np.zeros((256,) * len(codes), np.uint8)
    where = tuple(part.reshape(-1).view(np.uint8) for part in grid)
    table[where] = (
        np.asarray(made).reshape(-1).astype(source.format(call.output).dtype).view(np.uint8)
    )
    return table.reshape(-1)


def _line(source: Source, call: Call, table: Array) -> tuple[int, Array, int, int] | None:
    """Return factors that make the table's code of every pair, and the limits of the codes."""
    from hw_models.stream.lines import factors_of_sum, find_line

    formats = [source.format(name) for name in (*call.inputs, call.output)]
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
