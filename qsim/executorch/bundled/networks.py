"""A method that is one delegate of ours, integers in and out, and the calls of primitives in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.errors import ModelError, UsageError
from qsim.executorch.delegates import OURS, open_blob
from qsim.executorch.pte import DelegateCall, read_methods

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qsim.executorch.pte import Method, Value
    from qsim.golden import Case
    from qsim.network import Lowered, Step
    from qsim.program import Array, Call, Program

_ACCEPTED: Final = (
    "a method that is one delegate of qsim from integers to integers, such as "
    "qsim.executorch.to_edge(quantized, quantized_io=True) makes"
)


@dataclass(frozen=True, slots=True)
class Network:
    """What a method computes.

    Attributes:
        name: of the method.
        lowered: the delegate's network: integer Programs alone.
        inputs, outputs: names of the network's values, in the order of the method's.
        takes, returns: what the method has there.
    """

    name: str
    lowered: Lowered
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    takes: tuple[Value, ...]
    returns: tuple[Value, ...]

    def arguments(self, inputs: Sequence[Any]) -> list[Any]:
        """Return a method's inputs in the order of the network's."""
        by_name = dict(zip(self.inputs, inputs, strict=True))
        return [by_name[spec.name] for spec in self.lowered.inputs]

    def steps(self) -> Iterator[tuple[Program, Step]]:
        """Yield the Programs in order, each with the step that runs it."""
        for step in self.lowered.steps:
            index: Any = step.attributes["program"]
            yield self.lowered.programs[index], step

    def results(self) -> list[tuple[str, ...]]:
        """Return, for every call in order, which values of the network it makes."""
        return [
            tuple(
                name
                for tensor, name in zip(program.outputs, step.outputs, strict=True)
                if tensor == call.output
            )
            for program, step in self.steps()
            for call in program.calls
        ]


def read(program: bytes) -> dict[str, Network]:
    """Return the networks of a ``.pte``: of every method that has an input.

    Raises:
        FileFormatError: the program, or a delegate of it, is damaged.
        ModelError: a method is not one delegate of ours from integers to integers.
    """
    return {method.name: _network(method) for method in read_methods(program) if method.inputs}


def _network(method: Method) -> Network:
    if method.operators:
        called = ", ".join(sorted(set(method.operators)))
        raise ModelError(f"method {method.name} calls {called}", accepted=_ACCEPTED)
    calls = [item for chain in method.chains for item in chain]
    if len(calls) != 1 or not isinstance(calls[0], DelegateCall):
        raise ModelError(f"method {method.name} has {len(calls)} instructions", accepted=_ACCEPTED)
    delegate = method.delegates[calls[0].delegate]
    if delegate.id != OURS:
        raise ModelError(f"method {method.name} is for {delegate.id}", accepted=_ACCEPTED)
    lowered = open_blob(delegate.blob, delegate.compile_specs)
    specs = (*lowered.inputs, *lowered.outputs)
    floats = [spec.name for spec in specs if spec.format is None]
    if floats or any(step.kind != "program" for step in lowered.steps):
        what = f"a float {floats[0]!r}" if floats else "a float part"
        raise ModelError(f"method {method.name} has {what}", accepted=_ACCEPTED)
    args = calls[0].args
    if len(args) != len(specs):
        raise ModelError(
            f"method {method.name} calls a delegate of {len(specs)} values with {len(args)}"
        )
    names = dict(zip(args, (spec.name for spec in specs), strict=True))
    given = sorted(names.get(index, "") for index in method.inputs)
    odd = [index for index in method.outputs if index not in names]
    if odd or given != sorted(spec.name for spec in lowered.inputs):
        raise ModelError(
            f"method {method.name} has other inputs or outputs than its delegate",
            accepted=_ACCEPTED,
        )
    return Network(
        method.name,
        lowered,
        tuple(names[index] for index in method.inputs),
        tuple(names[index] for index in method.outputs),
        tuple(method.values[index] for index in method.inputs),
        tuple(method.values[index] for index in method.outputs),
    )


def values(network: Network, cases: Sequence[Case]) -> dict[str, Array]:
    """Return the network's values that one recorded run had, by name.

    Args:
        network: what was run.
        cases: all of its calls, in order.

    Raises:
        UsageError: they are not the calls of this network, or not of one run.
    """
    count = len(network.results())
    if count != len(cases):
        raise UsageError(
            f"the set has {len(cases)} calls, the program has {count}",
            accepted="a set of this network",
        )
    held: dict[str, Array] = {}
    remaining = iter(cases)
    for program, step in network.steps():
        pairs = list(zip(program.inputs, step.inputs, strict=True))
        tensors = {tensor: held[name] for tensor, name in pairs if name in held}
        for call, case in zip(program.calls, remaining, strict=False):
            _check_call(case, call, program)
            _check_operands(case, call, program, tensors)
            tensors[call.output] = case.expected
        pairs += zip(program.outputs, step.outputs, strict=True)
        held |= {name: tensors[tensor] for tensor, name in pairs if tensor in tensors}
    return held


def _check_operands(case: Case, call: Call, program: Program, tensors: dict[str, Array]) -> None:
    """Require the constants of the program and the tensors of the run; take what is new."""
    for (slot, array), source in zip(case.operands.items(), call.inputs, strict=True):
        constant = program.constants.get(source)
        known = tensors.setdefault(source, array) if constant is None else constant
        if not np.array_equal(known, array):
            of = "another run than what was before it" if constant is None else "another network"
            raise UsageError(**_other(case, f"its {slot} is of {of}"))


def _other(case: Case, what: str) -> dict[str, str]:
    """Return the arguments of the error about a case."""
    message = f"case {case.name!r} is not of this program: {what}"
    return {"message": message, "accepted": "a set of this network"}


def _check_call(case: Case, call: Call, program: Program) -> None:
    if (case.primitive, case.layer) != (call.primitive, call.layer):
        raise UsageError(
            **_other(case, f"the program has {call.primitive} of {call.layer or 'the model'}")
        )
    if len(case.operands) != len(call.inputs):
        raise UsageError(**_other(case, f"the program has {len(call.inputs)} operands"))
    ours = _resolved(dict(case.attributes), case.constants)
    theirs = _resolved(dict(call.attributes), program.constants)
    if case.primitive == "reshape":  # a program of one batch size states it
        ours["shape"], theirs["shape"] = ours["shape"][1:], theirs["shape"][1:]
    odd = [name for name in ours if name not in theirs or not _equal(ours[name], theirs[name])]
    if odd or len(ours) != len(theirs):
        raise UsageError(**_other(case, f"its attributes differ ({', '.join(odd)})"))


def _resolved(value: Any, constants: Mapping[str, Array]) -> Any:
    """Return attributes with the arrays that they name in place of the names."""
    if isinstance(value, (list, tuple)):
        return [_resolved(item, constants) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"constant"}:
        return constants[value["constant"]]
    return {key: _resolved(item, constants) for key, item in value.items()}


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.array_equal(first, second)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_equal, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_equal(first[k], second[k]) for k in first)
    return bool(first == second)
