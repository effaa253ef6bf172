"""The whole module, put together from its parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.fits import require_unit
from qsim.cosim.dut.ports import modules, require_ports
from qsim.cosim.dut.widths import widened_unit
from qsim.cosim.dut.wrapper.clocks import around, module, ratios
from qsim.cosim.dut.wrapper.drive import drive
from qsim.cosim.dut.wrapper.head import head
from qsim.cosim.dut.wrapper.instance import instance
from qsim.cosim.dut.wrapper.issue import issue
from qsim.cosim.dut.wrapper.results import results
from qsim.cosim.dut.wrapper.watch import watch, watched
from qsim.cosim.simulators import RTL_TB, Design
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Unit

# What the wrapper instantiates.
HELPERS: Final = tuple(
    RTL_TB / "dut" / f"qsim_{name}.sv"
    for name in (
        *("gather", "burst", "scatter", "fifo"),
        *("steady", "replay", "divider", "crossing", "watch"),
    )
)
NAME: Final = "qsim_dut"  # what the benches instantiate
_CORE: Final = "qsim_dut_core"  # the same at the rate of the design's first clock
OURS: Final = "qsim_"  # how every module of the benches begins


def design(dut: Dut, unit: Unit) -> Design:
    """Return somebody else's module as the benches build it.

    Results are as wide as the design's ports (see ``qsim.cosim.dut.widths``).

    Raises:
        UsageError: the design does not fit the unit, leaves an input open, or has a module with a
            name of the benches.
    """
    for name in (dut.top, *modules(dut)):
        if name.startswith(OURS):
            raise UsageError(
                f"module {name!r} has a name that the benches keep for themselves",
                where=dut.where,
                accepted=f"names that do not begin with {OURS}",
            )
    require_ports(dut)
    unit = widened_unit(dut, unit)
    return Design(
        wrapper(dut, unit),
        (*HELPERS, *dut.sources),
        unit.inputs.width,
        unit.outputs.width,
        dut.include,
        dut.defines,
        watched(dut, unit),
        Path(dut.where).resolve().parent,
    )


def wrapper(dut: Dut, unit: Unit) -> str:
    """Return the SystemVerilog text of the module that the benches drive, around the design.

    Raises:
        UsageError: the design does not fit the unit (see ``require_unit``).
    """
    require_unit(dut, unit)
    clocks = ratios(dut)
    name = _CORE if clocks else NAME
    # What a source of the design has set must not reach our own text.
    parts = ["`resetall", "`timescale 1ns / 1ns", f"// Around {dut.top}; made from its binding."]
    parts += [module(name, unit, clocks), head(dut, unit), *issue(dut, unit), *drive(dut, unit)]
    parts += [*instance(dut, unit), *results(dut, unit), *watch(dut, unit), "endmodule"]
    if clocks:
        parts += around(dut, unit, _CORE, NAME)
    return "\n".join([*parts, ""])
