"""What is watched of somebody else's design: its handshakes, under the names of its own ports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


FIRST_RESET: Final = 16  # cycles: pipelines without a reset run empty


@dataclass(frozen=True, slots=True)
class Handshake:
    """One handshake, which an instance of ``qsim_watch.sv`` watches.

    Attributes:
        output: whether the design drives valid and data, or ready.
        valid, ready, last: names of ports; empty where the design has none.
        busy: whether ready is the port that says no: it is active while nothing may start.
        data: ports that an output's valid speaks for, with their bits, the lowest first.
    """

    output: bool
    valid: str
    ready: str = ""
    last: str = ""
    data: tuple[tuple[str, int], ...] = ()
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """What the benches know of a design that is not ours.

    Attributes:
        handshakes: by the number of their watcher.
        ports: by the name of a beat's field, the ports that carry it.
        read: (port, lowest bit, bits) of each value of a result.
        reset: cycles of the first reset.
        told: whether ports tell operands from what lies there between two of them.
    """

    handshakes: tuple[Handshake, ...] = ()
    ports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    read: tuple[tuple[str, int, int], ...] = ()
    told: bool = False
    reset: int = FIRST_RESET

    @property
    def stalls(self) -> bool:
        """Whether a pause between beats can show what none shows."""
        return bool(self.handshakes) or self.told
