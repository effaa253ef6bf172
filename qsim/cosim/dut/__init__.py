"""Somebody else's module: its ``dut.toml``, the wrapper around it, its build errors explained."""

from __future__ import annotations

from qsim.cosim.dut.binding import REDUCTIONS, Binding, Dut, Stream
from qsim.cosim.dut.contradicted import require_widths, unread
from qsim.cosim.dut.errors import explain
from qsim.cosim.dut.file import load
from qsim.cosim.dut.fits import require_unit
from qsim.cosim.dut.init import Written, init
from qsim.cosim.dut.jobs import job, serving
from qsim.cosim.dut.order import spread
from qsim.cosim.dut.values import literal
from qsim.cosim.dut.vectors import without_unfit
from qsim.cosim.dut.widths import widened
from qsim.cosim.dut.wrapper import Net, bare, design, nets, port_of, values_in

__all__ = [
    "REDUCTIONS",
    "Binding",
    "Dut",
    "Net",
    "Stream",
    "Written",
    "bare",
    "design",
    "explain",
    "init",
    "job",
    "literal",
    "load",
    "nets",
    "port_of",
    "require_unit",
    "require_widths",
    "serving",
    "spread",
    "unread",
    "values_in",
    "widened",
    "without_unfit",
]
