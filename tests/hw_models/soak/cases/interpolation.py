"""Interpolated lookup: tables of every size, slopes that wrap, every code of an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.interpolation import reference, result_format
from tests.hw_models.registers import Registers, of_interpolation
from tests.hw_models.soak.comparing import Check, spot
from tests.hw_models.soak.drawing import bulk, container, integer, laid_out, layout_shape, pick

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def _wrapped(values: Any, form: hw.FixedFormat) -> Any:
    low = values % (1 << form.bits)
    return np.where(low > form.max, low - (1 << form.bits), low) if form.signed else low


def _table(rng: Rng, size: int, form: hw.FixedFormat, result: str) -> Any:
    if result == "rounded":
        return bulk(rng, (size,), form.min, form.max)
    value, table = integer(rng, form.min, form.max), []
    for _ in range(size):  # no slope may leave the entries' format
        table.append(value)
        value = integer(rng, max(form.min, value + form.min), min(form.max, value + form.max))
    return np.array(table, np.int64)


def case_interpolation(rng: Rng, result: Any) -> Outcome:
    codes_, entries = (
        hw.FixedFormat(int(pick(rng, 16, 16, 8, rng.integers(1, 17))), bool(rng.integers(3)))
        for _ in range(2)
    )
    steps = int(pick(rng, min(9, codes_.bits), rng.integers(0, min(codes_.bits, 9) + 1)))
    table = _table(rng, (1 << steps) + 1, entries, result)
    fraction = codes_.bits - steps
    x = bulk(rng, layout_shape(rng, int(pick(rng, 1, 100, 500))), codes_.min, codes_.max)
    if not rng.integers(4):  # every code of one interval
        start = codes_.min + (int(rng.integers(1 << steps)) << fraction)
        x = np.arange(start, start + min(1 << fraction, 1000))
    index, rest = np.divmod(x - codes_.min, 1 << fraction)
    base = table[index]
    slope = table[index + 1] - base
    if result == "exact":
        values = base * (1 << fraction) + slope * rest
    else:
        twice = 2 * _wrapped(slope, entries) * rest
        values = _wrapped(base + (twice + (1 << fraction)) // (2 << fraction), entries)
    form = result_format(entries, table.size, codes_, result)
    want_bits = entries.bits + (fraction if result == "exact" else 0)
    x = container(rng, x)
    xs, ts, ledger = laid_out(rng, x), laid_out(rng, container(rng, table)), hw.Ledger()
    flat, listed = x.reshape(-1).tolist(), table.tolist()
    held = Registers(of_interpolation(codes_.min, listed, codes_, entries, result))
    for i, code in enumerate(flat):
        held.hold(spot(i, x.shape), of_interpolation(code, listed, codes_, entries, result))
    check = Check("interpolate", values.reshape(-1).tolist(), (form.min, form.max), form, x.shape)
    problem = check.problem(
        [reference(v, listed, codes_, entries, result) for v in flat],
        ledger,
        hw.interpolate(xs, ts, codes_, entries, result, ledger),
        hw.interpolate(xs, ts, codes_, entries, result),
        registers=held.all,
    ) or (None if form.bits == want_bits else f"{form!r}")
    about = f"{codes_!r} {entries!r} {table.size} {result} x {x.dtype}{x.shape}{xs.strides}"
    return x.size, problem, about
