"""Tensors of a ``.pte``, checked: type, shape, order in memory, place in the plan, initial data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import FileFormatError
from qsim.executorch import adapter
from qsim.executorch.pte.method import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from qsim.executorch.pte.container import Container
    from qsim.executorch.pte.flatbuffers import Table

MAX_RANK: Final = 16  # kTensorDimensionLimit of the C++ runtime
MAX_BYTES: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Data:
    """Where the initial bytes of tensors come from.

    Attributes:
        container: the ``.pte``.
        external: ``(key, spec-like description) -> bytes`` of data outside the file.
    """

    container: Container
    external: Callable[[str, str], memoryview]

    def constant(self, index: int, what: str) -> memoryview:
        """Return everything from the beginning of constant ``index`` on."""
        root = self.container.root
        if root["constant_buffer"]:
            return _item(root["constant_buffer"], index, what)["storage"] or memoryview(b"")
        where = root["constant_segment"] or {"segment_index": 0, "offsets": ()}
        return self._part(where, index, what)

    def mutable(self, index: int, which: int, what: str) -> memoryview:
        """Return everything from the beginning of initial state ``index`` on."""
        return self._part(
            _item(self.container.root["mutable_data_segments"], which, what), index, what
        )

    def _part(self, where: Table, index: int, what: str) -> memoryview:
        segment = self.container.segment(int(where["segment_index"]), f"the data of {what}")
        offset = int(_item(where["offsets"], index, what))
        if offset > len(segment):
            raise FileFormatError(f"the data of {what} begins at byte {offset} of {len(segment)}")
        return segment[offset:]


def _item(items: tuple[Any, ...], index: int, what: str) -> Any:
    if not 0 <= index < len(items):
        raise FileFormatError(f"{what} wants data {index} of {len(items)}: the file is damaged")
    return items[index]


def read(table: Table, what: str, data: Data, arenas: tuple[int, ...]) -> TensorSpec:
    """Return the TensorSpec of a Tensor table.

    Args:
        table: as ``flatbuffers.read`` returns it.
        what: how messages call it.
        data: where its initial bytes come from.
        arenas: size in bytes of every planned memory.

    Raises:
        FileFormatError: it is of an unknown type, too large, misplaced or outside its memory.
    """
    dtype = adapter.dtypes().get(table["scalar_type"])
    if dtype is None:
        raise FileFormatError(
            f"{what} is of type {table['scalar_type']}", accepted=", ".join(adapter.dtypes())
        )
    sizes = tuple(table["sizes"])
    dim_order = tuple(table["dim_order"])
    _check_shape(sizes, dim_order, what)
    nbytes = _nbytes(sizes, dtype, what)
    if table["storage_offset"] or table["layout"]:
        raise FileFormatError(
            f"{what} has storage offset {table['storage_offset']} and layout {table['layout']}",
            accepted="0 and 0 (dense), as ExecuTorch's runtime",
        )
    if table["shape_dynamism"] == "DYNAMIC_UNBOUND":
        raise FileFormatError(f"{what} has a shape without a bound", accepted="bounded shapes")
    extra = table["extra_tensor_info"] or {}
    if extra.get("device_type", "CPU") != "CPU":
        raise FileFormatError(f"{what} is on device {extra['device_type']}", accepted="CPU")
    arena = _arena(table["allocation_info"], dtype, nbytes, what, arenas)
    initial = _initial(table, extra, arena, what, data)
    if initial is not None:
        if len(initial) < nbytes:
            raise FileFormatError(
                f"{what} takes {nbytes} bytes of data, and {len(initial)} are there: "
                "the file is damaged"
            )
        initial = initial[:nbytes]
    dynamic = table["shape_dynamism"] == "DYNAMIC_BOUND"
    return TensorSpec(dtype, sizes, dim_order, dynamic, arena, initial)


def _check_shape(sizes: tuple[int, ...], dim_order: tuple[int, ...], what: str) -> None:
    if len(sizes) > MAX_RANK or any(size < 0 for size in sizes):
        shown = list(sizes[:MAX_RANK])
        raise FileFormatError(f"{what} has shape {shown}", accepted=f"up to {MAX_RANK} sizes >= 0")
    if sorted(dim_order) != list(range(len(sizes))):
        shown = list(dim_order[: MAX_RANK + 1])
        raise FileFormatError(
            f"{what} has dim order {shown}", accepted=f"each of 0..{len(sizes) - 1} once"
        )


def _nbytes(sizes: tuple[int, ...], dtype: torch.dtype, what: str) -> int:
    # A dimension of no elements hides the others from the product, but not from the strides.
    if math.prod(max(size, 1) for size in sizes) * dtype.itemsize > MAX_BYTES:
        raise FileFormatError(
            f"{what} has shape {list(sizes)}", accepted=f"up to {MAX_BYTES} bytes"
        )
    return math.prod(sizes) * dtype.itemsize


def _arena(
    table: Table | None, dtype: torch.dtype, nbytes: int, what: str, arenas: tuple[int, ...]
) -> tuple[int, int] | None:
    if table is None:
        return None
    memory = int(table["memory_id"])
    offset = int(table["memory_offset_low"]) | int(table["memory_offset_high"]) << 32
    if not 0 < memory < len(arenas):
        raise FileFormatError(
            f"{what} is in memory {memory}", accepted=f"1 to {len(arenas) - 1}, as the plan has"
        )
    if offset + nbytes > arenas[memory]:
        raise FileFormatError(
            f"{what} takes bytes {offset} to {offset + nbytes} of memory {memory}, which has "
            f"{arenas[memory]}"
        )
    if offset % dtype.itemsize:
        raise FileFormatError(
            f"{what} begins at byte {offset} of memory {memory}",
            accepted=f"a multiple of its {dtype.itemsize} bytes",
        )
    return memory, offset


def _initial(
    table: Table, extra: Table, arena: tuple[int, int] | None, what: str, data: Data
) -> memoryview | None:
    index = int(table["data_buffer_idx"])
    if extra.get("location") == "EXTERNAL":
        key = extra["fully_qualified_name"]
        if not key:
            raise FileFormatError(f"{what} has its data elsewhere, but no name for it")
        return data.external(key, what)
    if index == 0:
        return None
    if arena is None:
        return data.constant(index, what)
    return data.mutable(index, int(extra.get("mutable_data_segments_idx", 0)), what)
