"""Jobs of concat: every element rescaled as its operand is, on the requantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.cosim.jobs.elementwise import draws, no_rtl, one_beat_each
from qsim.cosim.jobs.requantize import unit
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cosim.jobs.scheme_fields import IntegerScheme
    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target


def job(case: Case, target: Target) -> Job:
    """Return the beats of one concat, an element of the result each, in C order.

    An operand without a scheme is rescaled by 1, from zero point 0 to zero point 0.

    Raises:
        UsageError: a scheme without RTL, or operands whose schemes need units of their own.
    """
    attributes: Any = case.attributes
    schemes, output = schemes_of(case), case.codes["output"]
    widest = max(
        (case.codes[name] for name in case.operands), key=lambda f: f.bits + (not f.signed)
    )
    given = zip(attributes["schemes"], attributes["zero_points"], strict=True)
    points = [(0, 0) if held is None else (attributes["zero_point"], at) for held, at in given]
    largest = max((end for end, _ in points), key=abs), max((at for _, at in points), key=abs)
    units = [unit("concat", target, scheme, widest, output, largest) for scheme in schemes]
    if any(each != units[0] for each in units):
        raise UsageError(
            **no_rtl(case, "a concat whose operands are rescaled by different schemes"),
            accepted="operands of one scheme",
        )
    parts = [
        _part(array, scheme, *ends)
        for array, scheme, ends in zip(case.operands.values(), schemes, points, strict=True)
    ]
    values: dict[str, Array | int] = {
        name: np.concatenate([part[name] for part in parts], attributes["axis"]).reshape(-1)
        for name in parts[0]
    }
    return one_beat_each(case, units[0], values | {"low": output.min, "high": output.max})


def _part(
    array: Array, scheme: IntegerScheme, zero_point: int, input_zero_point: int
) -> dict[str, Array]:
    """Return what the fields hold for each code of an operand, in its shape."""
    from qsim.cosim.jobs.scheme_fields import draws_numbers, scheme_numbers, scheme_offset

    numbers = {name: int(held.reshape(-1)[0]) for name, held in scheme_numbers(scheme).items()}
    offset = np.asarray(scheme_offset(scheme)).reshape(-1)[0]
    numbers |= {"zero_point": zero_point, "input_zero_point": input_zero_point + int(offset)}
    made: dict[str, Array] = {
        name: np.full(array.shape, value, np.int64) for name, value in numbers.items()
    }
    if draws_numbers(scheme):
        seed: Any = getattr(scheme, "seed", 0)
        made["draw"] = draws(seed, array.size).reshape(array.shape)
    return made | {"acc": array.astype(np.int64)}


def schemes_of(case: Case) -> list[IntegerScheme]:
    """Return the scheme of every operand: of one that is copied a rescale by 1.

    Raises:
        UsageError: a scheme without RTL.
    """
    from hw_models.schemes import PowerOfTwo
    from qsim.cosim.jobs.scheme_fields import ACCEPTED, INTEGER_SCHEMES
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    found = [
        None if held is None else decode_scheme(held, case.constants)
        for held in attributes["schemes"]
    ]
    rescales = [scheme for scheme in found if scheme is not None]
    wrong = next((each for each in rescales if not isinstance(each, INTEGER_SCHEMES)), None)
    if wrong is not None:
        what = f"concat with the rescale {type(wrong).__name__}"
        raise UsageError(**no_rtl(case, what), accepted=ACCEPTED)
    copy = _by_one(rescales[0]) if rescales else PowerOfTwo(0, "floor")
    return [copy if scheme is None else scheme for scheme in found]


def _by_one(scheme: IntegerScheme) -> IntegerScheme:
    """Return the rescale by 1 that runs on a scheme's unit."""
    from hw_models.schemes import Converter, FixedPoint, MulAddShift, PowerOfTwo

    match scheme:
        case FixedPoint():
            return FixedPoint.from_scale(1.0, scheme.bits, scheme.rounding)
        case PowerOfTwo():
            return PowerOfTwo(0, scheme.rounding, scheme.seed)
        case MulAddShift():
            return MulAddShift(1, 0, 0, scheme.rounding)
        case Converter():
            return Converter(0, 1, 0)
