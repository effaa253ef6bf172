"""A plain interpreter of Programs: every call by its primitive's definition, in Python integers.

It shares with the tool the Program's own words (attributes, constants) and the scalar definitions
(``reference`` of each module in hw_models); loops, windows, broadcasting and ledgers are written
here once more. Slow: for networks of a few thousand products.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import hw_models as hw
from hw_models.activation import reference as clamp_one
from hw_models.add import reference as add_one
from hw_models.bias_add import reference as bias_add_one
from hw_models.correlation import reference as correlate
from hw_models.dynamic.linear_groups import reference as in_groups
from hw_models.dynamic.linear_pairs import reference as multiply_pairs
from hw_models.formats import signed_bits
from hw_models.linear import reference as multiply
from hw_models.lookup import reference as lookup_one
from hw_models.pools.avg_pool import reference as average
from hw_models.requantize import reference as requantize_one
from hw_models.states.cache_write import reference as write_line
from hw_models.transposed_correlation import reference as correlate_transposed
from qsim.program.program import Call, Program
from qsim.program.schemes import decode_scheme
from tests.hw_models.registers import (
    Held,
    Registers,
    of_accumulator,
    of_adder,
    of_requantizer,
)
from tests.qsim.program.dynamic_reference import DYNAMIC_DEFINITIONS
from tests.qsim.program.elementwise_reference import DEFINITIONS as ELEMENTWISE_DEFINITIONS
from tests.qsim.program.float_reference import FLOAT_DEFINITIONS
from tests.qsim.program.reading import fixed_format
from tests.qsim.program.table_reference import DEFINITIONS as TABLE_DEFINITIONS
from tests.qsim.program.unit_reference import DEFINITIONS as UNIT_DEFINITIONS

Array = np.ndarray[Any, Any]


class Book:
    """The ledger of one call, kept value by value."""

    def __init__(self) -> None:
        self.elements = self.clamped = 0
        self.first_clamped: tuple[int, ...] | None = None
        self.least: list[int] = []
        self.most: list[int] = []
        self.held = Registers()

    def note(
        self, index: tuple[int, ...], value: Any, *, clamped: bool, held: Sequence[Held] = ()
    ) -> None:
        """Record one output element: its exact value, what clamped it, what registers held."""
        self.elements += 1
        self.clamped += clamped
        self.least.append(value)
        self.most.append(value)
        self.held.hold(index, held)
        if clamped and self.first_clamped is None:
            self.first_clamped = index

    def take(self, part: hw.Ledger, place: Callable[[tuple[int, ...]], tuple[int, ...]]) -> None:
        """Add what a reference that keeps a ledger of its own has recorded."""
        part.place(place)
        self.elements += part.elements
        if part.elements:
            self.least.append(part.minimum)
            self.most.append(part.maximum)
            for register in part.registers:
                self.held.merge(register)

    @property
    def registers(self) -> tuple[hw.Register, ...]:
        """What every register of the call did."""
        return self.held.all

    @property
    def first(self) -> tuple[int, ...] | None:
        """The first element that a register's rule or the clamp changed."""
        places = [*(register.first for register in self.registers), self.first_clamped]
        return min((place for place in places if place is not None), default=None)

    @property
    def extremes(self) -> tuple[int, int]:
        """Smallest and largest value before the overflow rule."""
        return min(self.least, default=0), max(self.most, default=0)

    @property
    def bits_used(self) -> int:
        """The smallest safe width."""
        return signed_bits(*self.extremes)


def interpret(
    program: Program, inputs: Sequence[Array]
) -> tuple[dict[str, Array], dict[str, tuple[Call, Book]]]:
    """Return every tensor of a program by name, and the ledger of every call by its name."""
    values: dict[str, Array] = dict(program.constants)
    values.update(zip(program.inputs, inputs, strict=True))
    books: dict[str, tuple[Call, Book]] = {}
    for call in program.calls:
        book = Book()
        operands = [values[name] for name in call.inputs]
        attributes = {k: _resolve(v, program.constants) for k, v in call.attributes.items()}
        values[call.output] = DEFINITIONS[call.primitive](operands, attributes, program, book)
        books[call.name] = (call, book)
    tensors = {name: value for name, value in values.items() if name not in program.constants}
    return tensors, books


def _resolve(value: Any, constants: Mapping[str, Array]) -> Any:
    if isinstance(value, dict) and set(value) == {"constant"}:
        return constants[value["constant"]]
    return value


