"""What a TOSA graph takes and returns, read from its bytes with every offset checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from qsim.errors import FileFormatError
from qsim.executorch.pte import flatbuffers

# tosa.fbs of TOSA 1.0, as far as it is read: a vector of tables that is not is one of offsets.
_SCHEMA: Final = """
file_identifier "TOSA";
enum DType:uint32 {
  UNKNOWN = 0, BOOL = 1, INT4 = 2, INT8 = 3, INT16 = 4, INT32 = 5, INT48 = 6, FP32 = 7, FP16 = 8,
  BF16 = 9, SHAPE = 10, FP8E4M3 = 11, FP8E5M2 = 12, FP6E2M3 = 13, FP6E3M2 = 14, FP4E2M1 = 15,
  FP8UE8M0 = 16, INT64 = 17, MXINT8 = 18
}
table Version { _major: int32; _minor: int32; _patch: int32; _draft: bool; }
table TosaTensor { name: string; shape: [int32]; type: DType; }
table TosaBasicBlock {
  name: string; operators: [uint32]; tensors: [TosaTensor]; inputs: [string]; outputs: [string];
}
table TosaRegion { name: string; blocks: [TosaBasicBlock]; }
table TosaGraph { version: Version; regions: [TosaRegion]; }
root_type TosaGraph;
"""
# TOSA's types that have a NumPy array of their own, by the name of its dtype.
_DTYPES: Final = {
    "BOOL": "bool",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "FP32": "float32",
    "FP16": "float16",
}
# The names travel in lists that commas separate.
_NAME: Final = re.compile(r"[\w.:/@$-]{1,400}", re.ASCII)
_WHERE: Final = "a TOSA delegate"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor at the graph's boundary.

    Attributes:
        name: in the graph.
        dtype: NumPy's name of its type.
        shape: its sizes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """What a graph takes and returns, in its order.

    Attributes:
        inputs, outputs: of the graph's first block.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@lru_cache(maxsize=1)
def _schema() -> flatbuffers.Schema:
    return flatbuffers.parse(_SCHEMA)


@lru_cache(maxsize=64)
def read(blob: bytes) -> Graph:
    """Return what the graph in a delegate's bytes takes and returns.

    Raises:
        FileFormatError: the bytes are no TOSA graph, or are damaged; a tensor at the boundary is
            unknown, has a size that is not fixed, or is of a type without a NumPy array.
    """
    try:
        root = flatbuffers.read(memoryview(blob), _schema())
    except FileFormatError as error:
        raise FileFormatError(error.message, where=_WHERE, accepted=error.accepted) from None
    regions: Any = root["regions"]
    if not regions or not regions[0]["blocks"]:
        raise FileFormatError("the graph has no block", where=_WHERE)
    block = regions[0]["blocks"][0]
    tensors = {tensor["name"]: tensor for tensor in block["tensors"]}
    inputs, outputs = (
        tuple(_tensor(name, tensors.get(name)) for name in block[side])
        for side in ("inputs", "outputs")
    )
    return Graph(inputs, outputs)


def _tensor(name: str, found: dict[str, Any] | None) -> Tensor:
    if found is None or not _NAME.fullmatch(name):
        raise FileFormatError(f"{name[:80]!r} is no tensor of the graph", where=_WHERE)
    shape = tuple(found["shape"])
    if any(size < 1 for size in shape):
        raise FileFormatError(
            f"tensor {name} has shape {list(shape)}", where=_WHERE, accepted="fixed sizes above 0"
        )
    dtype = _DTYPES.get(found["type"])
    if dtype is None:
        raise FileFormatError(
            f"tensor {name} is of type {found['type']}", where=_WHERE, accepted=", ".join(_DTYPES)
        )
    return Tensor(name, dtype, shape)
