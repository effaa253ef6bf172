"""Encodes a sum of codes of 16 bits, whose pairs are too many for a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.program import decode_scheme, format_from_json
from qsim.stream.command import Command, NotInStream

if TYPE_CHECKING:
    from qsim.stream.source import Source

_LIMIT: Final = 1 << 31


def sum_of_words(source: Source, index: int, names: tuple[str, ...]) -> Command:
    """Return the command of TFLite's addition of int16.

    Args:
        source: the Program.
        index: of the call.
        names: of its operands, as they lie.

    Raises:
        NotInStream: another arithmetic, other containers, or a register that might overflow.
    """
    from hw_models.addition.adders import ShiftedAdd
    from hw_models.requantization.exact import fixed_one, fixed_rows
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    adder = decode_scheme(a["scheme"], source.program.constants)
    if not isinstance(adder, ShiftedAdd):
        raise NotInStream(f"the loop has no {type(adder).__name__} of 16 bits")
    if any(source.layouts[name].dtype != np.int16 for name in names):
        raise NotInStream("a sum of 16 bits has operands of 8")
    rows = [fixed_rows(scheme)[0] for scheme in (adder.a, adder.b, adder.out)]
    if any(s.rounding.startswith("tosa") for s in (adder.a, adder.b, adder.out)):
        raise NotInStream("TOSA refuses some sums")
    zeros = a["a_zero_point"], a["b_zero_point"]
    ends = []
    for zero, row in zip(zeros, rows, strict=False):
        reach = [(code - zero) << adder.left_shift for code in (-(1 << 15), (1 << 15) - 1)]
        # Rescaling is monotonous where it shifts nothing out to the left.
        if row[2] or not all(-_LIMIT <= value < _LIMIT for value in reach):
            raise NotInStream("an operand of the sum may exceed 32 bits")
        ends.append([int(fixed_one(value, row)) for value in reach])
    total = max(abs(value) for value in ends[0]) + max(abs(value) for value in ends[1])
    if total >= _LIMIT or rows[2][2]:
        raise NotInStream("the sum may exceed 32 bits")
    output = format_from_json(a["output"])
    low, high = a["clamp"] if a["clamp"] is not None else (output.min, output.max)
    limits = output.saturate(low), output.saturate(high)
    header = [-zeros[0], -zeros[1], adder.left_shift, a["zero_point"], *limits]
    table = np.concatenate([header, *rows]).astype(np.int64)
    words = {f.SIZE: source.layouts[call.output].size, f.TABLE: source.constants.add(table)}
    return Command((index,), names, call.output, f.SUM, words)
