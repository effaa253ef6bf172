"""Rotary position embedding of codes: each pair of channels turned by an angle of its position.

Real-number meaning: of a pair ``(a, b)`` with angle t, ``a * cos t - b * sin t`` and
``b * cos t + a * sin t``. ``half`` pairs channel i with ``i + D/2`` (GPT-NeoX, LLaMA: rotate_half),
``interleaved`` 2i with ``2i + 1`` (the first paper, GPT-J; arXiv 2104.09864).

Integer formula: ``clamp(rescale((a - zx) * cos - (b - zx) * sin) + zero_point)``, likewise the
other; cos and sin are codes of ``2**-fraction``, the rescale is by ``s_x / (2**fraction * s_y)``: a
rounding shift (``PowerOfTwo(fraction)``) where x and y have one scale.

Corners: the sum is exact, one rounding. A turn may reach ``sqrt(2)`` times the largest code: the
clamp saturates. An angle of 0 changes nothing under a plain shift, so a partial rotation has
columns of ``2**fraction`` and 0. Width: the sum fits 32 bits; tables and formats that could exceed
it are refused.

Error: before the rounding, ``abs(a) + abs(b)`` times ``2**-(fraction + 1)``, the rounding of the
table.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np

from hw_models._arguments import as_array, require_ledger, require_name, require_scale, show
from hw_models._pointwise import (
    extremes,
    require_codes,
    require_int,
    require_narrow,
    require_output,
    require_signed,
)
from hw_models.compiled import kernel
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray, if_else
from hw_models.ledger import fixed_register
from hw_models.requantize import reference as requantized
from hw_models.requantize import requantize
from hw_models.schemes import REQUANTIZERS, Requantizer

if TYPE_CHECKING:
    from hw_models.formats import Select
    from hw_models.ledger import Ledger

__all__ = ["Pairing", "reference", "rotary", "rotary_tables"]

Pairing: TypeAlias = Literal["half", "interleaved"]
PAIRINGS: Final[tuple[Pairing, ...]] = get_args(Pairing)
LIMIT: Final = 1 << 31
_INT8: Final = FixedFormat(8)


def reference(
    a: Any,
    b: Any,
    cos: Any,
    sin: Any,
    rescale: Requantizer,
    x_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat = _INT8,
    *,
    select: Select = if_else,
) -> tuple[Any, Any]:
    """Turn one pair of integers or bit-vectors: the definition."""
    a, b = a - x_zero_point, b - x_zero_point
    first, second = (
        requantized(acc, rescale, zero_point, output, select=select) for acc in sums(a, b, cos, sin)
    )
    return first, second


def sums(a: Any, b: Any, cos: Any, sin: Any) -> tuple[Any, Any]:
    """Return what is rescaled of a pair whose zero points are taken off: the definition."""
    return a * cos - b * sin, b * cos + a * sin


@kernel
def turn(x: Any, acc: Any, cos: Any, sin: Any, across: Any, along: Any) -> None:
    """Turn rows ``x[rows, depth]``: ``across`` in a pair, ``along`` from one pair to the next."""
    for r in range(x.shape[0]):
        for i in range(cos.shape[1]):
            p = i * along
            q = p + across
            a, b = x[r, p], x[r, q]
            acc[r, p] = a * cos[r, i] - b * sin[r, i]
            acc[r, q] = b * cos[r, i] + a * sin[r, i]


def rotary(
    x: IntArray,
    cos: IntArray,
    sin: IntArray,
    rescale: Requantizer,
    pairing: Pairing = "half",
    x_zero_point: int = 0,
    zero_point: int = 0,
    input: FixedFormat = _INT8,  # noqa: A002  # the contract's name
    output: FixedFormat = _INT8,
    ledger: Ledger | None = None,
) -> IntArray:
    """Turn the pairs of the last dimension.

    Args:
        x: codes of ``input``, [..., D] with D even, any strides.
        cos: codes of ``2**-fraction``, of a shape that broadcasts to [..., D/2]: [positions, D/2].
        sin: likewise.
        rescale: a requantizer per tensor.
        pairing: ``half`` or ``interleaved``.
        x_zero_point: the code of real 0 in x.
        zero_point: of the output, added before the clamp.
        input: format of x: 1 to 16 bits.
        output: format of the result: 1 to 32 bits.
        ledger: filled with the extremes of the value before the clamp, with what it changed, and
            with the registers of the sum and of the rescale.

    Returns:
        Codes in ``output.dtype``, the shape of x.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    require_name(pairing, "pairing", PAIRINGS)
    require_output(output)
    zero = require_int(x_zero_point, "x_zero_point", -(1 << 16), 1 << 16)
    codes = require_signed(as_array(x, "x"), "x")
    require_rotary(codes.shape, rescale, input)
    require_codes(codes, "x", input)
    depth = codes.shape[-1]
    tables = [
        _table(value, name, (*codes.shape[:-1], depth // 2))
        for value, name in ((cos, "cos"), (sin, "sin"))
    ]
    require_sums(tables, input, zero)
    rows = np.ascontiguousarray(codes, np.int64).reshape(-1, depth) - zero
    acc = np.empty(rows.shape, np.int64)
    steps = (depth // 2, 1) if pairing == "half" else (1, 2)
    turn(rows, acc, *(table.reshape(-1, depth // 2) for table in tables), *steps)
    result = requantize(acc.reshape(codes.shape), rescale, zero_point, output, ledger=ledger)
    if ledger is not None:
        ledger.kernel = f"rotary-{ledger.kernel}"
        sums = fixed_register("accumulator", FixedFormat(32), extremes(acc))
        ledger.registers = (sums, *ledger.registers)
    return result


def require_rotary(shape: tuple[int, ...], rescale: Requantizer, codes: FixedFormat) -> None:
    """Raise ContractError where a shape has no pairs, or a rescale is not per tensor."""
    if not shape or shape[-1] < 2 or shape[-1] % 2:
        raise ContractError(
            f"x must have pairs in its last dimension, not shape {shape} (accepted: an even length)"
        )
    if not isinstance(rescale, REQUANTIZERS) or rescale.channels:
        raise ContractError(
            f"rescale must be a requantizer per tensor, not {show(rescale)} "
            "(accepted: PowerOfTwo, FixedPoint, ... of scalars)"
        )
    require_narrow(codes, "input")


def require_sums(tables: Any, codes: FixedFormat, zero_point: int) -> None:
    """Raise ContractError where a sum could exceed 32 bits."""
    for name, table in zip(("cos", "sin"), tables, strict=True):
        if table.size and max(-int(table.min()), int(table.max())) >= LIMIT:
            raise ContractError(
                f"{name} must hold codes of up to 31 bits, not {show(table)} "
                f"(accepted: below {LIMIT})"
            )
    size = max(abs(codes.min - zero_point), abs(codes.max - zero_point))
    cos, sin = tables
    turns = int((np.abs(cos) + np.abs(sin)).max()) if cos.size else 0
    if turns * size >= LIMIT:
        raise ContractError(
            f"abs(cos) + abs(sin) times the largest code must fit 32 bits, not {turns} * {size} "
            f"(accepted: up to {(LIMIT - 1) // size} of codes up to {size})"
        )


def _table(value: Any, name: str, shape: tuple[int, ...]) -> Any:
    array = require_signed(as_array(value, name), name).astype(np.int64)
    try:
        return np.ascontiguousarray(np.broadcast_to(array, shape))
    except ValueError:
        raise ContractError(
            f"{name} must have one code per pair, not shape {array.shape} "
            f"(accepted: what broadcasts to {shape})"
        ) from None


def rotary_tables(
    positions: int, depth: int, base: float = 10000.0, fraction: int = 14
) -> tuple[IntArray, IntArray]:
    """Return cos and sin of ``position * base**(-2i / depth)``, [positions, depth / 2].

    In float64, rounded half to even to codes of ``2**-fraction``: int16 up to 14 fraction bits.
    """
    rows = require_int(positions, "positions", 1, 1 << 24)
    pairs = require_int(depth, "depth", 2, 1 << 16) // 2
    if depth % 2:
        raise ContractError(f"depth must be even, not {depth} (accepted: 2, 4, ...)")
    scale = 1 << require_int(fraction, "fraction", 0, 30)
    real = require_scale(base, "base")
    frequencies = [math.pow(real, -2 * i / (2 * pairs)) for i in range(pairs)]
    angles = np.arange(rows, dtype=np.float64)[:, None] * np.array(frequencies)
    kind = np.int16 if fraction <= 14 else np.int32
    cos, sin = (np.rint(f(angles) * scale).astype(kind) for f in (np.cos, np.sin))
    return cos, sin
