"""From a quantized network to an edge program with our delegates, and to a ``.pte``.

Its modules import ExecuTorch's ahead-of-time half, so each is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim import lazy

if TYPE_CHECKING:
    from qsim.executorch.compiling.backend import QsimBackend
    from qsim.executorch.compiling.edge_program import EdgeProgram, to_edge
    from qsim.executorch.compiling.exporting import export
    from qsim.executorch.compiling.partitioner import QsimPartitioner

__all__ = ["EdgeProgram", "QsimBackend", "QsimPartitioner", "export", "to_edge"]

_HOMES: Final = {
    "EdgeProgram": "qsim.executorch.compiling.edge_program",
    "QsimBackend": "qsim.executorch.compiling.backend",
    "QsimPartitioner": "qsim.executorch.compiling.partitioner",
    "export": "qsim.executorch.compiling.exporting",
    "to_edge": "qsim.executorch.compiling.edge_program",
}
__getattr__ = lazy.getter(__name__, _HOMES)
