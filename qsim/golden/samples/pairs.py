"""Calls on two operands, element by element."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models import FixedFormat
from hw_models.rounding import DETERMINISTIC
from qsim.errors import TargetError
from qsim.golden.samples.call import Call, Codes
from qsim.program import encode_scheme, format_to_json
from qsim.target import derive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qsim.program import Array, Json

# Real scales of a, b and the result; powers of two for datapaths that only shift.
SCALES: Final = {
    "powers": (2.0**-6, 2.0**-5, 2.0**-4),
    "fine": (0.0117, 0.0234, 0.0391),
    "growing": (0.031, 0.027, 0.012),
}


def sub(codes: Codes, count: int) -> Iterator[Call]:
    """Give differences at several scales."""
    for name, scales in SCALES.items():
        for negate in ("term", "operand") if name == "powers" else ("term",):
            adder = partial(derive.adder, codes.target, *scales)
            yield from _scaled(codes, count, f"{name}-{negate}", adder, {"negate": negate})


def mul(codes: Codes, count: int) -> Iterator[Call]:
    """Give products at several scales."""
    for name, scales in SCALES.items():
        requantizer = partial(derive.requantizer, codes.target, *scales, "mul")
        yield from _scaled(codes, count, name, requantizer, {"axis": 0})


def prelu(codes: Codes, count: int) -> Iterator[Call]:
    """Give codes on both sides of 0 with slopes of their own, at several scales."""
    form, output = codes.target.input.format, codes.target.output.format
    for name, scales in SCALES.items():
        constants: dict[str, Array] = {}
        try:
            sides = {
                "positive": derive.requantizer(codes.target, scales[0], 1.0, scales[2], "mul"),
                "negative": derive.requantizer(codes.target, *scales, "mul"),
            }
        except TargetError:
            continue  # a datapath that only shifts has no such scales
        attributes: dict[str, Json] = {
            side: encode_scheme(scheme, side, constants) for side, scheme in sides.items()
        }
        attributes |= {
            "x_zero_point": codes.point(form),
            "slope_zero_point": codes.point(form),
            "zero_point": codes.point(output, output=True),
            "output": format_to_json(output),
        }
        pair = codes.pair(form, -(-count // len(SCALES)))
        operands = {"x": pair["a"], "slopes": pair["b"]}
        yield Call(name, attributes, operands, {"x": form, "slopes": form}, constants)


def _scaled(
    codes: Codes, count: int, name: str, derived: Callable[[], Any], more: dict[str, Json]
) -> Iterator[Call]:
    try:
        scheme = derived()
    except TargetError:
        return  # a datapath that only shifts has no such scales
    form, output = codes.target.input.format, codes.target.output.format
    constants: dict[str, Array] = {}
    attributes: dict[str, Json] = {
        "scheme": encode_scheme(scheme, "scheme", constants),
        "a_zero_point": codes.point(form),
        "b_zero_point": codes.point(form),
        "zero_point": codes.point(output, output=True),
        "output": format_to_json(output),
        "clamp": None,
        **more,
    }
    operands = codes.pair(form, -(-count // len(SCALES)))
    yield Call(name, attributes, operands, {"a": form, "b": form}, constants)


def minimum(codes: Codes, count: int) -> Iterator[Call]:
    """Give pairs of codes."""
    form = codes.target.input.format
    yield Call("codes", {}, codes.pair(form, count), {"a": form, "b": form})


maximum = minimum


def shift_right(codes: Codes, count: int) -> Iterator[Call]:
    """Give sums of the target's register shifted by 0 to 31, under every rounding."""
    target = codes.target
    acc, shift = FixedFormat(min(target.sum.bits, 32)), FixedFormat(6, signed=False)
    for rounding in DETERMINISTIC:
        size = -(-count // len(DETERMINISTIC)) + 32
        wide = codes.array(acc, (1, size)).astype(np.int64)
        shifts = np.arange(size) % 32
        # Of every width: a code shifted by less than its width is not 0.
        x = wide >> np.maximum(31 - shifts - codes.target.output.bits, 0)
        yield Call(
            rounding.replace("_", "-"),
            {"rounding": rounding, "output": format_to_json(target.output.format)},
            {"x": x.astype(acc.dtype), "shift": shifts[None].astype(shift.dtype)},
            {"x": acc, "shift": shift},
        )
