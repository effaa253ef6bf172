"""Somebody else's module: what binds it to a primitive. A ``dut.toml`` says it; see docs.

A :class:`Dut` has every operand of the unit's input beats either on a port or fixed to a value, and
the result on a port. ``qsim.cosim.dut.file`` reads one, ``qsim.cosim.dut.wrapper`` makes the module
that the benches drive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qsim.cosim.jobs import Field, Unit

Handshake: TypeAlias = Literal["axi_stream", "valid_only", "fixed_latency"]
Order: TypeAlias = Literal["first_lowest", "first_highest"]
HANDSHAKES: Final[tuple[Handshake, ...]] = get_args(Handshake)
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
# What a module does to a packet: one result for each beat, or one for all beats up to tlast.
REDUCTIONS: Final = ("correlation", "linear", "matmul", "max_pool", "avg_pool")


@dataclass(frozen=True, slots=True)
class Stream:
    """Names of the ports of one handshake; empty where the design has no such port."""

    valid: str = ""
    ready: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where one field of a beat is.

    Attributes:
        ports: one port with all lanes in it, or one port per lane.
        bits: width of one lane in the design; it may differ from the field's.
        signed: how a wider field is filled up, and how a narrower result is read.
        lsb: lowest bit of the first lane in its port.
        stride: from one lane to the next in a port; at least ``bits``.
        stream: of an operand that has a handshake of its own; all empty where it has none.
    """

    ports: tuple[str, ...]
    bits: int
    signed: bool
    lsb: int = 0
    stride: int = 0
    stream: Stream = Stream()


@dataclass(frozen=True, slots=True)
class Dut:
    """One module, bound to a primitive.

    Attributes:
        where: the file that states it, for errors.
        primitive: what the module computes.
        top: its name.
        sources: its files, in compile order.
        include: folders of what they include.
        defines, parameters: macros and parameters, by name.
        clock, reset: names of their ports; reset is empty where there is none.
        reset_active: the level that resets.
        handshake: how operands and results are accepted.
        latency: for ``fixed_latency``: results are on their port this many cycles after the
            operands were.
        input, output: ports of the common handshake.
        lanes: operations side by side in a beat of the design.
        lane_order: which of them is in the lowest bits.
        operands: by field name, the ports of what goes in.
        fixed: fields that the design does not have, with the one value that it computes with.
        results: by field name, the ports of what comes out.
    """

    where: str
    primitive: str
    top: str
    sources: tuple[Path, ...]
    include: tuple[Path, ...]
    defines: Mapping[str, str]
    parameters: Mapping[str, int]
    clock: str
    reset: str
    reset_active: Literal["high", "low"]
    handshake: Handshake
    latency: int
    input: Stream
    output: Stream
    lanes: int
    lane_order: Order
    operands: Mapping[str, Binding]
    fixed: Mapping[str, int]
    results: Mapping[str, Binding]

    @property
    def reduces(self) -> bool:
        """Whether a result belongs to a packet of beats."""
        return self.primitive in REDUCTIONS


def require_unit(dut: Dut, unit: Unit) -> None:
    """Require that the design has, or fixes, every operand of a unit, and its result.

    Raises:
        UsageError: a field without a port, a field that the unit does not have, lanes that do not
            divide into ports, or operations side by side where beats form packets.
    """
    if unit.primitive != dut.primitive:
        raise UsageError(
            f"the design computes {dut.primitive}, not {unit.primitive}", where=dut.where
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
    lanes = field.lanes * dut.lanes
    if len(binding.ports) not in (1, lanes):
        raise UsageError(
            f"one port, or one per lane, is needed, not {len(binding.ports)} ports",
            where=f"{dut.where}: {where}.port",
            accepted=f"1 port or {lanes} ports",
        )
