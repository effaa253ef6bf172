"""Definitions of primitives without RTL of ours, on the fields of their own beats.

As in ``definitions``, each is the ``reference()`` of hw_models. Such beats are made for other
people's RTL alone, so a definition is only told where it gives what the vectors expect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.cosim.explaining.definition import Definition
from qsim.cosim.explaining.definitions import one_adder
from qsim.cosim.explaining.schemes import one_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsim.golden import Case

    Values = Mapping[str, Sequence[Any]]

_NUMBERS: Final = ("multiplier", "addend")
_SIDES: Final = ("positive", "negative")


def unshipped(case: Case) -> Definition | None:
    """Return the definition of a call; None of a primitive whose result is more than a formula."""
    make = _MAKERS.get(case.primitive)
    return None if make is None else make(case)


def _rescale(scheme: Any, values: Values, prefix: str = "") -> Any:
    """Return a scheme with the numbers of a beat, whose names may begin with a prefix.

    Raises:
        KeyError: it has no shift: it computes in float, of which no steps in integers are told.
    """
    numbers = {n: values[prefix + n][0] for n in _NUMBERS if prefix + n in values}
    return one_channel(scheme, values[f"{prefix}shift"][0], **numbers)


def _rest(case: Case, values: Values) -> dict[str, Any]:
    """Return the zero points, the format and the clamp of a call."""
    attributes: Any = case.attributes
    points = {n: v for n, v in attributes.items() if n.endswith("zero_point")}
    low, high = ((values[name][0] if name in values else None) for name in ("low", "high"))
    clamp = None if low is None else (low, high)
    return {**points, "output": case.codes["output"], "clamp": clamp}


def _scheme(case: Case) -> Any:
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    return decode_scheme(attributes["scheme"], case.constants)


def _mul(case: Case) -> Definition:
    from hw_models.mul import reference

    scheme = _scheme(case)

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        a, b, rescale = values["a"][0], values["b"][0], _rescale(scheme, values)
        return reference(a, b, rescale, **_rest(case, values), select=select)

    return Definition(("a", "b"), compute)


def _sub(case: Case) -> Definition:
    from hw_models.sub import reference

    adder, attributes = _scheme(case), case.attributes
    negate: Any = attributes.get("negate", "term")

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        ends = ("multiplier", "shift", "left")
        own = one_adder(adder, **{n: v[0] for n, v in values.items() if n.endswith(ends)})
        a, b = values["a"][0], values["b"][0]
        return reference(a, b, own, **_rest(case, values), negate=negate, select=select)

    return Definition(("a", "b"), compute)


def _prelu(case: Case) -> Definition:
    from hw_models.prelu import reference
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    sides = {side: decode_scheme(attributes[side], case.constants) for side in _SIDES}
    points = {name: held for name, held in attributes.items() if name.endswith("zero_point")}

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        own = [_rescale(scheme, values, f"{side}_") for side, scheme in sides.items()]
        rest: dict[str, Any] = {**points, "output": case.codes["output"], "select": select}
        return reference(values["x"][0], values["slopes"][0], own[0], own[1], **rest)

    return Definition(("x", "slopes"), compute)


def _extremum(case: Case) -> Definition:
    from hw_models.extremum import reference

    largest = case.primitive == "maximum"

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        return reference(values["a"][0], values["b"][0], largest=largest, select=select)

    return Definition(("a", "b"), compute)


def _shift_right(case: Case) -> Definition:
    from hw_models.shift import reference

    rounding: Any = case.attributes["rounding"]

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        x, shift, output = values["x"][0], values["shift"][0], case.codes["output"]
        return reference(x, shift, rounding, output, select=select)

    return Definition(("x",), compute)


def _mean(case: Case) -> Definition:
    from hw_models.mean import Division, reference

    averager = _scheme(case)

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        own = averager if isinstance(averager, Division) else _rescale(averager, values)
        return reference(values["x"], own, **_rest(case, values), select=select)

    return Definition(("x",), compute)


def _concat(case: Case) -> Definition:
    from hw_models.moves.concat import reference
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    schemes = [decode_scheme(s, case.constants) for s in attributes["schemes"] if s is not None]

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        x = values["x"][0]
        if not schemes or values["copy"][0]:
            return x
        points = values["x_zero_point"][0], attributes["zero_point"]
        own = _rescale(schemes[0], values)
        return reference(x, own, *points, case.codes["output"], select=select)

    return Definition(("x",), compute)


_MAKERS: Final[Mapping[str, Callable[[Case], Definition]]] = {
    "mul": _mul,
    "sub": _sub,
    "prelu": _prelu,
    "minimum": _extremum,
    "maximum": _extremum,
    "shift_right": _shift_right,
    "mean": _mean,
    "concat": _concat,
}
