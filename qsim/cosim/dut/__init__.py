"""Somebody else's module: its ``dut.toml``, the wrapper around it, its build errors explained."""

from __future__ import annotations

from qsim.cosim.dut.binding import REDUCTIONS, Binding, Dut, Stream
from qsim.cosim.dut.contradicted import require_widths
from qsim.cosim.dut.errors import explain
from qsim.cosim.dut.file import load
from qsim.cosim.dut.fits import require_unit
from qsim.cosim.dut.init import Written, init
from qsim.cosim.dut.jobs import job, serving
from qsim.cosim.dut.order import spread
from qsim.cosim.dut.vectors import without_unfit
from qsim.cosim.dut.widths import widened
from qsim.cosim.dut.wrapper import Net, design, nets

__all__ = [
    "REDUCTIONS",
    "Binding",
    "Dut",
    "Net",
    "Stream",
    "Written",
    "design",
    "explain",
    "init",
    "job",
    "load",
    "nets",
    "require_unit",
    "require_widths",
    "serving",
    "spread",
    "widened",
    "without_unfit",
]
