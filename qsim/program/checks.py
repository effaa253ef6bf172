"""What must hold of a Program before it may run; checked once, when it is made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from qsim.errors import ModelError
from qsim.program.attributes import INT64, check_shape
from qsim.program.calls import TensorSpec
from qsim.program.primitives import PRIMITIVES, Binding
from qsim.program.values import show_shape

if TYPE_CHECKING:
    from hw_models import Format
    from qsim.program.attributes import Array
    from qsim.program.calls import Call
    from qsim.program.data import ProgramData


def check_program(program: ProgramData) -> None:
    """Check names, order, attributes, shapes and formats of a Program.

    Raises:
        ModelError: one line that names the call, the tensor or the attribute.
    """
    _Checks(program).run()


class _Checks:
    """The checks of a Program, in the order in which it would run."""

    def __init__(self, program: ProgramData) -> None:
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
                raise ModelError(
                    f"two calls are named {call.name!r}", where=self.where, accepted="unique names"
                )
            calls.add(call.name)
            self._call(call)
        for name in self.program.outputs:
            if not isinstance(name, str) or name not in self.known - set(self.program.constants):
                raise ModelError(
                    f"nothing makes the output {name!r}",
                    where=self.where,
                    accepted="inputs or call outputs",
                )
        self._states()
        unknown = set(self.program.tensors) - self.known
        if unknown:
            raise ModelError(
                f"nothing makes the tensor {min(unknown)!r}",
                where=self.where,
                accepted="no unused tensors",
            )

    def _states(self) -> None:
        names = [name for pair in self.program.states for name in pair]
        if len(set(names)) != len(names):
            raise ModelError.of(
                "a tensor must belong to one state", names, "different names", where=self.where
            )
        for before, after in self.program.states:
            if before not in self.program.inputs or after not in self.program.outputs:
                raise ModelError.of(
                    "a state must be an input and an output",
                    [before, after],
                    "names of one of each",
                    where=self.where,
                )
            first, second = self.program.tensors[before], self.program.tensors[after]
            if dataclasses.replace(second, name=before) != first:
                raise ModelError.of(
                    f"the state's output {after!r} must have the spec of its input",
                    second,
                    str(first),
                    where=self.where,
                )

    def _specs(self) -> None:
        for name, spec in self.program.tensors.items():
            if not isinstance(spec, TensorSpec) or spec.name != name:
                raise ModelError(
                    f"tensor {name!r} must have its own spec",
                    where=self.where,
                    accepted="TensorSpec.name = key",
                )
            array = self.program.constants.get(name)
            if array is None:
                continue
            if spec.shape != array.shape or not _holds(spec.format, array):
                raise ModelError(
                    f"constant {name!r} does not fit its TensorSpec",
                    where=self.where,
                    accepted="equal shape, codes in format",
                )

    def _define(self, name: Any, what: str) -> None:
        if not isinstance(name, str) or name not in self.program.tensors:
            raise ModelError(
                f"{what} {name!r} has no TensorSpec",
                where=self.where,
                accepted="one per input and call",
            )
        if name in self.known:
            raise ModelError(
                f"{what} {name!r} is defined twice", where=self.where, accepted="unique names"
            )
        self.known.add(name)

    def _call(self, call: Call) -> None:
        from hw_models import ContractError

        binding = PRIMITIVES.get(call.primitive) if isinstance(call.primitive, str) else None
        if binding is None:
            known = ", ".join(PRIMITIVES)
            raise ModelError.of(
                "the primitive must be known", call.primitive, known, where=call.where
            )
        self._operands(call, binding)
        self._attributes(call, binding)
        operands = self.program.operands(call)
        try:
            shape, made = binding.infer(operands, call.attributes)
            binding.require(operands, call.attributes, self.program.constants)
        except ModelError as error:
            raise ModelError.placed(error, call.where) from None
        except ContractError as error:
            raise ModelError(str(error), where=call.where) from None
        self._define(call.output, f"the output of call {call.name!r}")
        spec = self.program.tensors[call.output]
        if check_shape(shape, call.where) != spec.shape:
            raise ModelError.of(
                "the TensorSpec must have the shape made",
                spec.shape,
                show_shape(shape),
                where=call.where,
            )
        if _plain(spec.format) != _plain(made):
            raise ModelError.of(
                "the TensorSpec must have the format made",
                spec.format,
                str(made),
                where=call.where,
            )

    def _operands(self, call: Call, binding: Binding) -> None:
        slots = binding.slots(len(call.inputs))
        if len(call.inputs) != len(slots):
            raise ModelError.of("wrong operands", call.inputs, ", ".join(slots), where=call.where)
        for name, operand in zip(call.inputs, slots, strict=True):
            array = self.program.constants.get(name)
            if name not in self.known:
                raise ModelError.of(
                    "an operand must be made before it is used", name, "earlier", where=call.where
                )
            if operand in binding.constant and array is None:
                raise ModelError.of(
                    f"{operand} must be a constant", name, "a constant", where=call.where
                )
            if operand.rstrip("0123456789") in binding.floats:
                continue
            if array is None:
                self._codes(call, operand, name)
            elif array.dtype.kind == "f" or array.size == 0:
                raise ModelError.of(
                    f"{operand} must hold integers", name, "one code or more", where=call.where
                )
            elif int(array.max()) >= INT64:
                raise ModelError.of(
                    f"{operand} must fit 64 bits, signed",
                    int(array.max()),
                    f"up to {INT64 - 1}",
                    where=call.where,
                )

    def _codes(self, call: Call, operand: str, name: str) -> None:
        from hw_models import FixedFormat

        if not isinstance(self.program.tensors[name].format, FixedFormat):
            raise ModelError.of(
                f"{operand} must hold codes", f"{name} of float32", "integers", where=call.where
            )

    def _attributes(self, call: Call, binding: Binding) -> None:
        found, wanted = set(call.attributes), set(binding.attributes)
        wrong = (found ^ wanted) - (set(binding.optional) - found)
        if wrong:
            odd = min(wrong)
            rule = f"attribute {odd!r} is {'unknown' if odd in found else 'missing'}"
            raise ModelError(rule, where=call.where, accepted=", ".join(binding.attributes))
        for name, value in call.attributes.items():
            try:
                binding.attributes[name](value, self.program.constants)
            except ModelError as error:
                where = f"{call.where} attribute {name!r}"
                raise ModelError.placed(error, where) from None


def _holds(form: Format, array: Array) -> bool:
    """Return whether every element of a constant is a value of the format."""
    from hw_models import FixedFormat

    if not isinstance(form, FixedFormat):
        return array.dtype == form.dtype
    return array.dtype.kind != "f" and form.fits(array)


def _plain(form: Format) -> Format:
    """Return a format without what does not decide its codes."""
    from hw_models import FixedFormat

    return dataclasses.replace(form, fraction=0) if isinstance(form, FixedFormat) else form
