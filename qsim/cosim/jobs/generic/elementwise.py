"""Jobs of element-wise primitives: one beat for each element of the result, in C order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.elementwise import one_beat_each
from qsim.cosim.jobs.generic.numbers import Numbers, code_field, of_codes, of_scheme, zero_point
from qsim.cosim.jobs.unit import Unit
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target


def unit(case: Case, inputs: Numbers, packet: int = 0) -> Unit:
    """Return the unit of a call: its fields, and one result ``y`` in the call's format."""
    output = case.codes["output"]
    outputs = Layout((Field("y", output.bits, output.signed),))
    fields = Layout(tuple(inputs.fields))
    return Unit(case.primitive, "", (), {}, fields, outputs, packet)


def job(case: Case, target: Target) -> Job:
    """Return the beats of a call on operands that are broadcast to one shape."""
    from qsim.program import decode_scheme

    shape, attributes = case.expected.shape, case.attributes
    inputs = Numbers()
    for name, array in case.operands.items():
        spread = np.broadcast_to(array, shape).reshape(-1)
        inputs.add(code_field(name, target, case.codes[name]), spread)
    for name, value in attributes.items():
        if name.endswith("_zero_point") and isinstance(value, int):
            bits = max(target.input.bits, *(f.bits for f in case.codes.values()))
            inputs.add(*zero_point(name, value, bits))
    if "scheme" in attributes:
        axis: Any = attributes.get("axis", 0)
        inputs.merge(_scheme(case, decode_scheme(attributes["scheme"], case.constants), target,
                             axis))  # fmt: skip
        inputs.merge(of_codes(case, target))
    return one_beat_each(case, unit(case, inputs), inputs.values)


def prelu_job(case: Case, target: Target) -> Job:
    """Return the beats of a prelu: a code, its slope, and the numbers of both rescales."""
    from qsim.program import decode_scheme

    shape, attributes = case.expected.shape, case.attributes
    inputs = Numbers()
    for name, array in case.operands.items():
        spread = np.broadcast_to(array, shape).reshape(-1)
        inputs.add(code_field(name, target, case.codes[name]), spread)
        point: Any = attributes[f"{name.removesuffix('s')}_zero_point"]
        inputs.add(*zero_point(f"{name}_zero_point", point, case.codes[name].bits))
    for side in ("positive", "negative"):
        found = of_scheme(decode_scheme(attributes[side], case.constants), target, shape=shape)
        for field in found.fields:
            named = replace(field, name=f"{side}_{field.name}")
            inputs.add(named, found.values[field.name])
    inputs.merge(of_codes(case, target))
    return one_beat_each(case, unit(case, inputs), inputs.values)


def _scheme(case: Case, scheme: Any, target: Target, axis: int) -> Numbers:
    """Return the numbers of a scheme; an adder's as the repository's own adder takes them."""
    from hw_models.add import AlignedAdd, MultiplierAdd, ShiftedAdd
    from qsim.cosim.jobs.add import adder_parts

    if isinstance(scheme, (AlignedAdd, MultiplierAdd, ShiftedAdd)):
        try:
            _, fields, values = adder_parts(case, scheme, target)
        except UsageError:  # a rounding that the repository's adder does not have
            return of_scheme(scheme, target, shape=case.expected.shape)
        return Numbers(fields, values)
    return of_scheme(scheme, target, axis=axis, shape=case.expected.shape)


def concat_job(case: Case, target: Target) -> Job:
    """Return the beats of a concat: an element each, with the numbers of the operand it is of.

    ``copy`` is 1 where the code goes through as it is. Where all do, it is left out with the
    numbers.

    Raises:
        UsageError: operands whose schemes have other numbers.
    """
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    axis = attributes["axis"]
    arrays = list(case.operands.values())
    sources = np.concatenate(
        [np.full(array.shape, index) for index, array in enumerate(arrays)], axis=axis
    ).reshape(-1)
    codes = np.concatenate([array.astype(np.int64) for array in arrays], axis=axis)
    formats = [case.codes[name] for name in case.operands]
    widest = max(formats, key=lambda form: form.bits + (not form.signed))
    inputs = Numbers()
    inputs.add(code_field("x", target, widest), codes.reshape(-1))
    if any(scheme is not None for scheme in attributes["schemes"]):
        points = np.asarray(attributes["zero_points"], np.int64)
        field, _ = zero_point("x_zero_point", int(points[np.abs(points).argmax()]), widest.bits)
        inputs.add(field, points[sources])
        copies = [int(scheme is None) for scheme in attributes["schemes"]]
        inputs.add(Field("copy", 1, signed=False), np.asarray(copies)[sources])
        schemes = [
            None if scheme is None else decode_scheme(scheme, case.constants)
            for scheme in attributes["schemes"]
        ]
        inputs.merge(_chosen(case, schemes, sources, target))
        inputs.merge(of_codes(case, target))
    return one_beat_each(case, unit(case, inputs), inputs.values)


def _chosen(case: Case, schemes: list[Any], sources: Array, target: Target) -> Numbers:
    """Return the numbers of each element's own scheme; 0 where it is copied."""
    shape = case.expected.shape
    each = [None if s is None else of_scheme(s, target, shape=shape) for s in schemes]
    made = [numbers for numbers in each if numbers is not None]
    if any(numbers.fields != made[0].fields for numbers in made):
        raise UsageError(
            "the operands of a concat are rescaled by schemes of different fields",
            where=f"case {case.name!r}",
            accepted="operands of one scheme",
        )
    chosen = Numbers()
    for field in made[0].fields:
        value = np.zeros(sources.size, np.uint64 if field.name == "draw" else np.int64)
        for index, numbers in enumerate(each):
            if numbers is not None:
                mine = sources == index
                value[mine] = np.broadcast_to(numbers.values[field.name], sources.shape)[mine]
        chosen.add(field, value)
    return chosen
