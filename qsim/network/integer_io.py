"""Takes quantize and dequantize off a network's boundary: integers in, integers out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from qsim.errors import ModelError
from qsim.network.hostops import SIZE
from qsim.network.steps import Step, ValueSpec
from qsim.program import format_from_json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from qsim.network.data import Network

N = TypeVar("N", bound="Network")


def integer_boundary(
    network: N,
    inputs_at: Collection[int] | None = None,
    outputs_at: Collection[int] | None = None,
) -> N:
    """Return the network without quantize and dequantize steps at its boundary.

    An input of codes stands for ``scale * (code - zero_point)``: host operators that read it get
    this value from a dequantize step, and where it is an output too, the codes are returned.

    Args:
        network: what it is taken from.
        inputs_at: positions of the inputs that become integers; None for all.
        outputs_at: likewise for the outputs.

    Raises:
        ModelError: an input that nothing quantizes, or an output that a host operator makes in
            float.
    """
    floats = {s.name for at, s in enumerate(network.outputs) if not _named(at, outputs_at)}
    floats |= {state.made for state in network.states}
    edge = _Boundary(network, floats)
    inputs = tuple(
        edge.input(spec) if _named(at, inputs_at) else spec
        for at, spec in enumerate(network.inputs)
    )
    outputs = tuple(
        edge.output(spec) if _named(at, outputs_at) else edge.kept(spec)
        for at, spec in enumerate(network.outputs)
    )
    states = [dataclasses.replace(state, made=edge.held(state.made)) for state in network.states]
    needed = {*(spec.name for spec in outputs), *(state.made for state in states)}
    integer = type(network)(
        network.target,
        inputs,
        outputs,
        _without_unused(edge.steps(), needed),
        network.programs,
        network.constants,
        network.host_operators,
        network.model,
        network.structure,
        states,
    )
    integer.warnings = network.warnings
    integer.free(network.lengths)
    return integer


def _named(position: int, positions: Collection[int] | None) -> bool:
    return positions is None or position in positions


def _is_float(spec: ValueSpec) -> bool:
    return spec.format is None and "float" in spec.dtype


class _Boundary:
    """What changes at the boundary of a network.

    Attributes:
        floats: outputs that stay as they are, by name.
        renamed: codes that a quantize step made -> the input that they are now.
        removed: names of those steps.
        coded: inputs that became codes, by name.
        reals: such inputs whose value in float is read -> the dequantize step that makes it.
    """

    def __init__(self, network: Network, floats: set[str]) -> None:
        self.network = network
        self.floats = floats
        self.renamed: dict[str, str] = {}
        self.removed: set[str] = set()
        self.coded: dict[str, ValueSpec] = {}
        self.reals: dict[str, Step] = {}

    def input(self, spec: ValueSpec) -> ValueSpec:
        """Return the spec of an input as codes."""
        if not _is_float(spec):
            return spec
        users = _readers(self.network, spec)
        quantizers = [step for step in users if step.kind == "quantize"]
        if not quantizers:
            raise ModelError(
                _why_not(self.network, spec, users),
                where=f"input {spec.name!r}",
                accepted="inputs that something quantizes",
            )
        first: Any = quantizers[0].attributes
        if any(dict(step.attributes) != dict(first) for step in quantizers):
            names = ", ".join(step.name for step in quantizers)
            raise ModelError(
                f"it is quantized in different ways by {names}",
                where=f"input {spec.name!r}",
                accepted="one format",
            )
        for step in quantizers:
            self.removed.add(step.name)
            self.renamed[step.outputs[0]] = spec.name
        codes = format_from_json(first["output"])
        self.coded[spec.name] = dataclasses.replace(
            spec,
            dtype=str(codes.dtype),
            scale=first["scale"],
            zero_point=first["zero_point"],
            format=codes,
        )
        if len(users) > len(quantizers) or spec.name in self.floats:
            self._decode(spec, first)
        return self.coded[spec.name]

    def output(self, spec: ValueSpec) -> ValueSpec:
        """Return the spec of an output as the codes before its dequantize."""
        if not _is_float(spec):
            return dataclasses.replace(spec, name=self.renamed.get(spec.name, spec.name))
        if spec.name in self.coded:
            return self.coded[spec.name]
        where, accepted = f"output {spec.name!r}", "outputs that a dequantize makes"
        makers = [step for step in self.network.steps if spec.name in step.outputs]
        if not makers:
            raise ModelError("it is an input, in float", where=where, accepted=accepted)
        (maker,) = makers
        if maker.kind != "dequantize":
            raise ModelError(
                _host_reason(self.network, maker, "makes it"), where=where, accepted=accepted
            )
        attributes: Any = maker.attributes
        codes = format_from_json(attributes["output"])
        source = maker.inputs[0]
        return ValueSpec(
            self.renamed.get(source, source),
            spec.shape,
            str(codes.dtype),
            attributes["scale"],
            attributes["zero_point"],
            codes,
        )

    def kept(self, spec: ValueSpec) -> ValueSpec:
        """Return the spec of an output that stays as it is."""
        return dataclasses.replace(spec, name=self.held(spec.name))

    def held(self, name: str) -> str:
        """Return what a value that stays as it is has become."""
        real = self.reals.get(name)
        return self.renamed.get(name, name) if real is None else real.outputs[0]

    def steps(self) -> list[Step]:
        """Return the steps, those that make inputs' values in front."""
        return list(self.reals.values()) + [
            self._renamed(step) for step in self.network.steps if step.name not in self.removed
        ]

    def _decode(self, spec: ValueSpec, attributes: Mapping[str, Any]) -> None:
        taken = {name for step in self.network.steps for name in (step.name, *step.outputs)}
        real = f"{spec.name}.value"
        while real in taken:
            real += "_"
        self.reals[spec.name] = Step("dequantize", real, (spec.name,), (real,), attributes)

    def _renamed(self, step: Step) -> Step:
        # Codes have the size of what they stand for.
        sized = step.attributes.get("operator") == SIZE
        decoded = () if sized else self.reals.items()
        reals = {name: real.outputs[0] for name, real in decoded}
        return _rename(step, {**self.renamed, **reals})


def _readers(network: Network, spec: ValueSpec) -> list[Step]:
    """Return the steps that read an input's elements."""
    return [
        step
        for step in network.steps
        if spec.name in step.inputs and step.attributes.get("operator") != SIZE
    ]


def _why_not(network: Network, spec: ValueSpec, users: list[Step]) -> str:
    """Say why nothing quantizes an input."""
    if users:
        return _host_reason(network, users[0], "takes it")
    if any(output.name == spec.name for output in network.outputs):
        return "nothing quantizes it: it is returned as it came"
    return "nothing quantizes it: no step reads it"


def _host_reason(network: Network, step: Step, verb: str) -> str:
    """Say which operator stands at the boundary, and why it is there."""
    while step.attributes.get("operator") == "getitem":
        step = next(maker for maker in network.steps if step.inputs[0] in maker.outputs)
    if step.kind == "program":
        return f"a product that is quantized at run time {verb} in float"
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
