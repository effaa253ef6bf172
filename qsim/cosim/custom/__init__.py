"""Blocks that no primitive is: fields of their own, arrays in, arrays expected.

``read`` takes the tables of a ``dut.toml``; ``calls`` makes what the benches send.
"""

from __future__ import annotations

from qsim.cosim.custom.arrays import Given
from qsim.cosim.custom.calls import calls
from qsim.cosim.custom.spec import Spec, read

__all__ = ["Given", "Spec", "calls", "read"]
