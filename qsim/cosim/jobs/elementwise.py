"""What the jobs of element-wise primitives share: one element of the result is one beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs.beats import Field
from qsim.cosim.jobs.unit import Job

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from hw_models import FixedFormat
    from qsim.cosim.jobs.beats import Flags
    from qsim.cosim.jobs.unit import Unit
    from qsim.golden import Case
    from qsim.program import Array

SHIFT: Final = 7  # bits of a shift field: -62..62
# Everything behind a product, in compile order; of requantize.sv and of add.sv.
RESCALE_SOURCES: Final = (
    "stream_register.sv",
    "round_shift.sv",
    "code_clamp.sv",
    "fixed_multiply.sv",
    "rescale_round.sv",
)
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))


def signed_width(*formats: FixedFormat) -> int:
    """Return the width of a signed field that holds the codes of all formats, at most 64."""
    return min(max(form.bits + (not form.signed) for form in formats), 64)


def code_width(bits: int, *points: int) -> int:
    """Return the least width, from ``bits`` on, whose ``width + 1`` signed bits hold all points."""
    from hw_models.formats import signed_bits

    return max(bits, *(signed_bits(point, point) - 1 for point in points))


def code_limits(case: Case) -> tuple[int, int]:
    """Return the range of a call's codes after its fused activation."""
    form, clamp = case.codes["output"], case.attributes["clamp"]
    if not isinstance(clamp, list):
        return form.min, form.max
    low, high = (form.saturate(int(code)) for code in clamp)  # type: ignore[arg-type]  # JSON
    return low, high


def code_fields(width: int) -> tuple[Field, ...]:
    """Return the fields with which every rescaling ends."""
    return tuple(Field(name, width + 1, signed=True) for name in ("zero_point", "low", "high"))


def per_element(values: Any, axis: int, shape: tuple[int, ...]) -> Array | int:
    """Return a parameter for every element, in C order; a scalar stays one integer."""
    array = np.atleast_1d(np.asarray(values, np.int64))
    if array.size == 1:
        return int(array[0])
    along = [1] * len(shape)
    along[axis] = array.size
    return np.broadcast_to(array.reshape(along), shape).reshape(-1)


def draws(seed: int, count: int) -> npt.NDArray[np.uint64]:
    """Return ``hw_models.rounding.splitmix64(seed, index)`` of the first count indices."""
    z = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN + np.uint64(seed)
    for shift, factor in _MIX:
        z = (z ^ (z >> np.uint64(shift))) * factor
    return z ^ (z >> np.uint64(31))


def rows_end(shape: tuple[int, ...], count: int) -> Flags:
    """Return tlast: a packet is one row of the last dimension."""
    row = shape[-1] if shape else 1
    return np.asarray(np.arange(1, count + 1) % row == 0, np.bool_)


def one_beat_each(
    case: Case, unit: Unit, values: Mapping[str, Array | int], row: int | None = None
) -> Job:
    """Return the job that sends one beat for each element of the result, in C order.

    Args:
        case: the call.
        unit: what serves it; its output has one field.
        values: what the input fields hold, as ``Layout.pack`` takes it.
        row: beats of a packet; unless given, the last dimension.
    """
    shape, count = case.expected.shape, case.expected.size
    (field,) = unit.outputs.fields
    last = rows_end(shape if row is None else (row,), count)
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=unit,
        beats=unit.inputs.pack(values, count),
        last=last,
        expected=unit.outputs.pack({field.name: case.expected.reshape(-1)}, count),
        expected_last=last,
        field=field.name,
        element=np.arange(count, dtype=np.int64)[:, None],
        shape=shape,
    )


def no_rtl(case: Case, what: str) -> dict[str, str]:
    """Return what the error about a call that no module serves says, and where."""
    return {"message": f"no RTL for {what}", "where": f"case {case.name!r}"}
