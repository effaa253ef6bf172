"""Encodes correlation and linear, with the bias, the requantize and the clamp that follow.

They become one command where that is provably equal: the accumulators then never reach the arena.
Two's complement sums of 32 bits are a ring, so it is enough that every accumulator on the way
either cannot overflow, by the bound on its sums, or is a wrap at 32 bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.program import attributes as check
from qsim.program import decode_scheme, dims, pairs, resolve
from qsim.stream import dynamic
from qsim.stream.bands import Window, bands
from qsim.stream.command import Command, NotInStream
from qsim.stream.spreads import spread
from qsim.stream.steps import known_before

if TYPE_CHECKING:
    from hw_models import Accumulator
    from hw_models.products.geometry import Geometry
    from hw_models.stream.pack import PackedProducts
    from qsim.program import Call
    from qsim.stream.source import Source

_ITEMS: Final = 8  # pieces of work that a few threads share well
_INT32: Final = (-(1 << 31), (1 << 31) - 1)


@dataclass
class Chain:
    """A correlation and what follows it.

    Attributes:
        calls: indices of the calls taken so far.
        output: the tensor that the last of them makes.
        low, high: what its sums can be.
        bias: one per channel.
        table: of requantize, and its mode.
        unit: bytes of what it makes.
    reads: what is read besides the codes: scale and zero point of run time.
    words: of the values that are made with those.
    """

    calls: list[int]
    output: str
    low: int
    high: int
    bias: Any = None
    table: Any = None
    mode: int = -1
    unit: int = 4
    reads: tuple[str, ...] = ()
    words: dict[int, int] = field(default_factory=dict)


def encode(source: Source, index: int) -> list[Command]:
    """Encode a correlation or linear call and its followers.

    Raises:
        NotInStream: the reason, where the jitted loop cannot compute it exactly.
    """
    call = source.program.calls[index]
    if call.primitive != "linear" and len(source.layouts[call.inputs[0]].shape) > 4:
        raise NotInStream("windows of three dimensions")
    if call.primitive == "transposed_correlation":
        spreading, call = spread(source, index)
    else:
        spreading = []
    x = source.codes(call.inputs[0], wide=True)
    kept = _packed(source, call)
    geometry, packed = kept[:2]
    window = _window(source, call, geometry, x.shape, x.plain)
    chain = _start(source, index, call, packed)
    axis = 1 if call.primitive == "correlation" else len(x.shape) - 1
    _take_bias(source, chain, axis)
    take_requantize(source, chain, axis, geometry, packed.columns)
    if call.primitive == "linear" and chain.table is None:
        _take_floats(source, chain, packed.columns)
    return [*spreading, _command(source, call, window, kept, chain)]


def _packed(source: Source, call: Call) -> tuple[Geometry, PackedProducts, int, int]:
    """Return geometry, packed weights without their codes, and where those are: start, bytes."""
    from hw_models.products.geometry import Geometry
    from hw_models.stream.pack import pack

    key = ("packed", call.name)
    if key not in source.kept:
        weight = source.constant(call.inputs[1]).astype(np.int64)
        zero = np.asarray(
            resolve(call.attributes["weight_zero_point"], source.program.constants), np.int64
        )
        weight = weight - zero.reshape(-1, *(1,) * (weight.ndim - 1))
        if call.primitive == "linear":
            weight = weight[:, :, None, None]
            geometry = Geometry.of(weight.shape, 1, 0, 1, 1)
        else:
            a: Any = call.attributes
            geometry = Geometry.of(
                weight.shape, dims(a["stride"]), pairs(a["padding"]), dims(a["dilation"]),
                a["groups"],
            )  # fmt: skip
            weight = weight.reshape(geometry.outputs, geometry.channels, *geometry.kernel)
        wide = source.format(call.inputs[0]).bits > 8
        source.kept[key] = _keep(source, geometry, pack(weight, geometry, wide=wide))
    kept: tuple[Geometry, PackedProducts, int, int] | None = source.kept[key]
    if kept is None:
        raise NotInStream("no tile serves weights of more than 16 bits or groups of few channels")
    return kept


def _keep(
    source: Source, geometry: Geometry, packed: PackedProducts | None
) -> tuple[Geometry, PackedProducts, int, int] | None:
    """Move packed weights into the constants; only there are they kept."""
    if packed is None:
        return None
    where = source.constants.add(packed.codes)
    # Not packed.codes[:0]: a view would keep all of them.
    return geometry, replace(packed, codes=np.empty(0, np.uint8)), where, packed.codes.size


def _window(
    source: Source, call: Call, geometry: Geometry, shape: tuple[int, ...], plain: bool
) -> Window:
    if call.primitive == "linear":
        if not (plain and source.layouts[call.output].plain):
            raise NotInStream("channels of a linear layer must lie innermost")
        return Window(math.prod(shape[:-1]), 1, 1, shape[-1], 1, 1)
    size = shape[2:] if len(shape) == 4 else (1, shape[2])
    return Window(shape[0], *size, shape[1], *geometry.output_size(*size))


def _start(source: Source, index: int, call: Call, packed: PackedProducts) -> Chain:
    """Bound the sums of a correlation."""
    a: Any = call.attributes
    codes = source.format(call.inputs[0])
    low, high = codes.min, codes.max
    if a.get("pad_value") is not None:
        low, high = min(low, a["pad_value"]), max(high, a["pad_value"])
    zero = a["x_zero_point"]
    low, high = min(low, zero), max(high, zero)
    bounds = packed.bounds(low - zero, high - zero)
    accumulator = check.accumulator_from_json(a["accumulator"])
    held = held_sums(accumulator, bounds.minimum, bounds.maximum)
    if held is None and accumulator.min <= bounds.minimum and bounds.maximum <= accumulator.max:
        raise NotInStream("a sum may exceed 32 bits")
    if held is None:
        raise NotInStream(
            f"the {accumulator.bits}-bit accumulator may overflow ({accumulator.overflow})"
        )
    return Chain([index], call.output, *held)


def held_sums(accumulator: Accumulator, low: int, high: int) -> tuple[int, int] | None:
    """Return the range of what int32 lanes hold of a sum, or None where that is not its value."""
    fits = _INT32[0] <= low and high <= _INT32[1]
    if fits and accumulator.min <= low and high <= accumulator.max:
        return low, high
    if accumulator.overflow == "wrap" and accumulator.bits == 32:
        return _INT32
    return None


def _take_bias(source: Source, chain: Chain, axis: int) -> None:
    found = source.follower(chain.output, "bias_add")
    if found is None:
        return
    index, call = found
    a: Any = call.attributes
    rank = len(source.layouts[chain.output].shape)
    bias = source.program.constants[call.inputs[1]].astype(np.int64)
    if call.inputs[0] != chain.output or a["axis"] % rank != axis:
        return
    accumulator = check.accumulator_from_json(a["accumulator"])
    held = held_sums(accumulator, chain.low + int(bias.min()), chain.high + int(bias.max()))
    if held is not None:
        chain.low, chain.high = held
        chain.bias, chain.output = bias, call.output
        chain.calls.append(index)


def take_requantize(
    source: Source, chain: Chain, axis: int, geometry: Geometry, columns: int
) -> None:
    """Take the requantize that follows, and the clamp behind it, where the loop has its scheme."""
    found = source.follower(chain.output, "requantize")
    if found is None:
        return
    index, call = found
    a: Any = call.attributes
    scheme = decode_scheme(a["scheme"], source.program.constants)
    rank = len(source.layouts[chain.output].shape)
    if scheme.channels and (a["axis"] % rank != axis or scheme.channels != geometry.outputs):
        return
    output = check.format_from_json(a["output"])
    limits = tuple(a["clamp"]) if a["clamp"] is not None else (output.min, output.max)
    limits = output.saturate(limits[0]), output.saturate(limits[1])
    follower = source.follower(call.output, "clamp")
    if follower is not None:
        low, high = follower[1].attributes["lo"], follower[1].attributes["hi"]
        limits = tuple(min(max(limit, low), high) for limit in limits)
    outputs, groups = geometry.group_outputs, geometry.groups
    if geometry.channels == 1 < groups == geometry.outputs:
        outputs, groups = geometry.outputs, 1
    about = a["zero_point"], output, limits, a["input_zero_point"]
    if not _take_table(chain, scheme, about, (groups, outputs, columns)):
        return
    chain.calls.append(index)
    chain.output = call.output
    if follower is not None:
        chain.calls.append(follower[0])
        chain.output = follower[1].output


def _take_table(chain: Chain, scheme: Any, about: Any, shape: tuple[int, int, int]) -> bool:
    """Give a chain what its requantize needs; return whether the loop has its arithmetic."""
    from hw_models.stream.requantize import parameters_of, table_of, wide_table_of

    zero_point, output, limits, input_zero_point = about
    if output.bits > 16:
        return False
    if output.bits > 8:
        chain.table = wide_table_of(scheme, zero_point, limits, input_zero_point, shape)
        chain.unit = 2
        return chain.table is not None
    parameters = parameters_of(scheme, zero_point, output, limits, input_zero_point)
    if parameters is None:
        return False
    chain.table, chain.mode, chain.unit = table_of(parameters, *shape), parameters.mode, 1
    return True


def _take_floats(source: Source, chain: Chain, columns: int) -> None:
    """Take the dequantizer of sums with it where 32 bits hold them less the zero point's share."""
    found = source.follower(chain.output, "dequantize_sums")
    if found is None:
        return
    index, call = found
    known = known_before(source.program, call.inputs[1:], chain.calls[0])
    if call.inputs[0] != chain.output or not known:
        return
    reads, words = dynamic.parameters(source, call)
    if len(reads) < 2 or call.inputs[1] in source.program.constants:
        return
    tables = dynamic.tables(source, call, columns)
    zeros = source.format(call.inputs[2])
    most = max(-chain.low, chain.high) + max(-zeros.min, zeros.max) * int(
        np.abs(tables.sums).max(initial=0)
    )
    if most > _INT32[1]:
        return
    chain.table = tables.packed(np.int32)
    chain.reads, chain.words = reads, words | tables.words
    chain.calls.append(index)
    chain.output = call.output


