"""A Program: an integer-only network, checked when it is made and then run call by call.

Everything that can be wrong with a Program is found at construction: names, order, attributes,
shapes and formats. What is left for run time are the values: codes outside their format, and
accumulators whose overflow mode is ``error``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.attributes import (
    Array,
    Json,
    bad,
    check_name,
    check_scale,
    check_shape,
    is_int,
    to_json,
)
from qsim.errors import InputError, ModelError
from qsim.primitives import PRIMITIVES, Binding, Kernel, Operand

if TYPE_CHECKING:
    from hw_models import FixedFormat, Ledger

Observer = Callable[["Call", Array, "Ledger"], None]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What is known of a tensor of codes: real value = ``scale * (code - zero_point)``.

    Attributes:
        name: unique in its Program.
        shape: sizes; -1 in front is any batch.
        format: the codes that it may hold (for an accumulator, the accumulator's).
        scale: None where there is no single real scale: accumulators, per-channel constants.
        zero_point: the code of the real 0.
    """

    name: str
    shape: tuple[int, ...]
    format: FixedFormat
    scale: float | None = None
    zero_point: int = 0

    def __post_init__(self) -> None:
        from hw_models import FixedFormat

        check_name(self.name, "TensorSpec.name")
        where = f"tensor {self.name!r}"
        object.__setattr__(self, "shape", check_shape(self.shape, where))
        if not isinstance(self.format, FixedFormat):
            raise bad(f"{where}: format must be a FixedFormat", self.format, "a FixedFormat")
        if self.scale is not None:
            object.__setattr__(self, "scale", check_scale(self.scale, where))
        if not is_int(self.zero_point) or not self.format.fits(self.zero_point):
            raise bad(
                f"{where}: zero_point must be a code of its format",
                self.zero_point,
                f"{self.format.min}..{self.format.max}",
            )


@dataclass(frozen=True, slots=True)
class Call:
    """One primitive of a Program.

    Attributes:
        name: unique in its Program.
        layer: the module path in the model that the call comes from, such as "layer1.0.conv1";
            empty at the top level.
        primitive: a key of ``qsim.primitives.PRIMITIVES``.
        inputs: names of tensors or constants, in the primitive's order.
        output: name of the tensor that it makes.
        attributes: JSON values, exactly those of the primitive; kept as plain JSON.
    """

    name: str
    layer: str
    primitive: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Json]

    def __post_init__(self) -> None:
        check_name(self.name, "Call.name")
        if self.layer != "":
            check_name(self.layer, f"call {self.name!r}: layer")
        check_name(self.output, f"call {self.name!r}: output")
        for name in _names(self.inputs, f"call {self.name!r}: inputs"):
            check_name(name, f"call {self.name!r}: inputs")
        object.__setattr__(self, "inputs", tuple(self.inputs))
        attributes = to_json(self.attributes)
        if not isinstance(attributes, dict):
            raise bad(f"call {self.name!r}: attributes must be an object", attributes, "an object")
        object.__setattr__(self, "attributes", MappingProxyType(attributes))


def _names(value: Any, what: str) -> tuple[Any, ...]:
    if isinstance(value, (list, tuple)):
        return tuple(value)
    raise bad(f"{what} must be a list of names", value, "a list of names")


