"""From a quantized network to an edge program with our delegates, and to a ``.pte``.

Its modules import ExecuTorch's ahead-of-time half, so each is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from qsim.executorch.compiling.backend import QsimBackend as QsimBackend
    from qsim.executorch.compiling.edge_program import EdgeProgram as EdgeProgram
    from qsim.executorch.compiling.edge_program import to_edge as to_edge
    from qsim.executorch.compiling.exporting import export as export
    from qsim.executorch.compiling.partitioner import QsimPartitioner as QsimPartitioner

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "backend": ["QsimBackend"],
        "edge_program": ["EdgeProgram", "to_edge"],
        "exporting": ["export"],
        "partitioner": ["QsimPartitioner"],
    },
)
