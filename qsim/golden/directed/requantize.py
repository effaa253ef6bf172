"""Directed vectors of requantize: every channel has its own multiplier and shift.

Every scheme is, per channel, a scale ``odd * 2**-k``. An accumulator ``x`` is an exact tie where
``x * odd * 2**-k`` is a whole number and a half: where ``x`` is an odd multiple of ``2**(k - 1)``,
k >= 1. Codes of few bits show such a tie only if ``odd`` is small, so the channels are chosen with
few significant bits; others take theirs from the whole range of multiplier and shift.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from hw_models import FixedFormat, PowerOfTwo
from hw_models.requantize import reference
from hw_models.rounding import ROUNDINGS, splitmix64
from qsim.golden.directed import vectors as v
from qsim.golden.directed.clamps import limits, single_bits, unit_scales
from qsim.golden.directed.scales import Family, Scale, channels
from qsim.program import encode_scheme, format_to_json

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

    from qsim.golden.case import Case
    from qsim.program import Array, Json
    from qsim.target import Target

CHANNELS, DIRECTED = 24, 32
# Widths of multipliers that variants go through, beside the target's own.
WIDTHS = (8, 9, 15, 16, 17, 24, 31, 32)


@dataclass(frozen=True)
class Call:
    """What is the same for every element of a call.

    Attributes:
        name: of the case.
        acc, output: formats of operand and result.
        zero_point, input_zero_point, clamp: attributes of the call.
    """

    name: str
    acc: FixedFormat
    output: FixedFormat
    zero_point: int = 0
    input_zero_point: int = 0
    clamp: tuple[int, int] | None = None

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest code of the result."""
        low, high = self.clamp or (self.output.min, self.output.max)
        return self.output.saturate(low), self.output.saturate(high)

    def operands(self, scale: Scale) -> tuple[int, int]:
        """Return the range of acc - input_zero_point that the scheme takes."""
        ends = self.acc.min - self.input_zero_point, self.acc.max - self.input_zero_point
        return max(ends[0], scale.least), min(ends[1], scale.most)


def calls(target: Target, acc: FixedFormat, rng: random.Random) -> Iterator[Call]:
    """Give the calls: zero points of both signs, activations, narrow and wide accumulators.

    A target whose codes have no zero point gets the same calls without one.
    """
    for call in _calls(target, acc, rng):
        yield replace(
            call,
            zero_point=v.zero_point(target.output.scheme, call.zero_point),
            input_zero_point=v.zero_point(target.input.scheme, call.input_zero_point),
        )


def _calls(target: Target, acc: FixedFormat, rng: random.Random) -> Iterator[Call]:
    codes, out = target.input.format, target.output.format
    low, high = out.min, out.max
    some = sorted(rng.randint(low, high) for _ in range(4))
    yield Call("plain", acc, out)
    yield Call("zero-point-low", acc, out, low)
    yield Call("zero-point-high", acc, out, high)
    yield Call("relu", acc, out, some[1], 0, (some[1], high))
    yield Call("clamp", acc, out, some[2], 0, (some[0], some[3]))
    yield Call("clamp-one-code", acc, out, some[0], 0, (some[2], some[2]))
    yield Call("input-zero-point-low", acc, out, some[3], codes.min)
    yield Call("input-zero-point-high", acc, out, some[0], codes.max)
    yield Call("codes", codes, out, rng.randint(low, high), rng.randint(codes.min, codes.max))
    correlation = target.correlation.accumulator.format
    if correlation != acc:
        yield Call("no-bias", correlation, out, some[1])


def cases(target: Target, seed: int, count: int) -> list[Case]:
    """Return the vectors of a target's own requantizer."""
    return _family_cases(target, Family.of(target, seed), seed, count)


def holding(target: Target, numbers: Mapping[str, int], seed: int, count: int) -> list[Case]:
    """Return the vectors of a datapath that has some numbers fixed, made for these numbers.

    Args:
        target: whose requantizer it is.
        numbers: by field of a beat: ``multiplier``, ``shift``, ``input_zero_point``,
            ``zero_point``, ``low``, ``high``.
        seed: of what is drawn.
        count: at least so many random elements.
    """
    return _family_cases(target, Family.of(target, seed), seed, count, numbers=numbers)