@dataclass(frozen=True, eq=False)
class Program:
    """An integer-only network.

    Attributes:
        name: of the Program, unique in its network.
        inputs, outputs: names of tensors.
        tensors: what is known of every input and of every call's output. A constant may be
            described too; its codes must then fit.
        constants: integer arrays (and fp32 scales of schemes) by name; kept read-only.
        calls: in the order of execution: every operand is made before it is used.

    Raises:
        ModelError: one line that names the call, the tensor or the attribute.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, TensorSpec]
    constants: Mapping[str, Array]
    calls: tuple[Call, ...]

    def __post_init__(self) -> None:
        set_ = object.__setattr__  # the way to normalise a frozen dataclass
        check_name(self.name, "Program.name")
        set_(self, "inputs", _names(self.inputs, f"program {self.name!r}: inputs"))
        set_(self, "outputs", _names(self.outputs, f"program {self.name!r}: outputs"))
        set_(self, "tensors", MappingProxyType(dict(self.tensors)))
        frozen = {name: _freeze(array, name) for name, array in self.constants.items()}
        set_(self, "constants", MappingProxyType(frozen))
        set_(self, "calls", tuple(self.calls))
        _Validation(self).run()

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

    @functools.cached_property
    def _kernels(self) -> tuple[Kernel, ...]:
        """Prepare every call once: weights are packed, multipliers decoded."""
        return tuple(self._prepare(call) for call in self.calls)

    def _prepare(self, call: Call) -> Kernel:
        binding = PRIMITIVES[call.primitive]
        try:
            return binding.prepare(self.operands(call), call.attributes, self.constants)
        except ModelError as error:
            raise _at(call, error) from None
        except (ValueError, TypeError, OverflowError) as error:
            raise ModelError(str(error), where=_where(call)) from None

    @functools.cached_property
    def _dying(self) -> tuple[tuple[str, ...], ...]:
        """Return, for every call, the tensors that nothing needs after it."""
        last = {name: index for index, call in enumerate(self.calls) for name in call.inputs}
        last |= {call.output: index for index, call in enumerate(self.calls)} | last
        kept = {*self.outputs, *self.constants}
        dying: list[list[str]] = [[] for _ in self.calls]
        for name, index in last.items():
            if name not in kept:
                dying[index].append(name)
        return tuple(tuple(names) for names in dying)

    def run(self, *arrays: Array, trace: Observer | None = None) -> tuple[Array, ...]:
        """Compute the outputs.

        Args:
            arrays: one per input, any integer dtype and memory order; codes of the input's format.
            trace: called after every call with the call, its output and its Ledger. Without it,
                tensors are dropped at their last use and no ledger is kept.

        Returns:
            One array per output, in the container dtype of its format.

        Raises:
            InputError: a wrong count, shape, dtype or value; an accumulator or format with
                ``overflow="error"`` that overflowed.
        """
        from hw_models import Ledger

        if len(arrays) != len(self.inputs):
            raise InputError(
                f"takes {len(self.inputs)} arrays, not {len(arrays)}",
                where=f"program {self.name!r}",
                accepted=", ".join(self.inputs),
            )
        values: dict[str, Array] = dict(self.constants)
        batch: int | None = None
        for name, array in zip(self.inputs, arrays, strict=True):
            batch = check_codes(array, self.tensors[name], batch)
            values[name] = array
        for call, kernel, dying in zip(self.calls, self._kernels, self._dying, strict=True):
            ledger = None if trace is None else Ledger()
            result = _compute(call, kernel, [values[name] for name in call.inputs], ledger)
            values[call.output] = result
            if trace is not None and ledger is not None:
                container = self.tensors[call.output].format.dtype
                trace(call, result.astype(container, order="C"), ledger)
            for name in dying:
                del values[name]
        return tuple(self._result(name, values[name]) for name in self.outputs)

    def _result(self, name: str, value: Array) -> Array:
        return value.astype(self.tensors[name].format.dtype, copy=False)


def _compute(call: Call, kernel: Kernel, arrays: list[Array], ledger: Ledger | None) -> Array:
    from hw_models import AccumulatorOverflowError, ContractError

    try:
        return kernel(arrays, ledger)
    except AccumulatorOverflowError as error:
        raise InputError(str(error), where=_where(call)) from None
    except ContractError as error:
        raise ModelError(str(error), where=_where(call)) from None
    except MemoryError:
        raise InputError("the output does not fit into memory", where=_where(call)) from None


def _where(call: Call) -> str:
    return f"call {call.name!r} ({call.primitive})"


def _at(call: Call, error: ModelError, detail: str = "") -> ModelError:
    return ModelError(
        error.message,
        where=_where(call) + (f" {detail}" if detail else ""),
        accepted=error.accepted,
    )


def _freeze(array: Any, name: str) -> Array:
    check_name(name, "a constant's name")
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        shown = getattr(array, "dtype", type(array).__name__)
        raise bad(f"constant {name!r} must be an array of numbers", str(shown), "integers, fp32")
    frozen: Array = np.array(array, order="C")
    frozen.setflags(write=False)
    return frozen


def _container(array: Array) -> FixedFormat:
    from hw_models import FixedFormat

    return FixedFormat(array.dtype.itemsize * 8, array.dtype.kind == "i")


def check_codes(array: Any, spec: TensorSpec, batch: int | None) -> int | None:
    """Require codes of the tensor's format and shape; return the batch size once it is known.

    Raises:
        InputError: naming the input, what was found and what is accepted.
    """
    where = f"input {spec.name!r}"
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        found = getattr(array, "dtype", type(array).__name__)
        raise InputError(
            f"dtype must be an integer, not {found}", where=where, accepted=str(spec.format.dtype)
        )
    batch = check_shape_of(array.shape, spec.shape, where, batch)
    check_range(array, spec.format, where)
    return batch


def check_shape_of(
    found: tuple[int, ...], wanted: tuple[int, ...], where: str, batch: int | None
) -> int | None:
    """Require a shape, with one batch size for all inputs; return that batch size."""
    symbolic = bool(wanted) and wanted[0] == -1
    same = len(found) == len(wanted) and found[symbolic:] == wanted[symbolic:]
    if not same:
        raise InputError(
            f"shape must be {show_shape(wanted)}, not {show_shape(found)}",
            where=where,
            accepted=show_shape(wanted) + (", N any batch size" if symbolic else ""),
        )
    if symbolic and batch is not None and found[0] != batch:
        raise InputError(
            f"the batch size must be that of the first input, not {found[0]}",
            where=where,
            accepted=str(batch),
        )
    return found[0] if symbolic else batch


def show_shape(shape: tuple[int, ...]) -> str:
    """Return a shape as people write it: ``[N, 3, 8, 8]``."""
    return f"[{', '.join('N' if size == -1 else str(size) for size in shape)}]"


def check_range(array: Array, codes: FixedFormat, where: str) -> None:
    """Require every element to be a code of the format; name the first that is not."""
    info = np.iinfo(array.dtype)
    if codes.min <= info.min and info.max <= codes.max:
        return
    if codes.fits(array):
        return
    # Comparing in the array's own dtype needs limits that it can hold.
    low, high = max(codes.min, int(info.min)), min(codes.max, int(info.max))
    outside = (array < low) | (array > high)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(outside)), array.shape))
    raise InputError(
        f"{int(array[index])} at index {list(index)} is outside the format",
        where=where,
        accepted=f"{codes.min}..{codes.max}",
    )


class _Validation:
    """The checks of a Program, in the order in which it would run."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.known: set[str] = set(program.constants)
        self.where = f"program {program.name!r}"

    def run(self) -> None:
        self._specs()
        for name in self.program.inputs:
            self._define(name, "input")
        calls: set[str] = set()
        for call in self.program.calls:
            if call.name in calls:
                raise self._error(f"two calls are named {call.name!r}", "unique names")
            calls.add(call.name)
            self._call(call)
        for name in self.program.outputs:
            if not isinstance(name, str) or name not in self.known - set(self.program.constants):
                raise self._error(f"nothing makes the output {name!r}", "inputs or call outputs")
        unknown = set(self.program.tensors) - self.known
        if unknown:
            raise self._error(f"nothing makes the tensor {min(unknown)!r}", "no unused tensors")

    def _error(self, message: str, accepted: str) -> ModelError:
        return ModelError(message, where=self.where, accepted=accepted)

    def _specs(self) -> None:
        for name, spec in self.program.tensors.items():
            if not isinstance(spec, TensorSpec) or spec.name != name:
                raise self._error(
                    f"tensor {name!r} must have its own spec", "TensorSpec.name = key"
                )
            array = self.program.constants.get(name)
            if array is None:
                continue
            if spec.shape != array.shape or array.dtype.kind == "f" or not spec.format.fits(array):
                raise self._error(
                    f"constant {name!r} does not fit its TensorSpec", "equal shape, codes in format"
                )

    def _define(self, name: Any, what: str) -> None:
        if not isinstance(name, str) or name not in self.program.tensors:
            raise self._error(f"{what} {name!r} has no TensorSpec", "one per input and call")
        if name in self.known:
            raise self._error(f"{what} {name!r} is defined twice", "unique names")
        self.known.add(name)

    def _call(self, call: Call) -> None:
        binding = PRIMITIVES.get(call.primitive) if isinstance(call.primitive, str) else None
        if binding is None:
            error = bad("the primitive must be known", call.primitive, ", ".join(PRIMITIVES))
            raise _at(call, error)
        self._operands(call, binding)
        self._attributes(call, binding)
        try:
            shape, codes = binding.infer(self.program.operands(call), call.attributes)
        except ModelError as error:
            raise _at(call, error) from None
        self._define(call.output, f"the output of call {call.name!r}")
        spec = self.program.tensors[call.output]
        if check_shape(shape, _where(call)) != spec.shape:
            raise _at(
                call,
                bad("the TensorSpec must have the shape made", spec.shape, show_shape(shape)),
            )
        if dataclasses.replace(spec.format, fraction=0) != dataclasses.replace(codes, fraction=0):
            raise _at(
                call, bad("the TensorSpec must have the format made", spec.format, str(codes))
            )

    def _operands(self, call: Call, binding: Binding) -> None:
        if len(call.inputs) != len(binding.operands):
            raise _at(call, bad("wrong operands", call.inputs, ", ".join(binding.operands)))
        for name, operand in zip(call.inputs, binding.operands, strict=True):
            array = self.program.constants.get(name)
            if name not in self.known:
                raise _at(call, bad("an operand must be made before it is used", name, "earlier"))
            if operand in binding.constant and array is None:
                raise _at(call, bad(f"{operand} must be a constant", name, "a constant"))
            if array is not None and (array.dtype.kind == "f" or array.size == 0):
                raise _at(call, bad(f"{operand} must hold integers", name, "one code or more"))

    def _attributes(self, call: Call, binding: Binding) -> None:
        found, wanted = set(call.attributes), set(binding.attributes)
        wrong = (found ^ wanted) - (set(binding.optional) - found)
        if wrong:
            odd = min(wrong)
            rule = f"attribute {odd!r} is {'unknown' if odd in found else 'missing'}"
            raise _at(call, ModelError(rule, accepted=", ".join(binding.attributes)))
        for name, value in call.attributes.items():
            try:
                binding.attributes[name](value, self.program.constants)
            except ModelError as error:
                raise _at(call, error, f"attribute {name!r}") from None
