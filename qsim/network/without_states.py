"""A network whose states are inputs and outputs again, in float: the caller keeps them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from qsim.network.steps import Step, ValueSpec
from qsim.program import format_to_json

if TYPE_CHECKING:
    from qsim.network.data import Network

N = TypeVar("N", bound="Network")


def stateless(network: N) -> N:
    """Return the network with its states, as float32 or as they are, behind its own ends.

    Codes of states are made from float32 and back by the target's formula, which gives every code
    back as it was.
    """
    taken = {name for step in network.steps for name in (step.name, *step.outputs)}
    taken |= {spec.name for spec in (*network.inputs, *(s.value for s in network.states))}
    inputs, outputs = list(network.inputs), list(network.outputs)
    before: list[Step] = []
    after: list[Step] = []
    for state in network.states:
        spec = state.value
        if spec.format is None or spec.scale is None:
            inputs.append(spec)
            outputs.append(dataclasses.replace(spec, name=state.made))
            continue
        attributes: dict[str, Any] = {
            "scale": spec.scale,
            "zero_point": spec.zero_point,
            "output": format_to_json(spec.format),
            "formula": network.target.quantize.formula,
        }
        given, made = (_free(f"{name}.real", taken) for name in (spec.name, f"{spec.name}.next"))
        before.append(Step("quantize", spec.name, (given,), (spec.name,), attributes))
        after.append(Step("dequantize", made, (state.made,), (made,), attributes))
        inputs.append(ValueSpec(given, spec.shape))
        outputs.append(ValueSpec(made, spec.shape))
    found = type(network)(
        network.target,
        inputs,
        outputs,
        (*before, *network.steps, *after),
        network.programs,
        network.constants,
        network.host_operators,
        network.model,
    )
    found.warnings = network.warnings
    found.free(network.lengths)
    return found


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
