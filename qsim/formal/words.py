"""Integers of fields as bit-vectors, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import z3

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.cosim.jobs import Field, Unit


def wide(term: Any, field: Field, width: int) -> Any:
    """Return the integer that a field holds as a signed bit-vector of ``width`` bits."""
    extend = z3.SignExt if field.signed else z3.ZeroExt
    return extend(width - field.bits, term)


def joined(terms: Sequence[Any]) -> Any:
    """Return fields side by side, the first one lowest."""
    return z3.Concat(list(reversed(terms))) if len(terms) > 1 else terms[0]


def integer(word: int, field: Field) -> int:
    """Return the integer of a field's unsigned word."""
    return word - (1 << field.bits) if field.signed and word >> (field.bits - 1) else word


def own_ports(unit: Unit) -> Mapping[str, tuple[str, ...]]:
    """Return the ports of a core that has one for each field."""
    return {field.name: (field.name,) for field in unit.inputs.fields}
