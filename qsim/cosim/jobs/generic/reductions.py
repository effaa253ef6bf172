"""Jobs of mean and argmax: a packet of beats for each element of the result."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.cosim.jobs.beats import Field
from qsim.cosim.jobs.generic.elementwise import unit
from qsim.cosim.jobs.generic.numbers import Numbers, code_field, of_codes, of_scheme, zero_point
from qsim.cosim.jobs.unit import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target


def rows_of(x: Array, axes: Sequence[int]) -> Array:
    """Return x as [results, codes of each], both in C order."""
    reduced = sorted(axis % x.ndim for axis in axes)
    kept = [axis for axis in range(x.ndim) if axis not in reduced]
    count = math.prod(x.shape[axis] for axis in reduced)
    return np.ascontiguousarray(x.transpose(*kept, *reduced)).reshape(-1, count)


def mean_job(case: Case, target: Target) -> Job:
    """Return the codes of every mean, a packet each, with the numbers of its scheme."""
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    rows = rows_of(case.operands["x"], attributes["axes"])
    inputs = Numbers()
    inputs.add(code_field("x", target, case.codes["x"]), rows.reshape(-1))
    inputs.add(*zero_point("x_zero_point", attributes["x_zero_point"], case.codes["x"].bits))
    scheme = decode_scheme(attributes["scheme"], case.constants)
    numbers = of_scheme(scheme, target, shape=case.expected.shape)
    for field in numbers.fields:  # every beat of a packet has what its result takes
        value = numbers.values[field.name]
        inputs.add(field, value if isinstance(value, int) else np.repeat(value, rows.shape[1]))
    inputs.merge(of_codes(case, target))
    return packets(case, inputs, rows.shape[1])


def argmax_job(case: Case, target: Target) -> Job:
    """Return the codes of every search, a packet each.

    The first of the largest counts; calls whose last one does say so in every beat.
    """
    attributes: Any = case.attributes
    rows = rows_of(case.operands["x"], [attributes["axis"]])
    inputs = Numbers()
    inputs.add(code_field("x", target, case.codes["x"]), rows.reshape(-1))
    if attributes.get("last", False):
        inputs.add(Field("select_last", 1, signed=False), 1)
    return packets(case, inputs, rows.shape[1])


def packets(case: Case, inputs: Numbers, length: int) -> Job:
    """Return the job that sends packets of one length, one for each element of the result."""
    count = case.expected.size
    made = unit(case, inputs)
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=made,
        beats=made.inputs.pack(inputs.values, count * length),
        last=np.asarray(np.arange(1, count * length + 1) % length == 0, np.bool_),
        expected=made.outputs.pack({"y": case.expected.reshape(-1)}, count),
        expected_last=np.ones(count, np.bool_),
        field="y",
        element=np.arange(count, dtype=np.int64)[:, None],
        shape=case.expected.shape,
    )
