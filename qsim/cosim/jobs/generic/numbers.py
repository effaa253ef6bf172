"""The numbers of a scheme as fields of a beat, whatever the scheme.

Integers keep the names and widths that the repository's RTL gives them; floats are the bits of
IEEE 754. What a scheme states in words (a rounding, an overflow rule) is the design's own.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs.beats import Field
from qsim.cosim.jobs.elementwise import (
    SHIFT,
    code_fields,
    code_limits,
    code_width,
    draws,
    per_element,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hw_models import FixedFormat
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

# Widths of the integers that a scheme states, by the last part of their names; all signed.
_BITS: Final = {
    "multiplier": 32,
    "multiplier_a": 24,
    "multiplier_b": 24,
    "right_shift": SHIFT,
    "left_shift": SHIFT,
    "left_a": SHIFT,
    "left_b": SHIFT,
    "min_difference": 32,
    "zero_point": 33,
}
_STRUCTURE: Final = ("bits", "seed")  # widths, and where draws come from: no operands


@dataclasses.dataclass
class Numbers:
    """Fields of a beat with what they hold, in the order in which they are added."""

    fields: list[Field] = dataclasses.field(default_factory=list)
    values: dict[str, Array | int] = dataclasses.field(default_factory=dict)

    def add(self, field: Field, value: Array | int) -> None:
        """Add one field."""
        self.fields.append(field)
        self.values[field.name] = value

    def merge(self, other: Numbers) -> None:
        """Add the fields of others behind the own."""
        self.fields += other.fields
        self.values |= other.values


def of_scheme(
    scheme: Any, target: Target, *, axis: int = 0, shape: tuple[int, ...] = ()
) -> Numbers:
    """Return the numbers of a scheme.

    Args:
        scheme: any of ``qsim.program.schemes``.
        target: states the widths of multipliers.
        axis: of the channels, where the scheme has numbers for each.
        shape: of the result: what the numbers are spread over.
    """
    from qsim.cosim.jobs.scheme_fields import (
        INTEGER_SCHEMES,
        draws_numbers,
        scheme_fields,
        scheme_numbers,
        scheme_parameters,
    )

    numbers = Numbers()
    if isinstance(scheme, INTEGER_SCHEMES):
        held = scheme_numbers(scheme)
        for field in scheme_fields(scheme_parameters(scheme, target)):
            numbers.add(field, per_element(held[field.name], axis, shape))
        if draws_numbers(scheme):
            count = int(np.prod(shape, dtype=np.int64))
            draw = draws(scheme.seed, count)  # type: ignore[union-attr]  # it draws
            numbers.add(Field("draw", 64, signed=False), draw)
        return numbers
    for name, value in _parts(scheme, ""):
        field, held_value = _field(name, value, wide="64" in type(scheme).__name__)
        numbers.add(field, per_element(held_value, axis, shape))
    return numbers


def _parts(scheme: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the numbers of a scheme and of those inside it, named ``part_name``."""
    for field in dataclasses.fields(scheme):
        value = getattr(scheme, field.name)
        name = f"{prefix}{field.name}"
        if not field.init or field.name in _STRUCTURE or isinstance(value, (str, bool)):
            continue
        if dataclasses.is_dataclass(value):
            if not hasattr(value, "overflow"):  # an accumulator is a register, no operand
                yield from _parts(value, f"{name}_")
        else:
            yield name, value


def _field(name: str, value: Any, *, wide: bool) -> tuple[Field, Array]:
    array = np.asarray(value)
    if array.dtype.kind == "f":
        kind: Any = np.float64 if wide else np.float32
        bits = array.astype(kind).view(np.uint64 if wide else np.uint32).astype(np.uint64)
        return Field(name, 64 if wide else 32, signed=False), bits.view(np.int64)
    last = next((key for key in _BITS if name.endswith(key)), "")
    return Field(name, _BITS.get(last, 64), signed=True), array.astype(np.int64)


def zero_point(name: str, point: int, bits: int) -> tuple[Field, int]:
    """Return the field of an operand's zero point, wide enough for codes of so many bits."""
    return Field(name, code_width(bits, point) + 1, signed=True), point


def of_codes(case: Case, target: Target) -> Numbers:
    """Return zero point and limits of a call that makes codes, as every rescaling ends."""
    point: Any = case.attributes["zero_point"]
    bits = code_width(max(target.output.bits, case.codes["output"].bits), point)
    output = case.codes["output"]
    limits = code_limits(case) if "clamp" in case.attributes else (output.min, output.max)
    values = (point, *limits)
    return Numbers(
        list(code_fields(bits)), dict(zip(("zero_point", "low", "high"), values, strict=True))
    )


def code_field(name: str, target: Target, form: FixedFormat, lanes: int = 1) -> Field:
    """Return a field for codes: the target's activations, wider where the call's format is."""
    own = target.input.format
    if own.signed == form.signed and form.bits <= own.bits:
        return Field(name, own.bits, own.signed, lanes)
    return Field(name, form.bits, form.signed, lanes)
