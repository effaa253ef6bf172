"""Beats for ``conv_engine``: a whole layer is written into its memories, then runs.

The registers and kinds of beats are those of conv_pkg.sv. Weights, parameters and registers are
written once; then, for every image, its activations and START.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.conv_layer import Layer, layer
from qsim.cosim.jobs.conv_unit import REGISTER_BITS, SOURCES, channel_word, unit
from qsim.cosim.jobs.correlation import zero_points
from qsim.cosim.jobs.elementwise import code_limits
from qsim.cosim.jobs.im2col import in_order
from qsim.cosim.jobs.scheme_fields import (
    ACCEPTED,
    INTEGER_SCHEMES,
    draws_numbers,
    scheme_numbers,
    scheme_offset,
)
from qsim.cosim.jobs.unit import Job, Unit
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from qsim.cosim.jobs.beats import Words
    from qsim.cosim.jobs.scheme_fields import IntegerScheme
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

__all__ = ["SOURCES", "job"]

_ACTIVATION, _WEIGHTS, _ZERO_POINTS, _CHANNEL, _CONFIGURATION, _START = range(6)
_KIND: Final = np.uint64(7)


def job(cases: Sequence[Case], target: Target) -> Job:
    """Return the beats of one layer, and the codes that must come out.

    Args:
        cases: correlation or linear, bias_add if the layer has one, requantize.
        target: states array, widths and memory.

    Raises:
        UsageError: calls that are no layer, a scheme without RTL, or a layer that does not fit.
    """
    made = layer(cases)
    scheme = _scheme(made.codes)
    served = unit(made, scheme, target)
    beats = np.concatenate(
        [
            _registers(served, made, scheme),
            _channels(served, made, scheme),
            _weights(served, made),
            *(_image(served, image) for image in made.x),
        ]
    )
    expected = np.ascontiguousarray(made.codes.expected).reshape(-1)[made.element]
    last = np.zeros(made.element.shape, np.bool_)
    last[:, -1, -1, -1] = True
    return Job(
        name=f"{made.sums.name}.engine",
        layer=made.sums.layer,
        primitive="conv_engine",
        unit=served,
        beats=beats,
        last=np.asarray((beats[:, 0] & _KIND) == _START, np.bool_),
        expected=served.outputs.pack({"y": expected.reshape(-1)}, expected.size),
        expected_last=last.reshape(-1),
        field="y",
        element=made.element.reshape(-1, 1),
        shape=made.codes.expected.shape,
    )


def _scheme(codes: Case) -> IntegerScheme:
    from qsim.program import decode_scheme

    attributes: Any = codes.attributes
    scheme = decode_scheme(attributes["scheme"], codes.constants)
    if isinstance(scheme, INTEGER_SCHEMES) and not draws_numbers(scheme):
        if isinstance(scheme_offset(scheme), int):
            return scheme
        raise UsageError(
            "no RTL of whole layers for a converter with an offset per channel",
            where=f"case {codes.name!r}",
            accepted="one offset for all channels",
        )
    kind, rounding = attributes["scheme"]["kind"], attributes["scheme"].get("rounding", "")
    raise UsageError(
        f"no RTL of whole layers for the scheme {kind} {rounding}".rstrip(),
        where=f"case {codes.name!r}",
        accepted=f"{ACCEPTED}; any rounding but stochastic",
    )


def _writes(
    served: Unit, kind: int, layout: Layout, values: Mapping[str, Array | int], count: int
) -> Words:
    """Return one write for each address from 0 on, the value packed by a layout of its own."""
    lanes = served.inputs.fields[2].lanes
    narrow = layout.pack(values, count).astype("<u8").view("<u4")[:, :lanes]
    value = np.zeros((count, lanes), np.int64)
    value[:, : narrow.shape[1]] = narrow
    fields: dict[str, Array | int] = {"kind": kind, "address": np.arange(count), "value": value}
    return served.inputs.pack(fields, count)


def _registers(served: Unit, made: Layer, scheme: IntegerScheme) -> Words:
    """Return the writes of the configuration: conv_pkg.sv lists the registers in this order."""
    sums: Any = made.sums.attributes
    codes: Any = made.codes.attributes
    x_zero_point, pad = sums["x_zero_point"], sums.get("pad_value")
    values = np.array(
        [
            *made.geometry.values(),
            sums["accumulator"].get("order") == "channel_last",
            x_zero_point,
            x_zero_point if pad is None else pad,
            codes["input_zero_point"] + scheme_offset(scheme),
            codes["zero_point"],
            *code_limits(made.codes),
        ],
        np.int64,
    )
    layout = Layout((Field("value", REGISTER_BITS, signed=True),))
    return _writes(served, _CONFIGURATION, layout, {"value": values}, len(values))


def _channels(served: Unit, made: Layer, scheme: IntegerScheme) -> Words:
    """Return the writes of what every output channel has of its own."""
    axis: Any = made.codes.attributes["axis"]
    values: dict[str, Array | int] = {"bias": 0}
    for name, numbers in scheme_numbers(scheme).items():
        values[name] = made.per_channel(numbers, axis, f"the {name}")
    if made.bias is not None:
        along: Any = made.bias.attributes["axis"]
        values["bias"] = made.per_channel(made.bias.operands["bias"], along, "the bias")
    layout = channel_word(served.parameters)
    return _writes(served, _CHANNEL, layout, values, len(made.weight))


def _weights(served: Unit, made: Layer) -> Words:
    """Return the writes of weights and of their zero points, tile after tile."""
    size = served.parameters
    rows = size["ROWS"]
    points = np.broadcast_to(zero_points(made.sums), (len(made.weight),))
    tiled_points = _tiled(made, points[:, None], rows)
    tiled = _tiled(made, in_order(made.weight, made.sums.attributes), rows)
    point = Layout((Field("point", size["W_W"] + 1, signed=True, lanes=rows),))
    weight = Layout((Field("weight", size["W_W"], bool(size["W_SIGNED"]), lanes=rows),))
    return np.concatenate(
        [
            _writes(served, _ZERO_POINTS, point, {"point": tiled_points}, len(tiled_points)),
            _writes(served, _WEIGHTS, weight, {"weight": tiled}, len(tiled)),
        ]
    )


def _tiled(made: Layer, values: Array, rows: int) -> npt.NDArray[np.int64]:
    """Return values [O, K] as words [groups * tiles * K, rows]; lanes without a channel hold 0."""
    groups, outputs = made.geometry["GROUPS"], made.geometry["OUTPUTS"]
    tiles, taps = -(-outputs // rows), values.shape[1]
    full = np.zeros((groups, tiles * rows, taps), np.int64)
    full[:, :outputs] = values.reshape(groups, outputs, taps)
    by_tap = full.reshape(groups, tiles, rows, taps).transpose(0, 1, 3, 2)
    return by_tap.reshape(-1, rows)


def _image(served: Unit, image: Array) -> Words:
    """Return the writes of one image's activations, and START."""
    size = served.parameters
    layout = Layout((Field("x", size["X_W"], bool(size["X_SIGNED"])),))
    codes = np.ascontiguousarray(image).reshape(-1)
    start = served.inputs.pack({"kind": _START, "address": 0, "value": 0}, 1)
    return np.concatenate([_writes(served, _ACTIVATION, layout, {"x": codes}, codes.size), start])
