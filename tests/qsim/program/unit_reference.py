"""Definitions of the units without floats for the plain interpreter of Programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import hw_models as hw
from hw_models.integer_function import reference as function_one
from hw_models.norms.layer_norm import reference as norm_row
from hw_models.rotary import reference as turn
from qsim.program.program import Program
from qsim.program.schemes import decode_scheme
from tests.hw_models.registers import Held, of_requantizer
from tests.qsim.program.reading import fixed_format

Array = np.ndarray[Any, Any]


def of_function(unit: Any, code: int) -> list[Held]:
    """The registers of one code, in the steps of the contract."""
    held: list[tuple[str, int, int, bool]] = []
    if isinstance(unit, hw.NewtonReciprocal | hw.NewtonRsqrt):
        c = code - unit.input_zero_point
        if c == 0 or (c < 0 and isinstance(unit, hw.NewtonRsqrt)):
            return []
        y = _newton(abs(c), root=isinstance(unit, hw.NewtonRsqrt))
        held = [("inverse", 17, y, False), ("product", 33, y * unit.multiplier, False)]
        return [Held(name, bits, "error", value, signed) for name, bits, value, signed in held]
    curve = unit.curve(code)
    if isinstance(unit, hw.IbertGelu):
        c = code - unit.input_zero_point
        q = abs(c) << unit.left_shift
        h = unit.one - (unit.knee - min(q, unit.knee)) ** 2
        drop = (2 * unit.one).bit_length() - 15
        gate = (unit.one + (-h if c < 0 else h)) >> drop
        held = [("lifted", 32, q, False), ("polynomial", 32, h, True), ("gate", 16, gate, False)]
        held.append(("product", 32, c * gate, True))
    else:
        held = _of_exponential(unit, code, curve)
    own = [Held(name, bits, "error", value, signed) for name, bits, value, signed in held]
    return [*own, *of_requantizer(unit.rescale, curve)]


def _of_exponential(unit: Any, code: int, curve: int) -> list[tuple[str, int, int, bool]]:
    e, exp = unit.exponential, isinstance(unit, hw.IbertExp)
    c = code - (unit.top if exp else unit.input_zero_point)
    x = min(c, 0) if exp else -abs(c)
    held = [("lifted", 32, max(x << e.left_shift, -30 * e.ln2), True)]
    held.append(("polynomial", 32, e.reference(x), True))
    if exp:
        return held
    silu = isinstance(unit, hw.ExpSilu)
    gate = hw.ExpSigmoid(e, unit.rescale, unit.input_zero_point).curve(code) if silu else curve
    held.append(("gate", 16, gate, False))
    return [*held, ("product", 32, c * gate, True)] if silu else held


def _newton(c: int, *, root: bool) -> int:
    e = c.bit_length() + (c.bit_length() % 2 if root else 0)
    m = (c << 16) >> e
    if root:
        y = round(2**12 / math.sqrt((m >> 8) + 0.5)) << 7
        for _ in range(2):
            h = (y * y + 2**15) >> 16
            y += (y * ((2**30 - m * h) >> 10) + 2**20) >> 21
        return y
    y = round(2**16 / ((m >> 8) + 0.5)) << 7
    for _ in range(2):
        y += (y * ((2**31 - m * y) >> 10) + 2**20) >> 21
    return y


def _function(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    unit, output = decode_scheme(a["scheme"], program.constants), fixed_format(a["output"])
    result = np.zeros(x[0].shape, np.int64)
    for index in np.ndindex(*result.shape):
        code = int(x[0][index])
        result[index] = function_one(code, unit, output)
        book.held.hold(index, of_function(unit, code))
    return result


def of_norm(norm: hw.IntegerNorm, row: list[int], acc: list[int], *, centred: bool) -> list[Held]:
    """The registers of a row but those of its values."""
    count, total = len(row), sum(row) if centred else 0
    squares = sum(c * c for c in row)
    exact = (count * squares - total * total) << norm.guard
    variance = max(exact + norm.epsilon, 1 << norm.guard)
    p = norm.root_bits
    k = (2 * p - variance.bit_length()) // 2
    root = math.isqrt(variance << 2 * k if k >= 0 else variance >> -2 * k)
    return [
        Held("sum", 32, "error", total),
        Held("squares", 62, "error", squares, signed=False),
        Held("variance", 63, "error", variance, signed=False),
        Held("root", p, "error", root, signed=False),
        Held("reciprocal", p + 1, "error", 2 ** (2 * p - 1) // root, signed=False),
    ]


def _norm(
    rows: Iterator[tuple[list[tuple[int, ...]], list[int], list[int]]],
    x: Array,
    a: dict[str, Any],
    program: Program,
    book: Any,
    *,
    centred: bool = True,
) -> Array:
    """``rows``: the places of each row, its weights and its biases."""
    norm, output = decode_scheme(a["scheme"], program.constants), fixed_format(a["output"])
    clamp = None if a["clamp"] is None else tuple(a["clamp"])
    result = np.zeros(x.shape, np.int64)
    for places, weight, bias in rows:
        row = [int(x[place]) - a.get("x_zero_point", 0) for place in places]
        acc = norm.reference(row, weight, bias, centred=centred)
        bare = norm.reference(row, centred=centred)
        made = norm_row(row, norm, weight, bias, a["zero_point"], output, clamp, centred=centred)
        shared = of_norm(norm, row, acc, centred=centred)
        for i, place in enumerate(places):
            result[place] = made[i]
            own = [
                Held("normalized", 32, "error", bare[i]),
                Held("accumulator", 32, "error", acc[i]),
            ]
            book.held.hold(place, [*shared, *own, *of_requantizer(norm.rescale, acc[i])])
    return result


def _last(x: Array, a: dict[str, Any]) -> Iterator[tuple[list[Any], list[int], list[int]]]:
    dims = a["dims"]
    shape = x.shape[x.ndim - dims :]
    weight, bias = (a.get(name) for name in ("weight", "bias"))
    factors = np.ones(shape, int) if weight is None else weight
    addends = np.zeros(shape, int) if bias is None else bias
    for outer in np.ndindex(*x.shape[: x.ndim - dims]):
        places = [(*outer, *inner) for inner in np.ndindex(*shape)]
        yield places, factors.reshape(-1).tolist(), addends.reshape(-1).tolist()


def _layer(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    return _norm(_last(x[0], a), x[0], a, program, book)


def _rms(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    return _norm(_last(x[0], a), x[0], a, program, book, centred=False)


def _group(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    source, channels = x[0], x[0].shape[1]
    share = channels // a["groups"]

    def rows() -> Iterator[tuple[list[Any], list[int], list[int]]]:
        for n in range(len(source)):
            for g in range(a["groups"]):
                places = [
                    (n, c, *inner)
                    for c in range(g * share, (g + 1) * share)
                    for inner in np.ndindex(*source.shape[2:])
                ]
                weight = [1 if a["weight"] is None else int(a["weight"][p[1]]) for p in places]
                bias = [0 if a["bias"] is None else int(a["bias"][p[1]]) for p in places]
                yield places, weight, bias

    return _norm(rows(), source, a, program, book)


def _rotary(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    source = x[0].astype(object)
    half = source.shape[-1] // 2
    cos, sin = (np.broadcast_to(t, (*source.shape[:-1], half)) for t in x[1:])
    scheme, output = decode_scheme(a["scheme"], program.constants), fixed_format(a["output"])
    zero, result = a["x_zero_point"], np.zeros(source.shape, np.int64)
    for index in np.ndindex(*cos.shape):
        *outer, i = index
        near = (i, i + half) if a["pairing"] == "half" else (2 * i, 2 * i + 1)
        p, q = ((*outer, place) for place in near)
        c, s = int(cos[index]), int(sin[index])
        one, two = source[p], source[q]
        result[p], result[q] = turn(one, two, c, s, scheme, zero, a["zero_point"], output)
        sums = (one - zero) * c - (two - zero) * s, (two - zero) * c + (one - zero) * s
        for place, acc in zip((p, q), sums, strict=True):
            held = [Held("accumulator", 32, "error", acc), *of_requantizer(scheme, acc)]
            book.held.hold(place, held)
    return result


DEFINITIONS = {
    "group_norm": _group,
    "integer_function": _function,
    "layer_norm": _layer,
    "rms_norm": _rms,
    "rotary": _rotary,
}
