"""Directed vectors of masked_softmax: what hides codes, and what is left of a row.

What goes wrong: a hidden code that counts in the maximum or in the sum, a row of which nothing or
one code is left, a mask that is read the other way round, a fixed mask beside it that is
forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from hw_models import FixedFormat
from qsim.golden.directed import vectors as v
from qsim.golden.directed.units import SCALES, softmax_of
from qsim.program import encode_scheme, format_to_json

if TYPE_CHECKING:
    import random

    from qsim.golden.case import Case
    from qsim.target import Target

_LENGTH: Final = 10
_MARK: Final = FixedFormat(8, signed=False)  # of a mask


class Row(NamedTuple):
    """Codes, which of them are shown, and the class of all."""

    codes: list[int]
    marks: list[bool]
    label: str


class MaskedSoftmax(v.OneScheme):
    """Rows of which all, none, one or some codes are shown."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> list[Case]:
        """Return rows whose mask hides by 0, by anything else, and beside a fixed one."""
        rng = v.stream("masked_softmax", seed, target.hash)
        form = target.input.format
        drawn = -(-count // (len(SCALES) * _LENGTH))
        made = [
            _case(target, name, scale, hides, _rows(form, drawn, rng), None)
            for (name, scale), hides in zip(SCALES.items(), ("zero", "nonzero"), strict=True)
        ]
        square = _rows(form, _LENGTH, rng)[-_LENGTH:]
        causal = np.tril(np.ones((_LENGTH, _LENGTH), np.int8))
        return [*made, _case(target, "causal", SCALES["coarse"], "zero", square, causal)]


def _rows(form: FixedFormat, drawn: int, rng: random.Random) -> list[Row]:
    every, none = [True] * _LENGTH, [False] * _LENGTH
    ends = [form.max if i % 2 else form.min for i in range(_LENGTH)]
    falling = [max(form.max - i, form.min) for i in range(_LENGTH)]
    rows = [
        Row([form.max] * _LENGTH, every, v.EQUAL),
        Row([form.min] * _LENGTH, every, v.EQUAL),
        Row(ends, none, v.ZERO),
        Row(ends, [i % 2 == 0 for i in range(_LENGTH)], v.EXTREME),
        Row(ends, [i % 2 == 1 for i in range(_LENGTH)], v.EXTREME),
        # The greatest codes are hidden: they must count neither as maximum nor in the sum.
        Row(falling, [i > 2 for i in range(_LENGTH)], v.MASKED),
        Row(falling, [i % 3 != 0 for i in range(_LENGTH)], v.BESIDE),
    ]
    for kept in (0, _LENGTH // 2, _LENGTH - 1):
        codes = [rng.randint(form.min, form.max) for _ in range(_LENGTH)]
        rows.append(Row(codes, [i == kept for i in range(_LENGTH)], v.END))
    for _ in range(drawn):
        codes = [rng.randint(form.min, form.max) for _ in range(_LENGTH)]
        rows.append(Row(codes, [rng.random() < 0.6 for _ in range(_LENGTH)], v.RANDOM))
    return rows


def _case(
    target: Target, name: str, scale: float, hides: str, rows: list[Row], allowed: Any
) -> Case:
    from hw_models.softmax import reference

    scheme, output = softmax_of(target, scale)
    form, constants = target.input.format, dict[str, Any]()
    attributes: dict[str, Any] = {
        "scheme": encode_scheme(scheme, "scheme", constants),
        "axis": 1,
        "output": format_to_json(output),
        "hides": hides,
        "allowed": None,
    }
    if allowed is not None:
        attributes["allowed"], constants["allowed"] = {"constant": "allowed"}, allowed
    shape = len(rows), _LENGTH
    mask = [int(mark == (hides == "zero")) for row in rows for mark in row.marks]
    expected = []
    for index, row in enumerate(rows):
        fixed = [True] * _LENGTH if allowed is None else [bool(mark) for mark in allowed[index]]
        marks = [a and b for a, b in zip(row.marks, fixed, strict=True)]
        expected += reference(row.codes, scheme, output, marks)
    operands = {
        "x": v.array((code for row in rows for code in row.codes), shape, form),
        "mask": v.array(mask, shape, _MARK),
    }
    formats = {"x": form, "mask": _MARK, "output": output}
    labels = [row.label for row in rows for _ in row.codes]
    y = v.array(expected, shape, output)
    return v.make_case("masked_softmax", name, attributes, operands, formats, y, labels, constants)
