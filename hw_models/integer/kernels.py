"""Kernels of the units: one code after the other, the extremes of every register on the way."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw_models.compiled import kernel
from hw_models.integer.curves import (
    GATE,
    ExpSigmoid,
    ExpSilu,
    IbertExp,
    IbertGelu,
    gate_shift,
    term_shift,
)
from hw_models.integer.digits import compiled_length, compiled_scaled, note
from hw_models.integer.exponential import OCTAVES, compiled_exponential
from hw_models.integer.inverses import RECIPROCALS, ROOTS, STEPS, NewtonReciprocal, NewtonRsqrt

_EXP, _SIGMOID, _SILU = range(3)
_RECIPROCALS = np.array(RECIPROCALS, np.int64)
_ROOTS = np.array(ROOTS, np.int64)


@kernel
def _exponentials(x: Any, y: Any, ends: Any, unit: Any, kind: Any, drop: Any) -> None:
    """``unit``: ln2, b, one, left_shift, and the code that is subtracted."""
    ln2, b, one, left_shift = unit[0], unit[1], unit[2], unit[3]
    for i in range(x.size):
        c = x[i] - unit[4]
        below = min(c, 0) if kind == _EXP else -abs(c)
        value = compiled_exponential(below, ln2, b, one, left_shift)
        note(ends, 0, max(compiled_scaled(below, left_shift), -OCTAVES * ln2))
        note(ends, 1, value)
        if kind != _EXP:
            top = one >> drop
            gate = (top << GATE) // (top + (value >> drop))
            value = (1 << GATE) - gate if c < 0 else gate
            note(ends, 2, value)
            if kind == _SILU:
                value = c * value
                note(ends, 3, value)
        y[i] = value


@kernel
def _gelu(x: Any, y: Any, ends: Any, unit: Any, drop: Any) -> None:
    """``unit``: knee, one, left_shift, and the code that is subtracted."""
    knee, one = unit[0], unit[1]
    for i in range(x.size):
        c = x[i] - unit[3]
        lifted = compiled_scaled(abs(c), unit[2])
        rest = knee - min(lifted, knee)
        erf = one - rest * rest
        gate = (one + (-erf if c < 0 else erf)) >> drop
        y[i] = c * gate
        note(ends, 0, lifted)
        note(ends, 1, erf)
        note(ends, 2, gate)
        note(ends, 3, y[i])


@kernel
def _reciprocals(x: Any, y: Any, ends: Any, unit: Any, table: Any, infinite: Any) -> None:
    """``unit``: multiplier, right_shift, and the code that is subtracted."""
    for i in range(x.size):
        c = x[i] - unit[2]
        y[i] = infinite
        if c != 0:
            e = compiled_length(abs(c))
            m = compiled_scaled(abs(c), 16 - e)
            v = table[(m >> 8) - 128] << 7
            for _ in range(STEPS):
                v += (v * (((1 << 31) - m * v) >> 10) + (1 << 20)) >> 21
            product, places = v * unit[0], e + unit[1]
            y[i] = (product + ((1 << places) >> 1)) >> places
            if c < 0:
                y[i] = -y[i]
            note(ends, 0, v)
            note(ends, 1, product)


@kernel
def _roots(x: Any, y: Any, ends: Any, unit: Any, table: Any, infinite: Any) -> None:
    """As ``_reciprocals``."""
    for i in range(x.size):
        c = x[i] - unit[2]
        y[i] = infinite
        if c > 0:
            pairs = (compiled_length(c) + 1) >> 1
            m = compiled_scaled(c, 16 - 2 * pairs)
            v = table[(m >> 8) - 64] << 7
            for _ in range(STEPS):
                h = (v * v + (1 << 15)) >> 16
                v += (v * (((1 << 30) - m * h) >> 10) + (1 << 20)) >> 21
            product, places = v * unit[0], pairs + unit[1]
            y[i] = (product + ((1 << places) >> 1)) >> places
            note(ends, 0, v)
            note(ends, 1, product)


def run(unit: Any, x: Any, y: Any, ends: Any, infinite: int) -> None:
    """Compute what a unit makes of codes x (int64) before zero point and clamp.

    Args:
        unit: one of those of ``hw_models.integer_function``.
        x: codes.
        y: int64, written.
        ends: [registers, 2] of int64: widened by the extremes of each register.
        infinite: what stands for the reciprocal of 0.
    """
    if isinstance(unit, (IbertExp, ExpSigmoid, ExpSilu)):
        e = unit.exponential
        origin = unit.top if isinstance(unit, IbertExp) else unit.input_zero_point
        kind = (IbertExp, ExpSigmoid, ExpSilu).index(type(unit))
        fields = np.array((e.ln2, e.b, e.one, e.left_shift, origin), np.int64)
        _exponentials(x, y, ends, fields, kind, term_shift(e.one, 16))
    elif isinstance(unit, IbertGelu):
        words = (unit.knee, unit.one, unit.left_shift, unit.input_zero_point)
        _gelu(x, y, ends, np.array(words, np.int64), gate_shift(unit.one))
    elif isinstance(unit, (NewtonReciprocal, NewtonRsqrt)):
        fields = np.array((unit.multiplier, unit.right_shift, unit.input_zero_point), np.int64)
        if isinstance(unit, NewtonReciprocal):
            _reciprocals(x, y, ends, fields, _RECIPROCALS, infinite)
        else:
            _roots(x, y, ends, fields, _ROOTS, infinite)
