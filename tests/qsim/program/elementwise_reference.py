"""The definitions of element-wise calls, means and moves, for ``program_reference``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import hw_models as hw
from hw_models.argmax import reference as largest_at
from hw_models.extremum import reference as extremum_one
from hw_models.mean import reference as mean_of
from hw_models.moves.concat import reference as rescale_one
from hw_models.moves.pad import reference as pad_line
from hw_models.mul import reference as mul_one
from hw_models.prelu import reference as prelu_one
from hw_models.shift import reference as shift_one
from hw_models.sub import reference as sub_one
from qsim.program.program import Program
from qsim.program.schemes import decode_scheme
from tests.hw_models.registers import of_adder, of_requantizer
from tests.qsim.program.reading import fixed_format

Array = np.ndarray[Any, Any]
Definition = Callable[[Sequence[Array], dict[str, Any], Program, Any], Array]


def _limits(a: dict[str, Any]) -> tuple[int, int] | None:
    return None if a["clamp"] is None else tuple(a["clamp"])


def _pairs(x: Sequence[Array], one: Callable[[int, int, tuple[int, ...]], int]) -> Array:
    left, right = np.broadcast_arrays(*x)
    result = np.zeros(left.shape, np.int64)
    for index in np.ndindex(*left.shape):
        result[index] = one(int(left[index]), int(right[index]), index)
    return result


def _sub(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    adder = decode_scheme(a["scheme"], program.constants)
    zeros = a["a_zero_point"], a["b_zero_point"], a["zero_point"]
    rest = fixed_format(a["output"]), _limits(a), a["negate"]
    subtract = a["negate"] == "term" and isinstance(adder, hw.ShiftedAdd)

    def one(p: int, q: int, index: tuple[int, ...]) -> int:
        term = q - zeros[1] if subtract else zeros[1] - q
        book.held.hold(index, of_adder(adder, p - zeros[0], term, subtract=subtract))
        return sub_one(p, q, adder, *zeros, *rest)

    return _pairs(x, one)


def _mul(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    scheme = decode_scheme(a["scheme"], program.constants)
    zeros = a["a_zero_point"], a["b_zero_point"], a["zero_point"]
    rest = fixed_format(a["output"]), _limits(a)

    def one(p: int, q: int, index: tuple[int, ...]) -> int:
        channel = index[a["axis"]] if scheme.channels else 0
        product = (p - zeros[0]) * (q - zeros[1])
        book.held.hold(index, of_requantizer(scheme, product, channel))
        return mul_one(p, q, scheme, *zeros, *rest, channel=channel)

    return _pairs(x, one)


def _prelu(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    sides = [decode_scheme(a[side], program.constants) for side in ("positive", "negative")]
    zeros = a["x_zero_point"], a["slope_zero_point"], a["zero_point"]
    output = fixed_format(a["output"])

    def one(p: int, q: int, index: tuple[int, ...]) -> int:
        value = p - zeros[0]
        name = "negative" if value < 0 else "positive"
        taken = value * (q - zeros[1]) if value < 0 else value
        held = of_requantizer(sides[value < 0], taken)
        book.held.hold(index, [h._replace(name=f"{name} {h.name}") for h in held])
        return prelu_one(p, q, *sides, *zeros, output)

    return _pairs(x, one)


def _extremum(largest: bool) -> Definition:
    def define(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
        del a, program, book
        return _pairs(x, lambda p, q, _: extremum_one(p, q, largest=largest))

    return define


def _shift_right(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program, book
    output = fixed_format(a["output"])
    return _pairs(x, lambda p, q, _: shift_one(p, q, a["rounding"], output))


def _mean(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    averager = decode_scheme(a["scheme"], program.constants)
    axes = tuple(sorted(axis % x[0].ndim for axis in a["axes"]))
    kept = [axis for axis in range(x[0].ndim) if axis not in axes]
    rest = a["x_zero_point"], a["zero_point"], fixed_format(a["output"]), _limits(a)
    result = np.zeros([x[0].shape[axis] for axis in kept], np.int64)
    lines = x[0].transpose(*kept, *axes).reshape(*result.shape, -1)
    for index in np.ndindex(*result.shape):
        codes = lines[index].tolist()
        result[index] = mean_of(codes, averager, *rest)
        place = index
        for axis in axes if a["keepdims"] else ():
            place = (*place[:axis], 0, *place[axis:])
        total = sum(code - a["x_zero_point"] for code in codes)
        book.held.hold(place, of_requantizer(averager, total))
    return np.expand_dims(result, axes) if a["keepdims"] else result


def _argmax(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program, book
    lines = np.moveaxis(x[0], a["axis"], -1)
    result = np.zeros(lines.shape[:-1], np.int64)
    for index in np.ndindex(*result.shape):
        result[index] = largest_at(lines[index].tolist(), last=a.get("last", False))
    return np.expand_dims(result, a["axis"]) if a["keepdims"] else result


def _concat(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    parts, axis, start = [], a["axis"] % x[0].ndim, 0
    operands = zip(x, a["schemes"], a["zero_points"], strict=True)
    for position, (codes, document, point) in enumerate(operands):
        scheme = None if document is None else decode_scheme(document, program.constants)
        rest = scheme, point, a["zero_point"], fixed_format(a["output"])
        flat = [rescale_one(code, *rest) for code in codes.ravel().tolist()]
        parts.append(np.array(flat, np.int64).reshape(codes.shape))
        for index in np.ndindex(*codes.shape):
            place = (*index[:axis], index[axis] + start, *index[axis + 1 :])
            held = of_requantizer(scheme, int(codes[index]) - point)
            book.held.hold(place, [h._replace(name=f"x{position} {h.name}") for h in held])
        start += codes.shape[axis]
    return np.concatenate(parts, axis)


def _pad(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program, book
    result = x[0].astype(np.int64)
    for axis, (before, after) in enumerate(a["pads"]):
        lines = np.moveaxis(result, axis, -1)
        size = (*lines.shape[:-1], lines.shape[-1] + before + after)
        made = np.zeros(size, np.int64)
        for index in np.ndindex(*lines.shape[:-1]):
            made[index] = pad_line(lines[index].tolist(), before, after, a["value"], a["mode"])
        result = np.moveaxis(made, -1, axis)
    return result


DEFINITIONS: dict[str, Definition] = {
    "sub": _sub,
    "mul": _mul,
    "prelu": _prelu,
    "minimum": _extremum(largest=False),
    "maximum": _extremum(largest=True),
    "shift_right": _shift_right,
    "mean": _mean,
    "argmax": _argmax,
    "concat": _concat,
    "pad": _pad,
}
