"""Directed vectors of layer_norm, group_norm and rms_norm.

What goes wrong in a norm: a row of equal codes, digits of the root that begin elsewhere, the
rounding of a normalized value that lies halfway, a sum of squares of the largest codes, a weight or
a bias that belongs to another element, a row that fills the memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models import IntegerNorm, PowerOfTwo
from hw_models.integer.norms import epsilon_of
from hw_models.requantize import reference
from hw_models.rounding import splitmix64
from qsim.golden.directed import norm_rows
from qsim.golden.directed import vectors as v
from qsim.program import encode_scheme, format_to_json
from qsim.target import Units, derive

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from qsim.golden.case import Case
    from qsim.golden.directed.norm_rows import Rows
    from qsim.program import Array, Json
    from qsim.target import Target

_UNITS: Final = Units(weight_bits=16, fraction=12, root_bits=16, rounding="half_up")
_LIMIT: Final = 1 << 31  # of a sum
_EPS: Final = 1e-5
# Shape of a sample of 24 codes, and how many groups its channels have, or dimensions a row.
_GROUPS: Final = (((4, 2, 3), 2), ((24,), 3), ((3, 8), 3), ((6, 4), 1))
_DIMS: Final = (((2, 3, 4), 2), ((24,), 1), ((2, 2, 6), 3))
# Root bits, fraction bits and guard of the variants.
_VARIANTS: Final = ((8, 8, 6), (30, 15, 6), (16, 0, 0), (20, 12, 8))


@dataclass(frozen=True)
class Norm:
    """Vectors of one norm.

    Attributes:
        primitive: layer_norm, group_norm or rms_norm.
    """

    primitive: str

    def cases(self, target: Target, seed: int, count: int) -> Iterator[Case]:
        """Give rows that were made for a class, then shapes, then random rows."""
        units = target.units or _UNITS
        base = IntegerNorm(PowerOfTwo(0), 0, units.fraction, units.root_bits)
        yield from self._cases(target, base, seed, count, "")

    def variants(self, target: Target, seed: int, count: int) -> Iterator[Case]:
        """Give roots of other widths, and other fraction and guard bits."""
        units = target.units or _UNITS
        for bits, fraction, guard in _VARIANTS:
            if bits != units.root_bits or guard != IntegerNorm(PowerOfTwo(0)).guard:
                base = IntegerNorm(PowerOfTwo(0), 0, fraction, bits, guard)
                yield from self._cases(target, base, seed, count, f"{bits}-{fraction}-{guard}.")

    def _cases(
        self, target: Target, base: IntegerNorm, seed: int, count: int, prefix: str
    ) -> Iterator[Case]:
        rng = v.stream(self.primitive, seed, target.hash, prefix)
        codes = target.input.format
        rms = self.primitive == "rms_norm"
        quarter = (codes.max - codes.min) // 4  # codes on both sides of it
        drawn = rng.randint(codes.min + quarter, codes.max - quarter)
        zero = v.zero_point(target.input.scheme, drawn) if rms else None
        maker = _Maker(self.primitive, target, base, zero, rng, prefix)
        for made in norm_rows.rows(codes, base, zero, rng, count):
            if not (made.bits and rms):  # it has no bias
                yield maker.case(made, (len(made.codes[0]),), 1)
        for number, (sample, split) in enumerate(_GROUPS if maker.grouped else _DIMS):
            many = [rng.randint(codes.min, codes.max) for _ in range(48)]
            found = (tuple(many[:24]), tuple(many[24:]))
            yield maker.case(norm_rows.Rows(f"shape-{number}", found, v.RANDOM), sample, split)


@dataclass(frozen=True)
class _Maker:
    """What the calls of a set share."""

    primitive: str
    target: Target
    base: IntegerNorm
    x_zero_point: int | None
    rng: random.Random
    prefix: str

    @property
    def grouped(self) -> bool:
        """Whether parameters belong to channels."""
        return self.primitive == "group_norm"

    def case(self, rows: Rows, sample: tuple[int, ...], split: int) -> Case:
        """Return the call of some rows, laid out in samples of a shape."""
        size = math.prod(sample)
        count = size // split if self.grouped else math.prod(sample[len(sample) - split :])
        shape = sample[:1] if self.grouped else sample[len(sample) - split :]
        weight, bias, norm = self._numbers(rows, count, shape)
        output = self.target.output.format
        zero = v.zero_point(self.target.output.scheme, self.rng.randint(output.min, output.max))
        x = [code for row in rows.codes for code in row]
        per_sample = size // shape[0] if self.grouped else 1
        labels, expected = [], []
        for start in range(0, len(x), count):
            place = [(start + j) % size // per_sample % math.prod(shape) for j in range(count)]
            found, kinds = self._row(x[start : start + count], norm, rows.label, place,
                                     (weight, bias))  # fmt: skip
            labels += kinds
            expected += [
                _code(acc, norm.rescale, zero, output, start + j) for j, acc in enumerate(found)
            ]
        constants: dict[str, Array] = {}
        attributes: dict[str, Json] = {
            "scheme": encode_scheme(norm, "scheme", constants),
            "weight": _constant("weight", weight, shape, constants),
            "zero_point": zero,
            "output": format_to_json(output),
            "clamp": None,
            "groups" if self.grouped else "dims": split,
        }
        if self.x_zero_point is None:
            attributes["bias"] = _constant("bias", bias, shape, constants)
        else:
            attributes["x_zero_point"] = self.x_zero_point
        whole = (len(x) // size, *sample)
        codes = self.target.input.format
        return v.make_case(
            self.primitive, f"{self.prefix}{rows.name}", attributes,
            {"x": v.array(x, whole, codes)}, {"x": codes, "output": output},
            v.array(expected, whole, output), labels, constants,
        )  # fmt: skip

    def _row(
        self,
        row: list[int],
        norm: IntegerNorm,
        label: str,
        place: list[int],
        tables: tuple[list[int] | None, list[int] | None],
    ) -> tuple[list[int], list[str]]:
        """Return the sums of a row, and the class of each element; parameters lie at ``place``."""
        weight, bias = ([table[p] for p in place] if table else None for table in tables)
        centred = self.x_zero_point is None
        offsets = [x - (self.x_zero_point or 0) for x in row]
        sums = norm.reference(offsets, weight, bias, centred=centred)
        total, count = sum(offsets) if centred else 0, len(row)
        most = max(norm_rows.spread(tuple(row), norm, self.x_zero_point) + norm.epsilon,
                   1 << norm.guard)  # fmt: skip
        f, k = norm.inverse_root(most)
        s = 2 * norm.root_bits - 1 - norm.fraction - norm.guard // 2 - k
        labels = []
        for x in offsets:
            product = (count * x - total) * f
            tie = s > 0 and product % (1 << s) == 1 << (s - 1)
            labels.append((v.TIE_UP if product > 0 else v.TIE_DOWN) if tie else label)
        return sums, labels

    def _numbers(
        self, rows: Rows, count: int, shape: tuple[int, ...]
    ) -> tuple[list[int] | None, list[int] | None, IntegerNorm]:
        """Return weight, bias and norm of a call; its sums have room for the fraction bits."""
        units = self.target.units or _UNITS
        most = (1 << (units.weight_bits - 1)) - 1
        size = math.prod(shape)
        if rows.bits:
            signed = [sign * (1 << k) - (sign < 0) for k in range(31) for sign in (1, -1)]
            bias = [self.rng.choice(signed[-24:] if i % 2 else signed) for i in range(size)]
            return [0] * size, bias, self._norm(rows, 1.0, self.base.fraction)
        if rows.unit:
            norm = self._norm(rows, 1.0, self.base.fraction)
            if self.x_zero_point is not None:
                return None, None, norm
            # A bias brings the first row's values near 0, where codes show their last bit.
            held = norm.reference(rows.codes[0])
            return None, [self.rng.randint(-20, 20) - n for n in held], norm
        draws = (self.rng.randint(-most, most) for _ in range(size))
        weight = [self.rng.choice((drawn, most, -most, 0)) for drawn in draws]
        fraction = self.base.fraction
        while replace(self.base, fraction=fraction).largest(count) * (most + 1) * 2 >= _LIMIT:
            fraction -= 1
        edge = _LIMIT // 4 - 1
        bias = [self.rng.randint(-edge, edge) >> self.rng.randrange(20) for _ in range(size)]
        bits = self.target.output.bits
        norm = self._norm(rows, 2.0 ** (bits - 3 - fraction - units.weight_bits + 1), fraction,
                          epsilon_of(_EPS, count, 2.0**-5, self.base.guard))  # fmt: skip
        return weight, bias if self.x_zero_point is None else None, norm

    def _norm(self, rows: Rows, scale: float, fraction: int, epsilon: int = 0) -> IntegerNorm:
        rescale = derive.requantizer(self.target, scale, 1.0, 1.0)
        chosen = epsilon if rows.epsilon is None else rows.epsilon
        return replace(self.base, rescale=rescale, epsilon=chosen, fraction=fraction)


def _code(acc: int, rescale: Any, zero: int, output: Any, index: int) -> int:
    draws = isinstance(rescale, PowerOfTwo) and rescale.rounding == "stochastic"
    draw = splitmix64(rescale.seed, index) if draws else 0
    code: int = reference(acc, rescale, zero, output, draw=draw)
    return code


def _constant(
    name: str, values: list[int] | None, shape: tuple[int, ...], constants: dict[str, Array]
) -> Any:
    if values is None:
        return None
    constants[name] = np.array(values, np.int32).reshape(shape)
    return {"constant": name}


LayerNorm, GroupNorm, RmsNorm = (Norm(name) for name in ("layer_norm", "group_norm", "rms_norm"))
