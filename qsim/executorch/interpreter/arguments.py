"""How the values of a kernel call become the arguments of a torch operator, by its schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.executorch.pte import Indices, TensorSpec, numbered_dtypes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsim.executorch.pte import Value

    Get = Callable[[list[Any]], Any]

# Numbers of c10::MemoryFormat.
_FORMATS: Final = {
    0: torch.contiguous_format,
    1: torch.preserve_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of an operator: its name, its type in the schema, and what is done with it."""

    name: str
    type: str
    keyword: bool
    written: bool


def of_schema(schema: torch.FunctionSchema) -> tuple[Argument, ...]:
    """Return the arguments of a schema in their order."""
    return tuple(
        Argument(
            argument.name,
            _type(str(argument.real_type)),
            argument.kwarg_only,
            argument.alias_info is not None and argument.alias_info.is_write,
        )
        for argument in schema.arguments
    )


def _type(text: str) -> str:
    return text.replace("SymInt", "int").replace("number", "Scalar")


def accepts(kind: str, value: Value) -> bool:
    """Return whether a value can be an argument of this type."""
    if kind.startswith("Optional["):
        return value is None or accepts(kind[9:-1], value)
    if kind.startswith("List["):
        return _accepts_list(kind[5:-1], value)
    if kind == "Tensor":
        return isinstance(value, TensorSpec)
    if kind in ("int", "ScalarType", "MemoryFormat"):
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "bool":
        return isinstance(value, bool)
    if kind in ("float", "Scalar"):
        return isinstance(value, (int, float))
    return kind == "str" and isinstance(value, str)


def _accepts_list(item: str, value: Value) -> bool:
    if isinstance(value, Indices):
        kinds = {"IntList": "int", "TensorList": "Tensor", "OptionalTensorList": "Optional[Tensor]"}
        kind = kinds[value.kind]
        return item in (kind, f"Optional[{kind}]")
    wanted = {"bool": bool, "float": float}.get(item)
    return (
        isinstance(value, list) and wanted is not None and all(isinstance(v, wanted) for v in value)
    )


def getter(kind: str, index: int, values: Sequence[Value]) -> Get:
    """Return the function from the values of a run to one argument."""
    value = values[index]
    if isinstance(value, Indices):
        return _list(value.items)
    if kind.startswith("Optional["):
        kind = kind[9:-1]
    if value is None or kind not in ("ScalarType", "MemoryFormat"):
        return lambda slots: slots[index]
    table: Any = _FORMATS if kind == "MemoryFormat" else numbered_dtypes()
    return lambda slots: table[slots[index]]


def _list(items: tuple[int, ...]) -> Get:
    return lambda slots: [None if item == -1 else slots[item] for item in items]
