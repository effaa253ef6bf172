"""States of a network: inputs and outputs of the graph that become one value from step to step.

A state that only Programs read and make is kept as codes: quantize and dequantize around it go, as
they do at the boundary of a network with integer inputs and outputs. One that the host reads or
makes stays what it is in the model.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from qsim.errors import ModelError
from qsim.network import Lowered, State, integer_boundary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.network import ValueSpec
    from qsim.program import Array, Json
    from qsim.quantizer.states import Buffer


def with_states(network: Lowered, buffers: Sequence[Buffer], structure: Json) -> Lowered:
    """Return a network whose last inputs and outputs are its states.

    Args:
        network: whose last inputs and outputs are those of the buffers.
        buffers: their names and first values.
        structure: how the outputs before these are nested.
    """
    inputs, outputs = (len(ends) - len(buffers) for ends in (network.inputs, network.outputs))
    for number in range(len(buffers)):
        network = _as_codes(network, inputs + number, outputs + number)
    states = [
        State(buffer.name, spec, made.name, _initial(network, spec, buffer))
        for buffer, spec, made in zip(
            buffers, network.inputs[inputs:], network.outputs[outputs:], strict=True
        )
    ]
    return Lowered(
        network.target,
        network.inputs[:inputs],
        network.outputs[:outputs],
        network.steps,
        network.programs,
        network.constants,
        network.host_operators,
        network.model,
        structure,
        states,
    )


def _as_codes(network: Lowered, before: int, after: int) -> Lowered:
    """Return the network with one input and output as codes of the same parameters, if it can."""
    try:
        found = integer_boundary(network, (before,), (after,))
    except ModelError:
        return network
    made = dataclasses.replace(found.outputs[after], name=found.inputs[before].name)
    return found if made == found.inputs[before] else network


def _initial(network: Lowered, spec: ValueSpec, buffer: Buffer) -> Array:
    from hw_models.quantize import quantize

    values: Array = buffer.initial.numpy()
    if spec.format is None or spec.scale is None:
        return values
    formula = network.target.quantize.formula
    codes: Array = quantize(
        values, spec.scale, spec.zero_point, output=spec.format, formula=formula
    )
    return np.array(codes.flat[0]) if (codes == codes.flat[0]).all() else codes