def _padding(call: Call, packed: PackedProducts, *, signed: bool) -> tuple[int, int]:
    """Return the padding as it is copied, and what copied bytes are xored with."""
    from hw_models.stream.pack import FLIP

    pad: Any = call.attributes.get("pad_value")
    code = int(call.attributes["x_zero_point"] if pad is None else pad)  # type: ignore[arg-type]
    if packed.item == 2:
        if not -32768 <= code <= 32767:
            raise NotInStream("the padding is no code of 16 bits")
        return code, 0
    if not (-128 <= code <= 127 if signed else 0 <= code <= 255):
        raise NotInStream("the padding is no code of 8 bits")
    flip = FLIP if signed else 0
    return (code & 0xFF) ^ flip, flip


def _command(
    source: Source,
    call: Call,
    window: Window,
    kept: tuple[Geometry, PackedProducts, int, int],
    chain: Chain,
) -> Command:
    from hw_models.stream import fields as f
    from hw_models.stream.matrix import matrix_steps

    geometry, packed, where, size = kept
    if chain.table is None and source.layouts[chain.output].dtype != np.int32:
        raise NotInStream("sums of more than 32 bits leave the command")
    a: Any = call.attributes
    codes = source.format(call.inputs[0])
    pad, flip = _padding(call, packed, signed=codes.signed)
    depthwise = packed.kind is None
    groups = 1 if depthwise else geometry.groups
    widest = 16 if depthwise else int(packed.blocks[:, 0].max())
    words, work = bands(window, geometry, packed.item, widest)
    row, pixel = words[f.COLUMNS] * window.channels * packed.item, window.channels * packed.item
    steps = np.array([geometry.dilation[0] * row, geometry.dilation[1] * pixel, 1], np.int64)
    offsets, pixels = packed.taps @ steps, words[f.IMAGES] * words[f.ROWS] * window.columns
    whole, paired = matrix_steps(offsets, pixels, widest) if packed.kind == f.BYTES_KIND else (0, 0)
    init = packed.initial(a["x_zero_point"], chain.bias, signed=codes.signed)
    keep = source.constants.add
    words |= {
        f.PAD: pad,
        f.SIGNED: f.INT16 if codes.bits > 8 else f.INT8 if codes.signed else f.UINT8,
        f.FLIP: flip,
        f.KIND: 0 if packed.kind is None else packed.kind,
        f.WEIGHTS: where,
        f.OFFSETS: keep(offsets),
        f.MATRIX_STEPS: whole,
        f.GATHERED_STEPS: paired,
        f.STEPS: packed.steps,
        f.INIT: keep(init),
        f.BLOCKS: 0 if depthwise else keep(packed.blocks),
        f.BLOCK_COUNT: len(packed.blocks),
        f.GROUPS: groups,
        f.GROUP_OUTPUTS: geometry.outputs // groups,
        f.GROUP_COLUMNS: packed.columns,
        f.GROUP_WEIGHTS: size // groups,
        f.GROUP_CODES: geometry.channels * packed.item,
        f.TABLE: 0 if chain.table is None else keep(chain.table),
        f.MODE: chain.mode,
        f.UNIT: chain.unit if chain.table is not None else 4,
        f.PITCH: groups * packed.columns,
        f.O: geometry.outputs,
        f.SHARES: 1 if depthwise else min(len(packed.blocks), -(-_ITEMS // words[f.BANDS])),
    }
    if chain.reads:
        words |= chain.words | {f.ROWS_FLOATS: work}
        work += 16 * words[f.IMAGES] + 64
    products = source.layouts[chain.output].size * geometry.taps
    return Command(
        tuple(chain.calls),
        (call.inputs[0], *chain.reads),
        chain.output,
        f.DEPTHWISE if depthwise else f.PRODUCTS,
        words,
        work,
        products=products,
    )
