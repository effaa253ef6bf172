"""The definition of layer_norm, group_norm and rms_norm: a code of a row, made of all of them.

What is told are the codes of the row, and of the one that differs its place and its parameters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qsim.cosim.explaining.definition import Definition
from qsim.cosim.explaining.rows import PLACE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsim.golden import Case

    Values = Mapping[str, Sequence[Any]]


def norm(case: Case, one_channel: Callable[..., Any]) -> Definition:
    """Return the definition of a norm on the fields of a row's beats.

    ``one_channel`` makes its rescale with the numbers of a beat.
    """
    from hw_models.requantize import reference
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    scheme: Any = decode_scheme(attributes["scheme"], case.constants)
    output, centred = case.codes["output"], case.primitive != "rms_norm"

    def compute(values: Values, select: Callable[[Any, Any, Any], Any]) -> Any:
        own = replace(scheme, epsilon=values["epsilon"][0], fraction=values["fraction"][0])
        count, place = len(values["x"]), values[PLACE][0]
        codes = values["x"] if centred else [x - values["x_zero_point"][0] for x in values["x"]]
        weight, bias = ([values[name][0]] * count for name in ("weight", "bias"))
        sums = own.reference(codes, weight, bias, centred=centred, select=select)
        numbers = {n: values[n][0] for n in ("multiplier", "shift", "addend") if n in values}
        rescale = one_channel(scheme.rescale, **numbers)
        limits = values["low"][0], values["high"][0]
        points = values["zero_point"][0], values["input_zero_point"][0]
        return reference(
            sums[place], rescale, points[0], output, limits, points[1],
            draw=values.get("draw", (0,))[0], select=select,
        )  # fmt: skip

    return Definition(("x", "draw"), compute)
