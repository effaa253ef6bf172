"""Chosen elements of every call of a run, each by its primitive's definition.

``program_reference`` computes whole networks of a few thousand products. Here a network may be as
large as it likes: an element needs only its own window, row or code, which is cut out of what the
call read; the definition of that small call is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from hw_models.formats import FixedFormat
from hw_models.requantize import reference as requantize_one
from qsim.network.lowered import Lowered
from qsim.network.trace import Entry, Trace
from qsim.program.program import Call, Program
from qsim.program.schemes import decode_scheme
from tests.qsim.program.reference import DEFINITIONS, Array, Book, _resolve

Attributes = dict[str, Any]
Index = tuple[int, ...]
Small = tuple[list[Array], Attributes, Index]


def calls_of(lowered: Lowered, trace: Trace) -> Iterator[tuple[Program, Call, Entry]]:
    """Give every call of a run with its program and its entry in the trace, in order."""
    entries = iter(trace.ledger)
    for step in lowered.steps:
        if step.kind == "program":
            program = lowered.programs[int(str(step.attributes["program"]))]
            for call in program.calls:
                entry = next(entries)
                assert entry.call == call.name
                yield program, call, entry
    assert next(entries, None) is None


def check_call(
    program: Program, call: Call, entry: Entry, trace: Trace, rng: np.random.Generator, count: int
) -> int:
    """Compare ``count`` random elements of a call and its extreme ones; return how many."""
    found = trace.tensors[entry.tensor]
    spec = program.tensors[call.output]
    assert found.dtype == spec.format.dtype, call.name
    assert spec.format.fits(found), call.name
    operands = [
        program.constants[name] if name in program.constants else trace.tensors[name]
        for name in entry.operands
    ]
    attributes = {k: _resolve(v, program.constants) for k, v in call.attributes.items()}
    if call.primitive == "requantize":
        one = _requantize(operands, attributes, program)
    else:
        one = _by_cutting(call.primitive, operands, attributes, program)
    chosen = {*_extremes(found), *_random(found, rng, count)}
    for index in chosen:
        assert int(found[index]) == one(index), (call.name, index)
    return len(chosen)


def _by_cutting(
    primitive: str, x: list[Array], a: Attributes, program: Program
) -> Callable[[Index], int]:
    cut, define = CUTS.get(primitive, _whole), DEFINITIONS[primitive]

    def one(index: Index) -> int:
        small, changed, place = cut(x, a, index)
        return int(define(small, changed, program, Book())[place])

    return one


def _requantize(x: list[Array], a: Attributes, program: Program) -> Callable[[Index], int]:
    """A scheme holds the numbers of all channels and is not cut."""
    scheme = decode_scheme(a["scheme"], program.constants)
    output = FixedFormat(**a["output"])
    clamp = None if a["clamp"] is None else tuple(a["clamp"])

    def one(index: Index) -> int:
        channel = index[a["axis"]] if scheme.channels else 0
        zeros = a["zero_point"], a["input_zero_point"]
        value = int(x[0][index])
        return requantize_one(value, scheme, zeros[0], output, clamp, zeros[1], channel=channel)

    return one


def _extremes(found: Array) -> Iterator[Index]:
    for flat in (0, found.size - 1, int(found.argmin()), int(found.argmax())):
        yield tuple(int(i) for i in np.unravel_index(flat, found.shape))


def _random(found: Array, rng: np.random.Generator, count: int) -> Iterator[Index]:
    for _ in range(count):
        yield tuple(int(rng.integers(size)) for size in found.shape)


def _whole(x: list[Array], a: Attributes, index: Index) -> Small:
    return x, a, index


def _one_code(x: list[Array], a: Attributes, index: Index) -> Small:
    shape = np.broadcast_shapes(*(operand.shape for operand in x))
    codes = [np.broadcast_to(operand, shape)[index].reshape([1] * len(shape)) for operand in x]
    return codes, a, (0,) * len(shape)


def _one_sum(x: list[Array], a: Attributes, index: Index) -> Small:
    bias = x[1][index[a["axis"]]].reshape(1)
    return [x[0][index].reshape([1] * len(index)), bias], a, (0,) * len(index)


def _one_window(x: list[Array], a: Attributes, index: Index) -> Small:
    """Cut the group's channels and the taps of one output; what lies outside is the padding."""
    data, weight = x
    n, o, *position = index
    group = o // (weight.shape[0] // a["groups"])
    channels = slice(group * weight.shape[1], (group + 1) * weight.shape[1])
    pad = a["x_zero_point"] if a["pad_value"] is None else a["pad_value"]
    spatial = range(len(position))
    reach = [a["dilation"][d] * (weight.shape[2 + d] - 1) + 1 for d in spatial]
    window = np.full((1, weight.shape[1], *reach), pad, np.int64)
    first = [position[d] * a["stride"][d] - a["padding"][d][0] for d in spatial]
    size = data.shape[2:]
    inside = [slice(max(first[d], 0), min(first[d] + reach[d], size[d])) for d in spatial]
    there = [slice(s.start - f, max(s.stop - f, 0)) for s, f in zip(inside, first, strict=True)]
    window[(0, slice(None), *there)] = data[(n, channels, *inside)]
    zero = np.broadcast_to(a["weight_zero_point"], weight.shape[0])[o]
    alone = {"groups": 1, "padding": [[0, 0]] * len(size), "stride": [1] * len(size)}
    small = [window, weight[o : o + 1]]
    return small, {**a, **alone, "weight_zero_point": int(zero)}, (0, 0, *(0 for _ in size))


def _one_row(x: list[Array], a: Attributes, index: Index) -> Small:
    *lead, o = index
    data, weight = x
    zero = np.broadcast_to(a["weight_zero_point"], weight.shape[0])[o]
    row = data[tuple(lead)][None]
    return [row, weight[o : o + 1]], {**a, "weight_zero_point": int(zero)}, (0, 0)


def _one_product(x: list[Array], a: Attributes, index: Index) -> Small:
    *lead, row, column = index
    batch = tuple(lead)
    left = np.broadcast_to(x[0], (*_lead(x), *x[0].shape[-2:]))[batch][row : row + 1]
    right = np.broadcast_to(x[1], (*_lead(x), *x[1].shape[-2:]))[batch][:, column : column + 1]
    return [left, right], a, (0, 0)


def _lead(x: list[Array]) -> tuple[int, ...]:
    return np.broadcast_shapes(x[0].shape[:-2], x[1].shape[:-2])


def _one_plane(x: list[Array], a: Attributes, index: Index) -> Small:
    n, c, *position = index
    return [x[0][n : n + 1, c : c + 1]], a, (0, 0, *position)


CUTS: Mapping[str, Callable[[list[Array], Attributes, Index], Small]] = {
    "correlation": _one_window,
    "linear": _one_row,
    "matmul": _one_product,
    "bias_add": _one_sum,
    "add": _one_code,
    "clamp": _one_code,
    "lookup": _one_code,
    "max_pool": _one_plane,
    "avg_pool": _one_plane,
}
