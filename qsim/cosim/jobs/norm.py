"""Jobs of layer_norm, group_norm and rms_norm: a packet of codes for each row, one of results back.

All three run on norm.sv; an instance norm is a group_norm with a group for each channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs import requantize
from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.elementwise import (
    code_limits,
    code_width,
    draws,
    no_rtl,
    one_beat_each,
)
from qsim.cosim.jobs.operands import width_of
from qsim.cosim.jobs.unit import Unit
from qsim.errors import UsageError

if TYPE_CHECKING:
    from hw_models.norms.layer_norm import IntegerNorm
    from qsim.cosim.jobs.scheme_fields import IntegerScheme
    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

    Tables = tuple[Array, Array]

PRIMITIVES: Final = ("layer_norm", "group_norm", "rms_norm")
SOURCES: Final = (
    *requantize.SOURCES,
    "root_digit.sv",
    "quotient_digit.sv",
    "norm_window.sv",
    "norm_inverse.sv",
    "norm_sums.sv",
    "norm_variance.sv",
    "norm_scale.sv",
    "norm.sv",
)
# Bits of the addresses of a row's memory: few widths, so that the calls of a network share a unit.
ROW_BITS: Final = (8, 12, 16, 20, 24)
SUM, EPSILON, FRACTION = 32, 62, 5  # bits
_WEIGHT_BITS: Final = 16  # where the target has no units


def job(case: Case, target: Target) -> Job:
    """Return the beats of one norm, a packet for each row, in C order.

    Raises:
        UsageError: its rescale is a scheme without RTL.
    """
    from qsim.cosim.jobs.scheme_fields import draws_numbers, scheme_numbers, scheme_offset

    attributes: Any = case.attributes
    norm, scheme = _schemes(case)
    count = row_length(case)
    weight, bias = _tables(case, count)
    made = unit(case, target)
    low, high = code_limits(case)
    rows = case.expected.size // count
    values: dict[str, Array | int] = {
        "x": case.operands["x"].reshape(-1),
        "x_zero_point": int(attributes.get("x_zero_point", 0)),
        "weight": _repeated(weight, rows),
        "bias": _repeated(bias, rows),
        "epsilon": norm.epsilon,
        "fraction": norm.fraction,
        "input_zero_point": _number(scheme_offset(scheme)),
        "zero_point": int(attributes["zero_point"]),
        "low": low,
        "high": high,
    }
    values |= {name: _number(held) for name, held in scheme_numbers(scheme).items()}
    if draws_numbers(scheme):
        values["draw"] = draws(scheme.seed, case.expected.size)  # type: ignore[union-attr]  # it draws
    return one_beat_each(case, made, values, count)


def unit(case: Case, target: Target) -> Unit:
    """Return the unit that serves a call: widths of the target's units, or what the call needs.

    Raises:
        UsageError: as ``job``.
    """
    attributes: Any = case.attributes
    norm, scheme = _schemes(case)
    count = row_length(case)
    points = int(attributes["zero_point"]), 0
    acc, output = _format(SUM), case.codes["output"]
    ends = requantize.unit("requantize", target, scheme, acc, output, points)
    x = width_of((target.input.format, case.codes["x"]), [case.operands["x"]])
    zero = code_width(x.bits, int(attributes.get("x_zero_point", 0))) + 1
    weights = target.units.weight_bits if target.units else _WEIGHT_BITS
    weight = width_of((_format(weights), _format(SUM)), [_tables(case, count)[0]])
    parameters = {
        "X_W": x.bits,
        "X_SIGNED": int(x.signed),
        "ZX_W": zero,
        "W_W": weight.bits,
        "ROW_W": next(bits for bits in ROW_BITS if count <= 1 << bits),
        "CENTRED": int(case.primitive != "rms_norm"),
        "ROOT_BITS": norm.root_bits,
        "GUARD": norm.guard,
    }
    inputs = (
        Field("x", x.bits, x.signed),
        Field("x_zero_point", zero, signed=True),
        Field("weight", weight.bits, signed=True),
        Field("bias", SUM, signed=True),
        Field("epsilon", EPSILON, signed=False),
        Field("fraction", FRACTION, signed=False),
        *ends.inputs.fields[1:],
    )
    parameters |= ends.parameters
    return Unit(case.primitive, "norm", SOURCES, parameters, Layout(inputs), ends.outputs)


def row_length(case: Case) -> int:
    """Return how many codes a row of a norm has."""
    attributes: Any = case.attributes
    shape = case.operands["x"].shape
    if case.primitive == "group_norm":
        return int(np.prod(shape[1:])) // int(attributes["groups"])
    return int(np.prod(shape[len(shape) - attributes["dims"] :]))


def _schemes(case: Case) -> tuple[IntegerNorm, IntegerScheme]:
    """Return the norm, and the requantizer at its end."""
    from qsim.cosim.jobs.scheme_fields import ACCEPTED, INTEGER_SCHEMES
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    norm: Any = decode_scheme(attributes["scheme"], case.constants)
    if not isinstance(norm.rescale, INTEGER_SCHEMES):
        what = f"a norm that rescales by {type(norm.rescale).__name__}"
        raise UsageError(**no_rtl(case, what), accepted=ACCEPTED)
    return norm, norm.rescale


def _tables(case: Case, count: int) -> Tables:
    """Return weight and bias of every code of the rows that have their own, [groups, count]."""
    from qsim.program import resolve

    attributes: Any = case.attributes
    found = []
    for name, absent in (("weight", 1), ("bias", 0)):
        given = resolve(attributes.get(name), case.constants)
        if given is None:
            found.append(np.full((1, count), absent, np.int64))
            continue
        array = np.asarray(given, np.int64).reshape(-1)
        if case.primitive == "group_norm":
            array = np.repeat(array, count * attributes["groups"] // array.size)
        found.append(array.reshape(-1, count))
    return found[0], found[1]


def _repeated(table: Array, rows: int) -> Array:
    """Return a table as the rows take it in turn, for every code."""
    return np.tile(table, (rows // len(table), 1)).reshape(-1)


def _number(held: Any) -> int:
    return int(np.asarray(held, np.int64).reshape(-1)[0])


def _format(bits: int) -> Any:
    from hw_models import FixedFormat

    return FixedFormat(bits)
