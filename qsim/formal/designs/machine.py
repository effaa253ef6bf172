"""A design as registers and what they become: what every proof about it starts from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from qsim.formal.clocked import read_clocked
from qsim.formal.designs.settled import settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.cosim.dut import Dut
    from qsim.cosim.jobs import Unit
    from qsim.formal.clocked import Clocked

RESET: Final = 8  # cycles of a reset


@dataclass(frozen=True)
class Machine:
    """A design over time.

    Attributes:
        dut, unit: what it computes.
        smt2: the design.
    """

    dut: Dut
    unit: Unit
    smt2: str

    @cached_property
    def machine(self) -> Clocked:
        """The design."""
        return read_clocked(self.smt2)

    @cached_property
    def fixed(self) -> Mapping[str, Any]:
        """Registers that are set for good, by the names of their constants."""
        return settled(self.machine, RESET if self.dut.reset else 0)
