"""Jobs of transposed_correlation: the products of every sum, a packet each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.operands import width_of
from qsim.cosim.jobs.unit import Job, Unit
from qsim.program import shapes

if TYPE_CHECKING:
    from qsim.golden import Case
    from qsim.target import Target

Indices = npt.NDArray[np.int64]


def job(case: Case, target: Target) -> Job:
    """Return the products of every sum: x, weight and their zero points; nothing else.

    A sum without any product is one beat whose codes are the zero points.
    """
    from qsim.program import resolve

    attributes: Any = case.attributes
    x, weight = (case.operands[name].astype(np.int64) for name in ("x", "weight"))
    points = np.asarray(resolve(attributes["weight_zero_point"], case.constants), np.int64)
    outputs = weight.shape[1] * attributes["groups"]
    points = np.broadcast_to(points.reshape(-1), (outputs,))
    x_zero = attributes["x_zero_point"]
    place, source, tap = _taps(case)
    position = math.prod(case.expected.shape[2:])
    starts = np.searchsorted(place, np.arange(position))
    ends = np.searchsorted(place, np.arange(position), side="right")
    planes = x.reshape(*x.shape[:2], -1)
    kernels = weight.reshape(*weight.shape[:2], -1)
    per_group, columns = x.shape[1] // attributes["groups"], weight.shape[1]
    codes: list[Indices] = []
    for image in planes:
        for output in range(outputs):
            group, column = divmod(output, columns)
            channels = slice(group * per_group, (group + 1) * per_group)
            # [2, channels, products of one channel]
            pairs = np.stack([image[channels][:, source], kernels[channels, column][:, tap]])
            for start, end in zip(starts, ends, strict=True):
                sum_ = pairs[:, :, start:end].reshape(2, -1)
                codes.append(sum_ if sum_.size else np.array([[x_zero], [points[output]]]))
    lengths = np.array([each.shape[1] for each in codes])
    both = np.concatenate(codes, axis=1)
    owner = np.repeat(np.arange(len(codes)), lengths) // position % outputs
    return _job(case, target, both, points[owner], np.cumsum(lengths) - 1)


def _job(case: Case, target: Target, codes: Indices, points: Indices, ends: Indices) -> Job:
    attributes: Any = case.attributes
    x = width_of((target.input.format, case.codes["x"]), [codes[0], attributes["x_zero_point"]])
    w = width_of((target.weight.format, case.codes["weight"]), [codes[1], points])
    inputs = Layout(
        (
            Field("x", x.bits, x.signed),
            Field("weight", w.bits, w.signed),
            Field("x_zero_point", x.bits + 1, signed=True),
            Field("weight_zero_point", w.bits + 1, signed=True),
        )
    )
    outputs = Layout((Field("acc", case.codes["output"].bits, signed=True),))
    count, beats = case.expected.size, codes.shape[1]
    last = np.zeros(beats, np.bool_)
    last[ends] = True
    values = {
        "x": codes[0],
        "weight": codes[1],
        "x_zero_point": attributes["x_zero_point"],
        "weight_zero_point": points,
    }
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=Unit(case.primitive, "", (), {}, inputs, outputs),
        beats=inputs.pack(values, beats),
        last=last,
        expected=outputs.pack({"acc": case.expected.reshape(-1)}, count),
        expected_last=np.ones(count, np.bool_),
        field="acc",
        element=np.arange(count, dtype=np.int64)[:, None],
        shape=case.expected.shape,
    )


def _taps(case: Case) -> tuple[Indices, Indices, Indices]:
    """Return (output, input, tap) of every product of a channel, flat, in the order of outputs."""
    attributes: Any = case.attributes
    sizes, kernel = case.operands["x"].shape[2:], case.operands["weight"].shape[2:]
    made = case.expected.shape[2:]
    spatial = len(sizes)
    stride = shapes.per_dimension(attributes["stride"], spatial, "stride")
    dilation = shapes.per_dimension(attributes["dilation"], spatial, "dilation")
    crop = shapes.pads(attributes["padding"], spatial)
    place = source = tap = np.zeros(1, np.int64)
    for n, k, out, s, d, p in zip(sizes, kernel, made, stride, dilation, crop, strict=True):
        at, taps = np.meshgrid(np.arange(n), np.arange(k), indexing="ij")
        to = at * s + taps * d - p[0]
        inside = (to >= 0) & (to < out)
        place = (place[:, None] * out + to[inside]).reshape(-1)
        source = (source[:, None] * n + at[inside]).reshape(-1)
        tap = (tap[:, None] * k + taps[inside]).reshape(-1)
    order = np.argsort(place, kind="stable")
    return place[order], source[order], tap[order]
