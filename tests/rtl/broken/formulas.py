"""What broken modules make of their operands, in plain integers: the formula with one flaw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from tests.rtl.broken.elements import Element


def wrap(value: int, bits: int) -> int:
    """Return the low bits as two's complement."""
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def saturate(value: int, bits: int) -> int:
    return min(max(value, -(1 << (bits - 1))), (1 << (bits - 1)) - 1)


def tie(value: int, shift: int) -> bool:
    """Return whether value / 2**shift lies halfway between integers."""
    return shift > 0 and value % (1 << shift) == 1 << (shift - 1)


def half_up(value: int, shift: int) -> int:
    return (value + (1 << shift >> 1)) >> shift


def half_down(value: int, shift: int) -> int:
    return half_up(value, shift) - tie(value, shift)


def half_away(value: int, shift: int) -> int:
    return half_up(value, shift) - (value < 0 and tie(value, shift))


def floor_and(value: int, shift: int, up: Callable[[int, int], bool]) -> int:
    """Return value / 2**shift; up(floor, 4 * fraction * 2**shift - 2 * 2**shift) adds 1."""
    if shift <= 0:
        return value << -shift
    floor = value >> shift
    return floor + up(floor, 4 * (value - (floor << shift)) - (2 << shift))


Round = Callable[[int, int], int]


def double(
    x: int, multiplier: int, shift: int, bits: int, first: Round = half_up,
    second: Round = half_away, capped: bool = True,
) -> int:  # fmt: skip
    """Rescale by gemmlowp's two roundings."""
    n = bits - 1
    b = first(wrap(x << max(n - shift, 0), 32) * multiplier, n)
    b = saturate(b, 32) if capped else wrap(b, 32)
    return second(b, max(shift - n, 0))


def offset(e: Element) -> int:
    """Return what requantize rescales."""
    return int(e["acc"] - e["input_zero_point"])


def codes(e: Element, value: int) -> int:
    """Return the code of a rescaled value."""
    return int(min(max(value + e["zero_point"], e["low"]), e["high"]))


def unlimited(e: Element, value: int, *, above: bool) -> int:
    """Return the code of a value where one of the limits is not there."""
    total = saturate(value, e["OUT_W"] + 2) + e["zero_point"]
    passed = total > e["high"] if above else total < e["low"]
    return wrap(total, e["OUT_W"]) if passed else codes(e, value)


def shifted(e: Element, second: Round = half_away, bits: int = 10) -> int:
    """Return the sum of two offset codes of so many bits as TFLite adds them."""

    def rescaled(name: str, x: int) -> int:
        return double(x, e[f"{name}_multiplier"], e[f"{name}_shift"], e["MUL_W"], second=second)

    operands = [wrap(e[n] - e[f"{n}_zero_point"], bits) << e["LEFT_SHIFT"] for n in ("a", "b")]
    return rescaled("out", rescaled("a", operands[0]) + rescaled("b", operands[1]))


def aligned(e: Element) -> int:
    """Return the exact sum of two offset codes of power-of-two scales."""
    a, b = e["a"] - e["a_zero_point"], e["b"] - e["b_zero_point"]
    return int((a << e["a_left"]) + (b << e["b_left"]))


def read(loads: Iterable[tuple[int, int]], address: int, bits: int) -> int:
    """Return what the last load of an address, of so many bits, left there."""
    mask = (1 << bits) - 1
    return {at & mask: value for at, value in loads}[address & mask]


def largest(taps: list[int], larger: Callable[[int, int], bool]) -> int:
    best, *others = taps
    for tap in others:
        best = tap if larger(tap, best) else best
    return best


def mean(total: int, count: int, tie_up: bool) -> int:
    """Return total / count to nearest."""
    floor, rest = divmod(total, count)
    return floor + (2 * rest > count or (tie_up and 2 * rest == count))


def accumulated(e: Element, step: Callable[[int], int], bits: int = 64) -> int:
    """Return the sum of products, step(sum) after each; x less its zero point in so many bits."""
    total = 0
    for dx, dw in zip(e["dx"], e["dw"], strict=True):
        total = step(total + wrap(dx, bits) * dw)
    return total


def normed(
    e: Element, halves: Round = half_up, root: Callable[[int], int] = math.isqrt, **flaw: int
) -> int:
    """Return the code of a norm whose rescale is `double`."""
    e = e | flaw
    p, row, half_guard = e["ROOT_BITS"], e["codes"], e["GUARD"] // 2
    total = sum(row) if e["CENTRED"] else 0
    exact = len(row) * sum(c * c for c in row) - total * total
    variance = max((exact << e["GUARD"]) + e["epsilon"], 1 << e["GUARD"])
    places = (2 * p - variance.bit_length()) // 2
    held = root(variance << 2 * places if places > 0 else variance >> -2 * places)
    product = (len(row) * e["c"] - total) * ((1 << 2 * p - 1) // held)
    n = halves(product, 2 * p - 1 - half_guard - e["fraction"] - places)
    acc = n * e["weight"] + e["bias"]
    return codes(e, double(acc, e["multiplier"], e["shift"], e["MUL_W"]))


def moved(e: Element, base: int | None = None, stride_bits: int = 64, bits: int = 64) -> int:
    """Return the code that a move reads, with strides or positions of so many bits."""
    place = e["base"] if base is None else base
    for d, (i, stride) in enumerate(zip(e["index"], e["strides"], strict=True)):
        k = e["positions"][i] % (1 << bits) if d == e["gathered"] else i
        place += k * (stride % (1 << stride_bits))
    return wrap(e["codes"][place % (1 << e["ADDRESS_W"])], e["CODE_W"])
