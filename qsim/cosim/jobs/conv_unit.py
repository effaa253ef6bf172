"""The engine that a layer needs: parameters of conv_engine.sv, and whether the layer fits it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.cosim.jobs import bias_add, correlation, requantize
from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.scheme_fields import scheme_fields
from qsim.cosim.jobs.unit import Unit
from qsim.errors import UsageError
from qsim.program import accumulator_from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.cosim.jobs.conv_layer import Layer
    from qsim.cosim.jobs.scheme_fields import IntegerScheme
    from qsim.golden import Case
    from qsim.target import Target

SOURCES: Final = (
    "conv_pkg.sv",
    *dict.fromkeys(
        (*requantize.SOURCES, *bias_add.SOURCES, *correlation.SOURCES),
    ),
    "conv_memory.sv",
    "conv_taps.sv",
    "conv_drain.sv",
    "conv_sums.sv",
    "conv_codes.sv",
    "conv_engine.sv",
)
REGISTER_BITS: Final = 34
_ADDRESS_BITS: Final = 24
_LARGEST_SIZE: Final = 1 << 16
# What every engine has room for, so that the layers of a network share one: codes, words of
# weights, channels. A larger layer gets a larger engine, where the target states no memory.
_DEPTHS: Final = (1 << 16, 1 << 14, 1 << 10)


def unit(made: Layer, scheme: IntegerScheme, target: Target) -> Unit:
    """Return the engine of a target, wider or larger where the layer needs it.

    Raises:
        UsageError: a layer that does not fit the target's memory or the engine's addresses.
    """
    sums = correlation.unit(made.sums, target).parameters
    parameters = {name: sums[name] for name in sums if name != "COLUMNS"}
    parameters |= _bias_parameters(made.bias, target)
    codes: Any = made.codes.attributes
    output = made.codes.codes["output"]
    points = codes["zero_point"], codes["input_zero_point"]
    acc = made.codes.codes["acc"]
    requantizer = requantize.unit("requantize", target, scheme, acc, output, points).parameters
    parameters |= {name: value for name, value in requantizer.items() if name != "ACC_W"}
    parameters |= _depths(made, target, parameters)
    rows, width = parameters["ROWS"], parameters["W_W"]
    widest = max(rows * (width + 1), channel_word(parameters).width, REGISTER_BITS)
    lanes = -(-widest // 32)
    parameters |= {"ADDRESS_W": _ADDRESS_BITS, "VALUE_W": 32 * lanes}
    inputs = (
        Field("kind", 3, signed=False),
        Field("address", _ADDRESS_BITS, signed=False),
        Field("value", 32, signed=False, lanes=lanes),
    )
    outputs = Layout((Field("y", parameters["OUT_W"], output.signed),))
    return Unit("conv_engine", "conv_engine", SOURCES, parameters, Layout(inputs), outputs)


def channel_word(parameters: Mapping[str, int]) -> Layout:
    """Return the fields of a channel's word."""
    bias = Field("bias", parameters["BIAS_W"], signed=True)
    return Layout((*scheme_fields(parameters), bias))


def _bias_parameters(bias: Case | None, target: Target) -> dict[str, int]:
    if bias is None:
        return {"BIAS_ADD": 0, "BIAS_W": 1, "SUM_W": 2, "SUM_RULE": 0}
    accumulator = accumulator_from_json(bias.attributes["accumulator"])
    adder = bias_add.unit(target, accumulator, bias.codes).parameters
    return {
        "BIAS_ADD": 1,
        "BIAS_W": adder["BIAS_W"],
        "SUM_W": adder["SUM_W"],
        "SUM_RULE": adder["OVERFLOW"],
    }


def _depths(made: Layer, target: Target, parameters: Mapping[str, int]) -> dict[str, int]:
    """Return the sizes of the memories, or raise UsageError for a layer that does not fit."""
    groups, outputs = made.geometry["GROUPS"], made.geometry["OUTPUTS"]
    tiles = groups * -(-outputs // parameters["ROWS"])
    needed = {
        "codes of an image": math.prod(made.x.shape[1:]),
        "words of weights": tiles * math.prod(made.weight.shape[1:]),
        "output channels": len(made.weight),
    }
    depths = [
        max(least, 1 << (count - 1).bit_length())
        for least, count in zip(_DEPTHS, needed.values(), strict=True)
    ]
    limits = [1 << _ADDRESS_BITS] * 3
    if target.memory.bytes:
        limits[0] = min(target.memory.bytes * 8 // parameters["X_W"], limits[0])
        depths[0] = max(limits[0], 2)
    for (what, count), limit in zip(needed.items(), limits, strict=True):
        _require(made, what, count, limit)
    for name, size in made.geometry.items():
        _require(made, name.lower().replace("_", " "), size, _LARGEST_SIZE)
    return dict(zip(("X_DEPTH", "W_DEPTH", "C_DEPTH"), depths, strict=True))


def _require(made: Layer, what: str, size: int, limit: int) -> None:
    if size > limit:
        raise UsageError(
            f"the layer must fit conv_engine: {what}: {size}, {size - limit} too many",
            where=f"case {made.sums.name!r}",
            accepted=f"at most {limit}",
        )
