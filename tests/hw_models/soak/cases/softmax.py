"""softmax: gemmlowp's fixed point in arrays of int64, the float table, the 16-bit tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.interpolation import interpolation_table
from hw_models.softmax import reference
from tests.hw_models.registers import Registers, of_softmax
from tests.hw_models.soak.comparing import Check
from tests.hw_models.soak.drawing import bulk, container, laid_out, number_format, pick
from tests.hw_models.soak.gemmlowp import divide_by_power, exp_negative, high_mul, reciprocal
from tests.hw_models.soak.rescaling import fixed

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng

STEP = 10.0 / 65535.0


def _fixed(rows: Any, scheme: hw.FixedSoftmax, output: hw.FixedFormat) -> Any:
    """softmax.h, Softmax of int8."""
    d = rows - rows.max(1, keepdims=True)
    terms = exp_negative(high_mul(d << scheme.left_shift, scheme.multiplier))
    counted = d >= scheme.min_difference
    totals = np.where(counted, divide_by_power(terms, 12), 0).sum(1).tolist()
    values = []
    for row, keep, total in zip(terms, counted, totals, strict=True):
        inverse, units = reciprocal(total, 12)
        shift = units + 31 - output.bits
        code = divide_by_power(high_mul(row, inverse), shift) + output.min
        values.append(np.where(keep, code, output.min))
    return np.array(values, object).reshape(rows.shape)


def _float(rows: Any, scheme: hw.FloatSoftmax) -> Any:
    """optimized_ops.h: a table of 256 exponentials, a float32 sum from the left."""
    f = np.float32
    step = -f(scheme.input_scale) * f(scheme.beta)
    table = np.array([math.exp(float(step * f(i))) for i in range(256)]).astype(f)
    out = np.empty(rows.shape, object)
    for i, row in enumerate(rows):
        terms = table[row.max() - row]
        total = f(0)
        for term in terms:
            total = f(total + term)
        scaled = terms * (f(1) / (total * f(scheme.output_scale)))
        out[i] = [math.floor(v + 0.5) + scheme.zero_point for v in scaled.astype(float).tolist()]
    return out


def _looked_up(values: Any, table: Any) -> Any:
    """common.h, LUTLookup of int16: 128 codes to an interval."""
    index, rest = np.divmod(values + 32768, 128)
    return table[index] + ((table[index + 1] - table[index]) * rest + 64) // 128


def _tables16() -> tuple[Any, Any]:
    unit = 2.0 / 65535.0
    exp = interpolation_table("exp", STEP, unit, 32767, 0, "float64")
    inverse = interpolation_table(
        lambda x: 1.0 / (1.0 + x), 1.0 / 65535.0, unit, -32768, 0, "float64"
    )
    return exp.astype(np.int64), inverse.astype(np.int64)


def _table(rows: Any, scheme: hw.TableSoftmax) -> Any:
    """softmax.h, SoftmaxInt16."""
    exp, inverse = _tables16()
    out = np.empty(rows.shape, object)
    for i, row in enumerate(rows):
        points = [(fixed(v, scheme.rescale) or 0) + 32767 for v in (row - row.max()).tolist()]
        terms = _looked_up(np.clip(np.array(points), -32768, 32767), exp)
        total = int(terms.sum())
        headroom = 32 - total.bit_length()
        shifted = (total * 2 ** (headroom - 1) + 2**13) // 2**14
        point = min(max(shifted - (32768 + 65536), -32768), 32767)
        scale = int(_looked_up(np.array([point]), inverse)[0])
        out[i] = (terms * scale + (1 << (30 - headroom))) >> (31 - headroom)
    return out


def _ibert(rows: Any, scheme: hw.IbertSoftmax, output: hw.FixedFormat) -> Any:
    """Algorithm 2 of arXiv 2101.01321, in arrays of int64."""
    e = scheme.exponential
    lifted = np.floor((rows - rows.max(1, keepdims=True)) * 2.0**e.left_shift)
    v = np.maximum(lifted.astype(np.int64), -30 * e.ln2)
    z = -v // e.ln2
    r = v + z * e.ln2
    drop = e.one.bit_length() - 16
    terms = ((r * r + r * e.b + e.one) // 2**z) // 2**drop
    factors = 2**32 // terms.sum(1, keepdims=True)
    half = 2 ** (31 - output.bits) if scheme.rounding == "half_up" else 0
    return (terms * factors + half) // 2 ** (32 - output.bits) + output.min


def _scheme(rng: Rng, name: str) -> tuple[Any, hw.FixedFormat, hw.FixedFormat]:
    """Draw a scheme, its input and its output."""
    codes_ = hw.FixedFormat(8, bool(rng.integers(4)))
    scale = float(2.0 ** rng.uniform(-9, 1))
    beta = pick(rng, 1.0, 1.0, float(rng.uniform(0.1, 3)))
    if name == "fixed":
        output = hw.FixedFormat(int(pick(rng, 8, 16, 16, rng.integers(2, 17))))
        return hw.FixedSoftmax.from_scale(scale, beta), codes_, output
    if name == "float":
        step = pick(rng, 1 / 256, 1 / 256, float(2.0 ** rng.uniform(-16, 0)))
        zero = pick(rng, -128, 0, int(rng.integers(-200, 200)))
        return hw.FloatSoftmax(scale, step, zero, beta), codes_, number_format(rng)
    if name == "ibert":
        output = hw.FixedFormat(
            int(pick(rng, 8, 8, 16, rng.integers(2, 17))), bool(rng.integers(2))
        )
        codes_ = hw.FixedFormat(int(pick(rng, 16, 8)), bool(rng.integers(4)))
        shape = pick(rng, "floor", "half_up")
        made = hw.IbertSoftmax.from_scale(float(2.0 ** rng.uniform(-16, 2)), 1.0, shape)
        return made, codes_, output
    output = pick(rng, hw.FixedFormat(16), hw.FixedFormat(16), hw.FixedFormat(15, signed=False))
    codes_ = hw.FixedFormat(int(pick(rng, 16, 16, 8)))
    return hw.TableSoftmax.from_scale(float(2.0 ** rng.uniform(-15, -5)), beta), codes_, output


def case_softmax(rng: Rng, name: str) -> Outcome:
    scheme, codes_, output = _scheme(rng, name)
    count, length = int(rng.integers(1, 30)), int(pick(rng, 1, 2, 10, 10, 33, 100))
    x = bulk(rng, (count, length), codes_.min, codes_.max)
    if rng.integers(2):  # neighbours: many terms count
        x = np.clip(codes_.max - np.abs(x) % int(pick(rng, 3, 30, 3000)), codes_.min, codes_.max)
    values: Any = {
        "fixed": lambda: _fixed(x, scheme, output),
        "float": lambda: _float(x, scheme),
        "table": lambda: _table(x, scheme),
        "ibert": lambda: _ibert(x, scheme, output),
    }[name]()
    axis = int(rng.integers(-2, 2))
    shaped = x if axis in (1, -1) else x.T
    want = values if axis in (1, -1) else values.T
    xs, ledger = laid_out(rng, container(rng, shaped)), hw.Ledger()
    lines = np.array([reference(row, scheme, output) for row in x.tolist()], object)
    defined = (lines if axis in (1, -1) else lines.T).reshape(-1).tolist()
    low = max(0, output.min) if name == "table" else output.min
    flat = [int(v) for v in want.reshape(-1)]
    held = Registers()
    for row in x.tolist():
        held.hold((), of_softmax(scheme, row))
    check = Check("softmax", flat, (low, output.max), output, shaped.shape)
    problem = check.problem(
        defined,
        ledger,
        hw.softmax(xs, scheme, axis, codes_, output, ledger),
        hw.softmax(xs, scheme, axis, codes_, output),
        registers=held.all,
    )
    return x.size, problem, f"{scheme!r} {codes_!r} {output!r} axis={axis} {xs.dtype}{xs.shape}"
