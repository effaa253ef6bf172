"""One digest of a network: of all that decides its integers, and of nothing else.

Two people who have the same digest have the same network: the same target, the same parameters of
inputs and outputs, the same calls with the same attributes and constants, the same operators on the
host. Not in it are names (of values, layers, calls, the model), reasons, the layout of files, and
whether quantize and dequantize stand at the boundary or the caller does that (``--quantized-io``).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from qsim import canonical
from qsim.errors import ModelError
from qsim.network.integer_io import integer_boundary
from qsim.program import format_to_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.network.data import Network
    from qsim.network.steps import ValueSpec
    from qsim.program import Array, Program

N = TypeVar("N", bound="Network")


def network_digest(network: Network) -> str:
    """Return the SHA-256 of a network, 64 hexadecimal digits.

    It is that of a canonical JSON text (sorted keys, no spaces) in which values are numbered in the
    order in which they are made, and an array stands as its dtype, shape and SHA-256.
    """
    plain = _without_boundary(network)
    numbers: dict[str, int] = {}
    for spec in plain.inputs:
        numbers.setdefault(spec.name, len(numbers))
    for state in plain.states:
        numbers.setdefault(state.value.name, len(numbers))
    steps = []
    for step in plain.steps:
        for name in step.outputs:
            numbers.setdefault(name, len(numbers))
        if step.kind == "program":
            held: Any = _program(plain.programs[int(str(step.attributes["program"]))])
        else:
            held = _plain(step.attributes, plain.constants, numbers)
        ends = [[numbers[name] for name in names] for names in (step.inputs, step.outputs)]
        steps.append([step.kind, *ends, held])
    document: dict[str, Any] = {
        "target": plain.target.hash,
        "inputs": [_value(spec, numbers) for spec in plain.inputs],
        "outputs": [_value(spec, numbers) for spec in plain.outputs],
        "structure": plain.structure,
        "steps": steps,
    }
    if plain.states:
        document["states"] = [
            [_value(state.value, numbers), numbers[state.made], _array(state.initial)]
            for state in plain.states
        ]
    return hashlib.sha256(canonical.text(to_json(document)).encode()).hexdigest()


def _without_boundary(network: N) -> N:
    """Take off quantize and dequantize wherever inputs and outputs can be integers."""
    for side in (0, 1):
        count = len((network.inputs, network.outputs)[side])
        for at in range(count):
            chosen: list[tuple[int, ...]] = [(), ()]
            chosen[side] = (at,)
            try:
                network = integer_boundary(network, *chosen)
            except ModelError:
                continue  # a host operator takes or makes it in float
    return network


def _value(spec: ValueSpec, numbers: Mapping[str, int]) -> list[Any]:
    form = None if spec.format is None else format_to_json(spec.format)
    return [numbers[spec.name], spec.shape, spec.dtype, spec.scale, spec.zero_point, form]


def _program(program: Program) -> list[Any]:
    numbers: dict[str, int] = {}
    for name in (*program.inputs, *(call.output for call in program.calls)):
        numbers.setdefault(name, len(numbers))
    calls = []
    for call in program.calls:
        operands = [
            numbers[name] if name in numbers else _array(program.constants[name])
            for name in call.inputs
        ]
        attributes = _plain(call.attributes, program.constants, numbers)
        calls.append([call.primitive, operands, attributes])
    tensors = []
    for name in numbers:
        spec = program.tensors[name]
        form = format_to_json(spec.format)
        tensors.append([spec.shape, form, spec.scale, spec.zero_point])
    states = [[numbers[name] for name in pair] for pair in program.states]
    return [
        [numbers[name] for name in program.inputs],
        [numbers[name] for name in program.outputs],
        tensors,
        calls,
        *([states] if states else []),
    ]


def _plain(value: Any, constants: Mapping[str, Array], numbers: Mapping[str, int]) -> Any:
    """Return attributes with numbers and digests in the place of names."""
    if isinstance(value, (list, tuple)):
        return [_plain(item, constants, numbers) for item in value]
    if not hasattr(value, "items"):
        return value
    plain: dict[str, Any] = {}
    for key, item in value.items():
        if key == "constant" and item in constants:
            plain[key] = _array(constants[item])
        elif key == "tensor" and item in numbers:
            plain[key] = numbers[item]
        else:
            plain[key] = _plain(item, constants, numbers)
    return plain


def _array(array: Array) -> list[Any]:
    held = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return [array.dtype.name, list(array.shape), hashlib.sha256(held.tobytes()).hexdigest()]
