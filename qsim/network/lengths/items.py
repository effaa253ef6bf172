"""What of a network may depend on the length, in an order that knows no names.

Two networks of one family have the same items in the same order; names of constants may differ, as
a slice of the whole table is the table itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qsim.program import format_to_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qsim.network.data import Network
    from qsim.network.states import State
    from qsim.program import Array, Program

# Where an integer stands: what holds it, its name or number, and the way to it.
Path = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """A shape or the attributes of one step or call.

    Attributes:
        path: where it stands, with the names of its own network.
        fixed: what must be the same for every length.
        free: JSON whose integers may depend on it.
        where: for messages.
    """

    path: Path
    fixed: Any
    free: Any
    where: str


def items(network: Network) -> Iterator[Item]:
    """Give every item of a network."""
    for side, specs in (("inputs", network.inputs), ("outputs", network.outputs)):
        for index, spec in enumerate(specs):
            fixed = [spec.dtype, spec.scale, spec.zero_point, _format(spec.format)]
            yield Item((side, index), fixed, list(spec.shape), f"{side[:-1]} {spec.name!r}")
    read = [*network.inputs, *(state.value for state in network.states)]
    numbers = {spec.name: index for index, spec in enumerate(read)}
    for step in network.steps:
        for name in step.outputs:
            numbers.setdefault(name, len(numbers))
    held = _numbered([name for _, name in _host_arrays(network)])
    for step in network.steps:
        ends = [[numbers[name] for name in names] for names in (step.inputs, step.outputs)]
        free = _plain(dict(step.attributes), held, numbers)
        yield Item(("steps", step.name), [step.kind, *ends], free, f"step {step.name!r}")
    for index, state in enumerate(network.states):
        yield Item(("states", index), _of_state(state, numbers), None, f"state {state.name!r}")
    for index, program in enumerate(network.programs):
        yield from _of_program(index, program)


def _of_state(state: State, numbers: Mapping[str, int]) -> list[Any]:
    """Return all of a state: what one step leaves, a step of another length reads."""
    spec, begin = state.value, state.initial
    kept = [spec.shape, spec.dtype, spec.scale, spec.zero_point, _format(spec.format)]
    return [state.name, *kept, numbers[state.made], begin.shape, begin.tobytes()]


def _of_program(index: int, program: Program) -> Iterator[Item]:
    made = _numbered([*program.inputs, *(call.output for call in program.calls)])
    held = _numbered([name for _, name in _program_arrays(program)])
    described = [name for name in held if name in program.tensors]
    for name in (*made, *described):
        spec = program.tensors[name]
        fixed = [_format(spec.format), spec.scale, spec.zero_point]
        path = ("tensors", index, name)
        yield Item(path, fixed, list(spec.shape), f"program {program.name!r}: tensor {name!r}")
    outputs = [made.get(name, name) for name in program.outputs]
    for call in program.calls:
        operands = [made[name] if name in made else f"#{held[name]}" for name in call.inputs]
        fixed = [call.primitive, operands, outputs]
        free = _plain(dict(call.attributes), held, made)
        where = f"{call.layer}: {call.where}" if call.layer else call.where
        yield Item(("calls", index, call.name), fixed, free, where)


def arrays(network: Network) -> Iterator[tuple[tuple[str, str], Array]]:
    """Give every constant in the order of its first use, with its owner and its name.

    The owner is ``host``, or the number of a Program.
    """
    for owner, name in _host_arrays(network):
        yield (owner, name), network.constants[name]
    for index, program in enumerate(network.programs):
        for _, name in _program_arrays(program):
            yield (str(index), name), program.constants[name]


def _host_arrays(network: Network) -> list[tuple[str, str]]:
    found = [name for step in network.steps for name in _named(step.attributes, network.constants)]
    return [("host", name) for name in dict.fromkeys(found)]


def _program_arrays(program: Program) -> list[tuple[str, str]]:
    found: list[str] = []
    for call in program.calls:
        found += [name for name in call.inputs if name in program.constants]
        found += _named(call.attributes, program.constants)
    return [(program.name, name) for name in dict.fromkeys(found)]


def _named(value: Any, constants: Mapping[str, Array]) -> list[str]:
    """Return the constants that a JSON tree names, in its order."""
    if isinstance(value, (list, tuple)):
        return [name for item in value for name in _named(item, constants)]
    if not hasattr(value, "items"):
        return []
    found: list[str] = []
    for key, item in sorted(value.items()):
        own = key == "constant" and isinstance(item, str) and item in constants
        found += [item] if own else _named(item, constants)
    return found


def _numbered(names: list[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def _plain(value: Any, constants: Mapping[str, int], numbers: Mapping[str, int]) -> Any:
    """Return attributes with numbers, as text, in the place of names."""
    if isinstance(value, (list, tuple)):
        return [_plain(item, constants, numbers) for item in value]
    if not hasattr(value, "items"):
        return to_json(value)
    plain: dict[str, Any] = {}
    for key, item in value.items():
        if key == "constant" and item in constants:
            plain[key] = f"#{constants[item]}"
        elif key == "tensor" and item in numbers:
            plain[key] = f"#{numbers[item]}"
        else:
            plain[key] = _plain(item, constants, numbers)
    return plain


def _format(form: Any) -> Any:
    return None if form is None else format_to_json(form)
