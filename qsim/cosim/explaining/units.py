"""The definitions of the units without floats: functions of a code, softmax, rotary turns.

Loops over digits are told as one operation each: nobody reads the digits of a quotient.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qsim.cosim.explaining.definition import Definition
from qsim.cosim.explaining.rows import MARKS, PLACE
from qsim.cosim.explaining.schemes import NUMBERS, one_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsim.golden import Case

    Values = Mapping[str, Sequence[Any]]
    Select = Callable[[Any, Any, Any], Any]


def softmax(case: Case) -> Definition:
    """Return the definition of I-BERT's softmax on the fields of a row's beats."""
    from hw_models.softmax import IbertSoftmax
    from hw_models.tracing import step
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    scheme: Any = decode_scheme(attributes["scheme"], case.constants)
    output = case.codes["output"]

    def compute(values: Values, select: Select) -> Any:
        names = ("ln2", "b", "one", "left_shift")
        made = replace(scheme.exponential, **{name: values[name][0] for name in names})
        own = IbertSoftmax(made, scheme.rounding)
        marks = values.get(MARKS, [1] * len(values["x"]))
        seen = [x for x, mark in zip(values["x"], marks, strict=True) if mark]
        x = values["x"][values[PLACE][0]]
        if not marks[values[PLACE][0]]:
            return step(_told("hidden", output.min, x), "y")
        row = [int(x) for x in seen]
        top = max(row)
        total = sum(own.term(x - top) for x in row)
        largest = step(_told("max", top, *seen), "largest")
        difference = step(x - largest, "difference")
        term = step(_told("exponential", own.term(int(difference)), difference), "term")
        every = step(_told("sum_of_exponentials", total, largest), "total")
        factor = step(_told("quotient", (1 << 32) // total, 1 << 32, every), "factor")
        value = step(own.share(term, factor, output), "share")
        return step(select(value > output.max, value - value + output.max, value), "y")

    return Definition(("x",), compute)


def integer_function(case: Case) -> Definition:
    """Return the definition of a function of a code on the fields of a beat."""
    from hw_models.requantize import reference
    from hw_models.tracing import step
    from qsim.cosim.jobs.integer_function import KINDS
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    unit: Any = decode_scheme(attributes["scheme"], case.constants)
    output = case.codes["output"]
    kind, exp = type(unit).__name__, KINDS.index(type(unit).__name__) == 0

    def compute(values: Values, select: Select) -> Any:
        code, origin = values["code"][0], values["origin"][0]
        own = replace(unit, **{"top" if exp else "input_zero_point": origin})
        c = step(code - origin, "c")
        if not hasattr(unit, "rescale"):
            return step(_told(kind, own.reference(int(code), output), c), "y")
        value = step(_told(kind, own.curve(int(code)), c), "curve")
        numbers = {name: values[name][0] for name in NUMBERS if name in values}
        rescale = one_channel(unit.rescale, **numbers)
        limits = values["low"][0], values["high"][0]
        return reference(
            value, rescale, values["zero_point"][0], output, limits, values["offset"][0],
            draw=values.get("draw", (0,))[0], select=select,
        )  # fmt: skip

    return Definition(("code", "draw"), compute)


def rotary(case: Case) -> Definition:
    """Return the definition of a turn on the fields of a beat, of the code in its place."""
    from hw_models.requantize import reference
    from hw_models.rotary import sums
    from hw_models.tracing import step
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    scheme = decode_scheme(attributes["scheme"], case.constants)
    output = case.codes["output"]

    def compute(values: Values, select: Select) -> Any:
        zero = values["x_zero_point"][0]
        a, b = (step(values[name][0] - zero, name.upper()) for name in ("a", "b"))
        total = sums(a, b, values["cos"][0], values["sin"][0])[values[PLACE][0]]
        numbers = {name: values[name][0] for name in NUMBERS if name in values}
        limits = values["low"][0], values["high"][0]
        return reference(
            step(total, "sum"), one_channel(scheme, **numbers), values["zero_point"][0], output,
            limits, values["offset"][0], draw=values.get("draw", (0,))[0], select=select,
        )  # fmt: skip

    return Definition(("a", "b", "draw"), compute)


def _told(name: str, value: int, *arguments: Any) -> Any:
    """Return a value; where an argument is traced, as made by one operation of that name."""
    from hw_models.tracing import Traced

    if not any(isinstance(each, Traced) for each in arguments):
        return value
    shown: list[Any] = [name, "("]
    for each in arguments:
        shown += [each if isinstance(each, Traced) else int(each), ", "]
    return Traced(int(value), (*shown[:-1], ")"))
