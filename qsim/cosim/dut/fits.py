"""Whether a design fits a unit: every field bound, every port wide enough."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.cosim.dut.binding import Binding, Dut
    from qsim.cosim.jobs import Field, Unit


def lanes_of(dut: Dut, field: Field, binding: Binding) -> int:
    """Return how many values of a field a beat of the design has."""
    return 1 if binding.shared else field.lanes * dut.lanes


def require_unit(dut: Dut, unit: Unit) -> None:
    """Require that the design has, or fixes, every operand of a unit, and its result.

    Raises:
        UsageError: a field without a port, a field that the unit does not have, lanes that do not
            divide into ports, or operations side by side where beats form packets.
    """
    if unit.primitive not in dut.serves:
        raise UsageError(
            f"the design computes {', '.join(dut.serves)}, not {unit.primitive}", where=dut.where
        )
    wanted = {field.name: field for field in unit.inputs.fields}
    _require_names(dut, "operands", wanted, {*dut.operands, *dut.fixed})
    results = {field.name: field for field in unit.outputs.fields}
    _require_names(dut, "results", results, set(dut.results))
    if dut.lanes > 1 and dut.reduces:
        raise UsageError(
            f"several operations a beat cannot be taken by {dut.primitive}, whose beats form "
            f"packets, not lanes = {dut.lanes}",
            where=dut.where,
            accepted="lanes = 1",
        )
    for section, fields, bindings in (
        ("operands", wanted, dut.operands),
        ("results", results, dut.results),
    ):
        for name, binding in bindings.items():
            _require_lanes(dut, f"{section}.{name}", fields[name], binding)


def _require_names(dut: Dut, section: str, wanted: Mapping[str, Field], have: set[str]) -> None:
    for name in sorted(have - set(wanted)):
        raise UsageError(
            f"{dut.primitive} has no field {name!r}",
            where=f"{dut.where}: {section}.{name}",
            accepted=", ".join(wanted),
        )
    for name in wanted:
        if name not in have:
            hint = " (or a value for it in [fixed])" if section == "operands" else ""
            raise UsageError(
                f"the design must have a port for {name!r}{hint}",
                where=f"{dut.where}: {section}",
                accepted=", ".join(
                    f"{f.name} ({f.lanes} x {f.bits} bits)" for f in wanted.values()
                ),
            )


def _require_lanes(dut: Dut, where: str, field: Field, binding: Binding) -> None:
    lanes = lanes_of(dut, field, binding)
    if len(binding.ports) not in (1, lanes):
        raise UsageError(
            f"one port, or one per lane, is needed, not {len(binding.ports)} ports",
            where=f"{dut.where}: {where}.port",
            accepted=f"1 port or {lanes} ports",
        )
    if binding.sizes and math.prod(binding.sizes) != lanes:
        raise UsageError(
            f"an array of {' x '.join(map(str, binding.sizes))} has not {lanes} lanes",
            where=f"{dut.where}: {where}.sizes",
            accepted=f"sizes whose product is {lanes}",
        )
