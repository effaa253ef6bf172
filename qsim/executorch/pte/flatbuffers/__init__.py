"""FlatBuffers by the schemas that ExecuTorch ships: read with every offset checked, and written.

Used whole, as ``flatbuffers.read(data, schema)``.
"""

from __future__ import annotations

from qsim.executorch.pte.flatbuffers.reading import Table, read
from qsim.executorch.pte.flatbuffers.schema import Schema, parse
from qsim.executorch.pte.flatbuffers.writing import write

__all__ = ["Schema", "Table", "parse", "read", "write"]
