"""Beats for ``correlation``, ``linear`` and ``matmul``: all three run on correlation.sv.

A packet is one reduction: ROWS outputs of one position. Packets follow each other by group (or
batch of a matmul), then position, then tile of ROWS outputs. Layers whose groups have fewer than
ROWS outputs leave rows idle: rows of different groups cannot share columns of x.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout, bits_for
from qsim.cosim.jobs.bias_add import overflow_code
from qsim.cosim.jobs.im2col import Product, count, products
from qsim.cosim.jobs.operands import Width, width_of
from qsim.cosim.jobs.unit import Job, Unit
from qsim.program import accumulator_from_json, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from hw_models import Accumulator
    from hw_models.formats import At
    from qsim.cosim.jobs.beats import Words
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

SOURCES: Final = ("correlation_core.sv", "packet_register.sv", "correlation.sv")
ATS: Final[Mapping[At, int]] = {"sum": 0, "mac": 1}
_TAPS = 1 << 16  # products of a sum that every unit has room for
_BEATS = 1 << 14  # beats that are put together at once: bounds what is needed beside the result


def unit(case: Case, target: Target) -> Unit:
    """Return the unit that serves a call: the target's array and widths.

    Operands that the target's formats do not hold make it wider, see ``operands``.
    """
    names = tuple(case.operands)
    attributes: Any = case.attributes
    pad = attributes.get("pad_value")
    border = 0 if pad is None else int(pad)
    x = width_of(
        (target.input.format, case.codes[names[0]]),
        [case.operands[names[0]], _zero_point(case), border],
    )
    # The b of a matmul is an activation too, unless its codes are a constant's.
    own = case.codes[names[1]]
    preferred = (own,) if case.primitive == "matmul" else (target.weight.format, own)
    weight = width_of(preferred, [case.operands[names[1]], zero_points(case)])
    accumulator = accumulator_from_json(attributes["accumulator"])
    rows, columns = target.array.rows, target.array.columns
    parameters = {
        "ROWS": rows,
        "COLUMNS": columns,
        "X_W": x.bits,
        "X_SIGNED": int(x.signed),
        "W_W": weight.bits,
        "W_SIGNED": int(weight.signed),
        "ACC_W": int(accumulator.bits),
        "OVERFLOW": overflow_code(accumulator),
        "AT": ATS[accumulator.at],
        "EXACT_W": exact_bits(accumulator, x, weight, count(case)[3]),
    }
    inputs = (
        Field("x", x.bits, x.signed, columns),
        Field("weight", weight.bits, weight.signed, rows * columns),
        Field("x_zero_point", x.bits + 1, signed=True),
        Field("weight_zero_point", weight.bits + 1, signed=True, lanes=rows),
    )
    outputs = Layout((Field("acc", int(accumulator.bits), signed=True, lanes=rows),))
    return Unit(case.primitive, "correlation", SOURCES, parameters, Layout(inputs), outputs)


def exact_bits(accumulator: Accumulator, x: Width, weight: Width, taps: int) -> int:
    """Return the width of the sum before the overflow rule, for any codes and zero points."""
    if accumulator.each_mac or not accumulator.saturates:
        return int(accumulator.bits)
    product = x.bits + weight.bits + 4  # see correlation_core.sv
    return max(int(accumulator.bits), product + bits_for(max(taps, _TAPS) - 1))


def job(case: Case, target: Target) -> Job:
    """Return the beats of a correlation, linear or matmul call, and the sums that must come out."""
    served = unit(case, target)
    rows, columns = served.parameters["ROWS"], served.parameters["COLUMNS"]
    parts, positions, outputs, inner = count(case)
    tiles, steps = -(-outputs // rows), max(-(-inner // columns), 1)
    beats = np.empty((parts, positions, tiles, steps, served.inputs.words), np.uint64)
    elements = np.full((parts, positions, tiles * rows), -1, np.int64)
    x_zero, points = _zero_point(case), zero_points(case)
    for index, product in enumerate(products(case)):
        elements[index, :, :outputs] = product.element
        weights = _weights(product, points, x_zero, served, (tiles, steps))
        for start, codes in _columns(product.x, x_zero, served, steps):
            part = beats[index, start : start + len(codes)]
            np.copyto(part, weights)
            part[..., : codes.shape[-1]] |= codes[:, None]
    last = np.zeros((parts * positions * tiles, steps), np.bool_)
    last[:, -1] = True
    element = elements.reshape(-1, rows)
    flat = np.ascontiguousarray(case.expected).reshape(-1).astype(np.int64)
    acc = np.where(element >= 0, flat[element], 0) if flat.size else element
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=served,
        beats=beats.reshape(-1, served.inputs.words),
        last=last.reshape(-1),
        expected=served.outputs.pack({"acc": acc}, len(acc)),
        expected_last=np.ones(len(acc), np.bool_),
        field="acc",
        element=element,
        shape=case.expected.shape,
    )


def _zero_point(case: Case) -> int:
    attributes: Any = case.attributes
    return int(attributes["a_zero_point" if case.primitive == "matmul" else "x_zero_point"])


def zero_points(case: Case) -> npt.NDArray[np.int64]:
    """Return the zero points of the weights: one, or one per channel."""
    name = "b_zero_point" if case.primitive == "matmul" else "weight_zero_point"
    return np.asarray(resolve(case.attributes[name], case.constants), np.int64).reshape(-1)


def _weights(
    product: Product,
    points: npt.NDArray[np.int64],
    x_zero: int,
    served: Unit,
    sizes: tuple[int, int],
) -> Words:
    """Return the beats of one position [tiles, steps, words], without x."""
    tiles, steps = sizes
    rows, columns = served.parameters["ROWS"], served.parameters["COLUMNS"]
    outputs, inner = product.weight.shape
    codes = np.zeros((tiles * rows, steps * columns), np.int64)
    codes[:outputs, :inner] = product.weight
    per_row = np.zeros(tiles * rows, np.int64)
    per_row[:outputs] = points[product.channels] if points.size > 1 else points
    tiled = codes.reshape(tiles, rows, steps, columns).transpose(0, 2, 1, 3)
    per_beat = np.repeat(per_row.reshape(tiles, 1, rows), steps, axis=1)
    values: dict[str, Array | int] = {
        "x": 0,
        "weight": tiled.reshape(-1, rows * columns),
        "x_zero_point": x_zero,
        "weight_zero_point": per_beat.reshape(-1, rows),
    }
    return served.inputs.pack(values, tiles * steps).reshape(tiles, steps, -1)


def _columns(x: Array, x_zero: int, served: Unit, steps: int) -> Iterator[tuple[int, Words]]:
    """Yield (first position, words [positions, steps, words of x]): the lowest field alone."""
    lane = served.inputs.fields[0]
    layout = Layout((lane,))
    chunk = max(_BEATS // steps, 1)
    for start in range(0, len(x), chunk):
        codes = x[start : start + chunk]
        full = np.full((len(codes), steps * lane.lanes), x_zero, np.int64)
        full[:, : x.shape[1]] = codes
        packed = layout.pack({"x": full.reshape(-1, lane.lanes)}, len(codes) * steps)
        yield start, packed.reshape(len(codes), steps, -1)
