"""The definition of each primitive that has RTL, on the fields of its beats.

Each one is the ``reference()`` of hw_models: of integers it gives the result, of traced integers
the steps to it. Numbers of a scheme are taken from the beat, for that is what RTL computes with.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.explaining import units
from qsim.cosim.explaining.definition import Definition
from qsim.cosim.explaining.moves import cache_write, move
from qsim.cosim.explaining.norms import norm
from qsim.cosim.explaining.schemes import NUMBERS, one_channel
from qsim.cosim.jobs.concat import schemes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsim.golden import Case

    Values = Mapping[str, Sequence[Any]]


def definition(case: Case) -> Definition | None:
    """Return the definition of a call; None of a primitive that has no RTL of ours."""
    make = _MAKERS.get(case.primitive)
    return None if make is None else make(case)


def _limits(values: Values) -> tuple[int, int]:
    return values["low"][0], values["high"][0]


def _requantize(case: Case) -> Definition:
    from hw_models.requantize import reference
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    concat = case.primitive == "concat"
    scheme = schemes_of(case)[0] if concat else decode_scheme(attributes["scheme"], case.constants)
    output = case.codes["output"]
    one = functools.lru_cache(maxsize=1 << 12)(functools.partial(one_channel, scheme))

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        numbers = {name: values[name][0] for name in NUMBERS if name in values}
        return reference(
            values["acc"][0], one(**numbers), values["zero_point"][0], output, _limits(values),
            values["input_zero_point"][0], draw=values.get("draw", (0,))[0], select=select,
        )  # fmt: skip

    return Definition(("acc", "draw"), compute)


def _clamp(case: Case) -> Definition:
    from hw_models.activation import reference

    del case

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        return reference(values["acc"][0], *_limits(values), select=select)

    return Definition(("acc",), compute)


def _bias_add(case: Case) -> Definition:
    from hw_models.bias_add import reference
    from qsim.program import accumulator_from_json

    accumulator = accumulator_from_json(case.attributes["accumulator"])

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        return reference(values["acc"][0], values["bias"][0], accumulator, select=select)

    return Definition(("acc",), compute)


def _add(case: Case) -> Definition:
    from hw_models.add import reference
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    adder = decode_scheme(attributes["scheme"], case.constants)
    output = case.codes["output"]
    one = functools.lru_cache(maxsize=1 << 12)(functools.partial(one_adder, adder))

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        numbers = {
            name: values[name][0]
            for name in values
            if name.endswith(("multiplier", "shift", "left"))
        }
        points = {name: values[name][0] for name in values if name.endswith("zero_point")}
        return reference(
            values["a"][0], values["b"][0], one(**numbers), **points, output=output,
            clamp=_limits(values), draw=values.get("draw", (0,))[0], select=select,
        )  # fmt: skip

    return Definition(("a", "b", "draw"), compute)


def _mul(case: Case) -> Definition:
    from hw_models.requantize import reference
    from hw_models.tracing import step
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    scheme = decode_scheme(attributes["scheme"], case.constants)
    output = case.codes["output"]

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        a, b = (values[name][0] - values[f"{name}_zero_point"][0] for name in ("a", "b"))
        numbers = {name: values[name][0] for name in NUMBERS if name in values}
        return reference(
            step(a * b, "product"), one_channel(scheme, **numbers), values["zero_point"][0],
            output, _limits(values), values["offset"][0], draw=values.get("draw", (0,))[0],
            select=select,
        )  # fmt: skip

    return Definition(("a", "b", "draw"), compute)


def one_adder(adder: Any, **numbers: int) -> Any:
    """Return an adder with the numbers of one beat."""
    from hw_models.add import AlignedAdd, ShiftedAdd

    if isinstance(adder, ShiftedAdd):
        rescales = {
            name: replace(
                getattr(adder, name),
                multiplier=numbers[f"{name}_multiplier"],
                right_shift=numbers[f"{name}_shift"],
            )
            for name in ("a", "b", "out")
        }
        return replace(adder, **rescales)
    if isinstance(adder, AlignedAdd):
        out = replace(adder.out, right_shift=numbers["shift"])
        return replace(adder, left_a=numbers["a_left"], left_b=numbers["b_left"], out=out)
    return replace(
        adder,
        multiplier_a=numbers["a_multiplier"],
        multiplier_b=numbers["b_multiplier"],
        right_shift=numbers["shift"],
    )


def _lookup(case: Case) -> Definition:
    from hw_models.lookup import reference
    from hw_models.tracing import Table, Traced, step
    from qsim.program import resolve

    attributes: Any = case.attributes
    table = np.asarray(resolve(attributes["table"], case.constants)).tolist()
    form = case.codes["x"]
    sign = 1 << (form.bits - 1) if form.signed else 0

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        del select
        address = values["address"][0]
        code = step((address ^ sign) - sign, "code")  # the address is the code's own bits
        entries: Any = Table(table) if isinstance(code, Traced) else table
        return reference(code, entries, form)

    return Definition(("address",), compute)


def _max_pool(case: Case) -> Definition:
    from hw_models.pools.max_pool import reference

    del case

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        del select
        return reference(values["x"], (0,), len(values["x"]), 1)[0]

    return Definition(("x",), compute)


def _avg_pool(case: Case) -> Definition:
    from hw_models.pools.avg_pool import reference

    rounding: Any = case.attributes["rounding"]
    output = case.codes["output"]

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        return reference(values["x"], rounding, output, select=select)

    return Definition(("x",), compute)


def _correlation(case: Case) -> Definition:
    from hw_models.correlation import output_reference
    from qsim.program import accumulator_from_json

    accumulator = accumulator_from_json(case.attributes["accumulator"])

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        taps = list(zip(values["x"], values["weight"], strict=True))
        points = values["x_zero_point"][0], values["weight_zero_point"][0]
        return output_reference(taps, *points, accumulator, select=select)[0]

    return Definition(("x", "weight"), compute)


def _norm(case: Case) -> Definition:
    return norm(case, one_channel)


_MAKERS: Final[Mapping[str, Callable[[Case], Definition]]] = {
    "requantize": _requantize,
    "mul": _mul,
    "concat": _requantize,
    "clamp": _clamp,
    "bias_add": _bias_add,
    "add": _add,
    "lookup": _lookup,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "correlation": _correlation,
    "linear": _correlation,
    "matmul": _correlation,
    "strided_slice": move,
    "permute": move,
    "gather": move,
    "embedding": move,
    "cache_write": cache_write,
    "layer_norm": _norm,
    "group_norm": _norm,
    "rms_norm": _norm,
    "softmax": units.softmax,
    "masked_softmax": units.softmax,
    "integer_function": units.integer_function,
    "rotary": units.rotary,
}
