"""Definitions of the table primitives for the plain interpreter of Programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hw_models.interpolation import reference as interpolate_one
from hw_models.resize import ScaledResize, SizedResize
from hw_models.resize import reference as resize_plane
from hw_models.softmax import reference as softmax_row
from qsim.program.program import Program
from qsim.program.schemes import decode_scheme
from tests.hw_models.registers import Held, no_sum, of_interpolation, of_softmax
from tests.qsim.program.reading import fixed_format

Array = np.ndarray[Any, Any]


def interpolate(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    codes = program.tensors[program.inputs[0]].format
    entries, table = fixed_format(a["entries"]), a["table"].tolist()
    result = np.zeros(x[0].shape, np.int64)
    for index in np.ndindex(*result.shape):
        code = int(x[0][index])
        result[index] = interpolate_one(code, table, codes, entries, a["result"])
        book.held.hold(index, of_interpolation(code, table, codes, entries, a["result"]))
    return result


def softmax(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    return masked(x, np.ones(x[0].shape, bool), a, program, book)


def masked_softmax(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    shown = np.array(x[1] != 0) if a["hides"] == "zero" else np.array(x[1] == 0)
    allowed = True if a["allowed"] is None else a["allowed"] != 0
    return masked(x, np.broadcast_to(shown & allowed, x[0].shape), a, program, book)


def masked(x: Sequence[Array], shown: Array, a: dict[str, Any], program: Any, book: Any) -> Array:
    """The ledger keeps the values before the clamp, in C order."""
    scheme, output = decode_scheme(a["scheme"], program.constants), fixed_format(a["output"])
    source, marks = (np.moveaxis(v, a["axis"], -1) for v in (x[0], shown))
    codes, free = np.zeros(source.shape, np.int64), np.zeros(source.shape, np.int64)
    for index in np.ndindex(source.shape[:-1]):
        row = source[index].tolist()
        mark = marks[index]
        codes[index] = softmax_row(row, scheme, output, mark.tolist())
        free[index] = codes[index]
        if mark.any():
            free[index][mark] = scheme.reference(source[index][mark].tolist(), output)
    axis = a["axis"] % x[0].ndim
    result, before = (np.moveaxis(v, -1, a["axis"]) for v in (codes, free))
    for index in np.ndindex(result.shape):
        value, code = int(before[index]), int(result[index])
        line = (*index[:axis], slice(None), *index[axis + 1 :])
        row = x[0][line][shown[line]].tolist()
        held = of_softmax(scheme, row) if row else no_sum(scheme)
        book.note(index, value, clamped=value != code, held=held)
    return result


def resize(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in a.items()}
    line = x[0].ndim == 3
    if line:
        values["size"] = (1, *values["size"])
    scheme = SizedResize(**values) if "size" in values else ScaledResize(**values)
    source = x[0][:, :, None] if line else x[0]
    planes = [[resize_plane(plane.tolist(), scheme) for plane in sample] for sample in source]
    result = np.array(planes, np.int64)
    if isinstance(scheme, ScaledResize) and scheme.mode == "bilinear":
        bits = 32 if x[0].dtype.itemsize == 1 else 48
        for index in np.ndindex(*result.shape):
            value = int(result[index])
            book.held.hold(index, [Held("accumulator", bits, "error", value)])
    return result[:, :, 0] if line else result


DEFINITIONS = {
    "interpolate": interpolate,
    "softmax": softmax,
    "masked_softmax": masked_softmax,
    "resize": resize,
    "resize_scaled": resize,
}
