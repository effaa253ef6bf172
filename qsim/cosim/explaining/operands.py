"""The operands of one result, and what its definition does with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.explaining.explanation import Operand
from qsim.cosim.explaining.moves import index_of
from qsim.cosim.explaining.rows import PLACE, row_of
from qsim.cosim.jobs import lanes_of, owners, packets

if TYPE_CHECKING:
    from hw_models.tracing import Step
    from qsim.cosim.explaining.definition import Definition
    from qsim.cosim.jobs import Job

# Parameters that say how wide the place of an element is.
_PLACES: Final = ("ADDRESS_W", "ROW_W", "LENGTH_W")


def values_of(job: Job, beat: int, lane: int) -> dict[str, list[int]]:
    """Return what each field held of which a lane of an output beat was made, beat after beat."""
    if job.unit.module in ("move", "cache_write"):
        return index_of(job, beat)
    if job.unit.module in ("norm", "softmax"):
        return row_of(job, beat)
    if job.unit.packet:  # a result of such a packet may be made of all of it
        packet = packets(job.expected_last)[beat]
        rows = np.flatnonzero(packets(job.last) == packet)
    else:
        rows = np.flatnonzero(owners(job) == beat)
    held = job.unit.inputs.unpack(job.beats[rows])
    values: dict[str, list[int]] = {
        field.name: held[field.name][:, lanes_of(job, field, lane)].reshape(-1).tolist()
        for field in job.unit.inputs.fields
    }
    return values | {PLACE: [lane]} if job.unit.module == "rotary" else values


def operands(job: Job, values: dict[str, list[int]]) -> tuple[Operand, ...]:
    """Return the values with their names: a parameter once, if it does not change in a packet."""
    # An index is no field: it is as wide as the addresses that are made of it.
    widths = (job.unit.parameters[name] for name in _PLACES if name in job.unit.parameters)
    address = next(widths, 1)
    bits = dict.fromkeys(values, address) | {f.name: f.bits for f in job.unit.inputs.fields}
    taps = max(len(held) for held in values.values())
    if taps == 1:
        return tuple(Operand(name, held[0], bits[name]) for name, held in values.items())
    single = {
        name
        for name, held in values.items()
        if len(held) == 1 or (len(set(held)) == 1 and name.endswith("zero_point"))
    }
    listed = [
        Operand(f"{name}[{index}]", values[name][index], bits[name])
        for index in range(taps)
        for name in values
        if name not in single and index < len(values[name])
    ]
    return (
        *(Operand(name, values[name][0], bits[name]) for name in sorted(single)),
        *listed,
    )


def traced(definition: Definition, values: dict[str, list[int]]) -> tuple[tuple[Step, ...], int]:
    """Return the steps of the definition on these values, and the result."""
    from hw_models.tracing import Traced, choose, steps

    given: dict[str, list[Any]] = {}
    for name, held in values.items():
        alone = len(held) == 1
        trace = name in definition.data and name != "draw"
        given[name] = (
            [Traced.operand(value, name if alone else "") for value in held] if trace else held
        )
    result = definition.compute(given, choose)
    return steps(result), int(result)
