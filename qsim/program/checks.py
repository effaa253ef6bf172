"""What must hold of a Program before it may run; checked once, when it is made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from qsim.errors import ModelError
from qsim.program.attributes import bad, check_shape
from qsim.program.calls import TensorSpec
from qsim.program.primitives import PRIMITIVES, Binding
from qsim.program.values import show_shape

if TYPE_CHECKING:
    from qsim.program.calls import Call
    from qsim.program.program import Program


def check_program(program: Program) -> None:
    """Check names, order, attributes, shapes and formats of a Program.

    Raises:
        ModelError: one line that names the call, the tensor or the attribute.
    """
    _Checks(program).run()


class _Checks:
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
            raise call.at(error)
        self._operands(call, binding)
        self._attributes(call, binding)
        try:
            shape, codes = binding.infer(self.program.operands(call), call.attributes)
        except ModelError as error:
            raise call.at(error) from None
        self._define(call.output, f"the output of call {call.name!r}")
        spec = self.program.tensors[call.output]
        if check_shape(shape, call.where) != spec.shape:
            raise call.at(
                bad("the TensorSpec must have the shape made", spec.shape, show_shape(shape)),
            )
        if dataclasses.replace(spec.format, fraction=0) != dataclasses.replace(codes, fraction=0):
            raise call.at(bad("the TensorSpec must have the format made", spec.format, str(codes)))

    def _operands(self, call: Call, binding: Binding) -> None:
        slots = binding.slots(len(call.inputs))
        if len(call.inputs) != len(slots):
            raise call.at(bad("wrong operands", call.inputs, ", ".join(slots)))
        for name, operand in zip(call.inputs, slots, strict=True):
            array = self.program.constants.get(name)
            if name not in self.known:
                raise call.at(bad("an operand must be made before it is used", name, "earlier"))
            if operand in binding.constant and array is None:
                raise call.at(bad(f"{operand} must be a constant", name, "a constant"))
            if array is not None and (array.dtype.kind == "f" or array.size == 0):
                raise call.at(bad(f"{operand} must hold integers", name, "one code or more"))

    def _attributes(self, call: Call, binding: Binding) -> None:
        found, wanted = set(call.attributes), set(binding.attributes)
        wrong = (found ^ wanted) - (set(binding.optional) - found)
        if wrong:
            odd = min(wrong)
            rule = f"attribute {odd!r} is {'unknown' if odd in found else 'missing'}"
            raise call.at(ModelError(rule, accepted=", ".join(binding.attributes)))
        for name, value in call.attributes.items():
            try:
                binding.attributes[name](value, self.program.constants)
            except ModelError as error:
                raise call.at(error, f"attribute {name!r}") from None
