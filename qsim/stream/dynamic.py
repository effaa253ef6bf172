"""Encodes float32 around products: ranges, scales and zero points of run time, what uses them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.program import format_from_json, resolve
from qsim.stream.command import Command, NotInStream
from qsim.stream.lines import kind_of, operand

if TYPE_CHECKING:
    from qsim.program import Array, Call
    from qsim.stream.layout import Layout
    from qsim.stream.source import Source

_COST: Final = 8  # products that take as long as one element
_BLOCK: Final = 1024


def _plain(source: Source, name: str) -> Layout:
    layout = operand(source, name)
    if not layout.plain:
        raise NotInStream(f"{name} has its channels innermost")
    if layout.size == 0:
        raise NotInStream(f"{name} is empty")
    return layout


def encode_min_max(source: Source, index: int) -> list[Command]:
    """Encode least and greatest of the innermost dimensions.

    Raises:
        NotInStream: other dimensions are reduced.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    axes: Any = call.attributes["axes"]
    x = _plain(source, call.inputs[0])
    rank = len(x.shape)
    reduced = {axis % rank for axis in axes}
    first = min(reduced)
    if any(x.shape[axis] != 1 for axis in set(range(first, rank)) - reduced):
        raise NotInStream("what is reduced does not lie together")
    words = {f.N: math.prod(x.shape[:first]), f.C: math.prod(x.shape[first:])}
    return [
        Command((index,), (call.inputs[0],), call.output, f.MIN_MAX, words, products=_COST * x.size)
    ]


def encode_choice(source: Source, index: int) -> list[Command]:
    """Encode the choice of scales, or of zero points.

    Raises:
        NotInStream: a constant range, a layout of its own, infinities that go on.
    """
    from hw_models.dynamic.choose_qparams import CHOICES, QParamsRule
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    rows = _plain(source, call.inputs[0]).size // 2
    y = source.layouts[call.output]
    rule = QParamsRule(**dict(call.attributes))  # type: ignore[arg-type]
    if rule.propagates:
        raise NotInStream("infinities go on")
    table = np.zeros(5, np.int64)
    table[:4] = rule.low, rule.high, rule.middle, rule.symmetric
    table[4:].view(np.float32)[0] = rule.bound
    words = {
        f.N: rows, f.MODE: CHOICES.index(rule.formula), f.TABLE: source.constants.add(table),
        f.Y_KIND: f.FLOAT32 if y.dtype == np.float32 else kind_of(y),
    }  # fmt: skip
    work = 12 * rows + 64
    return [Command((index,), (call.inputs[0],), call.output, f.CHOOSE, words, work)]


def parameters(
    source: Source, call: Call, names: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], dict[int, int]]:
    """Return the tensors that hold a call's scales and zero points, and the words that say so.

    They are its last two operands, unless others are named. Of those in the arena the zero points'
    place comes second; where the scales are constants it stands for theirs, which the words tell.

    No tensors where both are constants.

    Raises:
        NotInStream: a layout of its own.
    """
    from hw_models.stream import fields as f

    names = names or call.inputs[1:]
    scale, zero = (source.program.constants.get(name) for name in names)
    words = {f.ZERO_KIND: f.INT64, f.PARAMETERS_PLACE: 0}
    reads: tuple[str, ...] = ()
    if scale is not None:
        words[f.PARAMETERS_PLACE] |= f.SCALES_FIXED
        words |= {f.PARAMETERS: scale.size, f.X2: source.constants.add(scale.astype(np.float32))}
    else:
        words[f.PARAMETERS] = _plain(source, names[0]).size
        reads = names[:1]
    if zero is not None:
        words[f.PARAMETERS_PLACE] |= f.ZEROS_FIXED
        words[f.X3] = source.constants.add(zero.astype(np.int64))
    else:
        words[f.ZERO_KIND] = kind_of(_plain(source, names[1]))
        reads = (*(reads or names[1:]), *names[1:])
    return reads, words


