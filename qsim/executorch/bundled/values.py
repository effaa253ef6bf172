"""Inputs and expected outputs of a bundled program, checked against what its program takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from qsim.errors import FileFormatError, InputError
from qsim.executorch import adapter
from qsim.executorch.interpreter.run import fits
from qsim.executorch.pte.method import TensorSpec
from qsim.executorch.pte.tensors import MAX_RANK

if TYPE_CHECKING:
    from qsim.executorch.pte.flatbuffers.flatbuffer import Table
    from qsim.executorch.pte.method import Value

# A value of a case: a tensor, or a number or flag that the program was made with.
CaseValue = torch.Tensor | int | float | bool
_SCALARS: Final = {"Int": "int_val", "Bool": "bool_val", "Double": "double_val"}
_KINDS: Final[dict[type, str]] = {int: "Int", bool: "Bool", float: "Double"}


def read(entry: Table, spec: Value, what: str, *, given: bool) -> CaseValue:
    """Return what a Value table holds.

    Args:
        entry: as :mod:`qsim.executorch.pte.flatbuffers.flatbuffer` reads it.
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
    value: CaseValue = table[_SCALARS[kind]]
    if type(value) is not type(spec) or (given and value != spec):
        raise FileFormatError(f"{what} is {value!r}", accepted=f"{spec}, as in the program")
    return value


def _tensor(table: Table, spec: Value, what: str) -> torch.Tensor:
    sizes, dim_order = tuple(table["sizes"]), tuple(table["dim_order"])
    shown = f"{what} is {table['scalar_type']} {list(sizes[:MAX_RANK])}"
    dtype = adapter.dtypes().get(table["scalar_type"])
    good = isinstance(spec, TensorSpec) and dtype == spec.dtype and min(sizes, default=0) >= 0
    if not good or not isinstance(spec, TensorSpec) or not fits(sizes, spec):
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
        if type(value) is not type(spec) or value != spec:
            raise InputError(f"is {value!r}", where=what, accepted=f"{spec!r}, as exported")
        return {"val": (kind, {_SCALARS[kind]: value})}
    tensor = as_tensor(value, what, spec)
    sizes = tuple(tensor.shape)
    if tensor.dtype != spec.dtype or not fits(sizes, spec):
        shown = f"{str(tensor.dtype).removeprefix('torch.')} {list(sizes)}"
        raise InputError(f"is {shown}", where=what, accepted=str(spec))
    flat = tensor.detach().cpu().permute(spec.dim_order).contiguous().reshape(-1)
    names = {dtype: name for name, dtype in adapter.dtypes().items()}
    return {
        "val": (
            "Tensor",
            {
                "scalar_type": names[spec.dtype],
                "sizes": sizes,
                "data": flat.view(torch.uint8).numpy().tobytes(),
                "dim_order": bytes(spec.dim_order),
            },
        )
    }


def as_tensor(value: Any, what: str, spec: Value) -> torch.Tensor:
    """Return a tensor or an array as a tensor.

    Raises:
        InputError: it is neither, or an array of a type that torch does not have.
    """
    if isinstance(value, torch.Tensor):
        return value
    if not isinstance(value, np.ndarray):
        raise InputError(f"is a {type(value).__name__}", where=what, accepted=str(spec))
    try:
        # A copy: arrays may be read-only or of the other byte order, which torch warns of.
        return torch.from_numpy(value.astype(value.dtype.newbyteorder("="), copy=True, order="C"))
    except TypeError:
        raise InputError(f"is an array of {value.dtype}", where=what, accepted=str(spec)) from None
