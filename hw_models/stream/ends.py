"""What makes codes of 64-bit values in a command stream: the exact kernels of requantize.

Each takes values [channels, inner] from the start of the workspace and writes int32 codes behind
them. They are called by their address, so that a table compiles those that it needs. What the
bounds on the values allow is decided where the command is encoded.
"""

from __future__ import annotations

from typing import Any, Final

from numba import carray

from hw_models.compiled import kernel, part
from hw_models.mean import _divide_all
from hw_models.requantization import exact
from hw_models.stream.fields import CHANNELS, TABLE
from hw_models.stream.memory import (
    float32_at,
    float64_at,
    int32_at,
    int64_at,
    p_bool,
    p_int32,
    p_int64,
    table_at,
)

BLOCK: Final = 1024  # values that are made at once
SECOND_VALUES: Final = 8 * BLOCK  # bytes from the start of the workspace: a second operand's values
CODES: Final = 2 * SECOND_VALUES
_STATS: Final = CODES + 4 * BLOCK  # of a ledger that is not kept
WORK: Final = _STATS + 64
# A table: smallest code, largest code, zero point; then the parameters, one row per channel.
BOUNDS: Final = 3
_HEADER: Final = 8 * BOUNDS
_FIXED_ROW: Final = 7
_ROUNDING_ROW: Final = 6


@part
def _values(work, channels, inner):  # type: ignore[no-untyped-def]  # njit infers the types
    """Return values, codes, flags and stats as the kernels of requantize take them."""
    shape = (1, channels, inner)
    x, y = carray(p_int64(work), shape), carray(p_int32(work + CODES), shape)
    return x, y, carray(p_bool(work), (0, 0, 0)), int64_at(work + _STATS, 3)


@kernel(nogil=True)
def fixed(d, constants, work, channel, channels, inner):  # type: ignore[no-untyped-def]
    """``FixedPoint``, no product beyond 64 bits; parameters: ``fixed_rows``."""
    x, y, flags, stats = _values(work, channels, inner)
    table = constants + d[TABLE]
    rows = table_at(table + _HEADER + 8 * _FIXED_ROW * channel, channels, _FIXED_ROW)
    exact.fixed(x, y, flags, stats, int64_at(table, BOUNDS), rows)


@part
def _affine_rows(d, constants, channel, channels):  # type: ignore[no-untyped-def]
    """Return bounds, multipliers, addends and the table of the rounding."""
    table = constants + d[TABLE]
    own = table + _HEADER + 8 * channel
    every = table + _HEADER + 16 * d[CHANNELS] + 8 * _ROUNDING_ROW * channel
    return (
        int64_at(table, BOUNDS),
        int64_at(own, channels),
        int64_at(own + 8 * d[CHANNELS], channels),
        table_at(every, channels, _ROUNDING_ROW),
    )


@kernel(nogil=True)
def affine(d, constants, work, channel, channels, inner):  # type: ignore[no-untyped-def]
    """A product and a rounding, within 64 bits; parameters: multipliers, addends, rows."""
    x, y, flags, stats = _values(work, channels, inner)
    bounds, multipliers, addends, rows = _affine_rows(d, constants, channel, channels)
    exact.affine(x, y, flags, stats, bounds, multipliers, addends, rows)


@kernel(nogil=True)
def affine_wide(d, constants, work, channel, channels, inner):  # type: ignore[no-untyped-def]
    """As ``affine``, of any value."""
    x, y, flags, stats = _values(work, channels, inner)
    bounds, multipliers, addends, rows = _affine_rows(d, constants, channel, channels)
    exact.affine_wide(x, y, flags, stats, bounds, multipliers, addends, rows, 0)


@kernel(nogil=True)
def float_scale(d, constants, work, channel, channels, inner):  # type: ignore[no-untyped-def]
    """``FloatScale``; parameters: float32."""
    x, y, flags, stats = _values(work, channels, inner)
    table = constants + d[TABLE]
    scales = float32_at(table + _HEADER + 4 * channel, channels)
    exact.float_scale(x, y, flags, stats, int64_at(table, BOUNDS), scales)


@kernel(nogil=True)
def float64_scale(d, constants, work, channel, channels, inner):  # type: ignore[no-untyped-def]
    """``Float64Scale``; parameters: float64."""
    x, y, flags, stats = _values(work, channels, inner)
    table = constants + d[TABLE]
    scales = float64_at(table + _HEADER + 8 * channel, channels)
    exact.float64_scale(x, y, flags, stats, int64_at(table, BOUNDS), scales)


@kernel(nogil=True)
def division(d, constants, work, _channel, channels, inner):  # type: ignore[no-untyped-def]
    """``Division``; parameters: the count and the number of the rounding."""
    size, table = channels * inner, constants + d[TABLE]
    own = int64_at(table + _HEADER, 2)
    _divide_all(
        int64_at(work, size), int32_at(work + CODES, size), carray(p_bool(work), (0,)),
        int64_at(work + _STATS, 3), int64_at(table, BOUNDS), own[0], own[1],
    )  # fmt: skip


ENDS: Final = (fixed, affine, affine_wide, float_scale, float64_scale, division)
_KERNELS: Final = (
    exact.fixed, exact.affine, exact.affine_wide, exact.float_scale, exact.float64_scale,
    _divide_all,
)  # fmt: skip


def number_of(taken: Any) -> int:
    """Return the number of the end that calls a kernel."""
    return next(i for i, kernel in enumerate(_KERNELS) if kernel is taken)