def _rows(source: Source, call: Call) -> tuple[Layout, tuple[str, ...], dict[int, int], int]:
    """Return the operand, its parameters, the words of [rows, elements] and the workspace."""
    from hw_models.stream import fields as f

    x = _plain(source, call.inputs[0])
    _plain(source, call.output)
    reads, words = parameters(source, call)
    count = words[f.PARAMETERS]
    words |= {f.N: count, f.C: x.size // count}
    return x, (call.inputs[0], *reads), words, 8 * (count + _BLOCK) + 64


def encode_quantize(source: Source, index: int) -> list[Command]:
    """Encode values that become codes of up to 16 bits.

    Raises:
        NotInStream: wider codes, another formula, infinities that go on.
    """
    from hw_models.stream import fields as f
    from hw_models.stream import floats

    modes = {
        "torch": floats.ADDED, "executorch": floats.ADDED, "fbgemm": floats.FUSED,
        "onnx": floats.EVEN, "tflite": floats.AWAY,
    }  # fmt: skip
    call = source.program.calls[index]
    formula: Any = call.attributes["formula"]
    if call.attributes.get("non_finite") == "propagate":
        raise NotInStream("infinities go on")
    if formula not in modes:
        raise NotInStream(f"the formula {formula}")
    output = format_from_json(call.attributes["output"])
    x, reads, words, work = _rows(source, call)
    if output.bits > 16:
        raise NotInStream("codes of more than 16 bits")
    words |= {
        f.MODE: modes[formula], f.LEAST: output.min, f.MOST: output.max,
        f.Y_KIND: kind_of(source.layouts[call.output]),
    }  # fmt: skip
    cost = _COST * x.size
    return [Command((index,), reads, call.output, f.QUANTIZE, words, work, products=cost)]


def encode_dequantize(source: Source, index: int) -> list[Command]:
    """Encode codes of up to 32 bits that become values.

    Raises:
        NotInStream: wider codes.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    x, reads, words, work = _rows(source, call)
    if source.format(call.inputs[0]).bits > 32:
        raise NotInStream("codes of more than 32 bits")
    words |= {f.MODE: call.attributes["formula"] != "torch", f.X_KIND: kind_of(x)}
    cost = _COST * x.size
    return [Command((index,), reads, call.output, f.DEQUANTIZE, words, work, products=cost)]


@dataclass(frozen=True, slots=True)
class Tables:
    """The constants of a dequantizer of sums, one for each output, and zeros up to whole vectors.

    Attributes:
        scales: float32.
        sums: int64, of weights.
        bias: float32.
        words: what a descriptor says of them.
    """

    scales: Array
    sums: Array
    bias: Array
    words: dict[int, int]

    def packed(self, kind: type[np.integer[Any]]) -> Array:
        """Return the bytes: sums of 64 bits first, of 32 bits behind the scales."""
        sums = self.sums.astype(kind)
        parts = (sums, self.scales) if kind is np.int64 else (self.scales, sums)
        return np.concatenate([part.view(np.uint8) for part in (*parts, self.bias)])


def tables(source: Source, call: Call, columns: int) -> Tables:
    """Return the constants of a dequantize_sums for so many columns."""
    from hw_models.stream import fields as f
    from hw_models.stream import floats

    a: Any = call.attributes
    outputs = source.layouts[call.output].shape[-1]

    def table(name: str, kind: Any) -> Array:
        made = np.zeros(columns, kind)
        value = resolve(a[name], source.program.constants)
        if value is not None:
            made[:outputs] = value
        return made

    given = a["bias"] is not None
    if a.get("order") == "row_first":
        way = floats.ROW_FIRST_ADDED if given else floats.ROW_FIRST
    else:
        way = floats.PLAIN if not given else floats.ONCE if a["fused"] else floats.TWICE
    return Tables(
        table("weight_scale", np.float32),
        table("weight_sum", np.int64),
        table("bias", np.float32),
        {f.WAY: 1 + way, f.PITCH: columns},
    )


def encode_sums(source: Source, index: int) -> list[Command]:
    """Encode sums in the arena that become values.

    Raises:
        NotInStream: sums or sums of weights whose difference may exceed 64 bits.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    x, (_, *reads), words, work = _rows(source, call)
    made = tables(source, call, x.shape[-1])
    if source.format(call.inputs[0]).bits > 62 or np.abs(made.sums).max() >= 1 << 46:
        raise NotInStream("a sum less the zero point's share may exceed 64 bits")
    words |= made.words | {
        f.N: x.size // x.shape[-1], f.O: x.shape[-1], f.X_KIND: kind_of(x),
        f.TABLE: source.constants.add(made.packed(np.int64)),
    }  # fmt: skip
    command = Command(
        (index,), (call.inputs[0], *reads), call.output, f.DEQUANTIZE_SUMS, words, work,
        products=_COST * x.size,
    )  # fmt: skip
    return [command]
