"""Directed vectors of add: one call per choice of scales, zero points and activation.

All pairs of codes of few bits (a sample of wider ones) are searched for those that matter: ties at
any of the roundings, results at the edges of the codes, then their neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models import Accumulator, AccumulatorOverflowError, ContractError, FixedFormat
from hw_models.add import AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd, add, reference
from hw_models.formats import HOLDING
from hw_models.rounding import DETERMINISTIC, ROUNDINGS, splitmix64
from hw_models.schemes import FixedPoint
from hw_models.schemes.fixed_point import TOSA
from qsim.errors import TargetError
from qsim.golden.directed import vectors as v
from qsim.golden.directed.add_ties import tie_flags
from qsim.program import encode_scheme, format_to_json
from qsim.target import derive

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Mapping

    from hw_models.add import Adder
    from qsim.golden.case import Case
    from qsim.program import Array, Json
    from qsim.target import Target

PAIRS = 1 << 16  # searched per call
TIES, EDGES = 12, 4  # kept of each kind and sign; of each edge
# Real scales of a, b and the result: powers of two and small fractions tie, the others hardly.
SCALES = {
    "equal": (0.5, 0.5, 1.0),
    "fractions": (0.375, 0.125, 0.25),
    "left-fine": (0.0625, 0.5, 0.75),
    "right-fine": (0.875, 0.0078125, 0.875),
    "shrinking": (0.1, 0.23, 0.9),
    "growing": (0.7, 0.3, 0.11),
    "far-apart": (0.9, 0.0003, 1.1),
    "wide-result": (0.011, 0.012, 0.31),
}
FRACTIONS = {
    "equal": (4, 4, 3),
    "finer-a": (7, 5, 4),
    "finer-b": (3, 8, 4),
    "same": (5, 5, 5),
    "growing": (2, 3, 5),
    "coarse": (6, 7, 0),
    "far-apart": (25, 2, 1),
    "fine": (7, 6, 3),
}


@dataclass(frozen=True)
class Call:
    """What is the same for every pair of a call.

    Attributes:
        adder: the scheme.
        codes, output: formats of both operands and of the result.
        points: zero points of a, b and the result.
        clamp: of a fused activation.
    """

    adder: Adder
    codes: FixedFormat
    output: FixedFormat
    points: tuple[int, int, int]
    clamp: tuple[int, int] | None

    @property
    def keywords(self) -> dict[str, int]:
        """The zero points by name."""
        names = ("a_zero_point", "b_zero_point", "zero_point")
        return dict(zip(names, self.points, strict=True))

    def accepts(self, pairs: Array) -> Array:
        """Return which pairs [n, 2] stay inside the adder's registers; others are refused."""
        try:
            self.values(pairs)
        except (ContractError, AccumulatorOverflowError):
            good = [self._accepts_one(pair) for pair in pairs]
            return np.array(good, np.bool_)
        return np.ones(len(pairs), np.bool_)

    def acceptable(self, pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return those pairs that are codes and stay inside the adder's registers."""
        fits = self.codes.fits
        inside = [(a, b) for a, b in pairs if fits(a) and fits(b)]
        good = self.accepts(np.array(inside, np.int64).reshape(-1, 2))
        return [pair for pair, keep in zip(inside, good, strict=True) if keep]

    def _accepts_one(self, pair: Array) -> bool:
        try:
            self.values(pair[None])
        except (ContractError, AccumulatorOverflowError):
            return False
        return True

    def values(self, pairs: Array) -> Array:
        """Return the results of pairs before the clamp (as far as 32 bits hold them)."""
        wide = FixedFormat(32)
        return add(pairs[:, 0], pairs[:, 1], self.adder, *self.points, wide)


def cases(target: Target, seed: int, count: int) -> list[Case]:
    """Return the vectors of a target's own adder."""
    named = SCALES if target.add.formula != "aligned" else FRACTIONS
    rng = v.stream("add", seed, target.hash)
    adders = dict(_derived(target, named))
    if target.add.formula == "shifted":
        adders |= _multipliers(next(iter(adders.values())), rng)
    return list(_calls(target, adders, rng, count, ""))


def _derived(target: Target, named: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, numbers in named.items():
        aligned = target.add.formula == "aligned"
        scales = [2.0**-n for n in numbers] if aligned else numbers
        try:
            yield name, derive.adder(target, *scales)
        except TargetError:
            continue  # scales too far apart for this adder


def _multipliers(like: Any, rng: random.Random) -> dict[str, Any]:
    """Return adders that no scales lead to: negative and few-bit multipliers, ends of shifts.

    TOSA's multipliers are not negative.
    """
    rounding, bits = like.out.rounding, like.out.bits
    top = 1 << (bits - 1)

    def fixed(multiplier: int, shift: int) -> FixedPoint:
        return FixedPoint(multiplier, shift, rounding, bits)

    size = like.left_shift
    few = [rng.randrange(1, 16, 2) for _ in range(3)]
    largest = replace(
        like, a=fixed(top - 1, bits), b=fixed(0, bits), out=fixed(top - 1, min(bits + 30, 62))
    )
    few_bits = replace(
        like,
        a=fixed(few[1] * top // 32, bits + 1),
        b=fixed(few[2] * top // 32, bits + 2),
        out=fixed(top // 2, bits - 1 + size),
    )
    if rounding in TOSA:
        return {"largest-shift": largest, "few-bits": few_bits}
    negative = replace(
        like, a=fixed(-few[0] * top // 16, bits), b=fixed(-top, bits), out=fixed(-3, size + 1)
    )
    return {"largest-shift": largest, "negative": negative, "few-bits": few_bits}


def variants(target: Target, seed: int, count: int) -> Iterator[Case]:
    """Give the vectors of the other adders: every rounding, every overflow rule, float32."""
    rng = v.stream("add", seed, target.hash, "variants")
    left = target.add.left_shift or 20 - max(target.input.bits - 8, 0)
    families: dict[str, dict[str, Any]] = {
        f"shifted-{rounding}.": {
            name: ShiftedAdd.from_scales(*scales, left_shift=max(left, 0), rounding=rounding)
            for name, scales in SCALES.items()
        }
        for rounding in ("double", "single")
    }
    for rounding in ROUNDINGS:
        register = Accumulator(target.sum.bits)
        families[f"aligned-{rounding.replace('_', '-')}."] = {
            name: AlignedAdd.from_fractions(*fractions, rounding, register)
            for name, fractions in FRACTIONS.items()
        }
        if rounding in DETERMINISTIC:
            families[f"multiplier-{rounding.replace('_', '-')}."] = {
                name: replace(MultiplierAdd.from_scales(*scales), rounding=rounding)
                for name, scales in SCALES.items()
            }
    for overflow in HOLDING:
        register = Accumulator(target.input.bits + 4, overflow)
        families[f"aligned-{overflow.replace('_', '-')}-narrow."] = {
            name: AlignedAdd.from_fractions(*FRACTIONS[name], "half_up", register)
            for name in ("finer-a", "finer-b", "fine")
        }
    for formula in ("torch", "onnx", "torch_quantized", "torch_scalar", "mlas"):
        families[f"float-{formula.replace('_', '-')}."] = {
            name: FloatAdd(*scales, formula) for name, scales in SCALES.items()
        }
    for prefix, adders in families.items():
        yield from _calls(target, adders, rng, count, prefix)


def _calls(
    target: Target, adders: Mapping[str, Any], rng: random.Random, count: int, prefix: str
) -> Iterator[Case]:
    codes, out = target.input.format, target.output.format
    extra = -(-count // max(len(adders), 1))
    for part, (name, adder) in enumerate(adders.items()):
        points = [
            (0, 0, 0),
            (codes.min, codes.max, rng.randint(out.min, out.max)),
            (codes.max, codes.min, out.max),
            (rng.randint(codes.min, codes.max), rng.randint(codes.min, codes.max), out.min),
        ][part % 4]
        points = (
            v.zero_point(target.input.scheme, points[0]),
            v.zero_point(target.input.scheme, points[1]),
            v.zero_point(target.output.scheme, points[2]),
        )
        ends = sorted(rng.randint(out.min, out.max) for _ in range(2))
        clamp = [None, (ends[0], out.max), (out.min, ends[1]), (ends[0], ends[1])][part // 2 % 4]
        yield _case(f"{prefix}{name}", Call(adder, codes, out, points, clamp), rng, extra)


def _case(name: str, call: Call, rng: random.Random, count: int) -> Case:
    pairs = _pairs(call.codes, rng)
    pairs = pairs[call.accepts(pairs)]
    sheet = _directed(call, pairs, rng)
    rest = _unsaturated(call, pairs)
    elements = sheet.fill(
        len(sheet.elements) + count, lambda: _pair(rest, rng.randrange(len(rest)))
    )
    constants: dict[str, Array] = {}
    attributes: dict[str, Json] = {
        "scheme": encode_scheme(call.adder, "scheme", constants),
        **call.keywords,
        "output": format_to_json(call.output),
        "clamp": None if call.clamp is None else list(call.clamp),
    }
    shape = (1, len(elements))
    expected = [_expected(call, pair, index) for index, (pair, _) in enumerate(elements)]
    operands = {
        operand: v.array([pair[i] for pair, _ in elements], shape, call.codes)
        for i, operand in enumerate(("a", "b"))
    }
    formats = {"a": call.codes, "b": call.codes, "output": call.output}
    return v.make_case(
        "add", name, attributes, operands, formats, v.array(expected, shape, call.output),
        [label for _, label in elements], constants,
    )  # fmt: skip


def _expected(call: Call, pair: tuple[int, int], index: int) -> int:
    adder = call.adder
    if isinstance(adder, AlignedAdd) and adder.out.rounding == "stochastic":
        # reference() takes no draw: an element's own is that of its index.
        draw = splitmix64(adder.out.seed, index)
        value = adder.reference(pair[0] - call.points[0], pair[1] - call.points[1], draw=draw)
        low, high = call.clamp or (call.output.min, call.output.max)
        return int(min(max(value + call.points[2], low), high))
    return int(reference(*pair, adder, *call.points, call.output, call.clamp))


def _pairs(codes: FixedFormat, rng: random.Random) -> Array:
    """Return all pairs of codes, or a sample that holds the ends."""
    size = codes.max - codes.min + 1
    if size * size <= PAIRS:
        grid = np.arange(codes.min, codes.max + 1)
        return np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    ends = [codes.min, codes.max, 0, 1, codes.min + 1, codes.max - 1]
    some = [(a, b) for a in ends for b in ends]
    while len(some) < PAIRS:
        some.append((rng.randint(codes.min, codes.max), rng.randint(codes.min, codes.max)))
    return np.array(some, np.int64)


def _directed(call: Call, pairs: Array, rng: random.Random) -> v.Sheet:
    sheet, values = v.Sheet(), call.values(pairs).astype(np.int64)
    low, high = call.clamp or (call.output.min, call.output.max)
    for flags in tie_flags(call.adder, *(pairs - call.points[:2]).T):
        visible = flags & (values > low) & (values < high)
        above = values >= call.points[2]
        for side, label in ((above, v.TIE_UP), (~above, v.TIE_DOWN)):
            for pair in _some(pairs[visible & side], TIES, rng):
                sheet.add(pair, label)
                around = [(pair[0] + i, pair[1] + j) for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1))]
                sheet.add_all(call.acceptable(around), v.BESIDE)
    for edge in (low, high):
        for value in (edge - 1, edge, edge + 1):
            sheet.add_all(_some(pairs[values == value], EDGES, rng), v.EDGE)
    ends = (call.codes.min, call.codes.max)
    sheet.add_all(call.acceptable([(a, b) for a in ends for b in ends]), v.EXTREME)
    zeros = call.points[:2]
    near = [(zeros[0] + i, zeros[1] + j) for i in (0, 1, -1) for j in (0, 1, -1)]
    sheet.add_all(call.acceptable(near), v.ZERO)
    signs = np.sign(pairs - zeros) @ (3, 1)
    for sign in range(-4, 5):
        sheet.add_all(_some(pairs[signs == sign], 2, rng), v.SIGNS)
    return sheet


def _some(pairs: Array, count: int, rng: random.Random) -> list[tuple[int, int]]:
    return [_pair(pairs, row) for row in rng.sample(range(len(pairs)), min(count, len(pairs)))]


def _pair(pairs: Array, row: int) -> tuple[int, int]:
    return int(pairs[row, 0]), int(pairs[row, 1])


def _unsaturated(call: Call, pairs: Array) -> Array:
    low, high = call.clamp or (call.output.min, call.output.max)
    values = call.values(pairs)
    inside = pairs[(values >= low) & (values <= high)]
    return inside if len(inside) else pairs
