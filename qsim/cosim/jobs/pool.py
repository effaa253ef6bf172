"""Beats for ``max_pool`` and ``avg_pool``: LANES planes (channels of images) side by side.

A packet holds the taps of one window, in the order of the kernel. Packets follow each other by
tile of LANES planes, then window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from qsim.cosim.jobs.beats import Field, Layout, bits_for
from qsim.cosim.jobs.elementwise import no_rtl
from qsim.cosim.jobs.operands import Width, width_of
from qsim.cosim.jobs.unit import Job, Unit
from qsim.errors import UsageError
from qsim.program import shapes

if TYPE_CHECKING:
    from qsim.cosim.jobs.beats import Flags
    from qsim.golden import Case
    from qsim.target import Target

SOURCES: Final = {
    "max_pool": ("max_pool_core.sv", "packet_register.sv", "max_pool.sv"),
    "avg_pool": ("avg_pool_core.sv", "avg_pool.sv"),
}
# Per window and tap of one dimension: its position, whether it is sent, and whether it is inside.
_Axis: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]
_COUNT_BITS = 16  # taps of a window that every unit has room for


@dataclass(frozen=True, slots=True)
class Taps:
    """The taps that a call sends, window after window.

    Attributes:
        index: [taps] flat index in the plane; the plane's size stands for padding.
        last: [taps] the last tap of its window.
    """

    index: npt.NDArray[np.int64]
    last: Flags

    @property
    def largest(self) -> int:
        """Taps of the largest window."""
        ends = np.flatnonzero(self.last)
        return int(np.diff(ends, prepend=-1).max(initial=1))


def taps(case: Case) -> Taps:
    """Return the taps of a pooling call that count; padding counts with count_include_pad only."""
    sizes = case.operands["x"].shape[2:]
    axes = _adaptive(case) or _axes(case, sizes)
    spatial = len(sizes)
    sent, inside = np.ones((1,) * 2 * spatial, np.bool_), np.ones((1,) * 2 * spatial, np.bool_)
    flat = np.zeros((1,) * 2 * spatial, np.int64)
    for number, (size, axis) in enumerate(zip(sizes, axes, strict=True)):
        at, counted, within = (_spread(array, number, spatial) for array in axis)
        sent, inside, flat = sent & counted, inside & within, flat * size + at
    flat = np.where(inside, flat, math.prod(sizes))
    per_window = sent.sum(axis=tuple(range(spatial, 2 * spatial))).reshape(-1)
    last = np.zeros(int(per_window.sum()), np.bool_)
    last[np.cumsum(per_window) - 1] = True
    return Taps(flat[sent], last)


def _axes(case: Case, sizes: tuple[int, ...]) -> list[_Axis]:
    """Return, per dimension, where the taps of windows of a kernel lie."""
    attributes: Any = case.attributes
    spatial = len(sizes)
    kernel: tuple[int, ...] = sizes
    stride, dilation, pads = sizes, (1,) * spatial, ((0, 0),) * spatial
    include = False
    if attributes["kernel"] is not None:
        kernel = shapes.per_dimension(attributes["kernel"], spatial, "kernel")
        given = attributes["stride"]
        stride = kernel if given is None else shapes.per_dimension(given, spatial, "stride")
        dilation = shapes.per_dimension(attributes.get("dilation", 1), spatial, "dilation")
        pads = shapes.pads(attributes["padding"], spatial)
        include = attributes.get("count_include_pad", False)
    found = []
    for n, size, k, s, d, pad in zip(
        case.expected.shape[2:], sizes, kernel, stride, dilation, pads, strict=True
    ):
        at = np.arange(n)[:, None] * s - pad[0] + d * np.arange(k)
        end = size + pad[1] if include else size
        found.append((at, (at < end) & (include | (at >= 0)), (at >= 0) & (at < size)))
    return found


def _adaptive(case: Case) -> list[_Axis]:
    """Return, per dimension, where the taps of adaptive windows lie; nothing for a kernel's."""
    from hw_models.pools.windows import adaptive_windows

    attributes: Any = case.attributes
    if attributes.get("output_size") is None:
        return []
    found = []
    for axis in adaptive_windows(case.operands["x"], case.expected.shape[2:]):
        at = axis.starts[:, None] + np.arange(axis.taps)
        counted = np.arange(axis.taps) < axis.lengths[:, None]
        found.append((at, counted, counted))
    return found