def _indices(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, shape))


def _correlation(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program
    ledger = hw.Ledger()
    result = correlate(
        x[0],
        x[1],
        stride=tuple(a["stride"]),
        padding=tuple(tuple(pair) for pair in a["padding"]),
        dilation=tuple(a["dilation"]),
        groups=a["groups"],
        x_zero_point=a["x_zero_point"],
        weight_zero_point=a["weight_zero_point"],
        pad_value=a["pad_value"],
        accumulator=hw.Accumulator(**a["accumulator"]),
        ledger=ledger,
    )
    book.take(ledger, lambda index: index)
    return result


def _transposed_correlation(
    x: Sequence[Array], a: dict[str, Any], program: Program, book: Book
) -> Array:
    del program
    ledger = hw.Ledger()
    options = {**a, "accumulator": hw.Accumulator(**a["accumulator"])}
    result = correlate_transposed(x[0], x[1], **options, ledger=ledger)
    book.take(ledger, lambda index: index)
    return result


def _linear(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program
    lead = x[0].shape[:-1]
    result = np.zeros((*lead, x[1].shape[0]), np.int64)
    for index in _indices(lead):
        ledger = hw.Ledger()
        row = multiply(
            x[0][index][None],
            x[1],
            a["x_zero_point"],
            a["weight_zero_point"],
            hw.Accumulator(**a["accumulator"]),
            ledger,
        )
        result[index] = row[0]
        book.take(ledger, lambda first, index=index: (*index, first[1]))
    return result


def _linear_pairs(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del a, program
    result = np.zeros((*x[0].shape[:-1], x[1].shape[0]), np.int64)
    for index in _indices(result.shape):
        row, factors = x[0][index[:-1]].tolist(), x[1][index[-1]].tolist()
        products = [code * factor for code, factor in zip(row, factors, strict=True)]
        pairs = [sum(products[j : j + 2]) for j in range(0, len(products), 2)]
        total = sum(min(max(pair, -32768), 32767) for pair in pairs)
        held = [Held("pair of products", 16, "saturate", pair) for pair in pairs]
        total_held = Held("accumulator", 32, "wrap", total)
        book.note(index, total, clamped=False, held=[*held, total_held])
        result[index] = multiply_pairs(row, factors)
    return result


def _linear_groups(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program
    codes, weight, scale, point = x
    result = np.zeros((*codes.shape[:-1], len(weight)), np.float32)
    factors, zeros, bias = a["weight_scale"], a["weight_zero_point"], a["bias"]
    size = weight.shape[1] // factors.shape[1]
    scales, points = (np.broadcast_to(one, (*codes.shape[:-1], 1)) for one in (scale, point))
    for index in _indices(result.shape):
        row, o = index[:-1], index[-1]
        zero = [0] * factors.shape[1] if zeros is None else zeros[o].tolist()
        sums = [0] * factors.shape[1]
        for k, (code, factor) in enumerate(
            zip(codes[row].tolist(), weight[o].tolist(), strict=True)
        ):
            sums[k // size] += (code - int(points[row][0])) * (factor - zero[k // size])
        result[index] = in_groups(
            sums, float(scales[row][0]), factors[o].tolist(),
            None if bias is None else float(bias[o]), a["order"], fused=a["fused"],
        )  # fmt: skip
        book.note(index, float(result[index]), clamped=False)
    return result


def _matmul(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program
    left, right = x
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = np.broadcast_to(left, (*batch, *left.shape[-2:]))
    right = np.broadcast_to(right, (*batch, *right.shape[-2:]))
    result = np.zeros((*batch, left.shape[-2], right.shape[-1]), np.int64)
    for index in _indices(batch):
        ledger = hw.Ledger()
        result[index] = multiply(
            left[index],
            right[index].T,
            a["a_zero_point"],
            a["b_zero_point"],
            hw.Accumulator(**a["accumulator"]),
            ledger,
        )
        book.take(ledger, lambda first, index=index: (*index, first[0], first[1]))
    return result


def _bias_add(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program
    accumulator = hw.Accumulator(**a["accumulator"])
    result = np.zeros(x[0].shape, np.int64)
    for index in _indices(result.shape):
        value, bias = int(x[0][index]), int(x[1][index[a["axis"]]])
        result[index] = bias_add_one(value, bias, accumulator)
        held = of_accumulator(accumulator, value + bias)
        book.note(index, value + bias, clamped=False, held=held)
    return result


def _requantize(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    scheme = decode_scheme(a["scheme"], program.constants)
    output = fixed_format(a["output"])
    clamp = None if a["clamp"] is None else tuple(a["clamp"])
    result = np.zeros(x[0].shape, np.int64)
    for index in _indices(result.shape):
        channel = index[a["axis"]] if scheme.channels else 0
        value, offset = int(x[0][index]), a["input_zero_point"]
        free = scheme.reference(value - offset, channel) + a["zero_point"]
        code = requantize_one(
            value,
            scheme,
            a["zero_point"],
            output,
            clamp,
            a["input_zero_point"],
            channel=channel,
        )
        result[index] = code
        held = of_requantizer(scheme, value - offset, channel)
        book.note(index, free, clamped=code != free, held=held)
    return result


def _add(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    adder = decode_scheme(a["scheme"], program.constants)
    zeros = (a["a_zero_point"], a["b_zero_point"], a["zero_point"])
    clamp = None if a["clamp"] is None else tuple(a["clamp"])
    wide = hw.FixedFormat(32)
    left, right = np.broadcast_arrays(*x)
    result = np.zeros(left.shape, np.int64)
    for index in _indices(result.shape):
        codes = int(left[index]), int(right[index])
        result[index] = add_one(*codes, adder, *zeros, fixed_format(a["output"]), clamp)
        free = add_one(*codes, adder, *zeros, wide)
        held = of_adder(adder, codes[0] - zeros[0], codes[1] - zeros[1])
        # The extremes of a ledger with an accumulator are the accumulator's.
        value = held[0].value if isinstance(adder, hw.AlignedAdd) else free
        book.note(index, value, clamped=free != result[index], held=held)
    return result


def _clamp(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program
    result = np.zeros(x[0].shape, np.int64)
    for index in _indices(result.shape):
        value = int(x[0][index])
        result[index] = clamp_one(value, a["lo"], a["hi"])
        book.note(index, value, clamped=result[index] != value)
    return result


def _lookup(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del book
    codes = program.tensors[program.inputs[0]].format
    table = a["table"].tolist()
    flat = [lookup_one(code, table, codes) for code in x[0].ravel().tolist()]
    return np.array(flat, np.int64).reshape(x[0].shape)


def _per_dimension(value: Any, rank: int) -> list[Any]:
    return list(value) if isinstance(value, list) else [value] * rank


def _axis(
    size: int, kernel: int, stride: int, pad: tuple[int, int], dilation: int, *, ceil: bool
) -> list[list[int]]:
    """Return the positions of every window along one dimension, padding included."""
    reach = dilation * (kernel - 1)
    last = size + sum(pad) - reach - 1
    windows = []
    for start in range(-pad[0], size + pad[1], stride):
        fits = start + pad[0] <= last
        begins_inside = start < size and start + pad[0] < last + stride
        if fits or (ceil and begins_inside):
            windows.append([start + dilation * tap for tap in range(kernel)])
    return windows


def _shares(size: int, count: int) -> list[list[int]]:
    """Return the positions of every adaptive window: all that its share of the line touches."""
    return [
        [t for t in range(size) if i * size < (t + 1) * count and t * count < (i + 1) * size]
        for i in range(count)
    ]


def _pool(x: Array, a: dict[str, Any]) -> tuple[list[list[list[int]]], list[tuple[int, int]]]:
    """Return the windows of every spatial dimension, and the paddings."""
    sizes = x.shape[2:]
    if a.get("output_size") is not None:
        wanted = _per_dimension(a["output_size"], len(sizes))
        return [_shares(*item) for item in zip(sizes, wanted, strict=True)], [(0, 0)] * len(sizes)
    if a["kernel"] is None:
        return [[list(range(size))] for size in sizes], [(0, 0)] * len(sizes)
    rank = len(sizes)
    kernel = _per_dimension(a["kernel"], rank)
    stride = _per_dimension(kernel if a["stride"] is None else a["stride"], rank)
    dilation = _per_dimension(a.get("dilation", 1), rank)
    pads = [(p, p) if isinstance(p, int) else tuple(p) for p in _per_dimension(a["padding"], rank)]
    zipped = zip(sizes, kernel, stride, pads, dilation, strict=True)
    return [_axis(*item, ceil=a["ceil_mode"]) for item in zipped], pads


def _windows(x: Array, a: dict[str, Any]) -> Iterator[tuple[tuple[int, ...], list[int], int]]:
    """Give index, codes in the input, and number of taps in the padding of every window."""
    axes, pads = _pool(x, a)
    for n, c in _indices(x.shape[:2]):
        for place in itertools.product(*(range(len(axis)) for axis in axes)):
            taps = list(itertools.product(*(axis[p] for axis, p in zip(axes, place, strict=True))))
            sizes = x.shape[2:]
            inside = [
                tap for tap in taps if all(0 <= t < s for t, s in zip(tap, sizes, strict=True))
            ]
            padded = [
                tap
                for tap in taps
                if all(-b <= t < s + e for t, s, (b, e) in zip(tap, sizes, pads, strict=True))
            ]
            yield (
                (n, c, *place),
                [int(x[(n, c, *tap)]) for tap in inside],
                len(padded) - len(inside),
            )


def _pooled(x: Array, a: dict[str, Any]) -> Array:
    return np.zeros((*x.shape[:2], *(len(axis) for axis in _pool(x, a)[0])), np.int64)


def _max_pool(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program, book
    result = _pooled(x[0], a)
    for index, codes, _ in _windows(x[0], a):
        result[index] = max(codes)
    return result


def _avg_pool(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program, book
    output = fixed_format(a["output"]) if "output" in a else hw.FixedFormat(32)
    result = _pooled(x[0], a)
    for index, codes, padding in _windows(x[0], a):
        zero, divisor = a["zero_point"], a.get("divisor")
        border = [zero] * padding if a["count_include_pad"] and divisor is None else []
        offset = zero if a.get("centered") else 0
        result[index] = average(codes + border, a["rounding"], output, offset, divisor, zero)
    return result


def _reshape(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program, book
    shape = list(a["shape"])
    shape[0] = x[0].shape[0] if shape[0] == 0 else shape[0]
    return x[0].reshape(shape)


def _permute(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program, book
    source = x[0].shape
    result = np.zeros([source[axis] for axis in a["dims"]], np.int64)
    for index in _indices(source):
        result[tuple(index[axis] for axis in a["dims"])] = x[0][index]
    return result


def _strided_slice(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program, book
    sizes = [n if size == -1 else size for n, size in zip(x[0].shape, a["sizes"], strict=True)]
    result = np.zeros(sizes, np.int64)
    for index in _indices(sizes):
        places = zip(a["starts"], a["steps"], index, strict=True)
        result[index] = x[0][tuple(start + step * i for start, step, i in places)]
    return result


def _gather(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program, book
    source = x[0].shape
    axis = a["axis"] % len(source)
    result = np.zeros((*source[:axis], len(x[1]), *source[axis + 1 :]), np.int64)
    for index in _indices(result.shape):
        result[index] = x[0][(*index[:axis], int(x[1][index[axis]]), *index[axis + 1 :])]
    return result


def _cache_write(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del program, book
    cache, rows, at = (np.asarray(array) for array in x)
    result, new = np.moveaxis(cache.copy(), a["axis"], -1), np.moveaxis(rows, a["axis"], -1)
    for index in _indices(result.shape[:-1]):
        line = write_line(result[index].tolist(), new[index].tolist(), at.tolist(), ring=a["ring"])
        result[index] = line
    return np.moveaxis(result, -1, a["axis"])


def _embedding(x: Sequence[Array], a: dict[str, Any], program: Program, book: Book) -> Array:
    del a, program, book
    return np.array([x[0][int(i)] for i in x[1].ravel()]).reshape(*x[1].shape, *x[0].shape[1:])


DEFINITIONS: dict[str, Callable[[Sequence[Array], dict[str, Any], Program, Book], Array]] = {
    "correlation": _correlation,
    "transposed_correlation": _transposed_correlation,
    "linear": _linear,
    "linear_groups": _linear_groups,
    "linear_pairs": _linear_pairs,
    "matmul": _matmul,
    "bias_add": _bias_add,
    "requantize": _requantize,
    "add": _add,
    "clamp": _clamp,
    "lookup": _lookup,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "reshape": _reshape,
    "permute": _permute,
    "strided_slice": _strided_slice,
    "gather": _gather,
    "cache_write": _cache_write,
    "embedding": _embedding,
    **DYNAMIC_DEFINITIONS,
    **ELEMENTWISE_DEFINITIONS,
    **FLOAT_DEFINITIONS,
    **TABLE_DEFINITIONS,
    **UNIT_DEFINITIONS,
}
