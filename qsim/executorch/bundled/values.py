"""Inputs and expected outputs of a bundled program, checked against what its program takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.errors import FileFormatError, InputError
from qsim.executorch import adapter
from qsim.executorch.inputs import checked
from qsim.executorch.pte import MAX_RANK, NUMBERS, TensorSpec, dtype_names

if TYPE_CHECKING:
    from qsim.executorch.pte import Value
    from qsim.executorch.pte.flatbuffers import Table

# A value of a case: a tensor, or a number or flag that the program was made with.
CaseValue = torch.Tensor | int | float | bool
_KINDS: Final[dict[type, str]] = {int: "Int", bool: "Bool", float: "Double"}


def read(entry: Table, spec: Value, what: str, *, given: bool) -> CaseValue:
    """Return what a Value table holds.

    Args:
        entry: as ``flatbuffers.read`` returns it.
        spec: what the program has there.
        what: how messages call it.
        given: it is an input: a number or a flag is then what the program was made with.

    Raises:
        FileFormatError: it is of another kind, type, shape or size than the program's.
    """
    if entry["val"] is None:
        raise FileFormatError(f"{what} is of no kind: the file is damaged")
    kind, table = entry["val"]
    if kind == "Tensor":
        return _tensor(table, spec, what)
    value: CaseValue = table[NUMBERS[kind]]
    if type(value) is not type(spec) or (given and value != spec):
        raise FileFormatError(f"{what} is {value!r}", accepted=f"{spec}, as in the program")
    return value


def _tensor(table: Table, spec: Value, what: str) -> torch.Tensor:
    sizes, dim_order = tuple(table["sizes"]), tuple(table["dim_order"])
    shown = f"{what} is {table['scalar_type']} {list(sizes[:MAX_RANK])}"
    dtype = adapter.dtypes().get(table["scalar_type"])
    good = isinstance(spec, TensorSpec) and dtype == spec.dtype and min(sizes, default=0) >= 0
    if not good or not isinstance(spec, TensorSpec) or not spec.fits(sizes):
        raise FileFormatError(shown, accepted=f"{spec}, as in the program")
    if sorted(dim_order) != list(range(len(sizes))) or not _same_order(sizes, dim_order, spec):
        raise FileFormatError(
            f"{what} has dim order {list(dim_order[: MAX_RANK + 1])}",
            accepted=f"{list(spec.dim_order)}, as in the program",
        )
    data = bytes(table["data"])
    if len(data) != math.prod(sizes) * spec.dtype.itemsize:
        raise FileFormatError(f"{shown}, and has {len(data)} bytes of data: the file is damaged")
    if spec.dtype == torch.bool and max(data, default=0) > 1:
        raise FileFormatError(f"{shown}, and has byte {max(data)}", accepted="0 and 1")
    if not data:
        return torch.empty(sizes, dtype=spec.dtype)
    flat = torch.frombuffer(bytearray(data), dtype=spec.dtype)
    return flat.as_strided(sizes, spec.strides(sizes)).contiguous()


def _same_order(sizes: tuple[int, ...], dim_order: tuple[int, ...], spec: TensorSpec) -> bool:
    """Return whether two orders put the elements alike: a dimension of size 1 may be anywhere."""
    ours, theirs = (
        [dim for dim in order if sizes[dim] != 1] for order in (spec.dim_order, dim_order)
    )
    return ours == theirs or 0 in sizes


def to_table(value: Any, spec: Value, what: str) -> Table:
    """Return the Value table of a value: a tensor in the order of memory that the program has.

    Raises:
        InputError: it is not what the program takes or returns there.
    """
    if not isinstance(spec, TensorSpec):
        kind = _KINDS.get(type(spec))
        if kind is None:
            raise InputError(
                "the program has no tensor, number or flag there, and a bundle holds nothing else",
                where=what,
            )
        return {"val": (kind, {NUMBERS[kind]: checked(value, spec, what)})}
    tensor = checked(value, spec, what)
    flat = tensor.permute(spec.dim_order).contiguous().reshape(-1)
    return {
        "val": (
            "Tensor",
            {
                "scalar_type": dtype_names()[spec.dtype],
                "sizes": tuple(tensor.shape),
                "data": flat.view(torch.uint8).numpy().tobytes(),
                "dim_order": bytes(spec.dim_order),
            },
        )
    }
