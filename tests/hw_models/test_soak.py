"""Every primitive against an independent oracle, its ``reference()`` and its ledger's definition.

Random values, and values directed at what random ones miss: exact ties of both signs and their
neighbours, made from the multiplier and the shift; the edges where the output saturates; extremes;
every container, and strided, negative and transposed views. ``pytest -m "not soak"`` runs a slice;
``SOAK=100000 pytest -m soak`` that many output elements for every primitive and scheme. ``SEED``
changes the seed, which a failure prints with the smallest failing case that was found.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import hw_models as hw
from hw_models.activation import reference as clamp_reference
from hw_models.add import ADD_FORMULAS
from hw_models.add import reference as add_reference
from hw_models.avg_pool import reference as avg_pool_reference
from hw_models.bias_add import reference as bias_add_reference
from hw_models.correlation import reference as correlation_reference
from hw_models.dequantize import reference as dequantize_reference
from hw_models.float_requantize import FLOAT_BIAS_KINDS, FloatBias, float_requantize
from hw_models.float_requantize import reference as float_requantize_reference
from hw_models.linear import reference as linear_reference
from hw_models.matmul import reference as matmul_reference
from hw_models.max_pool import reference as max_pool_reference
from hw_models.quantize import reference as quantize_reference
from hw_models.requantize import reference as requantize_reference
from hw_models.requantize import requantize_plan
from tests.hw_models import oracles

if TYPE_CHECKING:
    from collections.abc import Callable

    Rng = np.random.Generator
    Case = Callable[[Rng, str], tuple[int, str | None, str]]

SEED = int(os.environ.get("SEED", "20240607"))
SLICE = 1500
LONG = int(os.environ.get("SOAK", "100000"))
MORE = 40  # cases tried after a failure, in search of a smaller one
CONTAINERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")


# ---------------------------------------------------------------- drawing


def pick(rng: Rng, *choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def integer(rng: Rng, low: int, high: int) -> int:
    """Within low..high, of any magnitude, and often at an edge."""
    kind = int(rng.integers(6))
    if kind == 0:
        return pick(rng, low, high, max(low, min(high, pick(rng, -1, 0, 1))))
    if kind < 4:
        bits = int(rng.integers(1, max(low.bit_length(), high.bit_length(), 1) + 1))
        value = int(rng.integers(0, 1 << 62)) % (1 << bits)
        value = -value if rng.integers(2) else value
        if low <= value <= high:
            return value
    return low + int.from_bytes(rng.bytes(12), "little") % (high - low + 1)


def codes(rng: Rng, count: int, low: int, high: int) -> list[int]:
    return [integer(rng, low, high) for _ in range(count)]


def bulk(rng: Rng, shape: tuple[int, ...], low: int, high: int) -> Any:
    """As codes, drawn at once: uniform, at the edges, or near zero."""
    kind = int(rng.integers(4))
    values = rng.integers(low, high, shape, np.int64, endpoint=True)
    if kind == 0:
        values = np.where(rng.integers(2, size=shape) == 1, low, high)
    elif kind == 1:
        values = np.clip(rng.integers(-2, 2, shape, endpoint=True), low, high)
    return values


def container(rng: Rng, values: Any, names: tuple[str, ...] = CONTAINERS) -> Any:
    """The values in one of the containers that hold them."""
    array = np.asarray(values)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    fitting = [n for n in names if np.iinfo(n).min <= low and high <= np.iinfo(n).max]
    return array.astype(pick(rng, *fitting))


def laid_out(rng: Rng, array: Any) -> Any:
    """The same values in another memory layout."""
    kind = int(rng.integers(6)) if array.ndim else 0
    if kind == 1:
        return np.asfortranarray(array)
    if kind == 2:
        order = rng.permutation(array.ndim)
        return np.ascontiguousarray(array.transpose(order)).transpose(np.argsort(order))
    if kind == 3:
        return np.flip(np.ascontiguousarray(np.flip(array)))
    if kind == 4:
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    if kind == 5 and array.ndim >= 3:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
    return array


def number_format(rng: Rng, most: int = 32) -> hw.FixedFormat:
    bits = pick(rng, 8, 8, 8, int(rng.integers(1, most + 1)))
    signed = bool(rng.integers(3))
    narrow = signed and bits > 1 and not rng.integers(4)
    return hw.FixedFormat(bits, signed=signed, narrow=narrow)


def fused(rng: Rng, form: hw.FixedFormat) -> tuple[int, int] | None:
    if rng.integers(3):
        return None
    low, high = sorted(codes(rng, 2, form.min - 5, form.max + 5))
    return low, high


def layout_shape(rng: Rng, size: int) -> tuple[int, ...]:
    """A small shape of 1 to 4 dimensions, now and then empty or a scalar."""
    kind = int(rng.integers(30))
    if kind == 0:
        return pick(rng, (), (0,), (0, 3), (2, 0, 3), (1, 2, 0, 0), (2, 3, 0))
    ndim = int(rng.integers(1, 5))
    shape = [int(rng.integers(1, 4)) for _ in range(ndim)]
    shape[int(rng.integers(ndim))] = max(size // max(int(np.prod(shape)), 1), 1)
    return tuple(shape)


# ---------------------------------------------------------------- comparing


def difference(what: str, actual: Any, expected: Any) -> str | None:
    """None where both are equal to the bit, shape included."""
    a, b = np.asarray(actual), np.asarray(expected)
    if a.shape != b.shape:
        return f"{what}: shape {a.shape}, the oracle says {b.shape}"
    same = a == b
    if bool(np.all(same)):
        return None
    at = tuple(int(i) for i in np.argwhere(~same)[0])
    return f"{what}: {a[at]} at {at}, the oracle says {b[at]} ({int((~same).sum())} differ)"


def ledger_difference(ledger: hw.Ledger, **expected: Any) -> str | None:
    for name, value in expected.items():
        actual = getattr(ledger, name)
        if actual != value:
            return f"ledger.{name}: {actual}, the oracle says {value}"
    return None


def smallest(pairs: Any) -> str:
    """The mismatching element of least magnitude."""
    return f"smallest: {min(pairs, key=lambda pair: abs(pair[0]))}" if pairs else ""


def run(name: str, case: Case, scheme: str, count: int) -> None:
    """Run cases until ``count`` output elements were compared."""
    seed = [SEED, zlib.crc32(f"{name}/{scheme}".encode())]
    rng = np.random.default_rng(seed)
    done, number, failures, stop = 0, 0, [], None
    while done < count and (stop is None or number < stop):
        number += 1
        elements, problem, about = case(rng, scheme)
        done += max(elements, 1)
        if problem is not None:
            failures.append((len(about), f"case {number}: {problem}\n  {about}"))
            stop = stop or number + MORE
    assert not failures, (
        f"SEED={SEED} {name} {scheme}: {len(failures)} of {number} cases differ; the smallest:\n"
        + min(failures)[1]
    )


# ---------------------------------------------------------------- element-wise helpers


def element_ledger(
    values: list[int], low: int, high: int, shape: tuple[int, ...]
) -> tuple[list[int], dict[str, Any]]:
    """Clamp in C order; what the ledger of a clamping primitive must then hold."""
    out = [min(max(v, low), high) for v in values]
    changed = [i for i, (v, y) in enumerate(zip(values, out, strict=True)) if v != y]
    first = tuple(int(i) for i in np.unravel_index(changed[0], shape)) if changed else None
    return out, {
        "elements": len(values),
        "minimum": min(values, default=0),
        "maximum": max(values, default=0),
        "overflows": 0,
        "clamped": len(changed),
        "first": first,
    }


def ties(rng: Rng, m: int, s: int, low: int, high: int) -> list[int]:
    """Values whose product with m lies on or beside a tie of a division by 2**s."""
    odd = 2 * integer(rng, -(1 << 20), 1 << 20) + 1
    found = []
    if s > 0 and m:
        twos = (m & -m).bit_length() - 1
        if s - 1 - twos >= 0:
            found.append(odd << (s - 1 - twos))  # exact: the product is odd times 2**(s - 1)
        found.append((odd << (s - 1)) // m)
        found.append((integer(rng, -300, 300) << s) // m)  # exact multiples, or just below
    found += [-v for v in found]
    return [v + d for v in found for d in (-1, 0, 1) if low <= v + d <= high]


def edges(m: int, s: int, codes_: tuple[int, ...], low: int, high: int) -> list[int]:
    """Values that m / 2**s takes to the given results, and their neighbours."""
    found = [((c << s) if s >= 0 else c >> -s) // m for c in codes_] if m else []
    return [v + d for v in found for d in (-1, 0, 1, 2) if low <= v + d <= high]


# ---------------------------------------------------------------- requantize


def _scheme(rng: Rng, name: str, channels: int) -> Any:
    size = max(channels, 1)

    def scalar_or_list(values: list[Any]) -> Any:
        return tuple(values) if channels else values[0]

    if name in ("double", "single"):
        bits = pick(rng, 32, 32, 16, 8, int(rng.integers(2, 33)))
        top = (1 << (bits - 1)) - 1
        most = bits + 30 if name == "double" else 62
        usual = bits - 1 + int(rng.integers(0, min(14, most - bits + 1) + 1))
        ms = [
            integer(rng, -top - 1, top) if not rng.integers(4) else integer(rng, top // 2, top)
            for _ in range(size)
        ]
        shifts = [
            pick(rng, min(usual, most), min(usual, most), int(rng.integers(0, most + 1)))
            for _ in range(size)
        ]
        return hw.FixedPoint(scalar_or_list(ms), scalar_or_list(shifts), name, bits)
    if name == "float":
        scales = [float(np.float32(2.0 ** rng.uniform(-24, 3))) for _ in range(size)]
        extreme = pick(rng, 2.0**-140, 1.0, 0.5, 2.0**-8, 2.0**100)
        scales = [extreme if not rng.integers(6) else s for s in scales]
        return hw.FloatScale(scalar_or_list(scales))
    shifts = [
        int(pick(rng, rng.integers(0, 24), rng.integers(0, 24), rng.integers(-62, 63)))
        for _ in range(size)
    ]
    return hw.PowerOfTwo(scalar_or_list(shifts), name, int(rng.integers(1 << 62)))


def _oracle_requantize(q: Any, name: str, x: int, c: int, index: int) -> int:
    if name in ("double", "single"):
        m, s = int(q.multipliers[c % len(q.multipliers)]), int(q.shifts[c % len(q.shifts)])
        return oracles.gemmlowp(x, m, s, q.bits) if name == "double" else oracles.single(x, m, s)
    if name == "float":
        return oracles.float_scale(x, float(q.scales[c % len(q.scales)]))
    k = int(q.shifts[c % len(q.shifts)])
    return oracles.shift_round(x, k, name, oracles.draw64(q.seed, index))


def _directed_for(
    rng: Rng, q: Any, name: str, c: int, ends: tuple[int, int], span: tuple[int, int]
) -> list[int]:
    if name in ("double", "single"):
        m, s = int(q.multipliers[c % len(q.multipliers)]), int(q.shifts[c % len(q.shifts)])
        found = ties(rng, m, s, *span) + edges(m, s, ends, *span)
        if name == "double":  # the first division's ties, of the lifted value
            found += ties(rng, m << max(q.bits - 1 - s, 0), q.bits - 1, *span)
        return found
    if name == "float":
        scale = oracles.Fraction(float(q.scales[c % len(q.scales)]))
        top = 1 << 40
        near = [int((2 * integer(rng, -300, 300) + 1) / (2 * scale)) for _ in range(3)]
        near += [int(e / scale) for e in ends]
        return [v + d for v in near for d in (-1, 0, 1) if max(-top, span[0]) <= v + d <= span[1]]
    k = int(q.shifts[c % len(q.shifts)])
    return ties(rng, 1, k, *span) + edges(1, k, ends, *span)


def case_requantize(rng: Rng, name: str) -> tuple[int, str | None, str]:
    shape = layout_shape(rng, int(pick(rng, 1, 8, 40, 100, 300)))
    ndim = len(shape)
    axis = int(rng.integers(-ndim, ndim)) % ndim if ndim else 0
    channels = shape[axis] if ndim and shape[axis] and rng.integers(2) else 0
    q = _scheme(rng, name, channels)
    form = number_format(rng)
    clamp = fused(rng, form)
    zero = pick(rng, 0, integer(rng, form.min, form.max), integer(rng, -(1 << 32), 1 << 32))
    offset = pick(rng, 0, 0, integer(rng, -(1 << 10), 1 << 10), integer(rng, -(1 << 32), 1 << 32))
    wide = name != "double" and not rng.integers(3)
    span = (-(1 << 63), (1 << 63) - 1) if wide else (-(1 << 31), (1 << 31) - 1)
    if name == "double":
        span = (span[0] + offset, span[1] + offset)
    if wide and name in ("float", "stochastic"):
        span = (max(span[0], span[0] + offset), min(span[1], span[1] + offset))
    low, high = (form.min, form.max) if clamp is None else map(form.saturate, clamp)
    ends = (low - zero, high - zero)
    array = np.empty(shape, np.int64)
    view = np.moveaxis(array, axis, 0) if channels else array.reshape(1, -1)
    for c in range(len(view)):
        room = view[c].size
        pool = _directed_for(rng, q, name, c, ends, (span[0] - offset, span[1] - offset))
        drawn = [pool[int(i)] + offset for i in rng.integers(len(pool), size=room)] if pool else []
        free = codes(rng, room, *span)
        mixed = [d if rng.integers(2) else f for d, f in zip(drawn or free, free, strict=True)]
        mixed = [min(max(v, span[0]), span[1]) for v in mixed]
        view[c] = np.array(mixed, np.int64).reshape(view[c].shape)
    acc = laid_out(rng, container(rng, array))
    flat = array.reshape(-1).tolist()
    which = np.broadcast_to(
        np.arange(shape[axis]).reshape(-1, *(1,) * (ndim - 1 - axis)) if channels else 0, shape
    ).reshape(-1).tolist()  # fmt: skip
    values = [
        _oracle_requantize(q, name, x - offset, c, i) + zero
        for i, (x, c) in enumerate(zip(flat, which, strict=True))
    ]
    expected, book = element_ledger(values, low, high, shape)
    plain = hw.requantize(acc, q, zero, form, clamp, axis, offset)
    ledger = hw.Ledger()
    booked = hw.requantize(acc, q, zero, form, clamp, axis, offset, ledger)
    defined = [
        requantize_reference(
            x,
            q,
            zero,
            form,
            clamp,
            offset,
            channel=c,
            draw=oracles.draw64(getattr(q, "seed", 0), i),
        )
        for i, (x, c) in enumerate(zip(flat, which, strict=True))
    ]
    want = np.array(expected, form.dtype).reshape(shape)
    plan = requantize_plan(q, zero, form, clamp, axis - ndim if ndim else 0, offset)
    into = laid_out(rng, np.zeros(shape, form.dtype))
    problem = (
        difference("requantize", plain, want)
        or difference("a plan's first call", plan(acc), want)
        or difference("a plan's second call", plan(acc), want)
        or difference("a plan's call into an array", plan(acc, out=into), want)
        or difference("that array", into, want)
        or difference("a plan's call into a C array", plan(acc, out=np.zeros_like(want)), want)
        or difference("requantize with a ledger", booked, want)
        or difference("reference", np.array(defined, form.dtype).reshape(shape), want)
        or (None if plain.dtype == form.dtype else f"dtype {plain.dtype}")
        or ledger_difference(ledger, **book)
    )
    wrong = [
        (x, f"channel {c} index {i}: oracle {e}, kernel {a}, reference {r}")
        for i, (x, c, e, a, r) in enumerate(
            zip(flat, which, expected, plain.reshape(-1).tolist(), defined, strict=True)
        )
        if not e == a == r
    ]
    about = (
        f"{smallest(wrong)} {q!r} zero_point={zero} {form!r} clamp={clamp} axis={axis} "
        f"input_zero_point={offset} acc {acc.dtype}{acc.shape} strides {acc.strides} {ledger}"
    )
    return acc.size, problem, about


def case_float_requantize(rng: Rng, kind: str) -> tuple[int, str | None, str]:
    shape = layout_shape(rng, int(pick(rng, 1, 8, 40, 100)))
    ndim = len(shape)
    axis = int(rng.integers(ndim)) if ndim else 0
    channels = shape[axis] if ndim and shape[axis] and rng.integers(2) else 0
    size = max(channels, 1)
    exact = not rng.integers(3)  # powers of two: ties abound

    def scale(low: float, high: float) -> float:
        power = rng.uniform(low, high)
        return float(np.float32(2.0 ** (round(power) if exact else power)))

    s_x, s_y = scale(-12, 2), scale(-12, 2)
    s_w = [scale(-14, 0) for _ in range(size)]
    bias = [float(np.float32(rng.normal() * 100 * s_y)) for _ in range(size)]
    if exact or not rng.integers(4):
        bias = [float(np.float32(integer(rng, -500, 500) * s_y / 2)) for _ in range(size)]
    form = number_format(rng)
    clamp = fused(rng, form)
    zero = pick(rng, 0, integer(rng, max(form.min, -(1 << 24)), min(form.max, 1 << 24)))
    low, high = (form.min, form.max) if clamp is None else map(form.saturate, clamp)
    span = (-(1 << 63), (1 << 63) - 1) if not rng.integers(5) else (-(1 << 31), (1 << 31) - 1)
    array = np.empty(shape, np.int64)
    view = np.moveaxis(array, axis, 0) if channels else array.reshape(1, -1)
    for c in range(len(view)):
        real = s_x * s_w[c % size]
        flat = codes(rng, view[c].size, *span)
        for i in range(len(flat)):
            if rng.integers(3):  # beside a tie, or beside an edge of the output
                code = pick(rng, integer(rng, -300, 300) + 0.5, low + 0.5, high - 0.5) - zero
                near = int((code * s_y - bias[c % size]) / real) + int(rng.integers(-1, 2))
                flat[i] = min(max(near, span[0]), span[1])
        view[c] = np.array(flat, np.int64).reshape(view[c].shape)
    scheme = FloatBias(
        kind, s_x, tuple(s_w) if channels else s_w[0], s_y, tuple(bias) if channels else bias[0]
    )
    acc, flat = laid_out(rng, container(rng, array)), array.reshape(-1).tolist()
    which = np.broadcast_to(
        np.arange(shape[axis]).reshape(-1, *(1,) * (ndim - 1 - axis)) if channels else 0, shape
    ).reshape(-1).tolist()  # fmt: skip
    pairs = list(zip(flat, which, strict=True))
    values = [oracles.float_bias(x, kind, (s_x, s_w[c], s_y), bias[c], zero) for x, c in pairs]
    expected, book = element_ledger(values, low, high, shape)
    want = np.array(expected, form.dtype).reshape(shape)
    ledger = hw.Ledger()
    plain = float_requantize(acc, scheme, zero, form, clamp, axis)
    booked = float_requantize(acc, scheme, zero, form, clamp, axis, ledger)
    defined = [float_requantize_reference(x, scheme, zero, form, clamp, c) for x, c in pairs]
    problem = (
        difference("float_requantize", plain, want)
        or difference("float_requantize with a ledger", booked, want)
        or difference("reference", np.array(defined, form.dtype).reshape(shape), want)
        or (None if plain.dtype == form.dtype else f"dtype {plain.dtype}")
        or ledger_difference(ledger, **book)
    )
    wrong = [
        (x, f"channel {c}: oracle {e}, kernel {k}, reference {r}")
        for (x, c), e, k, r in zip(
            pairs, expected, plain.reshape(-1).tolist(), defined, strict=True
        )
        if not e == k == r
    ]
    about = f"{smallest(wrong)} {scheme!r} zero_point={zero} {form!r} clamp={clamp} axis={axis} "
    return acc.size, problem, f"{about} acc {acc.dtype}{acc.shape} {ledger}"


# ---------------------------------------------------------------- sums of products


def _register(rng: Rng, scheme: str, reach: int) -> hw.Accumulator:
    """A width near what the sums reach, or any."""
    overflow, at, *order = scheme.split("-")
    near = max(2, min(64, reach.bit_length() + int(rng.integers(-4, 3))))
    bits = pick(rng, near, near, near, 32, int(rng.integers(2, 65)))
    return hw.Accumulator(bits, overflow, at, order[0] if order else "channel_first")


def _compare_sums(
    call: Any, reference: Any, sums: oracles.Sums, register: hw.Accumulator
) -> str | None:
    """``call`` and ``reference`` take a ledger or None; reference None: left out."""
    for what, function in (("kernel", call), ("reference", reference)):
        for ledger in (None, hw.Ledger()):
            if function is None or (what == "reference" and ledger is None):
                continue
            label = what if ledger is None else f"{what} with a ledger"
            try:
                actual = function(ledger)
            except hw.AccumulatorOverflowError as error:
                if register.overflow != "error" or sums.offender is None:
                    return f"{label}: raised {error}, the oracle does not"
                if (error.index, error.value) != sums.offender:
                    return f"{label}: raised {error}, the oracle says {sums.offender}"
                continue
            if register.overflow == "error" and sums.offender is not None:
                return f"{label}: did not raise, the oracle says {sums.offender}"
            problem = difference(label, actual, sums.values)
            if problem is None and actual.dtype != register.dtype:
                problem = f"{label}: dtype {actual.dtype}, not {register.dtype}"
            if problem is None and ledger is not None:
                problem = ledger_difference(
                    ledger,
                    elements=sums.values.size,
                    overflows=int(sums.flags.sum()),
                    first=sums.first,
                    minimum=sums.minimum,
                    maximum=sums.maximum,
                    clamped=0,
                )
                problem = problem and f"{label}: {problem} ({ledger.kernel})"
            if problem:
                return problem
    return None


def _code_range(rng: Rng) -> tuple[int, int]:
    bits = int(pick(rng, 8, 8, 8, 4, 16, 32, int(rng.integers(1, 33))))
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if rng.integers(2) else (0, (1 << bits) - 1)


def case_correlation(rng: Rng, scheme: str) -> tuple[int, str | None, str]:
    nd = int(rng.integers(1, 3))
    big = not rng.integers(8)
    groups = int(pick(rng, 1, 1, 2, 3, 5, 17))
    depthwise = groups > 1 and rng.integers(2)
    per = 1 if depthwise else int(pick(rng, 1, 2, 3, 4, *((33, 64, 70) if big else (5,))))
    outs = groups * int(pick(rng, 1, 1, 2, 3, *((33, 65) if big and groups == 1 else (4,))))
    kernel = tuple(int(k) for k in rng.integers(1, 4 if nd == 2 else 6, nd))
    stride = tuple(int(s) for s in rng.integers(1, 4, nd))
    dilation = tuple(int(d) for d in rng.integers(1, 4, nd))
    pads = tuple((int(b), int(a)) for b, a in rng.integers(0, 4, (nd, 2)) * rng.integers(0, 2))
    reaches = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    size = tuple(
        max(1, reach - sum(pad) + int(rng.integers(0, 16 if big else 5)))
        for reach, pad in zip(reaches, pads, strict=True)
    )
    images = int(pick(rng, 0, 1, 1, 2)) if not rng.integers(4) else 1
    channels = 0 if not rng.integers(50) else per
    xr, wr = _code_range(rng), _code_range(rng)
    x = container(rng, bulk(rng, (images, channels * groups, *size), *xr))
    w = container(rng, bulk(rng, (outs, channels, *kernel), *wr))
    wild = (-(1 << 31), (1 << 32) - 1)
    xz = pick(rng, 0, integer(rng, *xr), integer(rng, *wild))
    scalar = integer(rng, *wr)
    wz = pick(rng, 0, scalar, np.array(codes(rng, outs, *wr)), np.array(codes(rng, outs, *wild)))
    pad = pick(rng, None, 0, integer(rng, *xr))
    zeros = [int(z) for z in np.broadcast_to(wz, outs)]
    reach = (max(map(abs, xr)) + abs(xz)) * (max(map(abs, wr)) + max(map(abs, zeros)))
    register = _register(rng, scheme, reach * max(channels, 1))
    options: dict[str, Any] = {
        "stride": stride if rng.integers(2) or len(set(stride)) > 1 else stride[0],
        "padding": pads,
        "dilation": dilation,
        "groups": groups,
        "x_zero_point": xz,
        "weight_zero_point": wz,
        "pad_value": pad,
        "accumulator": register,
    }
    sums = oracles.correlation(
        x, w, stride, pads, dilation, groups, xz, zeros, pad,
        (register.bits, register.overflow, register.at, register.order),
    )  # fmt: skip
    xs, ws = laid_out(rng, x), laid_out(rng, w)
    elements = sums.values.size
    defined = None
    if elements * channels * int(np.prod(kernel)) <= 6000:
        defined = lambda ledger: correlation_reference(x, w, **options, ledger=ledger)  # noqa: E731
    problem = _compare_sums(
        lambda ledger: hw.correlation(xs, ws, **options, ledger=ledger), defined, sums, register
    )
    about = f"x {x.dtype}{x.shape}{xs.strides} w {w.dtype}{w.shape}{ws.strides} {options}"
    if problem and x.size + w.size <= 60:
        about += f" x={x.tolist()} w={w.tolist()}"
    return elements, problem, about


def _by_matrix(reference: Any, *arguments: Any) -> Any:
    """Wrap a definition that indexes as a correlation, [M, O, 0]: drop that last index."""

    def defined(ledger: hw.Ledger | None) -> Any:
        out = reference(*arguments, ledger)
        if ledger is not None and ledger.first is not None:
            ledger.first = ledger.first[:-1]
        return out

    return defined


def case_linear(rng: Rng, scheme: str) -> tuple[int, str | None, str]:
    lead = pick(rng, (), (1,), (3,), (2, 3), (0,), (17,), (7, 9), (2, 0))
    depth = int(pick(rng, 0, 1, 2, 7, 16, 65, 130)) if rng.integers(3) else 9
    outs = int(pick(rng, 1, 2, 5, 16, 33))
    xr, wr = _code_range(rng), _code_range(rng)
    x = container(rng, bulk(rng, (*lead, depth), *xr))
    w = container(rng, bulk(rng, (outs, depth), *wr))
    xz = pick(rng, 0, integer(rng, *xr))
    wz = pick(rng, 0, integer(rng, *wr), np.array(codes(rng, outs, *wr)))
    zeros = [int(z) for z in np.broadcast_to(wz, outs)]
    reach = (max(map(abs, xr)) + abs(xz)) * (max(map(abs, wr)) + max(map(abs, zeros)))
    register = _register(rng, scheme, reach * max(depth, 1))
    rule = (register.bits, register.overflow, register.at, register.order)
    sums = oracles.matmul(x, w.T, xz, zeros, rule)
    xs, ws = laid_out(rng, x), laid_out(rng, w)
    defined = None
    if len(lead) == 1 and sums.values.size * depth <= 6000 and register.overflow != "error":
        defined = _by_matrix(linear_reference, x, w, xz, wz, register)

    problem = _compare_sums(
        lambda ledger: hw.linear(xs, ws, xz, wz, register, ledger), defined, sums, register
    )
    about = f"x {x.dtype}{x.shape}{xs.strides} w {w.dtype}{w.shape} {xz} {wz} {register}"
    if problem and x.size + w.size <= 60:
        about += f" x={x.tolist()} w={w.tolist()}"
    return sums.values.size, problem, about


def case_matmul(rng: Rng, scheme: str) -> tuple[int, str | None, str]:
    m, n = (int(pick(rng, 1, 2, 3, 17)) for _ in range(2))
    depth = int(pick(rng, 0, 1, 2, 5, 16, 65)) if rng.integers(2) else 6
    batches: tuple[tuple[int, ...], tuple[int, ...]] = pick(
        rng,
        ((), ()),
        ((2,), ()),
        ((), (2,)),
        ((2, 1), (3,)),
        ((1,), (4,)),
        ((0,), (1,)),
        ((3,), (3,)),
    )
    one = int(rng.integers(12))
    ashape = (depth,) if one == 0 else (*batches[0], m, depth)
    bshape = (depth,) if one == 1 else (*batches[1], depth, n)
    ar, br = _code_range(rng), _code_range(rng)
    a, b = container(rng, bulk(rng, ashape, *ar)), container(rng, bulk(rng, bshape, *br))
    columns = 1 if one == 1 else n
    az = pick(rng, 0, integer(rng, *ar))
    bz = pick(rng, 0, integer(rng, *br), np.array(codes(rng, columns, *br)))
    zeros = [int(z) for z in np.broadcast_to(bz, columns)]
    reach = (max(map(abs, ar)) + abs(az)) * (max(map(abs, br)) + max(map(abs, zeros)))
    register = _register(rng, scheme, reach * max(depth, 1))
    rule = (register.bits, register.overflow, register.at, register.order)
    sums = oracles.matmul(a, b, az, zeros, rule)
    defined = None
    if a.ndim == b.ndim == 2 and sums.values.size * depth <= 6000 and register.overflow != "error":
        defined = _by_matrix(matmul_reference, a, b, az, bz, register)
    xs, ys = laid_out(rng, a), laid_out(rng, b)
    problem = _compare_sums(
        lambda ledger: hw.matmul(xs, ys, az, bz, register, ledger), defined, sums, register
    )
    about = f"a {a.dtype}{a.shape} b {b.dtype}{b.shape} {az} {bz} {register}"
    if problem and a.size + b.size <= 60:
        about += f" a={a.tolist()} b={b.tolist()}"
    return sums.values.size, problem, about


def case_bias_add(rng: Rng, overflow: str) -> tuple[int, str | None, str]:
    shape = layout_shape(rng, int(pick(rng, 1, 10, 60)))
    ndim = len(shape)
    axis = int(rng.integers(-ndim, ndim)) if ndim else 0
    bits = int(pick(rng, 32, 32, 64, rng.integers(2, 65)))
    register = hw.Accumulator(bits, overflow, pick(rng, "mac", "sum"))
    span = (register.min, register.max)
    if not rng.integers(3):
        span = (-(1 << 63), (1 << 63) - 1)
    channels = shape[axis] if ndim and rng.integers(3) else 0
    bias = codes(rng, max(channels, 1), *span)
    array = np.array(codes(rng, int(np.prod(shape)), *span), np.int64).reshape(shape)
    index = np.zeros(shape, np.int64)
    if channels:
        index = np.broadcast_to(
            np.arange(channels).reshape(-1, *(1,) * (ndim - 1 - axis % ndim)), shape
        )
    which, flat = index.reshape(-1).tolist(), array.reshape(-1).tolist()
    edge = [register.min, register.max, register.min - 1, register.max + 1, 0]
    for i in range(len(flat)):  # sums directed at the edges of the register
        aimed = pick(rng, *edge) - bias[which[i]]
        if not rng.integers(3) and -(1 << 63) <= aimed < 1 << 63:
            flat[i] = aimed
    array = np.array(flat, np.int64).reshape(shape)
    acc = laid_out(rng, container(rng, array))
    biases: Any = laid_out(rng, container(rng, bias)) if channels else bias[0]
    totals = [x + bias[c] for x, c in zip(flat, which, strict=True)]
    flags = [oracles.leaves(t, bits, overflow) for t in totals]
    values = [oracles.store(t, bits, overflow) for t in totals]
    offender = None
    if any(flags):
        at = flags.index(True)
        offender = tuple(int(i) for i in np.unravel_index(at, shape)), totals[at]
    kind = object if overflow == "error" else register.dtype
    sums = oracles.Sums(
        np.array(values, kind).reshape(shape),
        np.array(flags, bool).reshape(shape),
        min(totals, default=0),
        max(totals, default=0),
        offender,
    )

    def defined(ledger: hw.Ledger) -> Any:
        out = np.empty(len(flat), register.dtype)
        for i, (x, c) in enumerate(zip(flat, which, strict=True)):
            try:
                out[i] = bias_add_reference(x, bias[c], register)
            except hw.AccumulatorOverflowError as error:
                position = tuple(int(j) for j in np.unravel_index(i, shape))
                raise hw.AccumulatorOverflowError("", position, error.value, "") from None
        ledger.elements, ledger.minimum, ledger.maximum = len(flat), sums.minimum, sums.maximum
        ledger.overflows, ledger.first = int(sums.flags.sum()), sums.first
        return out.reshape(shape)

    problem = _compare_sums(
        lambda ledger: hw.bias_add(acc, biases, register, axis, ledger), defined, sums, register
    )
    about = f"acc {acc.dtype}{acc.shape}{acc.strides} axis={axis} bias={bias[:9]} {register}"
    if problem and acc.size <= 40:
        about += f" acc={acc.tolist()}"
    return acc.size, problem, about


# ---------------------------------------------------------------- adders


def _fixed(rng: Rng, left: int) -> hw.FixedPoint:
    name = pick(rng, "double", "double", "single")
    m = integer(rng, 1 << 28, (1 << 31) - 1) * pick(rng, 1, 1, 1, -1)
    return hw.FixedPoint(m, 31 + int(rng.integers(0, left + 1)), name)


def _adder(rng: Rng, name: str) -> Any:
    scales = [float(np.float32(2.0 ** rng.uniform(-9, 2))) for _ in range(3)]
    if name == "shifted":
        left = int(pick(rng, 20, 15, rng.integers(0, 31)))
        if rng.integers(2):
            return hw.ShiftedAdd.from_scales(*scales, left, pick(rng, "double", "single"))
        return hw.ShiftedAdd(left, _fixed(rng, 2), _fixed(rng, 2), _fixed(rng, left))
    if name == "aligned":
        roundings = [r for r in hw.ROUNDINGS if r != "stochastic"]
        shift = int(pick(rng, rng.integers(0, 12), rng.integers(-62, 63)))
        register = hw.Accumulator(
            int(pick(rng, 8, 12, 16, 32, rng.integers(2, 65))),
            pick(rng, "wrap", "saturate", "saturate_symmetric", "error"),
        )
        a, b = (int(pick(rng, 0, 3, rng.integers(0, 31))) for _ in range(2))
        return hw.AlignedAdd(a, b, hw.PowerOfTwo(shift, pick(rng, *roundings)), register)
    if name == "multiplier":
        if rng.integers(2):
            return hw.MultiplierAdd.from_scales(*scales)
        a, b = codes(rng, 2, -(1 << 23), (1 << 23) - 1)
        rounding = pick(rng, *(r for r in hw.ROUNDINGS if r != "stochastic"))
        return hw.MultiplierAdd(a, b, int(rng.integers(0, 32)), rounding)
    if not rng.integers(3):
        scales = [2.0 ** int(e) for e in rng.integers(-12, 4, 3)]  # ties abound
    if not rng.integers(6):
        scales = [2.0 ** float(e) for e in rng.uniform(-45, 45, 3)]
    return hw.FloatAdd(*scales, name)


def _row(s: hw.FixedPoint) -> tuple[int, int, str, int]:
    return int(s.multipliers[0]), int(s.shifts[0]), s.rounding, s.bits


def _added(adder: Any, a: int, b: int, zeros: list[int]) -> tuple[int | None, int | None]:
    """The value before the clamp (None: refused) and, of an accumulator, its exact sum."""
    p, q, zero = a - zeros[0], b - zeros[1], zeros[2]
    if isinstance(adder, hw.ShiftedAdd):
        rows = [_row(s) for s in (adder.a, adder.b, adder.out)]
        value = oracles.shifted_add(p, q, adder.left_shift, rows)
        return (None if value is None else value + zero), None
    if isinstance(adder, hw.AlignedAdd):
        total = p * 2**adder.left_a + q * 2**adder.left_b
        kept = oracles.store(total, adder.accumulator.bits, adder.accumulator.overflow)
        k = int(adder.out.shifts[0])
        return oracles.shift_round(kept, k, adder.out.rounding) + zero, total
    if isinstance(adder, hw.MultiplierAdd):
        total = p * adder.multiplier_a + q * adder.multiplier_b
        return oracles.shift_round(total, adder.right_shift, adder.rounding) + zero, None
    scales = (adder.scale_a, adder.scale_b, adder.scale_out)
    return oracles.float_add(a, b, scales, tuple(zeros), adder.formula), None


def case_add(rng: Rng, name: str) -> tuple[int, str | None, str]:
    shape = layout_shape(rng, int(pick(rng, 1, 10, 60)))
    adder = _adder(rng, name)
    ar, br = (_code_range(rng) for _ in range(2))
    zeros = [pick(rng, 0, integer(rng, *r)) for r in (ar, br)]
    if name not in ("shifted",) and not rng.integers(6):
        zeros[0] = integer(rng, -(1 << 32), 1 << 32)
    form = number_format(rng)
    zeros.append(pick(rng, 0, integer(rng, form.min, form.max)))
    clamp = fused(rng, form)
    if isinstance(adder, hw.ShiftedAdd) and rng.integers(8):
        most = ((1 << 31) >> adder.left_shift) - 1  # the register's reach, halved
        ar, br = (
            (max(r[0], z - most // 2), max(r[0], min(r[1], z + most // 2)))
            for r, z in ((ar, zeros[0]), (br, zeros[1]))
        )
    a = container(rng, np.array(codes(rng, int(np.prod(shape)), *ar), np.int64).reshape(shape))
    other = shape[1:] if len(shape) > 1 and not rng.integers(4) else shape
    b = container(rng, np.array(codes(rng, int(np.prod(other)), *br), np.int64).reshape(other))
    both = np.broadcast(a, b)
    pairs = list(zip(*(v.reshape(-1).tolist() for v in np.broadcast_arrays(a, b)), strict=True))
    low, high = (form.min, form.max) if clamp is None else map(form.saturate, clamp)
    results = [_added(adder, p, q, zeros) for p, q in pairs]
    values, totals = [v for v, _ in results], [t for _, t in results]
    xs, ys = laid_out(rng, a), laid_out(rng, b)
    ledger = hw.Ledger()
    about = (
        f"{adder!r} zeros={zeros} {form!r} clamp={clamp} a {a.dtype}{a.shape}{xs.strides} "
        f"b {b.dtype}{b.shape}"
    )
    if a.size + b.size <= 40:
        about += f" a={a.tolist()} b={b.tolist()}"
    call = (xs, ys, adder, *zeros, form, clamp)
    refused: Any = None
    if None in values:
        at = values.index(None)
        refused = hw.ContractError, tuple(int(i) for i in np.unravel_index(at, both.shape))
    register = getattr(adder, "accumulator", None)
    over = [
        register is not None and oracles.leaves(t, register.bits, register.overflow) for t in totals
    ]
    if register is not None and register.overflow == "error" and any(over):
        at = over.index(True)
        refused = (
            hw.AccumulatorOverflowError,
            tuple(int(i) for i in np.unravel_index(at, both.shape)),
        )
    if refused:
        for book in (None, ledger):
            try:
                hw.add(*call, book)
            except refused[0] as error:
                if str(refused[1]) not in str(error):
                    return both.size, f"{error!r}, the oracle says {refused[1]}", about
                continue
            return both.size, f"not refused, the oracle says {refused}", about
        return both.size, None, about
    expected, counted = element_ledger(values, low, high, both.shape)
    if register is not None:
        counted |= {"minimum": min(totals, default=0), "maximum": max(totals, default=0)}
        counted["overflows"] = sum(over)
        if any(over):
            at = over.index(True)
            counted["first"] = tuple(int(i) for i in np.unravel_index(at, both.shape))
    plain, booked = hw.add(*call), hw.add(*call, ledger)
    defined = [add_reference(p, q, adder, *zeros, form, clamp) for p, q in pairs]
    want = np.array(expected, form.dtype).reshape(both.shape)
    problem = (
        difference("add", plain, want)
        or difference("add with a ledger", booked, want)
        or difference("reference", np.array(defined, form.dtype).reshape(both.shape), want)
        or (None if plain.dtype == form.dtype else f"dtype {plain.dtype}")
        or ledger_difference(ledger, **counted)
    )
    wrong = [
        (p, f"b={q}: oracle {e}, kernel {k}, reference {r}")
        for (p, q), e, k, r in zip(
            pairs, expected, plain.reshape(-1).tolist(), defined, strict=True
        )
        if not e == k == r
    ]
    return both.size, problem, f"{smallest(wrong)} {about}"


# ---------------------------------------------------------------- activations


def case_activation(rng: Rng, name: str) -> tuple[int, str | None, str]:
    shape = layout_shape(rng, int(pick(rng, 1, 30, 100)))
    kind = np.iinfo(pick(rng, *CONTAINERS, "uint64"))
    span = (int(kind.min), int(kind.max))
    x = np.array(codes(rng, int(np.prod(shape)), *span), kind.dtype).reshape(shape)
    low, high = sorted(codes(rng, 2, span[0] - 3, min(span[1] + 3, 1 << 64)))
    low, high = (integer(rng, -(1 << 64), 1 << 64), 1 << 64) if not rng.integers(9) else (low, high)
    xs, ledger = laid_out(rng, x), hw.Ledger()
    scale = float(np.float32(2.0 ** rng.uniform(-6, 4)))
    formula = pick(rng, "torch", "executorch", "onnx")
    bits = min(kind.bits, 32)
    form = hw.FixedFormat(bits, signed=span[0] < 0)
    if name == "clamp":
        actual = hw.clamp(xs, low, high, ledger)
    elif name == "relu":
        high = 1 << 64
        actual = hw.relu(xs, low, ledger)
    else:
        low = integer(rng, max(form.min, -(1 << 24)), min(form.max, 1 << 24))
        high = max(form.saturate(oracles.quantize(6.0, scale, low, formula)), low)
        actual = hw.relu6(xs, scale, low, None, formula, ledger)
    ends = [min(max(v, span[0]), span[1]) for v in (low, high)]
    flat = x.reshape(-1).tolist()
    expected, book = element_ledger(flat, ends[0], ends[1], shape)
    defined = [clamp_reference(v, ends[0], ends[1]) for v in flat]
    problem = (
        difference(name, actual, np.array(expected, x.dtype).reshape(shape))
        or (None if defined == expected else "reference differs")
        or (None if actual.dtype == x.dtype else f"dtype {actual.dtype}")
        or ledger_difference(ledger, **book)
    )
    about = (
        f"{x.dtype}{x.shape}{xs.strides} {low}..{high} scale={scale} {formula} {x.tolist()!r:.200}"
    )
    return x.size, problem, about


# ---------------------------------------------------------------- pooling


def _pool_case(rng: Rng, *, dilated: bool) -> tuple[Any, dict[str, Any], Any]:
    """An input, the geometry's arguments, and the oracle's windows (None: refused)."""
    nd = int(rng.integers(1, 3))
    images, channels = int(pick(rng, 1, 1, 2, 0)), int(pick(rng, 1, 3, 16))
    size = tuple(int(s) for s in rng.integers(1, 9, nd))
    kernel = tuple(int(k) for k in rng.integers(1, 5, nd))
    stride = tuple(int(s) for s in rng.integers(1, 5, nd))
    dilation = tuple(int(d) for d in rng.integers(1, 4, nd)) if dilated else (1,) * nd
    pads = tuple((int(b), int(a)) for b, a in rng.integers(0, 3, (nd, 2)) * rng.integers(0, 2))
    ceil_mode = bool(rng.integers(2))
    low, high = _code_range(rng)
    x = container(rng, bulk(rng, (images, channels, *size), low, high), (*CONTAINERS, "uint64"))
    shape, taps = oracles.pool_windows(size, kernel, stride, pads, dilation, ceil_mode=ceil_mode)
    bad = 0 in shape or not all(inside for inside, _ in taps)
    options = {"kernel": kernel, "stride": stride, "padding": pads, "ceil_mode": ceil_mode}
    if dilated:
        options["dilation"] = dilation
    if stride == kernel and rng.integers(2):
        options["stride"] = None
    return x, options, None if bad else (shape, taps)


def _refused(call: Any) -> str | None:
    try:
        call()
    except hw.ContractError:
        return None
    return "not refused, though a window has no tap in the input"


def case_max_pool(rng: Rng, _scheme_name: str) -> tuple[int, str | None, str]:
    x, options, found = _pool_case(rng, dilated=True)
    xs = laid_out(rng, x)
    about = f"x {x.dtype}{x.shape}{xs.strides} {options}"
    if found is None:
        return 1, _refused(lambda: hw.max_pool(xs, **options)), about
    shape, taps = found
    out = np.zeros((*x.shape[:2], len(taps)), x.dtype)
    for i, (inside, _) in enumerate(taps):
        out[..., i] = np.max([x[(..., *tap)] for tap in inside], axis=0)
    out = out.reshape(*x.shape[:2], *shape)
    ledger = hw.Ledger()
    plain, booked = hw.max_pool(xs, **options), hw.max_pool(xs, **options, ledger=ledger)
    ends = (int(out.min()), int(out.max())) if out.size else (0, 0)
    problem = (
        difference("max_pool", plain, out)
        or difference("max_pool with a ledger", booked, out)
        or (None if plain.dtype == x.dtype else f"dtype {plain.dtype}, not {x.dtype}")
        or ledger_difference(
            ledger, elements=out.size, minimum=ends[0], maximum=ends[1], overflows=0, clamped=0
        )
    )
    if problem is None and x.ndim == 3 and x.size:
        starts = oracles.pool_starts(
            x.shape[2], options["kernel"][0], (options["stride"] or options["kernel"])[0],
            options["padding"][0], options["dilation"][0], ceil_mode=options["ceil_mode"],
        )  # fmt: skip
        line = max_pool_reference(
            x[0, 0].tolist(), starts, options["kernel"][0], options["dilation"][0]
        )
        problem = difference("reference", line, out[0, 0])
    if problem and x.size <= 40:
        about += f" x={x.tolist()}"
    return out.size, problem, about


def case_avg_pool(rng: Rng, rounding: str) -> tuple[int, str | None, str]:
    x, options, found = _pool_case(rng, dilated=False)
    xs = laid_out(rng, x)
    form = pick(rng, None, number_format(rng))
    include, centered = bool(rng.integers(2)), bool(rng.integers(2))
    zero = pick(rng, 0, integer(rng, -300, 300), integer(rng, -(1 << 32), 1 << 32))
    options |= {
        "rounding": rounding,
        "output": form,
        "count_include_pad": include,
        "centered": centered,
        "zero_point": zero,
    }
    about = f"x {x.dtype}{x.shape}{xs.strides} {options}"
    if found is None:
        return 1, _refused(lambda: hw.avg_pool(xs, **options)), about
    shape, taps = found
    form = form or hw.FixedFormat(min(8 * x.dtype.itemsize, 32), signed=x.dtype.kind == "i")
    offset = zero if centered else 0
    wide = x.astype(object)
    values = np.zeros((*x.shape[:2], len(taps)), object)
    defined = []
    for n, c in np.ndindex(*x.shape[:2]):
        for i, (inside, padded) in enumerate(taps):
            window = [wide[(n, c, *tap)] for tap in inside]
            window += [zero] * (padded - len(inside) if include else 0)
            total = sum(window) - offset * len(window)
            values[n, c, i] = oracles.round_ratio(total, len(window), rounding) + offset
            defined.append(avg_pool_reference(window, rounding, form, offset))
    whole = (*x.shape[:2], *shape)
    expected, book = element_ledger(values.reshape(-1).tolist(), form.min, form.max, whole)
    want = np.array(expected, form.dtype).reshape(whole)
    ledger = hw.Ledger()
    plain, booked = hw.avg_pool(xs, **options), hw.avg_pool(xs, **options, ledger=ledger)
    problem = (
        difference("avg_pool", plain, want)
        or difference("avg_pool with a ledger", booked, want)
        or (None if defined == expected else "reference differs")
        or (None if plain.dtype == form.dtype else f"dtype {plain.dtype}")
        or ledger_difference(ledger, **book)
    )
    if problem and x.size <= 40:
        about += f" x={x.tolist()}"
    return plain.size, problem, about


# ---------------------------------------------------------------- quantize, dequantize


def _float_parameters(rng: Rng, shape: tuple[int, ...], span: tuple[int, int]) -> dict[str, Any]:
    ndim = len(shape)
    axis = int(rng.integers(-ndim, ndim)) if ndim else 0
    kind = int(rng.integers(3)) if ndim and shape[axis] else 0
    block = int(rng.integers(1, 5))
    wanted: tuple[int, ...] = ()
    if kind == 1:
        wanted = (shape[axis],)
    elif kind == 2:
        wanted = tuple(-(-n // block) if i == axis % ndim else n for i, n in enumerate(shape))
    count = int(np.prod(wanted))
    scales = 2.0 ** rng.uniform(-12, 6, count)
    if not rng.integers(4):
        scales = 2.0 ** rng.integers(-8, 8, count).astype(np.float64)
    if not rng.integers(8):
        scales = 2.0 ** rng.uniform(-126, 126, count)
    if rng.integers(2):
        scales = scales.astype(np.float32).astype(np.float64)
    zeros = codes(rng, count, *span)
    if not wanted:
        return {"scale": float(scales[0]), "zero_point": pick(rng, 0, zeros[0])}
    out = {
        "scale": laid_out(rng, scales.reshape(wanted)),
        "zero_point": laid_out(rng, np.array(zeros, np.int64).reshape(wanted)),
        "axis": axis,
    }
    return out | ({"block": block} if kind == 2 else {})


def _spread(shape: tuple[int, ...], options: dict[str, Any]) -> tuple[list[float], list[int]]:
    """Scale and zero point of every element, in C order."""
    out = []
    for name in ("scale", "zero_point"):
        table = np.asarray(options[name])
        if "block" in options:
            at = list(np.indices(shape))
            at[options["axis"]] = at[options["axis"]] // options["block"]
            table = table[tuple(at)]
        elif table.ndim:
            side = [1] * len(shape)
            side[options["axis"]] = -1
            table = table.reshape(side)
        out.append(np.broadcast_to(table, shape).reshape(-1).tolist())
    return out[0], out[1]


def case_quantize(rng: Rng, formula: str) -> tuple[int, str | None, str]:
    shape = layout_shape(rng, int(pick(rng, 1, 8, 40)))
    form = number_format(rng)
    span = pick(rng, (form.min, form.max), (form.min, form.max), (-(1 << 32), 1 << 32))
    options = _float_parameters(rng, shape, span)
    scales, zeros = _spread(shape, options)
    values = []
    for scale in scales:
        ratio = pick(
            rng,
            integer(rng, -300, 300) + 0.5,
            rng.normal() * 200,
            integer(rng, -(1 << 33), 1 << 33),
            form.max + pick(rng, -0.5, 0.5, 1.0),
        )
        near = np.float32(np.clip(ratio * scale, -3e38, 3e38))
        values.append(
            pick(
                rng,
                near,
                near,
                np.nextafter(near, np.float32(pick(rng, -np.inf, np.inf))),
                np.float32(pick(rng, 0.0, -0.0, np.inf, -np.inf, 1e-45, 3e38, rng.normal())),
            )
        )
    x = np.array(values, np.float32).reshape(shape)
    kind = pick(rng, "float32", "float32", "float64")
    xs = laid_out(rng, x.astype(kind))
    flat = [float(v) for v in values]
    exact = [
        oracles.quantize(v, s, z, formula) for v, s, z in zip(flat, scales, zeros, strict=True)
    ]
    expected, book = element_ledger(exact, form.min, form.max, shape)
    ledger = hw.Ledger()
    plain = hw.quantize(xs, output=form, formula=formula, **options)
    booked = hw.quantize(xs, output=form, formula=formula, **options, ledger=ledger)
    defined = [
        quantize_reference(v, s, z, form, formula)
        for v, s, z in zip(flat, scales, zeros, strict=True)
    ]
    want = np.array(expected, form.dtype).reshape(shape)
    problem = (
        difference("quantize", plain, want)
        or difference("quantize with a ledger", booked, want)
        or difference("reference", np.array(defined, form.dtype).reshape(shape), want)
        or (None if plain.dtype == form.dtype else f"dtype {plain.dtype}")
        or ledger_difference(ledger, **book)
    )
    wrong = [
        (v, f"scale {s!r} zero {z}: oracle {e}, kernel {k}, reference {r}")
        for v, s, z, e, k, r in zip(
            flat, scales, zeros, expected, plain.reshape(-1).tolist(), defined, strict=True
        )
        if not e == k == r
    ]
    about = f"{smallest(wrong)} {form!r} {formula} x {xs.dtype}{shape}{xs.strides} {ledger}"
    return x.size, problem, f"{about} {options!r:.400}"


def case_dequantize(rng: Rng, formula: str) -> tuple[int, str | None, str]:
    shape = layout_shape(rng, int(pick(rng, 1, 8, 40)))
    low, high = pick(rng, _code_range(rng), (-(1 << 32), 1 << 32))
    options = _float_parameters(rng, shape, (low, high))
    scales, zeros = _spread(shape, options)
    q = np.array(codes(rng, len(scales), low, high), np.int64).reshape(shape)
    q = container(rng, q)
    qs, ledger, flat = laid_out(rng, q), hw.Ledger(), q.reshape(-1).tolist()
    exact = [
        oracles.dequantize(v, s, z, formula) for v, s, z in zip(flat, scales, zeros, strict=True)
    ]
    want = np.array(exact, np.float64).reshape(shape)
    plain = hw.dequantize(qs, formula=formula, **options)
    booked = hw.dequantize(qs, formula=formula, **options, ledger=ledger)
    defined = [
        float(dequantize_reference(v, s, z, formula))
        for v, s, z in zip(flat, scales, zeros, strict=True)
    ]
    problem = (
        difference("dequantize", plain.astype(np.float64), want)
        or difference("dequantize with a ledger", booked.astype(np.float64), want)
        or difference("reference", np.array(defined).reshape(shape), want)
        or (None if plain.dtype == np.float32 else f"dtype {plain.dtype}")
        or ledger_difference(
            ledger,
            elements=q.size,
            minimum=min(flat, default=0),
            maximum=max(flat, default=0),
            clamped=0,
            first=None,
        )
    )
    wrong = [
        (v, f"scale {s!r} zero {z}: oracle {e}, kernel {k}, reference {r}")
        for v, s, z, e, k, r in zip(
            flat, scales, zeros, exact, plain.reshape(-1).tolist(), defined, strict=True
        )
        if not e == k == r
    ]
    return q.size, problem, f"{smallest(wrong)} {formula} q {q.dtype}{shape} {options!r:.400}"


# ---------------------------------------------------------------- the two lengths

OVERFLOWS = ("wrap", "saturate", "saturate_symmetric", "error")
PRODUCTS = [f"{o}-{at}" for o in OVERFLOWS for at in ("sum", "mac")]
ORDERED = [f"{p}-channel_last" for p in PRODUCTS if p.endswith("mac")]
DIVISIONS = [r for r in hw.ROUNDINGS if r not in ("jam", "stochastic")]
ADDERS = ["shifted", "aligned", "multiplier", *ADD_FORMULAS]

PRIMITIVES: dict[str, tuple[Case, list[str]]] = {
    "requantize": (case_requantize, ["double", "single", "float", *hw.ROUNDINGS]),
    "float_requantize": (case_float_requantize, list(FLOAT_BIAS_KINDS)),
    "correlation": (case_correlation, PRODUCTS + ORDERED),
    "linear": (case_linear, PRODUCTS),
    "matmul": (case_matmul, PRODUCTS),
    "bias_add": (case_bias_add, list(OVERFLOWS)),
    "add": (case_add, ADDERS),
    "activation": (case_activation, ["clamp", "relu", "relu6"]),
    "max_pool": (case_max_pool, ["largest"]),
    "avg_pool": (case_avg_pool, DIVISIONS),
    "quantize": (case_quantize, ["torch", "executorch", "onnx"]),
    "dequantize": (case_dequantize, ["torch", "executorch", "onnx"]),
}
SCHEMES = [(name, scheme) for name, (_, schemes) in PRIMITIVES.items() for scheme in schemes]


@pytest.mark.parametrize(("name", "scheme"), SCHEMES)
def test_slice(name: str, scheme: str) -> None:
    run(name, PRIMITIVES[name][0], scheme, SLICE)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "scheme"), SCHEMES)
def test_soak(name: str, scheme: str) -> None:
    run(name, PRIMITIVES[name][0], scheme, LONG)
