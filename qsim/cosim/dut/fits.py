"""Whether a design fits a unit and a job: every field bound, every value one that it can take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qsim.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from qsim.cosim.dut.binding import Binding, Dut
    from qsim.cosim.jobs import Field, Job, Unit

    Values = npt.NDArray[np.int64 | np.uint64]

LONGEST: int = 4096  # beats of a packet that is kept to be sent twice


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


def require_values(dut: Dut, job: Job) -> None:
    """Require that the design can take a job: its fixed values, widths, packets and registers.

    Raises:
        InputError: a beat of the job holds what the design cannot be given.
    """
    values = job.unit.inputs.unpack(job.beats)
    for name, value in dut.fixed.items():
        wrong = np.argwhere(values[name] != value)
        if wrong.size:
            row, lane = (int(i) for i in wrong[0])
            raise InputError(
                f"beat {row} of {job.name!r} has {name} = {values[name][row, lane]}, but the "
                f"design has it fixed to {value}",
                where=f"{dut.where}: fixed.{name}",
            )
    for name, binding in dut.operands.items():
        where = f"{dut.where}: operands.{name}"
        _require_range(where, name, binding, job, values[name])
        if binding.shared:
            _require_equal(where, name, job, values[name])
        if binding.static and dut.reduces:
            _require_still(where, name, job, values[name])
    if dut.reduces:
        _require_packets(dut, job)


def _require_range(where: str, name: str, binding: Binding, job: Job, array: Values) -> None:
    low = -(1 << (binding.bits - 1)) if binding.signed else 0
    high = (1 << (binding.bits - binding.signed)) - 1
    if not array.size:
        return
    for end in (int(array.min()), int(array.max())):  # an encoding keeps or turns the order
        code = binding.encoded(end)
        if low <= code <= high:
            continue
        row, _ = (int(i) for i in np.argwhere(array == end)[0])
        as_code = "" if binding.plain else f", {code} at the port"
        raise InputError(
            f"beat {row} of {job.name!r} has {name} = {end}{as_code}, which a "
            f"{binding.bits}-bit port cannot take",
            where=where,
            accepted=f"{low}..{high}",
        )


def _require_equal(where: str, name: str, job: Job, array: Values) -> None:
    wrong = np.argwhere(array != array[:, :1])
    if wrong.size:
        row, lane = (int(i) for i in wrong[0])
        raise InputError(
            f"beat {row} of {job.name!r} has {name} = {array[row, lane]} in lane {lane} and "
            f"{array[row, 0]} in lane 0, but all lanes share it",
            where=where,
            accepted="one value in a beat",
        )


def _require_still(where: str, name: str, job: Job, array: Values) -> None:
    """Require that a register of a layer has one value in each packet."""
    inside = ~np.concatenate([[True], job.last[:-1]])
    wrong = np.flatnonzero((array[1:] != array[:-1]).any(axis=1) & inside[1:])
    if wrong.size:
        raise InputError(
            f"beat {int(wrong[0]) + 1} of {job.name!r} changes {name} within a packet, but it is "
            "a register of the layer",
            where=where,
            accepted="one value in a packet",
        )


def _require_packets(dut: Dut, job: Job) -> None:
    lengths = np.diff(np.flatnonzero(job.last), prepend=-1)
    wrong = np.flatnonzero(lengths != dut.packet) if dut.packet else np.zeros(0, np.int64)
    if wrong.size:
        packet = int(wrong[0])
        raise InputError(
            f"packet {packet} of {job.name!r} has {lengths[packet]} beats, but the design counts "
            f"{dut.packet}",
            where=f"{dut.where}: packet",
            accepted=f"packets of {dut.packet} beats",
        )
    if dut.loads and lengths.size and int(lengths.max()) > LONGEST:
        raise InputError(
            f"a packet of {job.name!r} has {lengths.max()} beats, of which a part is loaded first",
            where=dut.where,
            accepted=f"at most {LONGEST} beats",
        )
