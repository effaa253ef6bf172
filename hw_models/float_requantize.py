"""Requantize with a float bias: what PyTorch's int8 engines do with a layer's float32 bias.

Real-number meaning: ``y - zero_point ~ (acc * s_x * s_w + bias) / s_y``. The integer datapaths of
this package add an integer bias to the accumulator first (``bias_add``, then ``FloatScale``); the
x86 engines of PyTorch keep the bias in float32 and round at every step. ``f32`` rounds to nearest
even, ``fma(a, b, c) = f32(a * b + c)``, ``rint`` rounds halves to even, ``x = f32(acc)``,
``s = f32(s_w * s_x)``:

    fbgemm-channel    rint(f32(f32(x + f32(bias / s)) * f32(s / s_y))) + zp
    fbgemm-tensor     rint(f32(fma(bias, f32(1 / s), x) * f32(s / s_y))) + zp
    onednn            rint(f32(f32(t * f32(1 / s_y)) + zp)), t = f32(f32(f32(x * s_x) * s_w) + bias)
    onednn-combined   the same, but t = f32(f32(x * s) + bias)
    onednn-reference  rint(f32(f32(t / s_y) + zp)), t as in onednn

Then the fused activation's clamp and the output's range.

Corners: without a bias both fbgemm kinds are ``FloatScale(f32(s / s_y))``. oneDNN adds the zero
point *before* it rounds: with an odd zero point a tie goes the other way, and the float32 sum
itself may make a tie. The kernels of PyTorch round beyond int32 in their own ways; here what is out
of range saturates, at any size.

Sources: pytorch/FBGEMM src/QuantUtilsAvx2.cc requantizeOutputProcessingAvx2 (its compiler contracts
the per-tensor multiply and add into an FMA); oneapi-src/oneDNN brgemm post-operations (AVX512 and
VNNI: ``onednn``; AMX: ``onednn-combined``), its int8 kernels before AVX512 and VNNI
(``onednn-combined``) and ref_matmul_int8 (``onednn-reference``). Measured against torch 2.13:
tests/peers, docs/peers.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array, axis_length, require_ledger
from hw_models._pointwise import (
    INT64_MAX,
    INT64_MIN,
    as_int64,
    channel_view,
    output_range,
    require_axis,
    require_int,
    require_integers,
    require_output,
)
from hw_models.compiled import kernel
from hw_models.compiled.fused import fused_multiply_add
from hw_models.errors import ContractError, no_case
from hw_models.floats import nearest32
from hw_models.formats import FixedFormat, IntArray

if TYPE_CHECKING:
    from hw_models.ledger import Ledger

FloatBiasKind: TypeAlias = Literal[
    "fbgemm-channel", "fbgemm-tensor", "onednn", "onednn-combined", "onednn-reference"
]
# The position in this tuple is the kind's number in the kernel: a new name goes last.
FLOAT_BIAS_KINDS: Final[tuple[FloatBiasKind, ...]] = get_args(FloatBiasKind)
_CHANNEL, _TENSOR, _ONEDNN, _COMBINED, _REFERENCE = 0, 1, 2, 3, 4
_LIMIT: Final = 1 << 62
Table32: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FloatBias:
    """Scales and float bias of one layer, and the engine whose float32 steps they take.

    Attributes:
        kind: a name of ``FLOAT_BIAS_KINDS``.
        input_scale: s_x, rounded to float32, as the others.
        weight_scale: s_w, a scalar or one per channel.
        output_scale: s_y.
        bias: real value, a scalar or one per channel.
    """

    kind: FloatBiasKind
    input_scale: float
    weight_scale: float | tuple[float, ...]
    output_scale: float
    bias: float | tuple[float, ...] = 0.0
    tables: Table32 = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in FLOAT_BIAS_KINDS:
            raise ContractError(
                f"kind must be one of its names, not {self.kind!r} "
                f"(accepted: {', '.join(FLOAT_BIAS_KINDS)})"
            )
        for name in ("input_scale", "weight_scale", "output_scale", "bias"):
            table = _float32(getattr(self, name), name, positive=name != "bias")
            if table.ndim and name in ("input_scale", "output_scale"):
                raise ContractError(f"{name} must be a scalar, not {table.shape} (accepted: one)")
            value = float(table) if table.ndim == 0 else tuple(table.tolist())
            object.__setattr__(self, name, value)
        object.__setattr__(self, "tables", self._tables())

    @property
    def channels(self) -> int:
        """Length of the per-channel parameters; 0 when they are scalars."""
        return max(len(v) for v in (self._of("weight_scale"), self._of("bias")))

    def _of(self, name: str) -> tuple[float, ...]:
        value = getattr(self, name)
        return value if isinstance(value, tuple) else ()

    def _tables(self) -> Table32:
        """Rows first, second, addend, last: the float32 constants of the kind, per channel."""
        if len({len(v) for v in (self._of("weight_scale"), self._of("bias")) if v}) > 1:
            raise ContractError(
                "weight_scale and bias must have one length, not "
                f"{len(self._of('weight_scale'))} and {len(self._of('bias'))} (accepted: scalars, "
                "or one value per channel)"
            )
        one, s_x, s_y = (np.float32(v) for v in (1.0, self.input_scale, self.output_scale))
        s_w, bias = np.asarray(self.weight_scale, np.float32), np.asarray(self.bias, np.float32)
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            s = s_w * s_x
            rows: tuple[Any, ...]
            match self.kind:
                case "fbgemm-channel":
                    rows = one, one, bias / s, s / s_y
                case "fbgemm-tensor":
                    rows = bias, one / s, np.float32(0), s / s_y
                case "onednn":
                    rows = s_x, s_w, bias, one / s_y
                case "onednn-combined":
                    rows = s, one, bias, one / s_y
                case "onednn-reference":
                    rows = s_x, s_w, bias, s_y
                case _:
                    raise ContractError(no_case(self.kind, "FloatBias.kind", FLOAT_BIAS_KINDS))
        size = max(self.channels, 1)
        table = np.stack([np.broadcast_to(np.asarray(row, np.float32), size) for row in rows])
        if not (np.isfinite(table).all() and (table[3] > 0).all()):
            raise ContractError(
                f"the scales of {self!r} leave float32 (accepted: scales whose products and "
                "quotients are positive and finite)"
            )
        table.setflags(write=False)
        return table


def _float32(value: object, name: str, *, positive: bool) -> Table32:
    accepted = f"{'positive ' if positive else ''}finite float32 numbers, a scalar or 1-D"
    array = as_array(value, name)
    if array.ndim > 1 or array.size == 0 or array.dtype.kind not in "fiu":
        raise ContractError(f"{name} must be numbers, not {value!r} (accepted: {accepted})")
    with np.errstate(over="ignore", under="ignore"):
        table = array.astype(np.float32)
    if not np.isfinite(table).all() or (positive and not (table > 0).all()):
        raise ContractError(f"{name} must not be {value!r} (accepted: {accepted})")
    return table


def _add(a: float, b: float) -> float:
    return nearest32(Fraction(a) + Fraction(b)) if math.isfinite(a) else a


def _mul(a: float, b: float) -> float:
    return nearest32(Fraction(a) * Fraction(b)) if math.isfinite(a) else a


def _rint(a: float) -> int:
    return round(a) if abs(a) < _LIMIT else (_LIMIT if a > 0 else -_LIMIT)


def reference(
    acc: int,
    scheme: FloatBias,
    zero_point: int = 0,
    output: FixedFormat | None = None,
    clamp: tuple[int, int] | None = None,
    channel: int = 0,
) -> int:
    """Requantize one accumulator, every float32 rounding made from exact fractions."""
    low, high = output_range(output or FixedFormat(8), clamp)
    column = channel if scheme.channels else 0
    first, second, addend, last = (float(row[column]) for row in scheme.tables)
    x = nearest32(Fraction(acc))
    match scheme.kind:
        case "fbgemm-channel":
            value = _rint(_mul(_add(x, addend), last)) + zero_point
        case "fbgemm-tensor":
            fused = nearest32(Fraction(first) * Fraction(second) + Fraction(x))
            value = _rint(_mul(fused, last)) + zero_point
        case "onednn" | "onednn-combined" | "onednn-reference":
            t = _add(_mul(_mul(x, first), second), addend)
            divide = scheme.kind == "onednn-reference"
            ratio = (
                nearest32(Fraction(t) / Fraction(last))
                if divide and math.isfinite(t)
                else _mul(t, last)
            )
            value = _rint(_add(ratio, float(zero_point)))
        case _:
            raise ContractError(no_case(scheme.kind, "FloatBias.kind", FLOAT_BIAS_KINDS))
    return min(max(value, low), high)


@kernel
def _float_bias(
    x: Any, y: Any, flags: Any, stats: Any, bounds: Any, tables: Any, kind: Any
) -> None:
    if kind < _CHANNEL or kind > _REFERENCE:
        raise ValueError("no engine has this number")
    low, high, zero = bounds[0], bounds[1], bounds[2]
    limit = np.float32(_LIMIT)
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            first, second, addend, last = tables[0, c], tables[1, c], tables[2, c], tables[3, c]
            for i in range(x.shape[2]):
                f = np.float32(x[o, c, i])
                offset = zero
                if kind == _CHANNEL:
                    r = np.float32(np.float32(f + addend) * last)
                elif kind == _TENSOR:
                    r = np.float32(fused_multiply_add(first, second, f) * last)
                else:
                    t = np.float32(np.float32(np.float32(f * first) * second) + addend)
                    r = np.float32(t / last) if kind == _REFERENCE else np.float32(t * last)
                    r = np.float32(r + np.float32(zero))
                    offset = 0
                v = np.int64(min(max(np.rint(r), -limit), limit)) + offset
                code = min(max(v, low), high)
                y[o, c, i] = np.int32(code)
                if flags.size:
                    stats[0] = min(stats[0], v)
                    stats[1] = max(stats[1], v)
                    stats[2] += code != v
                    flags[o, c, i] = code != v


def float_requantize(
    acc: IntArray,
    scheme: FloatBias,
    zero_point: int = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    clamp: tuple[int, int] | None = None,
    axis: int = 1,
    ledger: Ledger | None = None,
) -> IntArray:
    """Rescale accumulators and add the float bias, as an x86 engine of PyTorch does.

    Args:
        acc: integers of up to 64 bits (the engines have 32), any shape and strides.
        scheme: kind, scales and bias.
        zero_point: of the output, within 24 bits: float32 holds it.
        output: format of 1 to 32 bits.
        clamp: (low, high) of a fused activation, in output codes.
        axis: the dimension that per-channel parameters run along.
        ledger: filled with the extremes of the value before the clamp (at most about 2**62) and
            with what the clamp changed.

    Returns:
        Codes in ``output.dtype``, the shape and the memory order of acc.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    x = require_integers(acc, "acc")
    low, high = output_range(require_output(output), clamp)
    zero = require_int(zero_point, "zero_point", -(1 << 24), 1 << 24)
    if not isinstance(scheme, FloatBias):
        raise ContractError(f"scheme must be a FloatBias, not {scheme!r} (accepted: FloatBias)")
    channels = scheme.channels
    if channels:
        length = axis_length(x.shape, axis)
        axis = require_axis(axis, x.ndim, length, channels, "scheme")
        channels = length
    view, layout = channel_view(x, axis, channels)
    # A scheme of scalars, or of one channel, serves every channel of the view.
    columns = scheme.tables.shape[1] if view.shape[1] <= 1 else view.shape[1]
    tables = np.ascontiguousarray(np.broadcast_to(scheme.tables, (4, columns)))
    y = np.empty(view.shape, np.int32)
    flags = np.empty(view.shape if ledger is not None else (0, 0, 0), np.bool_)
    stats = np.array([INT64_MAX, INT64_MIN, 0], np.int64)
    bounds = np.array([low, high, zero], np.int64)
    kind = FLOAT_BIAS_KINDS.index(scheme.kind)
    _float_bias(as_int64(view, "acc"), y, flags, stats, bounds, tables, kind)
    if ledger is not None:
        ledger.fill(
            x.size,
            (int(stats[0]), int(stats[1])) if x.size else (0, 0),
            f"float_requantize-{scheme.kind}",
            "float32, step by step",
            clamped=int(stats[2]),
            first_clamped=layout.first(flags) if stats[2] else None,
        )
    codes = y if output.signed else y.view(np.uint32)
    return layout.restore(codes.astype(output.dtype, copy=False))
