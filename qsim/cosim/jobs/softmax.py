"""Jobs of softmax and masked_softmax: a packet of codes for each row, one of probabilities back.

A mask is a bit beside each code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout, bits_for
from qsim.cosim.jobs.elementwise import no_rtl, rows_end
from qsim.cosim.jobs.integer_function import (
    EXPONENTIAL_SOURCES,
    exponential_numbers,
    number_widths,
)
from qsim.cosim.jobs.operands import code_width_of
from qsim.cosim.jobs.unit import Job, Unit
from qsim.errors import UsageError

if TYPE_CHECKING:
    from hw_models import FixedFormat
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

SOURCES: Final = ("code_clamp.sv", *EXPONENTIAL_SOURCES, "softmax_core.sv", "softmax.sv")
_LENGTH: Final = 10  # bits of a place in a row: rows of up to 1024 codes share a unit


def job(case: Case, target: Target) -> Job:
    """Return the beats of one call: every row along the axis, with the constants of its scheme.

    Raises:
        UsageError: a scheme without RTL.
    """
    from hw_models.softmax import IbertSoftmax
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    scheme = decode_scheme(attributes["scheme"], case.constants)
    if not isinstance(scheme, IbertSoftmax):
        what = f"the scheme {attributes['scheme']['kind']}"
        raise UsageError(**no_rtl(case, what), accepted="ibert_softmax")
    x, axis = case.operands["x"], attributes["axis"]
    length = x.shape[axis]
    output = case.codes["output"]
    made = unit(target, scheme.rounding, case.codes["x"], output, length, case.primitive)
    numbers = exponential_numbers(scheme.exponential) | {"drop": scheme.term_shift}
    values: dict[str, Any] = {"x": np.moveaxis(x, axis, -1).reshape(-1), **numbers}
    values |= {"low": output.min, "high": output.max}
    values["shown"] = np.moveaxis(shown(case), axis, -1).reshape(-1).astype(np.int64)
    order = np.moveaxis(np.arange(x.size).reshape(x.shape), axis, -1).reshape(-1)
    ends = rows_end((length,), x.size)
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=made,
        beats=made.inputs.pack(values, x.size),
        last=ends,
        expected=made.outputs.pack({"y": case.expected.reshape(-1)[order]}, x.size),
        expected_last=ends,
        field="y",
        element=order[:, None].astype(np.int64),
        shape=case.expected.shape,
    )


def shown(case: Case) -> Array:
    """Return which codes of x count, one mark for each: all where there is no mask."""
    from qsim.program.attributes import resolve

    shape, attributes = case.operands["x"].shape, case.attributes
    shown = np.broadcast_to(np.bool_(True), shape)
    if "mask" in case.operands:
        mask = case.operands["mask"]
        shown = np.broadcast_to(mask != 0 if attributes["hides"] == "zero" else mask == 0, shape)
        if attributes["allowed"] is not None:
            shown = shown & (resolve(attributes["allowed"], case.constants) != 0)
    return shown


def unit(
    target: Target,
    rounding: str,
    codes: FixedFormat,
    output: FixedFormat,
    length: int,
    primitive: str = "softmax",
) -> Unit:
    """Return the unit of rows of so many codes.

    Args:
        target: states the width of codes that all calls of a network share.
        rounding: ``floor`` or ``half_up``.
        codes: of the rows.
        output: of the probabilities, whose steps are ``2**-bits``.
        length: of a row.
        primitive: ``softmax`` or ``masked_softmax``.
    """
    x, out_w = code_width_of(target, codes), output.bits
    parameters = {
        "IN_W": x.bits,
        "IN_SIGNED": int(x.signed),
        "OUT_W": out_w,
        "HALF_UP": int(rounding == "half_up"),
        "LENGTH_W": max(_LENGTH, bits_for(max(length - 1, 1))),
    }
    widths = number_widths(dict.fromkeys(("left_shift", "ln2", "b", "one", "drop"), 0))
    fields = [Field("x", x.bits, x.signed)]
    fields += [Field(name, bits, signed) for name, (bits, signed) in widths.items()]
    fields += [Field(name, out_w + 1, signed=True) for name in ("low", "high")]
    fields.append(Field("shown", 1, signed=False))
    outputs = Layout((Field("y", out_w, signed=output.signed),))
    inputs = Layout(tuple(fields))
    return Unit(primitive, "softmax", SOURCES, parameters, inputs, outputs)
