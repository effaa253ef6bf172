"""An ExecutionPlan table, checked, into a :class:`~qsim.executorch.pte.method.Method`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import FileFormatError
from qsim.executorch.pte import tensors
from qsim.executorch.pte.method import (
    Delegate,
    DelegateCall,
    FreeCall,
    Indices,
    Instruction,
    JumpFalseCall,
    KernelCall,
    Method,
    MoveCall,
    TensorSpec,
    Value,
)
from qsim.executorch.pte.schemas import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.executorch.pte.container import Container
    from qsim.executorch.pte.flatbuffers import Table

_SCALARS: Final = {**NUMBERS, "String": "string_val"}


def read(table: Table, data: tensors.Data) -> Method:
    """Return a method after every check that needs no kernel.

    Raises:
        FileFormatError: an index, an offset or a size is out of range, or a kind is unknown.
    """
    name = table["name"] or ""
    _check_devices(table, name)
    arenas = tuple(int(size) for size in table["non_const_buffer_sizes"])
    if any(not 0 <= size <= tensors.MAX_BYTES for size in arenas):
        raise FileFormatError(f"method {name} plans memories of {list(arenas)} bytes")
    values = tuple(
        _value(entry["val"], f"method {name}: value {index}", data, arenas)
        for index, entry in enumerate(table["values"])
    )
    reader = _Calls(name, values, len(table["operators"]), len(table["delegates"]))
    inputs = reader.indices(table["inputs"], "its inputs")
    for index in inputs:
        value = values[index]
        if isinstance(value, Indices) or (isinstance(value, TensorSpec) and value.constant):
            raise FileFormatError(f"method {name}: input value {index} cannot be given")
    outputs = reader.indices(table["outputs"], "its outputs")
    reader.mentioned.update(inputs)
    return Method(
        name,
        values,
        inputs,
        outputs,
        tuple(reader.chain(chain["instructions"]) for chain in table["chains"]),
        tuple(_operator(operator) for operator in table["operators"]),
        tuple(_delegate(entry, data.container) for entry in table["delegates"]),
        arenas,
    )


def _check_devices(table: Table, name: str) -> None:
    for entry in table["non_const_buffer_device"]:
        if entry["device_type"] != "CPU":
            raise FileFormatError(
                f"method {name} plans memory on device {entry['device_type']}", accepted="CPU"
            )


def _value(
    entry: tuple[str, Table] | None, what: str, data: tensors.Data, arenas: tuple[int, ...]
) -> Value:
    if entry is None:
        raise FileFormatError(f"{what} is of no kind: the file is damaged")
    kind, table = entry
    if kind == "Tensor":
        return tensors.read(table, what, data, arenas)
    if kind == "Null":
        return None
    if kind in _SCALARS:
        value: Any = table[_SCALARS[kind]]
        if value is None:
            raise FileFormatError(f"{what} is a String without text: the file is damaged")
        return value  # type: ignore[no-any-return]
    if kind == "DoubleList":
        return [float(item) for item in table["items"]]
    if kind == "BoolList":
        return [bool(item) for item in table["items"]]
    if kind in ("IntList", "TensorList", "OptionalTensorList"):
        return Indices(kind, tuple(int(item) for item in table["items"]))
    raise FileFormatError(
        f"{what} is a {kind}",
        accepted=f"Tensor, Null, {', '.join(_SCALARS)}, BoolList, DoubleList, IntList, TensorList, "
        "OptionalTensorList",
    )


def _operator(table: Table) -> str:
    name, overload = table["name"] or "", table["overload"] or ""
    return f"{name}.{overload}" if overload else name


def _delegate(table: Table, container: Container) -> Delegate:
    name, where = table["id"], table["processed"]
    if not name or where is None:
        raise FileFormatError("a delegate has no backend or no data: the file is damaged")
    index = int(where["index"])
    if where["location"] == "SEGMENT":
        blob = container.segment(index, f"the data of delegate {name}")
    elif where["location"] == "INLINE":
        inline = container.root["backend_delegate_data"]
        if index >= len(inline):
            raise FileFormatError(f"delegate {name} wants data {index} of {len(inline)}")
        blob = inline[index]["data"]
    else:
        raise FileFormatError(
            f"the data of delegate {name} is at {where['location']}", accepted="INLINE, SEGMENT"
        )
    specs = {spec["key"] or "": bytes(spec["value"]) for spec in table["compile_specs"]}
    return Delegate(name, bytes(blob), specs)


class _Calls:
    """Instructions of one method; remembers which values an earlier instruction named."""

    def __init__(self, name: str, values: Sequence[Value], operators: int, delegates: int) -> None:
        self.name, self.values = name, values
        self.operators, self.delegates = operators, delegates
        self.mentioned: set[int] = set()
        for index, value in enumerate(values):
            if isinstance(value, Indices):
                self._check_list(index, value)

    def damaged(self, what: str) -> str:
        return f"method {self.name}: {what}: the file is damaged"

    def indices(self, items: Sequence[int], what: str) -> tuple[int, ...]:
        for item in items:
            if not 0 <= item < len(self.values):
                raise FileFormatError(
                    self.damaged(f"{what} name value {item} of {len(self.values)}")
                )
        return tuple(int(item) for item in items)

    def _check_list(self, index: int, value: Indices) -> None:
        # -1 stands for a missing tensor.
        optional = value.kind == "OptionalTensorList"
        present = [item for item in value.items if not (optional and item == -1)]
        for item in self.indices(present, f"value {index}"):
            held = self.values[item]
            if value.kind == "IntList":
                good = isinstance(held, int) and not isinstance(held, bool)
            else:
                good = isinstance(held, TensorSpec) or (optional and held is None)
            if not good:
                raise FileFormatError(
                    self.damaged(f"value {index}, of kind {value.kind}, holds value {item}")
                )

    def chain(self, tables: Sequence[Table]) -> tuple[Instruction, ...]:
        return tuple(
            self.instruction(table["instr_args"], f"instruction {index}", len(tables))
            for index, table in enumerate(tables)
        )

    def instruction(self, entry: tuple[str, Table] | None, what: str, count: int) -> Instruction:
        if entry is None:
            raise FileFormatError(self.damaged(f"{what} is of no kind"))
        kind, table = entry
        if kind == "KernelCall":
            if not 0 <= table["op_index"] < self.operators:
                raise FileFormatError(
                    self.damaged(f"{what} calls operator {table['op_index']} of {self.operators}")
                )
            args = self.indices(table["args"], what)
            self.mentioned.update(args)
            return KernelCall(int(table["op_index"]), args)
        if kind == "DelegateCall":
            if not 0 <= table["delegate_index"] < self.delegates:
                raise FileFormatError(
                    self.damaged(f"{what} calls delegate {table['delegate_index']}")
                )
            return self.delegate_call(table, what)
        if kind == "MoveCall":
            source, target = self.indices((table["move_from"], table["move_to"]), what)
            self.mentioned.update((source, target))
            return MoveCall(source, target)
        if kind == "JumpFalseCall":
            target = int(table["destination_instruction"])
            if not 0 <= target <= count:
                raise FileFormatError(
                    self.damaged(f"{what} jumps to instruction {target} of {count}")
                )
            return JumpFalseCall(self.indices((table["cond_value_index"],), what)[0], target)
        if kind != "FreeCall":
            accepted = "KernelCall, DelegateCall, MoveCall, JumpFalseCall, FreeCall"
            raise FileFormatError(f"method {self.name}: {what} is a {kind}", accepted=accepted)
        (value,) = self.indices((table["value_index"],), what)
        if not isinstance(self.values[value], TensorSpec):
            raise FileFormatError(self.damaged(f"{what} frees value {value}, which is no tensor"))
        return FreeCall(value)

    def delegate_call(self, table: Table, what: str) -> DelegateCall:
        args = self.indices(table["args"], what)
        made = [place for place, index in enumerate(args, 1) if self._made(index)]
        self.mentioned.update(args)
        return DelegateCall(
            int(table["delegate_index"]), args, max(made, default=min(1, len(args)))
        )

    def _made(self, index: int) -> bool:
        value = self.values[index]
        return (
            index in self.mentioned or not isinstance(value, TensorSpec) or value.data is not None
        )
