"""The data of a Program: tensors, constants and calls of primitives, checked when it is made.

Everything that can be wrong with a Program is found here: names, order, attributes, shapes and
formats. The command stream, the memory planner and the files read this; running it is their room.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from qsim.errors import ModelError
from qsim.memory import Space
from qsim.program.attributes import Array, check_name, name_list, name_pairs
from qsim.program.checks import check_program
from qsim.program.primitives import PRIMITIVES, Kernel, Operand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_models import Format
    from qsim.program.calls import Call, TensorSpec


@dataclass(frozen=True, eq=False)
class ProgramData:
    """An integer-only network, as data.

    Attributes:
        name: of the Program, unique in its network.
        inputs, outputs: names of tensors.
        tensors: what is known of every input and of every call's output. A constant may be
            described too; its codes must then fit.
        constants: integer arrays (and fp32 scales of schemes) by name; kept read-only.
        calls: in the order of execution: every operand is made before it is used.
        memory: what the tensors of a sample must fit; no file holds it: it is the target's.
        states: pairs of an input and an output of one spec: what a run makes of the output, the
            next one takes as the input. Who runs the Program hands them on; in memory the input
            has its place from the first step to the last, and the output may take it.

    Raises:
        ModelError: one line that names the call, the tensor or the attribute.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, TensorSpec]
    constants: Mapping[str, Array]
    calls: tuple[Call, ...]
    memory: Space = field(default=Space(), repr=False)
    states: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        set_ = object.__setattr__  # the way to normalise a frozen dataclass
        check_name(self.name, "Program.name")
        set_(self, "inputs", name_list(self.inputs, f"program {self.name!r}: inputs"))
        set_(self, "outputs", name_list(self.outputs, f"program {self.name!r}: outputs"))
        set_(self, "tensors", MappingProxyType(dict(self.tensors)))
        frozen = {name: _freeze(array, name) for name, array in self.constants.items()}
        set_(self, "constants", MappingProxyType(frozen))
        set_(self, "calls", tuple(self.calls))
        set_(self, "states", name_pairs(self.states, f"program {self.name!r}: states"))
        check_program(self)

    def operands(self, call: Call) -> tuple[Operand, ...]:
        """Return what is known of a call's operands."""
        return tuple(self._operand(name) for name in call.inputs)

    def _operand(self, name: str) -> Operand:
        array = self.constants.get(name)
        if array is None:
            spec = self.tensors[name]
            return Operand(spec.shape, spec.format)
        return Operand(array.shape, _container(array), array)

    def macs(self, call: Call) -> int:
        """Return the multiply-accumulates of a call for one sample."""
        binding = PRIMITIVES[call.primitive]
        return binding.macs(self.operands(call), self.tensors[call.output].shape)

    def kernel(self, index: int) -> Kernel:
        """Return the function of a call, prepared once: weights packed, multipliers decoded."""
        kernel = self._kernels.get(index)
        if kernel is None:
            kernel = self._kernels[index] = self._prepare(self.calls[index])
        return kernel

    @functools.cached_property
    def _kernels(self) -> dict[int, Kernel]:
        return {}

    def _prepare(self, call: Call) -> Kernel:
        binding = PRIMITIVES[call.primitive]
        try:
            return binding.prepare(self.operands(call), call.attributes, self.constants)
        except ModelError as error:
            raise ModelError.placed(error, call.where) from None
        except (ValueError, TypeError, OverflowError) as error:
            raise ModelError(str(error), where=call.where) from None


# Constants of Programs that live: one made of another, as for a sequence of another length, shares
# them. Nobody else's array is, as its owner may write into it.
_frozen: WeakValueDictionary[int, Array] = WeakValueDictionary()


def _freeze(array: Any, name: str) -> Array:
    check_name(name, "a constant's name")
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        shown = getattr(array, "dtype", type(array).__name__)
        raise ModelError.of(
            f"constant {name!r} must be an array of numbers", str(shown), "integers, fp32"
        )
    if _frozen.get(id(array)) is array and not array.flags.writeable:
        return array
    # Compiled kernels and the stream take the machine's own byte order.
    frozen: Array = np.array(array, array.dtype.newbyteorder("="), order="C")
    frozen.setflags(write=False)
    _frozen[id(frozen)] = frozen
    return frozen


def _container(array: Array) -> Format:
    from hw_models import FLOAT32, FixedFormat

    if array.dtype == FLOAT32.dtype:
        return FLOAT32

    return FixedFormat(array.dtype.itemsize * 8, array.dtype.kind == "i")
