"""A first draft of a ``dut.toml``, from the ports of a module."""

from __future__ import annotations

from qsim.cosim.dut.init.start import Written, init

__all__ = ["Written", "init"]