def variants(target: Target, seed: int, count: int) -> Iterator[Case]:
    """Give the vectors of the other schemes: fixed point of many widths, every rounding."""
    others = [Family(kind, bits) for kind in ("double", "single") for bits in WIDTHS]
    others += [Family("power_of_two", 0, rounding, seed) for rounding in ROUNDINGS]
    others.append(Family("float_scale", 24))
    others.append(Family("float64_scale", 53))
    others += [Family("double-half-up", bits) for bits in (16, 32)]
    others += [Family("tosa-single", bits) for bits in (16, 32)]
    others += [Family("tosa-double", 32), Family("s64-reduced", 32), Family("converter", 16)]
    others += [Family("mul_add_shift", 32, rounding) for rounding in ("half_up", "floor")]
    for family in others:
        if family != Family.of(target, seed):
            yield from _family_cases(target, family, seed, count, f"{family.name}.")


def _family_cases(
    target: Target,
    family: Family,
    seed: int,
    count: int,
    prefix: str = "",
    numbers: Mapping[str, int] = MappingProxyType({}),
) -> list[Case]:
    rng = v.stream("requantize", seed, target.hash, prefix)
    acc = _accumulator(target, family)
    found = list(calls(target, acc, rng))
    if numbers:
        held = [_held_call(call, numbers) for call in reversed(found)]
        found = list({replace(call, name=""): call for call in held}.values())[::-1]
    extra = -(-count // (CHANNELS * len(found)))
    made = []
    for part, call in enumerate(found):
        scales = channels(family, CHANNELS, part, call.acc, call.output, rng)
        scales = [_held_scale(scale, numbers) for scale in scales]
        rows = [_row(call, scale, rng, extra) for scale in scales]
        made.append(_case(call, family, prefix, scales, rows))
    out = target.output.format
    if {"multiplier", "shift"} & set(numbers):
        return made  # the rest is for a scale of 1
    for name, zero_point, clamp in limits(out):
        call = Call(name, acc, out, v.zero_point(target.output.scheme, zero_point), 0, clamp)
        call = _held_call(call, numbers)
        scales = unit_scales(family)
        sheets = [single_bits(scale, call.operands(scale), acc.bits) for scale in scales]
        size = max(len(sheet.elements) for sheet in sheets)
        rows = [
            sheet.fill(size, functools.partial(_random, *_inside(call, scale), rng))
            for sheet, scale in zip(sheets, scales, strict=True)
        ]
        made.append(_case(call, family, prefix, scales, rows))
    return made


def _held_call(call: Call, numbers: Mapping[str, int]) -> Call:
    """Return a call with the numbers that are fixed."""
    call = replace(
        call,
        zero_point=numbers.get("zero_point", call.zero_point),
        input_zero_point=numbers.get("input_zero_point", call.input_zero_point),
    )
    if not {"low", "high"} & set(numbers):
        return call
    low, high = call.limits
    clamp = numbers.get("low", low), numbers.get("high", high)
    whole = clamp == (call.output.min, call.output.max)
    return replace(call, clamp=None if whole else clamp)


def _held_scale(scale: Scale, numbers: Mapping[str, int]) -> Scale:
    """Return a scale with the numbers that are fixed; what it was chosen for is then another."""
    if not {"multiplier", "shift"} & set(numbers):
        return scale
    multiplier = numbers.get("multiplier", scale.multiplier)
    return replace(scale, multiplier=multiplier, shift=numbers.get("shift", scale.shift), pinned=())


def _accumulator(target: Target, family: Family) -> FixedFormat:
    """Return the target's accumulator, or the wider one that a scheme is made for."""
    bits = target.sum.bits
    if family.kind == "s64-reduced" or (family.kind == "tosa-single" and family.bits == 16):
        bits = max(bits, 48)
    return FixedFormat(bits)


def _case(
    call: Call, family: Family, prefix: str, scales: list[Scale], rows: list[list[tuple[int, str]]]
) -> Case:
    scheme = family.scheme(scales)
    codes = [x + call.input_zero_point for row in rows for x, _ in row]
    size = len(rows[0])
    constants: dict[str, Array] = {}
    attributes: dict[str, Json] = {
        "scheme": encode_scheme(scheme, "scheme", constants),
        "zero_point": call.zero_point,
        "input_zero_point": call.input_zero_point,
        "output": format_to_json(call.output),
        "clamp": None if call.clamp is None else list(call.clamp),
        "axis": 1,
    }
    draws = isinstance(scheme, PowerOfTwo) and scheme.rounding == "stochastic"
    expected = [
        reference(
            code, scheme, call.zero_point, call.output, call.clamp, call.input_zero_point,
            channel=index // size, draw=splitmix64(family.seed, index) if draws else 0,
        )
        for index, code in enumerate(codes)
    ]  # fmt: skip
    shape = (1, len(scales), size)
    return v.make_case(
        "requantize", f"{prefix}{call.name}", attributes,
        {"acc": v.array(codes, shape, call.acc)}, {"acc": call.acc, "output": call.output},
        v.array(expected, shape, call.output), [label for row in rows for _, label in row],
        constants,
    )  # fmt: skip


def _row(call: Call, scale: Scale, rng: random.Random, extra: int) -> list[tuple[int, str]]:
    least, most = call.operands(scale)
    inside = _inside(call, scale)
    sheet = v.Sheet()
    start, stop = max(inside[0], least), min(inside[1], most)
    for x, label in scale.pinned:
        if least <= x <= most:
            sheet.add(x, label)
    for edge in inside:
        sheet.add_all((x for x in (edge - 1, edge, edge + 1) if least <= x <= most), v.EDGE)
    own = [(least, v.EXTREME), (most, v.EXTREME), (0, v.ZERO), (1, v.ZERO), (-1, v.ZERO)]
    for x, label in own:
        if least <= x <= most:
            sheet.add(x, label)
    _multiples(sheet, scale, (start, stop), rng)
    for _ in range(8):
        _ties(sheet, scale, (start, stop), rng)
    if start > stop:
        start, stop = least, most
    return sheet.fill(DIRECTED + extra, lambda: _random(start, stop, rng))


def _random(start: int, stop: int, rng: random.Random) -> int:
    """Draw from the whole range or, once in four, near 0, where results are small."""
    if rng.randrange(4):
        return rng.randint(start, stop)
    x = rng.randint(start, stop) >> rng.randrange(0, 24)
    return min(max(x, start), stop)


def _inside(call: Call, scale: Scale) -> tuple[int, int]:
    """Return the first and the last x whose result the clamp leaves alone.

    Where none saturates on a side, the end of the range.
    """
    low, high = call.limits
    least, most = call.operands(scale)
    least, most = max(least, scale.rises_from), min(most, scale.rises_to)
    if least > most:
        return 0, 0
    sign = -1 if scale.negative else 1
    first, last = (-most, -least) if scale.negative else (least, most)

    def code(x: int) -> int:
        return scale.apply(sign * x) + call.zero_point

    start = v.first_at_least(code, low, first, last)
    stop = v.first_at_least(code, high + 1, first, last) - 1
    ends = sorted((sign * start, sign * stop))
    return max(ends[0], least), min(ends[1], most)


def _ties(sheet: v.Sheet, scale: Scale, inside: tuple[int, int], rng: random.Random) -> None:
    """Add a tie of either sign of every kind, and what lies beside them, inside the codes."""
    for first, step in scale.tie_lattices():
        for side in ((max(inside[0], 1), inside[1]), (inside[0], min(inside[1], -1))):
            lowest, highest = -(-(side[0] - first) // step), (side[1] - first) // step
            if lowest > highest:
                continue
            x = first + rng.choice((lowest, highest, rng.randint(lowest, highest))) * step
            sheet.add(x, v.TIE_UP if scale.positive(x) else v.TIE_DOWN)
            sheet.add_all((y for y in (x - 1, x + 1) if inside[0] <= y <= inside[1]), v.BESIDE)


def _multiples(sheet: v.Sheet, scale: Scale, inside: tuple[int, int], rng: random.Random) -> None:
    """Add an operand whose quotient is negative and whole."""
    period = scale.period
    if period is None:
        return
    low = max(inside[0], 1) if scale.negative else inside[0]
    high = inside[1] if scale.negative else min(inside[1], -1)
    lowest, highest = -(-low // period), high // period
    if lowest <= highest:
        sheet.add(period * rng.randint(lowest, highest), v.MULTIPLE)
