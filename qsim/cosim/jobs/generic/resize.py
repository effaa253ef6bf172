"""Jobs of resize and resize_scaled: the four pixels that an element reads, and their weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models.resize import ScaledResize, SizedResize, Tap
from qsim.cosim.jobs.beats import Field
from qsim.cosim.jobs.elementwise import one_beat_each
from qsim.cosim.jobs.generic.elementwise import unit
from qsim.cosim.jobs.generic.numbers import Numbers, code_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_models.resize import Resize
    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

_WEIGHT: Final = 12  # bits: 0..2048
_SHIFT: Final = 6


def job(case: Case, target: Target) -> Job:
    """Return one beat for each element: ``(sum of weights * x)``, rounded after ``shift``.

    Lanes of ``x`` are the pixels (above left, above right, below left, below right), those of
    ``row_weight`` above and below, those of ``column_weight`` left and right.
    """
    scheme = _scheme(case.attributes)
    x, shape = case.operands["x"], case.expected.shape
    outer, spatial = math.prod(shape[:2]), x.shape[2:]
    axes = scheme.taps(spatial)
    if isinstance(scheme, SizedResize) and len(axes) == 1:  # one row
        axes, spatial = [[Tap(0, 0, scheme.unit, 0)], *axes], (1, *spatial)
    rows, columns = (_read(taps) for taps in axes)
    planes = np.ascontiguousarray(x).reshape(outer, *spatial).astype(np.int64)
    pixels = [
        planes[:, rows[r][:, None], columns[c][None, :]].reshape(-1)
        for r in ("low", "high")
        for c in ("low", "high")
    ]
    grid = (outer, len(axes[0]), len(axes[1]))
    inputs = Numbers()
    inputs.add(code_field("x", target, case.codes["x"], 4), np.stack(pixels, axis=1))
    for name, read, along in (
        ("row_weight", rows, (1, -1, 1)),
        ("column_weight", columns, (1, 1, -1)),
    ):
        weights = [
            np.broadcast_to(read[end].reshape(along), grid).reshape(-1)
            for end in ("low_weight", "high_weight")
        ]
        inputs.add(Field(name, _WEIGHT, signed=False, lanes=2), np.stack(weights, axis=1))
    inputs.add(Field("shift", _SHIFT, signed=False), scheme.shift)
    return one_beat_each(case, unit(case, inputs), inputs.values)


def _scheme(attributes: Mapping[str, Any]) -> Resize:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in attributes.items()
    }
    return SizedResize(**values) if "size" in values else ScaledResize(**values)


def _read(taps: list[Tap]) -> dict[str, Array]:
    """Return what the outputs of one dimension read, as arrays by the names of a tap."""
    names = ("low", "high", "low_weight", "high_weight")
    return {name: np.array([getattr(tap, name) for tap in taps], np.int64) for name in names}
