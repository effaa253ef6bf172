"""Takes quantize and dequantize off a network's boundary: integers in, integers out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from qsim.attributes import format_from_json
from qsim.errors import ModelError
from qsim.hostops import SIZE
from qsim.network import Lowered
from qsim.steps import Step, ValueSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def integer_boundary(
    network: Lowered,
    inputs_at: Collection[int] | None = None,
    outputs_at: Collection[int] | None = None,
) -> Lowered:
    """Return the network without quantize and dequantize steps at its boundary.

    Args:
        network: what it is taken from.
        inputs_at: positions of the inputs that become integers; None for all.
        outputs_at: likewise for the outputs.

    Raises:
        ModelError: an input or output that a host operator takes or makes in float.
    """
    renamed: dict[str, str] = {}
    removed: set[str] = set()
    inputs = tuple(
        _integer_input(network, spec, renamed, removed) if _named(at, inputs_at) else spec
        for at, spec in enumerate(network.inputs)
    )
    outputs = tuple(
        _integer_output(network, spec, renamed) if _named(at, outputs_at) else spec
        for at, spec in enumerate(network.outputs)
    )
    steps = [_rename(step, renamed) for step in network.steps if step.name not in removed]
    return Lowered(
        network.target,
        inputs,
        outputs,
        _without_unused(steps, {spec.name for spec in outputs}),
        network.programs,
        network.constants,
        network.host_operators,
        network.model,
        network.structure,
    )


def _named(position: int, positions: Collection[int] | None) -> bool:
    return positions is None or position in positions


def _is_float(spec: ValueSpec) -> bool:
    return spec.format is None and "float" in spec.dtype


def _integer_input(
    network: Lowered, spec: ValueSpec, renamed: dict[str, str], removed: set[str]
) -> ValueSpec:
    """Return the spec of an input as codes; its quantize steps are noted as removed."""
    if not _is_float(spec):
        return spec
    where, accepted = f"input {spec.name!r}", "inputs that only a quantize reads"
    users = [step for step in network.steps if spec.name in step.inputs]
    users = [step for step in users if step.attributes.get("operator") != SIZE]
    if any(output.name == spec.name for output in network.outputs):
        raise ModelError("it is also an output, in float", where=where, accepted=accepted)
    if not users:
        raise ModelError("nothing quantizes it: no step reads it", where=where, accepted=accepted)
    for step in users:
        if step.kind != "quantize":
            raise ModelError(
                _host_reason(network, step, "takes it"), where=where, accepted=accepted
            )
    first: Any = users[0].attributes
    if any(dict(step.attributes) != dict(first) for step in users):
        names = ", ".join(step.name for step in users)
        raise ModelError(
            f"it is quantized in different ways by {names}", where=where, accepted="one format"
        )
    for step in users:
        removed.add(step.name)
        renamed[step.outputs[0]] = spec.name
    codes = format_from_json(first["output"])
    return dataclasses.replace(
        spec,
        dtype=str(codes.dtype),
        scale=first["scale"],
        zero_point=first["zero_point"],
        format=codes,
    )


def _integer_output(network: Lowered, spec: ValueSpec, renamed: Mapping[str, str]) -> ValueSpec:
    """Return the spec of an output as the codes before its dequantize."""
    if not _is_float(spec):
        return dataclasses.replace(spec, name=renamed.get(spec.name, spec.name))
    where, accepted = f"output {spec.name!r}", "outputs that a dequantize makes"
    makers = [step for step in network.steps if spec.name in step.outputs]
    if not makers:
        raise ModelError("it is an input, in float", where=where, accepted=accepted)
    (maker,) = makers
    if maker.kind != "dequantize":
        raise ModelError(_host_reason(network, maker, "makes it"), where=where, accepted=accepted)
    attributes: Any = maker.attributes
    codes = format_from_json(attributes["output"])
    source = maker.inputs[0]
    return ValueSpec(
        renamed.get(source, source),
        spec.shape,
        str(codes.dtype),
        attributes["scale"],
        attributes["zero_point"],
        codes,
    )


def _host_reason(network: Lowered, step: Step, verb: str) -> str:
    """Say which operator stands at the boundary, and why it is there."""
    while step.attributes.get("operator") == "getitem":
        step = next(maker for maker in network.steps if step.inputs[0] in maker.outputs)
    name = str(step.attributes.get("operator", step.kind))
    reasons = [
        f" ({item.reason})" for item in network.host_operators if name.startswith(item.operator)
    ]
    return f"the host operator {name} {verb} in float{next(iter(reasons), '')}"


def _rename(step: Step, renamed: Mapping[str, str]) -> Step:
    if not renamed.keys() & set(step.inputs):
        return step
    inputs = tuple(dict.fromkeys(renamed.get(name, name) for name in step.inputs))
    if step.kind == "program":  # positional: a value that is read twice stays twice
        inputs = tuple(renamed.get(name, name) for name in step.inputs)
    attributes = {key: _rename_json(value, renamed) for key, value in step.attributes.items()}
    return dataclasses.replace(step, inputs=inputs, attributes=attributes)


def _rename_json(value: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_rename_json(item, renamed) for item in value]
    if isinstance(value, dict):
        if set(value) == {"tensor"}:
            return {"tensor": renamed.get(value["tensor"], value["tensor"])}
        return {key: _rename_json(item, renamed) for key, item in value.items()}
    return value


def _without_unused(steps: list[Step], outputs: set[str]) -> list[Step]:
    """Drop the dequantize steps that nothing reads any more."""
    needed = set(outputs)
    kept: list[Step] = []
    for step in reversed(steps):
        if step.kind != "dequantize" or needed & set(step.outputs):
            kept.insert(0, step)
            needed.update(step.inputs)
    return kept
