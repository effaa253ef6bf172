"""Calls that put codes elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.errors import TargetError
from qsim.golden.samples.call import Call, Codes
from qsim.program import encode_scheme, format_to_json
from qsim.target import derive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.program import Array, Json


def concat(codes: Codes, count: int) -> Iterator[Call]:
    """Give two operands: one of the result's scale, which is copied, and one that is rescaled."""
    target = codes.target
    form, output = target.input.format, target.output.format
    if (form.bits, form.signed) != (output.bits, output.signed):
        raise TargetError("it has no concat of its inputs: its outputs are other codes",
                          where=target.name)  # fmt: skip
    constants: dict[str, Array] = {}
    rescale = derive.requantizer(target, 2.0**-5, 1.0, 2.0**-4)
    shared = codes.point(output, output=True)
    attributes: dict[str, Json] = {
        "axis": 1,
        "schemes": [None, encode_scheme(rescale, "scheme", constants)],
        "zero_points": [shared, codes.point(form)],
        "zero_point": shared,
        "output": format_to_json(output),
    }
    shape = (1, -(-count // 2), 1)
    operands = {name: codes.array(form, shape) for name in ("x0", "x1")}
    yield Call("two", attributes, operands, {"x0": form, "x1": form}, constants)


def pad(codes: Codes, count: int) -> Iterator[Call]:
    """Give planes with a border of one code."""
    form = codes.target.input.format
    attributes: dict[str, Json] = {
        "pads": [[0, 0], [0, 0], [1, 1], [2, 1]],
        "value": codes.point(form),
        "mode": "constant",
    }
    shape = (-(-count // 48), 1, 4, 5)
    yield Call("border", attributes, {"x": codes.array(form, shape)}, {"x": form})


def permute(codes: Codes, count: int) -> Iterator[Call]:
    """Give pictures whose channels become the last dimension."""
    form = codes.target.input.format
    x = codes.array(form, (-(-count // 60), 3, 4, 5))
    yield Call("channels-last", {"dims": [0, 2, 3, 1]}, {"x": x}, {"x": form})


def reshape(codes: Codes, count: int) -> Iterator[Call]:
    """Give pictures that become rows."""
    form = codes.target.input.format
    samples = -(-count // 60)
    x = codes.array(form, (samples, 3, 4, 5))
    yield Call("rows", {"shape": [samples, 60]}, {"x": x}, {"x": form})
