"""Jobs of rotary: a beat for each pair, its two codes side by side in the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs import rescaled
from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.elementwise import code_width, rows_end
from qsim.cosim.jobs.operands import code_width_of, width_of
from qsim.cosim.jobs.unit import Job, Unit

if TYPE_CHECKING:
    from hw_models import FixedFormat
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

SOURCES: Final = (*rescaled.SOURCES, "rotary_core.sv", "rotary.sv")
ACC: Final = 32  # bits of a sum: hw_models refuses what does not fit
_TURN: Final = 16  # bits of a table's code that every unit has room for


def job(case: Case, target: Target) -> Job:
    """Return the beats of one call: the pairs of a row after each other, rows in C order.

    Raises:
        UsageError: a rescale without RTL.
    """
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    x = case.operands["x"]
    element = pairs(x.shape, attributes["pairing"])
    taken = np.ascontiguousarray(x).reshape(-1)[element]
    made = rescaled.Rescaled()
    made.parameters, made.fields = parts(
        target, case.codes["x"], attributes["x_zero_point"], turn_width(case)
    )
    half = (*x.shape[:-1], x.shape[-1] // 2)
    turns = {
        name: np.broadcast_to(case.operands[name], half).reshape(-1) for name in ("cos", "sin")
    }
    made.values = {"a": taken[:, 0], "b": taken[:, 1], **turns}
    made.values["x_zero_point"] = attributes["x_zero_point"]
    scheme = decode_scheme(attributes["scheme"], case.constants)
    made.finish(case, target, scheme, attributes["zero_point"], lanes=2)
    if "draw" in made.values:
        made.values["draw"] = np.asarray(made.values["draw"])[element]
    beats, bits = len(element), made.parameters["OUT_W"]
    inputs = Layout(tuple(made.fields))
    outputs = Layout((Field("y", bits, case.codes["output"].signed, lanes=2),))
    ends = rows_end(half, beats)
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=Unit(case.primitive, case.primitive, SOURCES, made.parameters, inputs, outputs),
        beats=inputs.pack(made.values, beats),
        last=ends,
        expected=outputs.pack({"y": case.expected.reshape(-1)[element]}, beats),
        expected_last=ends,
        field="y",
        element=element,
        shape=case.expected.shape,
    )


def parts(
    target: Target, codes: FixedFormat, zero_point: int, turn: int
) -> tuple[dict[str, int], list[Field]]:
    """Return the parameters and the fields of the core: two codes, a turn, a zero point."""
    x = code_width_of(target, codes)
    zx_w = code_width(x.bits, zero_point) + 1
    parameters = {
        "IN_W": x.bits, "IN_SIGNED": int(x.signed), "ZX_W": zx_w, "TURN_W": turn, "ACC_W": ACC,
    }  # fmt: skip
    fields = [Field(name, x.bits, x.signed) for name in ("a", "b")]
    fields += [Field(name, turn, signed=True) for name in ("cos", "sin")]
    return parameters, [*fields, Field("x_zero_point", zx_w, signed=True)]


def pairs(shape: tuple[int, ...], pairing: str) -> Array:
    """Return [pairs, 2]: the flat index of both codes of every pair."""
    index = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(-1, shape[-1])
    if pairing == "half":
        return np.stack(np.split(index, 2, axis=1), axis=-1).reshape(-1, 2)
    return index.reshape(-1, 2)


def turn_width(case: Case) -> int:
    """Return the width of a table's codes, signed."""
    tables = [case.operands[name] for name in ("cos", "sin")]
    wanted = width_of((), [-1, *tables])
    return max(_TURN, wanted.bits)
