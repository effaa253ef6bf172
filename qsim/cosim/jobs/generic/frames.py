"""Jobs of softmax and of moves: packets go in and come out, each of its own length."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.cosim.jobs.beats import Field
from qsim.cosim.jobs.elementwise import rows_end
from qsim.cosim.jobs.generic.elementwise import unit
from qsim.cosim.jobs.generic.numbers import Numbers, code_field, of_scheme
from qsim.cosim.jobs.reading import samples
from qsim.cosim.jobs.softmax import shown
from qsim.cosim.jobs.unit import Job

if TYPE_CHECKING:
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target


def softmax_job(case: Case, target: Target) -> Job:
    """Return every row along the axis as a packet, with the numbers of the scheme.

    Tables of a scheme are the design's own. Of masked_softmax a bit beside each code says whether
    it is shown.
    """
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    x, axis = case.operands["x"], attributes["axis"]
    inputs = Numbers()
    inputs.add(code_field("x", target, case.codes["x"]), np.moveaxis(x, axis, -1).reshape(-1))
    if case.primitive == "masked_softmax":
        marks = np.moveaxis(shown(case), axis, -1).reshape(-1).astype(np.int64)
        inputs.add(Field("shown", 1, signed=False), marks)
    scheme = decode_scheme(attributes["scheme"], case.constants)
    inputs.merge(of_scheme(scheme, target, shape=case.expected.shape))
    order = np.moveaxis(np.arange(x.size).reshape(x.shape), axis, -1).reshape(-1)
    return frames(case, inputs, x.shape[axis], x.shape[axis], order)


def move_job(case: Case, target: Target) -> Job:
    """Return every sample as a packet, codes in C order; all as one where samples mix.

    Where codes go, and from where, is the design's own.
    """
    attributes: Any = case.attributes
    x, y = case.operands["x"], case.expected
    inputs = Numbers()
    inputs.add(code_field("x", target, case.codes["x"]), x.reshape(-1))
    if "value" in attributes:
        value = Field("value", code_field("value", target, case.codes["x"]).bits + 1, signed=True)
        inputs.add(value, attributes["value"])
    count = samples(case)
    return frames(case, inputs, math.prod(x.shape) // count, y.size // count)


def frames(
    case: Case, inputs: Numbers, length: int, results: int, order: Array | None = None
) -> Job:
    """Return the job that sends packets of ``length`` beats and takes ``results`` for each.

    Args:
        case: the call.
        inputs: the fields of all beats; the first says how many there are.
        length: beats that a packet has when it goes in.
        results: beats that it has when it comes out.
        order: flat index in the result of what comes out; C order unless given.
    """
    first = inputs.values[inputs.fields[0].name]
    count, beats = case.expected.size, len(np.atleast_1d(first))
    made = unit(case, inputs, results)
    element = np.arange(count, dtype=np.int64) if order is None else order.astype(np.int64)
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=made,
        beats=made.inputs.pack(inputs.values, beats),
        last=rows_end((length,), beats),
        expected=made.outputs.pack({"y": case.expected.reshape(-1)[element]}, count),
        expected_last=rows_end((results,), count),
        field="y",
        element=element[:, None],
        shape=case.expected.shape,
    )
