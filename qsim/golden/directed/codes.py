"""Directed vectors of the primitives that replace a code by another: lookup and clamp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hw_models.activation import reference as clamp_reference
from hw_models.lookup import MAX_BITS
from hw_models.lookup import reference as lookup_reference
from qsim.errors import UsageError
from qsim.golden.directed import vectors as v
from qsim.program import format_to_json

if TYPE_CHECKING:
    import random

    from hw_models import FixedFormat
    from qsim.golden.case import Case
    from qsim.target import Target

CODES = 256  # of a wider format, so many are looked up besides the directed ones


class Lookup(v.OneScheme):
    """Vectors of lookup: every code of up to 8 bits under tables that differ in every bit."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> list[Case]:
        """Return one call per table."""
        codes, output = target.input.format, target.output.format
        if codes.bits > MAX_BITS:
            raise UsageError(
                f"target {target.name}: a table needs input codes of few bits, not {codes.bits}",
                accepted=f"1..{MAX_BITS} bits",
            )
        rng = v.stream("lookup", seed, target.hash)
        size = codes.max - codes.min + 1
        drawn = [rng.randint(output.min, output.max) for _ in range(size)]
        step = max(size - 1, 1)
        tables = {
            "random": drawn,
            # Every bit of every entry is 0 in one of the two and 1 in the other.
            "inverted": [min(output.max + output.min - entry, output.max) for entry in drawn],
            "rising": [output.min + i * (output.max - output.min) // step for i in range(size)],
            "ends": [output.min if rng.randrange(2) else output.max for _ in range(size)],
        }
        return [
            _lookup(name, table, codes, output, rng, -(-count // len(tables)))
            for name, table in tables.items()
        ]


def _lookup(
    name: str,
    table: list[int],
    codes: FixedFormat,
    output: FixedFormat,
    rng: random.Random,
    count: int,
) -> Case:
    import numpy as np

    sheet = _codes(codes)
    others = range(codes.min, codes.max + 1)
    if codes.bits > 8:
        others = rng.sample(others, CODES)  # type: ignore[assignment]  # any order will do
    sheet.add_all(others, v.EVERY)
    elements = sheet.fill(len(sheet.elements) + count, lambda: rng.randint(codes.min, codes.max))
    rng.shuffle(elements)
    x = [code for code, _ in elements]
    return v.make_case(
        "lookup", name,
        {"table": {"constant": "table"}, "output": format_to_json(output)},
        {"x": v.array(x, (1, len(x)), codes)}, {"x": codes, "output": output},
        v.array([lookup_reference(code, table, codes) for code in x], (1, len(x)), output),
        [label for _, label in elements],
        {"table": np.array(table, output.dtype)},
    )  # fmt: skip


def _codes(codes: FixedFormat) -> v.Sheet:
    """Return the ends, the codes around 0, and those of one bit."""
    sheet = v.Sheet()
    sheet.add_all((codes.min, codes.max), v.EXTREME)
    near = (0, 1, -1) if codes.signed else (0, 1)
    sheet.add_all((code for code in near if codes.fits(code)), v.ZERO)
    for bit in range(codes.bits):
        ones = (1 << bit, ~(1 << bit))
        sheet.add_all((code for code in ones if codes.fits(code)), v.ONE_BIT)
    return sheet


class Clamp(v.OneScheme):
    """Vectors of clamp: bounds of every kind, and the codes around them."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> list[Case]:
        """Return one call per pair of bounds."""
        codes = target.input.format
        rng = v.stream("clamp", seed, target.hash)
        inner = sorted(rng.randint(codes.min, codes.max) for _ in range(4))
        bounds = {
            "all": (codes.min, codes.max),
            "lowest": (codes.min, codes.min),
            "highest": (codes.max, codes.max),
            "relu": (min(max(0, codes.min), codes.max), codes.max),
            "low": (inner[1], codes.max),
            "high": (codes.min, inner[2]),
            "both": (inner[0], inner[3]),
            "one-code": (inner[1], inner[1]),
        }
        extra = -(-count // len(bounds))
        return [_clamp(name, ends, codes, rng, extra) for name, ends in bounds.items()]


def _clamp(
    name: str, ends: tuple[int, int], codes: FixedFormat, rng: random.Random, count: int
) -> Case:
    sheet = v.Sheet()
    near = (end + step for end in ends for step in (0, -1, 1))
    sheet.add_all((code for code in near if codes.fits(code)), v.EDGE)
    for code, label in _codes(codes).elements.items():
        sheet.add(code, label)
    elements = sheet.fill(len(sheet.elements) + count, lambda: rng.randint(codes.min, codes.max))
    x = [code for code, _ in elements]
    return v.make_case(
        "clamp", name, {"lo": ends[0], "hi": ends[1]},
        {"x": v.array(x, (1, len(x)), codes)}, {"x": codes, "output": codes},
        v.array([clamp_reference(code, *ends) for code in x], (1, len(x)), codes),
        [label for _, label in elements],
    )  # fmt: skip
