"""Encodes a transposed correlation as a correlation of its operand, spread out with zeros between.

The products with these zeros are made: a stride of 2 in both directions makes four times as many as
count. One fast loop makes them sooner than another would be compiled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.program import shapes
from qsim.stream.command import Command, NotInStream
from qsim.stream.copies import copy_words
from qsim.stream.joins import placed
from qsim.stream.layout import Layout

if TYPE_CHECKING:
    from qsim.program import Call
    from qsim.stream.source import Source


def spread(source: Source, index: int) -> tuple[list[Command], Call]:
    """Return the commands that spread out the operand, and the correlation of what they make.

    Raises:
        NotInStream: more is cut off than the taps reach, or a zero point that is no code.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    name, a = call.inputs[0], dict[str, Any](call.attributes)
    x, codes = source.codes(name, wide=True), source.format(name)
    info = np.iinfo(x.dtype)
    if not info.min <= a["x_zero_point"] <= info.max:
        raise NotInStream("the zero point is no code")
    weight = source.program.constants[call.inputs[1]]
    kernel = weight.shape[2:]
    stride, dilation = (shapes.per_dimension(a[n], len(kernel), n) for n in ("stride", "dilation"))
    crop, added = shapes.pads(a["padding"], len(kernel)), _added(a["output_padding"], len(kernel))
    padding = [
        [d * (k - 1) - cut + more for cut, more in zip(c, m, strict=True)]
        for d, k, c, m in zip(dilation, kernel, crop, added, strict=True)
    ]
    if min(min(pair) for pair in padding) < 0:
        raise NotInStream("more is cut off than the taps reach")
    source.made[f"{call.name} weights"] = _turned(weight, a["groups"])
    attributes = {
        "stride": [1] * len(kernel), "padding": padding, "dilation": list(dilation),
        "groups": a["groups"], "x_zero_point": a["x_zero_point"], "pad_value": None,
        "weight_zero_point": a["weight_zero_point"], "accumulator": a["accumulator"],
    }  # fmt: skip
    sizes = ((n - 1) * s + 1 for n, s in zip(x.shape[2:], stride, strict=True))
    wide = Layout((*x.shape[:2], *sizes), x.order, x.dtype)
    commands = []
    if any(s != 1 for s in stride):
        between, item = source.between(call, 0, wide, codes), x.dtype.itemsize
        zero = placed(source, np.array([a["x_zero_point"]], x.dtype), [0])
        by = (1, 1, *stride)
        to = [wide.strides[axis] * by[axis] for axis in x.order]
        words = copy_words(x.memory, [x.strides[axis] for axis in x.order], item, to)
        commands = [
            Command((index,), (), between, f.COPY, copy_words([wide.size], [0], item) | zero),
            Command((index,), (name,), between, f.COPY, words),
        ]
        name = between
    made = f"{call.name} weights"
    return commands, replace(
        call, primitive="correlation", inputs=(name, made), attributes=attributes
    )


def _added(value: Any, spatial: int) -> list[tuple[int, int]]:
    """Return what is added (before, after); a bare size is added after."""
    ends = shapes.pads(value, spatial)
    paired = isinstance(value, list) and any(isinstance(item, list) for item in value)
    return list(ends) if paired else [(0, after) for _, after in ends]


def _turned(weight: Any, groups: int) -> Any:
    """Return weights [C, O / groups, *kernel] as those of a correlation, with taps turned round."""
    inputs, outputs = weight.shape[0] // groups, weight.shape[1]
    split = weight.reshape(groups, inputs, outputs, *weight.shape[2:]).swapaxes(1, 2)
    flat = split.reshape(groups * outputs, inputs, *weight.shape[2:])
    return np.ascontiguousarray(np.flip(flat, tuple(range(2, flat.ndim))))
