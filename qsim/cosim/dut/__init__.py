"""Somebody else's module: its ``dut.toml``, the wrapper around it, its build errors explained."""

from __future__ import annotations

from qsim.cosim.dut.binding import Binding, Dut, Stream, require_unit
from qsim.cosim.dut.errors import explain
from qsim.cosim.dut.file import load
from qsim.cosim.dut.vectors import without_unfit
from qsim.cosim.dut.wrapper import design

__all__ = [
    "Binding",
    "Dut",
    "Stream",
    "design",
    "explain",
    "load",
    "require_unit",
    "without_unfit",
]
