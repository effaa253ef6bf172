"""The module that the benches drive, around somebody else's design.

It has the ports of every ``dut``: gathers beats into the design's lanes, drives its ports and its
handshake, and turns what comes out into beats again. A design that cannot wait gets no operation
whose result would not fit the buffer behind it. ``nets`` names what lies at the design's own ports.
"""

from __future__ import annotations

from qsim.cosim.dut.wrapper.boundary import Net, nets
from qsim.cosim.dut.wrapper.text import HELPERS, design, wrapper
from qsim.cosim.dut.wrapper.unwrapped import bare, port_of, values_in

__all__ = ["HELPERS", "Net", "bare", "design", "nets", "port_of", "values_in", "wrapper"]
