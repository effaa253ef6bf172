"""Values of fields as ports of a design have them, and which values those are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import z3

from qsim.cosim.jobs import Field
from qsim.formal.words import wide

if TYPE_CHECKING:
    from qsim.cosim.dut import Binding
    from qsim.cosim.jobs import Unit

_WIDE: Final = 104  # bits: 64 of a value, 32 of a scale, signs and a carry; of ``add`` 64


def encoded(term: Any, unit: Unit, name: str, binding: Binding) -> Any:
    """Return what a port has of a field's bits."""
    return z3.Extract(binding.bits - 1, 0, _code(term, field_of(unit, name), binding))


def fits(term: Any, unit: Unit, name: str, binding: Binding) -> tuple[Any, ...]:
    """Return that the port can take a field's value; empty where it takes each."""
    field = field_of(unit, name)
    low, high = port_range(binding)
    ends = [binding.encoded(end) for end in (field.min, field.max)]
    if low <= min(ends) and max(ends) <= high:
        return ()
    code = _code(term, field, binding)
    return code >= low, code <= high


def told(field: Field, binding: Binding) -> str:
    """Return the assumption that :func:`fits` makes, in words; empty where it makes none."""
    low, high = port_range(binding)
    ends = [binding.encoded(end) for end in (field.min, field.max)]
    if low <= min(ends) and max(ends) <= high:
        return ""
    kind = "signed" if binding.signed else "unsigned"
    has = field.name
    if not binding.plain:
        factor = {1: "", -1: "-"}.get(binding.scale, f"{binding.scale} * ")
        sign = "+" if binding.add >= 0 else "-"
        has = f"{factor}{has}" + (f" {sign} {abs(binding.add)}" if binding.add else "")
    ports = ", ".join(binding.ports)
    return f"{low} <= {has} <= {high}, what {binding.bits} {kind} bits of {ports} hold"


def port_range(binding: Binding) -> tuple[int, int]:
    """Return the least and the greatest number that a port holds."""
    if binding.signed:
        return -(1 << (binding.bits - 1)), (1 << (binding.bits - 1)) - 1
    return 0, (1 << binding.bits) - 1


def takes(binding: Binding, value: int) -> bool:
    """Return whether a port can take a value."""
    low, high = port_range(binding)
    return low <= binding.encoded(value) <= high


def result_on(field: Field, binding: Binding) -> Field:
    """Return a result in the full width of its port, read as the benches read it."""
    whole = binding.bits >= field.bits
    return Field(field.name, binding.bits, binding.signed and (field.signed or not whole))


def expected_on(code: Any, field: Field, binding: Binding) -> Any:
    """Return a wide result as its port has it: a signed code in one without sign is its bits."""
    port = result_on(field, binding)
    more = max(port.bits + 1 - code.size(), 0)
    if field.signed and not port.signed and port.bits >= field.bits:
        return z3.ZeroExt(code.size() + more - field.bits, z3.Extract(field.bits - 1, 0, code))
    return z3.SignExt(more, code)


def field_of(unit: Unit, name: str) -> Field:
    """Return a field of the unit's input beats."""
    return next(field for field in unit.inputs.fields if field.name == name)


def _code(term: Any, field: Field, binding: Binding) -> Any:
    """Return scale * value + add, without a product: those are what proofs stumble over."""
    x = wide(term, field, _WIDE)
    if binding.plain:
        return x
    magnitude = abs(binding.scale)
    parts = [x << k for k in range(magnitude.bit_length()) if magnitude >> k & 1]
    total = sum(parts[1:], parts[0])
    return (-total if binding.scale < 0 else total) + binding.add
