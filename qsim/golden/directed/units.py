"""Directed vectors of the units without floats: softmax, functions of a code, rotary turns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from hw_models import FixedFormat
from hw_models.requantize import reference as requantized
from hw_models.rounding import splitmix64
from qsim.errors import TargetError
from qsim.golden.directed import vectors as v
from qsim.program import encode_scheme, format_to_json
from qsim.target import derive

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from hw_models.schemes import Requantizer
    from qsim.golden.case import Case
    from qsim.target import Target

Rows = list[list[tuple[int, str]]]

SCALES: Final = {"coarse": 0.125, "fine": 0.015625}
LONG: Final = 512  # codes of a row whose equal probabilities are half a step of 8 bits
_MOST_BITS: Final = 16  # of codes that have units


class Softmax(v.OneScheme):
    """Rows of one code, of equal ones, of masked ones, and long ones."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> list[Case]:
        """Return rows at a coarse and at a fine scale, and ties where the units have any."""
        rng = v.stream("softmax", seed, target.hash)
        form = target.input.format
        found = []
        for name, scale in SCALES.items():
            scheme, output = softmax_of(target, scale)
            rows = _rows(form, 10, -(-count // 20), rng)
            found.append(_softmax(name, scheme, form, output, rows))
            found.append(_softmax(f"{name}-one", scheme, form, output, _single(form)))
        if target.units is not None:
            found.append(_ties(target, form))
        return found


def softmax_of(target: Target, scale: float) -> tuple[Any, FixedFormat]:
    """Return what computes a row, and the format of what it makes, as the lowering does."""
    from hw_models.softmax import FixedSoftmax, FloatSoftmax, IbertSoftmax, TableSoftmax

    output = target.output.format
    if target.units is not None:
        return IbertSoftmax.from_scale(scale, 1.0, target.units.rounding), output
    if target.input.bits > 8:
        return TableSoftmax.from_scale(scale), output
    if target.requantize.scheme == "float_scale" or target.requantize.rounding == "double-half-up":
        return FloatSoftmax(scale, 2.0**-output.bits, output.min), output
    return FixedSoftmax.from_scale(scale), output


def _single(form: FixedFormat) -> Rows:
    """Return rows of one code: the ends and the middle."""
    ends = form.min, form.max
    middle = sorted({*ends, (form.min + form.max + 1) // 2})
    return [[(code, v.EXTREME if code in ends else v.ZERO)] for code in middle]


def _rows(form: FixedFormat, length: int, drawn: int, rng: random.Random) -> Rows:
    """Return rows of equal codes, of masked ones, of the ends; then drawn ones."""
    rows: Rows = [[(code, v.EQUAL)] * length for code in (form.min, form.max)]
    for kept in (1, length // 2):  # a mask adds so much that a code saturates below
        free = [(rng.randint(form.min, form.max), v.MASKED) for _ in range(kept)]
        rows.append([*free, *[(form.min, v.MASKED)] * (length - kept)])
    rows.append([(form.max if i % 2 else form.min, v.EXTREME) for i in range(length)])
    rows.append([(max(form.max - i, form.min), v.BESIDE) for i in range(length)])
    rows += [
        [(rng.randint(form.min, form.max), v.RANDOM) for _ in range(length)] for _ in range(drawn)
    ]
    return rows


def _ties(target: Target, form: FixedFormat) -> Case:
    """Return long rows whose probabilities lie exactly between two codes: 1/2 and 3/2 of a step.

    An exponential of 2**15 at the top and of its half one octave below makes sums of powers of two.
    """
    from hw_models.integer_function import Exponential
    from hw_models.softmax import IbertSoftmax

    rounding = softmax_of(target, 1.0)[0].rounding
    scheme = IbertSoftmax(Exponential(1, 1, 1 << 15, 0), rounding)
    output = target.output.format
    length = max(LONG, 1 << (output.bits + 1))
    top, half = form.max, form.max - 1
    share = [top] * (length // 4) + [half] * (length // 2)  # 2**15 and 2**14: a sum of length / 2
    rows = [[(form.min, v.TIE_UP)] * length]
    rows.append([(code, v.BESIDE) for code in share + [form.min] * (length - len(share))])
    return _softmax("ties", scheme, form, output, rows)


def _softmax(name: str, scheme: Any, form: FixedFormat, output: FixedFormat, rows: Rows) -> Case:
    from hw_models.softmax import reference

    constants: dict[str, Any] = {}
    attributes = {
        "scheme": encode_scheme(scheme, "scheme", constants),
        "axis": 1,
        "output": format_to_json(output),
    }
    codes = [[code for code, _ in row] for row in rows]
    shape = len(rows), len(rows[0])
    expected = [code for row in codes for code in reference(row, scheme, output)]
    return v.make_case(
        "softmax", name, attributes,
        {"x": v.array((code for row in codes for code in row), shape, form)},
        {"x": form, "output": output}, v.array(expected, shape, output),
        [label for row in rows for _, label in row], constants,
    )  # fmt: skip


class IntegerFunction(v.OneScheme):
    """Every code of up to 8 bits through every unit; of wider ones the ends and powers of two."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> list[Case]:
        """Return one call for each unit."""
        rng = v.stream("integer_function", seed, target.hash)
        form = target.input.format
        if form.bits > _MOST_BITS:
            return []
        units = list(_units(target, rng))
        return [_function(unit, target, rng, -(-count // len(units))) for unit in units]


def _units(target: Target, rng: random.Random) -> Iterator[Any]:
    """Give every unit, its zero points drawn where the target has any."""
    from hw_models.integer_function import (
        ExpSigmoid,
        ExpSilu,
        IbertExp,
        IbertGelu,
        NewtonReciprocal,
        NewtonRsqrt,
    )

    codes, output = target.input.format, target.output.format

    def rescale(real: float) -> Requantizer:
        return rescaled_by(target, real)

    def points() -> tuple[int, int]:
        return (
            v.zero_point(target.input.scheme, rng.randint(codes.min, codes.max)),
            v.zero_point(target.output.scheme, rng.randint(output.min, output.max)),
        )

    step, most = 8.0 / (1 << codes.bits), 1 << output.bits
    top = max(codes.max - 3, codes.min)  # what is larger counts as it
    largest = math.exp(step * top) / most
    yield IbertExp.from_scales(step, largest, 0, points()[1], top, rescale)
    yield ExpSigmoid.from_scales(step, 1 / most, *points(), rescale)
    yield ExpSilu.from_scales(step, 8 / most, *points(), rescale)
    yield IbertGelu.from_scales(step, 8 / most, *points(), rescale)
    yield NewtonReciprocal.from_scales(step, 8 / most, *points())
    yield NewtonRsqrt.from_scales(step, 8 / most, *points())


def rescaled_by(target: Target, real: float) -> Requantizer:
    """Return a target's requantizer of a real factor, or of the nearest that it has."""
    try:
        return derive.requantizer(target, real, 1.0, 1.0)
    except TargetError:
        return derive.requantizer(target, 2.0 ** round(math.log2(real)), 1.0, 1.0)


def _function(unit: Any, target: Target, rng: random.Random, count: int) -> Case:
    form, output = target.input.format, target.output.format
    sheet = v.Sheet()
    origin = getattr(unit, "top", getattr(unit, "input_zero_point", 0))
    sheet.add_all((form.min, form.max), v.EXTREME)
    sheet.add_all((c for c in range(origin - 1, origin + 2) if form.fits(c)), v.ZERO)
    if form.bits <= 8:
        sheet.add_all(range(form.min, form.max + 1), v.EVERY)
    else:
        near = (s << k for k in range(form.bits) for s in (1, -1))
        sheet.add_all((origin + c for c in near if form.fits(origin + c)), v.ONE_BIT)
    size = len(sheet.elements) + count
    elements = sheet.fill(size, lambda: rng.randint(form.min, form.max))
    constants: dict[str, Any] = {}
    attributes = {
        "scheme": encode_scheme(unit, "scheme", constants),
        "output": format_to_json(output),
    }
    expected = [_one(unit, code, output, index) for index, (code, _) in enumerate(elements)]
    name = type(unit).__name__
    return v.make_case(
        "integer_function", name, attributes,
        {"x": v.array((code for code, _ in elements), (1, size), form)},
        {"x": form, "output": output}, v.array(expected, (1, size), output),
        [label for _, label in elements], constants,
    )  # fmt: skip


def _one(unit: Any, code: int, output: FixedFormat, index: int) -> int:
    """Return one code by the definition; a rescale that draws takes the draw of the index."""
    if not hasattr(unit, "rescale"):
        return int(unit.reference(code, output))
    draw = _draw(unit.rescale, index)
    value = unit.curve(code)
    return int(requantized(value, unit.rescale, unit.zero_point, output, draw=draw))


def _draw(scheme: Any, index: int) -> int:
    stochastic = getattr(scheme, "rounding", "") == "stochastic"
    return splitmix64(scheme.seed, index) if stochastic else 0


class Rotary(v.OneScheme):
    """Turns of both pairings: by 0, by a half and its neighbours (ties), by angles of positions."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> list[Case]:
        """Return one call for each pairing."""
        if target.input.bits > _MOST_BITS:
            return []
        rng = v.stream("rotary", seed, target.hash)
        return [_rotary(name, target, rng, -(-count // 2)) for name in ("half", "interleaved")]


def _rotary(pairing: str, target: Target, rng: random.Random, count: int) -> Case:
    from hw_models.rotary import sums

    form, output = target.input.format, target.output.format
    fraction = min(14, 28 - form.bits)
    turn = FixedFormat(fraction + 2)
    scheme = rescaled_by(target, 2.0**-fraction)
    points = (
        v.zero_point(target.input.scheme, rng.randint(form.min, form.max)),
        v.zero_point(target.output.scheme, rng.randint(output.min, output.max)),
    )
    pairs = list(_pairs(form, points[0], fraction, rng, -(-count // 2)))
    depth = 4
    while len(pairs) % (depth // 2):
        pairs.append(pairs[-1])
    shape = len(pairs) * 2 // depth, depth
    places = [_place(i, depth, pairing) for i in range(len(pairs))]
    codes, labels = [0] * (2 * len(pairs)), [""] * (2 * len(pairs))
    expected = list(codes)
    for (a, b, cos, sin, label), at in zip(pairs, places, strict=True):
        both = sums(a - points[0], b - points[0], cos, sin)
        for code, total, place in zip((a, b), both, at, strict=True):
            codes[place], labels[place] = code, label
            draw = _draw(scheme, place)
            expected[place] = requantized(total, scheme, points[1], output, draw=draw)
    constants: dict[str, Any] = {}
    attributes = {
        "scheme": encode_scheme(scheme, "scheme", constants),
        "pairing": pairing,
        "x_zero_point": points[0],
        "zero_point": points[1],
        "output": format_to_json(output),
    }
    half = (shape[0], depth // 2)
    tables = {
        "cos": v.array([cos for _, _, cos, _, _ in pairs], half, turn),
        "sin": v.array([sin for _, _, _, sin, _ in pairs], half, turn),
    }
    return v.make_case(
        "rotary", pairing, attributes, {"x": v.array(codes, shape, form), **tables},
        {"x": form, "cos": turn, "sin": turn, "output": output},
        v.array(expected, shape, output), labels, constants,
    )  # fmt: skip


def _place(pair: int, depth: int, pairing: str) -> tuple[int, int]:
    """Return the flat index of both codes of a pair."""
    row, i = divmod(pair, depth // 2)
    first, across = (i, depth // 2) if pairing == "half" else (2 * i, 1)
    return row * depth + first, row * depth + first + across


def _pairs(
    form: FixedFormat, zero: int, fraction: int, rng: random.Random, count: int
) -> Iterator[tuple[int, int, int, int, str]]:
    """Give pairs of codes with cos and sin, and the class of both results."""
    one, half = 1 << fraction, 1 << (fraction - 1)
    ends = (form.min, form.max)
    for a in ends:
        for b in ends:
            for cos, sin in ((one, 0), (0, one), (-one, 0), (one, one), (half, -one)):
                yield a, b, cos, sin, v.EXTREME
    for _ in range(8):
        a, b = (rng.randint(form.min, form.max) for _ in range(2))
        for near, label in ((0, ""), (1, v.BESIDE), (-1, v.BESIDE)):
            tie = v.TIE_UP if a - zero > 0 else v.TIE_DOWN
            exact = label or (tie if (a - zero) % 2 and (b - zero) % 2 else v.SIGNS)
            yield a, b, half + near, 0, exact
    for _ in range(count):
        angle = rng.uniform(-math.pi, math.pi)
        cos, sin = (round(f(angle) * one) for f in (math.cos, math.sin))
        yield rng.randint(form.min, form.max), rng.randint(form.min, form.max), cos, sin, v.RANDOM
