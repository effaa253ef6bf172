"""What the methods of a ``.pte`` take and return, without what they compute in between.

A bundled program can so be read, and its cases checked, where an operator or a backend is missing
that running it would need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsim.errors import FileFormatError
from qsim.executorch.pte import container, tensors
from qsim.executorch.pte.external import External
from qsim.executorch.pte.method import Indices
from qsim.executorch.pte.schemas import NUMBERS
from qsim.executorch.pte.tensors import Data

if TYPE_CHECKING:
    from qsim.executorch.pte.flatbuffers import Table
    from qsim.executorch.pte.method import Value


@dataclass(frozen=True, slots=True)
class Signature:
    """What a method takes and returns: a ``TensorSpec`` each, or what the program fixes there."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


def signatures(program: bytes) -> dict[str, Signature]:
    """Return the signature of every method of a ``.pte``, by name.

    Raises:
        FileFormatError: it is no such file, or damaged.
        MissingToolError: ExecuTorch is not installed.
    """
    whole = container.read_pte(program)
    data = Data(whole, External(whole, ()).find)
    result: dict[str, Signature] = {}
    for table in whole.root["execution_plan"]:
        name = table["name"] or ""
        if name in result:
            raise FileFormatError("two methods have one name: the file is damaged")
        arenas = tuple(int(size) for size in table["non_const_buffer_sizes"])
        inputs, outputs = (
            tuple(
                _value(table, index, f"method {name}: value {index}", data, arenas)
                for index in table[side]
            )
            for side in ("inputs", "outputs")
        )
        result[name] = Signature(inputs, outputs)
    return result


def _value(table: Table, index: int, what: str, data: Data, arenas: tuple[int, ...]) -> Value:
    values = table["values"]
    entry = values[index]["val"] if 0 <= index < len(values) else None
    if entry is None:
        raise FileFormatError(f"{what} is of no kind, or not there: the file is damaged")
    kind, held = entry
    if kind == "Tensor":
        return tensors.read(held, what, data, arenas)
    if kind in NUMBERS:
        found: Value = held[NUMBERS[kind]]
        return found
    return Indices(kind, ())
