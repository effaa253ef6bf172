"""The whole module, put together from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.binding import require_unit
from qsim.cosim.dut.ports import require_ports
from qsim.cosim.dut.wrapper.drive import drive
from qsim.cosim.dut.wrapper.head import head
from qsim.cosim.dut.wrapper.instance import instance
from qsim.cosim.dut.wrapper.issue import issue
from qsim.cosim.dut.wrapper.results import results
from qsim.cosim.simulators import RTL_TB, Design

if TYPE_CHECKING:
    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Unit

# What the wrapper instantiates.
HELPERS: Final = tuple(
    RTL_TB / "dut" / name for name in ("dut_fifo.sv", "dut_gather.sv", "dut_scatter.sv")
)


def design(dut: Dut, unit: Unit) -> Design:
    """Return somebody else's module as the benches build it.

    Raises:
        UsageError: the design does not fit the unit, or leaves an input open.
    """
    require_ports(dut)
    return Design(
        wrapper(dut, unit),
        (*HELPERS, *dut.sources),
        unit.inputs.width,
        unit.outputs.width,
        dut.include,
        dut.defines,
    )


def wrapper(dut: Dut, unit: Unit) -> str:
    """Return the SystemVerilog text of module ``dut`` around the design.

    Raises:
        UsageError: the design does not fit the unit (see ``require_unit``).
    """
    require_unit(dut, unit)
    parts = [head(dut, unit), *issue(dut), *drive(dut, unit), *instance(dut, unit)]
    parts += results(dut, unit)
    return "\n".join([*parts, "endmodule", ""])
