"""ExecuTorch's schemas, and the types of tensors as its files name and number them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from qsim.executorch import adapter
from qsim.executorch.pte import flatbuffers

if TYPE_CHECKING:
    import torch

# The kinds of a value that is one number or flag, and the field of its table that holds it.
NUMBERS: Final = {"Int": "int_val", "Bool": "bool_val", "Double": "double_val"}


@lru_cache(maxsize=3)
def schema_of(name: str) -> flatbuffers.Schema:
    """Return a schema by its name: ``program``, ``flat_tensor`` or ``bundled_program``.

    Raises:
        MissingToolError: ExecuTorch is not installed, or is of another version.
    """
    return flatbuffers.parse(adapter.schema_text(name))


@lru_cache(maxsize=1)
def numbered_dtypes() -> dict[int, torch.dtype]:
    """Return the torch dtype of every ScalarType number that can be computed with."""
    known = adapter.dtypes()
    names = schema_of("program").enums["ScalarType"].names
    return {number: known[name] for number, name in names.items() if name in known}


@lru_cache(maxsize=1)
def dtype_names() -> dict[torch.dtype, str]:
    """Return the ScalarType's name of every dtype that can be computed with."""
    return {dtype: name for name, dtype in adapter.dtypes().items()}
