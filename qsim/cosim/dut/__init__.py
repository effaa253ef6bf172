"""Somebody else's module: its ``dut.toml``, the wrapper around it, its build errors explained."""

from __future__ import annotations

from qsim.cosim.dut.binding import Binding, Dut, Stream
from qsim.cosim.dut.errors import explain
from qsim.cosim.dut.file import load
from qsim.cosim.dut.fits import require_unit, require_values
from qsim.cosim.dut.jobs import job
from qsim.cosim.dut.values import literal
from qsim.cosim.dut.wrapper import Net, bare, design, nets, port_of, values_in

__all__ = [
    "Binding",
    "Dut",
    "Net",
    "Stream",
    "bare",
    "design",
    "explain",
    "job",
    "literal",
    "load",
    "nets",
    "port_of",
    "require_unit",
    "require_values",
    "values_in",
]