def _spread(axis: npt.NDArray[Any], number: int, spatial: int) -> npt.NDArray[Any]:
    """Return what is per (window, tap) of one dimension for all windows and taps of a volume."""
    shape = [1] * 2 * spatial
    shape[number], shape[spatial + number] = axis.shape
    return axis.reshape(shape)


def _padding(case: Case) -> int:
    """Return the code that a padding tap has; the taps of max_pool never lie in the padding."""
    attributes: Any = case.attributes
    return int(attributes.get("zero_point", 0))


def unit(case: Case, target: Target) -> Unit:
    """Return the unit that serves a call: LANES is the target's array.rows.

    Raises:
        UsageError: the average of codes less their zero point, or one with a divisor of its own,
            which have no RTL.
    """
    return _unit(case, target, taps(case).largest)


def _unit(case: Case, target: Target, largest: int) -> Unit:
    if case.attributes.get("centered"):
        what = "an average of codes less their zero point"
        raise UsageError(**no_rtl(case, what), accepted="an average of codes")
    if case.attributes.get("divisor") is not None:
        what = "an average with a divisor of its own"
        raise UsageError(**no_rtl(case, what), accepted="an average over the taps of its window")
    formats = (target.input.format, case.codes["x"])
    x = width_of(formats, [case.operands["x"], _padding(case)])
    lanes = target.array.rows
    parameters = {"IN_W": x.bits, "IN_SIGNED": int(x.signed), "LANES": lanes}
    y = x
    if case.primitive == "avg_pool":
        output = case.codes["output"]
        y = Width(int(output.bits), output.signed)
        parameters |= _average(case, x, y, largest)
    return Unit(
        case.primitive,
        case.primitive,
        SOURCES[case.primitive],
        parameters,
        Layout((Field("x", x.bits, x.signed, lanes),)),
        Layout((Field("y", y.bits, y.signed, lanes),)),
    )


def _average(case: Case, x: Width, y: Width, largest: int) -> dict[str, int]:
    from hw_models.rounding import require_division, rounding_code

    rounding: Any = case.attributes["rounding"]
    count_bits = max(_COUNT_BITS, bits_for(largest))
    return {
        "OUT_W": y.bits,
        "OUT_SIGNED": int(y.signed),
        "OUT_NARROW": int(case.codes["output"].narrow),
        "SUM_W": x.bits + count_bits + 1,
        "COUNT_W": count_bits,
        "ROUNDING": rounding_code(require_division(rounding, "avg_pool's rounding")),
    }


def job(case: Case, target: Target) -> Job:
    """Return the beats of a pooling call, and the codes that must come out.

    Raises:
        UsageError: as ``unit``.
    """
    sent = taps(case)
    served = _unit(case, target, sent.largest)
    lanes = served.parameters["LANES"]
    planes = math.prod(case.expected.shape[:2])
    windows = math.prod(case.expected.shape[2:])
    tiles = -(-planes // lanes)
    codes = np.zeros((tiles * lanes, math.prod(case.operands["x"].shape[2:]) + 1), np.int64)
    codes[:planes, :-1] = np.ascontiguousarray(case.operands["x"]).reshape(planes, -1)
    codes[:planes, -1] = _padding(case)
    beats = np.concatenate(
        [
            served.inputs.pack({"x": tile[:, sent.index].T}, len(sent.index))
            for tile in codes.reshape(tiles, lanes, -1)
        ]
    )
    element = np.full((tiles * lanes, windows), -1, np.int64)
    element[:planes] = np.arange(planes * windows).reshape(planes, windows)
    element = element.reshape(tiles, lanes, windows).transpose(0, 2, 1).reshape(-1, lanes)
    flat = np.ascontiguousarray(case.expected).reshape(-1).astype(np.int64)
    y = np.where(element >= 0, flat[element], 0)
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=served,
        beats=beats,
        last=np.tile(sent.last, tiles),
        expected=served.outputs.pack({"y": y}, len(y)),
        expected_last=np.ones(len(y), np.bool_),
        field="y",
        element=element,
        shape=case.expected.shape,
    )
