"""Somebody else's module: what binds it to a primitive. A ``dut.toml`` says it; see docs.

A :class:`Dut` has every operand of the unit's input beats either on a port or fixed to a value, and
the result on a port. ``qsim.cosim.dut.file`` reads one, ``qsim.cosim.dut.wrapper`` makes the module
that the benches drive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from qsim.cosim.simulators import FIRST_RESET

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qsim.cosim.custom import Spec

Handshake: TypeAlias = Literal["axi_stream", "valid_only", "fixed_latency", "start_done"]
Order: TypeAlias = Literal["first_lowest", "first_highest"]
Level: TypeAlias = Literal["high", "low"]
Range: TypeAlias = Literal["", "ascending", "descending"]
HANDSHAKES: Final[tuple[Handshake, ...]] = get_args(Handshake)
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
# What a module does to a packet: one result for each beat, or one for all beats up to tlast.
PRODUCTS: Final = ("correlation", "linear", "matmul")  # one datapath, and one layout of beats
REDUCTIONS: Final = (
    *(*PRODUCTS, "transposed_correlation"),
    *("max_pool", "avg_pool", "mean", "argmax"),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """Ports of one handshake; a name is empty where the design has no such port.

    Attributes:
        valid, ready, last: their names; of ``start_done`` ``valid`` is start, or done.
        busy: of the output of ``start_done``: no operation may start.
        valid_active, ready_active, busy_active: the level that means yes.
        hold: of the input of ``start_done``: operands stay on their ports until done.
    """

    valid: str = ""
    ready: str = ""
    last: str = ""
    busy: str = ""
    valid_active: Level = "high"
    ready_active: Level = "high"
    busy_active: Level = "high"
    hold: bool = False

    @property
    def ports(self) -> tuple[str, ...]:
        """The names of the ports that are there."""
        return tuple(name for name in (self.valid, self.ready, self.last, self.busy) if name)


@dataclass(frozen=True, slots=True)
class Binding:
    """Where one field of a beat is.

    Attributes:
        ports: one port with all lanes in it, or one port per lane; ``interface.signal`` in one.
        bits: width of one lane in the design; it may differ from the field's.
        signed: how a wider field is filled up, and how a narrower result is read.
        lsb: lowest bit of the first lane in its port.
        stride: from one lane to the next in a port; at least ``bits``.
        width: of the whole port, where it is wider than what lies in it, as a stream that is padded
            to bytes: zeros are above; 0 where fields fill it.
        stream: of an operand that has a handshake of its own; all empty where it has none.
        scale, add: the port has ``scale * value + add``.
        static: a register of the layer: it changes only while nothing is in flight.
        shared: one value for all lanes of a beat of the design.
        loaded: sent for a whole packet before the packet's other operands.
        unpacked: of a port that is an unpacked array, one element per lane: the direction of its
            range; empty where the port is a vector.
        elements_signed: of an unpacked array whose elements are declared with another sign than
            ``signed``: Verilator connects equal types alone.
        sizes: of an unpacked array of several dimensions, the last one fastest; empty of one.
    """

    ports: tuple[str, ...]
    bits: int
    signed: bool
    lsb: int = 0
    stride: int = 0
    width: int = 0
    stream: Stream = Stream()
    scale: int = 1
    add: int = 0
    static: bool = False
    shared: bool = False
    loaded: bool = False
    unpacked: Range = ""
    sizes: tuple[int, ...] = ()
    elements_signed: bool | None = None

    @property
    def declared_signed(self) -> bool:
        """Whether the elements of an unpacked array are declared as signed."""
        return self.signed if self.elements_signed is None else self.elements_signed

    @property
    def plain(self) -> bool:
        """Whether the port has the value itself."""
        return self.scale == 1 and self.add == 0

    def encoded(self, value: int) -> int:
        """Return what the port has of a value."""
        return self.scale * value + self.add


@dataclass(frozen=True, slots=True)
class Wide:
    """A number of a stated width: of a parameter, or what an input is tied to."""

    value: int
    bits: int


Parameter: TypeAlias = int | float | str | Wide


@dataclass(frozen=True, slots=True)
class Interface:
    """A port that is a SystemVerilog interface.

    Attributes:
        type: name of the interface.
        modport: as which it is connected; empty for the whole.
        parameters: of the interface.
        clock, reset: its own ports for them; empty where it has none.
    """

    type: str
    modport: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    clock: str = ""
    reset: str = ""


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
        clock, reset: names of their ports; empty where there is none.
        reset_active: the level that resets.
        reset_cycles: for how long, in cycles of ``clock``.
        handshake: how operands and results are accepted.
        latency: for ``fixed_latency``: results are on their port this many cycles after the
            operands were.
        input, output: ports of the common handshake.
        lanes: operations side by side in a beat of the design.
        lane_order: which of them is in the lowest bits.
        operands: by field name, the ports of what goes in.
        fixed: fields that the design does not have, with the one value that it computes with.
        results: by field name, the ports of what comes out.
        clocks: further clock ports, in phase with ``clock``, with the ratio of their rates to it.
        tie: inputs with a constant.
        interfaces: ports that are interfaces, by name.
        interval: cycles from one operation to the next, at least.
        settle: cycles that static fields stand before the next operation.
        packet: beats of a packet, where the design counts them itself; 0 where it has ``last``.
        others: primitives that it computes as well, all of them products.
        rows, columns: of the design's array of products, or lanes of its pooling (rows); 0: the
            target's.
        custom: the block, where ``primitive`` is ``custom``.
    """

    where: str
    primitive: str
    top: str
    sources: tuple[Path, ...]
    include: tuple[Path, ...]
    defines: Mapping[str, str]
    parameters: Mapping[str, Parameter]
    clock: str
    reset: str
    reset_active: Level
    handshake: Handshake
    latency: int
    input: Stream
    output: Stream
    lanes: int
    lane_order: Order
    operands: Mapping[str, Binding]
    fixed: Mapping[str, int]
    results: Mapping[str, Binding]
    clocks: Mapping[str, int] = field(default_factory=dict)
    tie: Mapping[str, Wide] = field(default_factory=dict)
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    interval: int = 1
    reset_cycles: int = FIRST_RESET
    settle: int = 4
    packet: int = 0
    others: tuple[str, ...] = ()
    rows: int = 0
    columns: int = 0
    custom: Spec | None = None

    @property
    def serves(self) -> tuple[str, ...]:
        """All primitives whose calls the design takes."""
        return (self.primitive, *self.others)

    @property
    def reduces(self) -> bool:
        """Whether a result belongs to a packet of beats."""
        if self.custom is not None:
            return self.custom.packets == "reduce"
        return self.primitive in REDUCTIONS

    @property
    def loads(self) -> bool:
        """Whether operands of a packet are sent before its others."""
        return any(binding.loaded for binding in self.operands.values())

    @property
    def static(self) -> tuple[str, ...]:
        """Operands that are registers of a layer."""
        return tuple(name for name, binding in self.operands.items() if binding.static)

    def streams(self) -> dict[Stream, list[str]]:
        """Return the input handshakes, with the operands that are valid on each."""
        found: dict[Stream, list[str]] = {}
        for name, binding in self.operands.items():
            if not binding.static:
                own = binding.stream
                found.setdefault(own if own != Stream() else self.input, []).append(name)
        return found or {self.input: []}
