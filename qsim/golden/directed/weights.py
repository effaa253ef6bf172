"""Rows of weights and of inputs for directed products."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qsim.golden.directed import vectors as v

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from hw_models import FixedFormat
    from qsim.program import Array
    from qsim.target import Target
    from qsim.target.words import Scheme

Row = tuple[list[int], str]


@dataclass(frozen=True)
class Codes:
    """Formats and zero points of both operands.

    Attributes:
        x, w: formats.
        x_zero_point: of x.
        w_zero_points: of the rows, in turn; one value for all if there is one.
        x_scheme, w_scheme: whether there are zero points at all.
    """

    x: FixedFormat
    w: FixedFormat
    x_zero_point: int
    w_zero_points: tuple[int, ...]
    x_scheme: Scheme
    w_scheme: Scheme

    @classmethod
    def of(cls, target: Target, part: int, *, weight: bool = True) -> Codes:
        """Return a target's formats with the part-th choice of zero points.

        Args:
            target: the contract.
            part: any number; neighbours differ.
            weight: false: the second operand is an activation too.
        """
        x = target.input.format
        w = target.weight.format if weight else x
        schemes = target.input.scheme, (target.weight if weight else target.input).scheme
        mean = (x.min + x.max) // 2
        point = (0 if x.signed else mean, x.min, x.max, mean + x.max // 3)[part % 4]
        middle = 0 if w.signed else (w.max + 1) // 2
        points = ((middle,), (w.min, middle, w.max), (middle,), (w.max,), (w.min,))[part % 5]
        return cls(x, w, point, points, *schemes).allowed()

    def at_the_ends(self) -> Codes:
        """Return the codes with the zero points that make the largest products."""
        far = dataclasses.replace(self, x_zero_point=self.x.min, w_zero_points=(self.w.max,))
        return far.allowed()

    def allowed(self) -> Codes:
        """Return the codes without zero points where their schemes have none."""
        points = tuple(v.zero_point(self.w_scheme, point) for point in self.w_zero_points)
        return dataclasses.replace(
            self,
            x_zero_point=v.zero_point(self.x_scheme, self.x_zero_point),
            w_zero_points=points if any(points) else points[:1],
        )

    @property
    def largest(self) -> int:
        """The largest magnitude of a product."""
        points = (self.w.min, self.w.max, *self.w_zero_points)
        weight = max(abs(end - z) for end in (self.w.min, self.w.max) for z in points)
        return self._reach() * max(weight, 1)

    def _reach(self) -> int:
        return max(self.x.max - self.x_zero_point, self.x_zero_point - self.x.min, 1)

    def products_to_overflow(self, target: Target, most: int) -> int:
        """Return how many of the largest products leave the register, at most most."""
        weight = max(max(self.w.max - z, z - self.w.min) for z in self.w_zero_points)
        one = self._reach() * max(weight, 1)
        return min(math.ceil(1.02 * (target.correlation.accumulator.max + 1) / one) + 1, most)

    def most_products(self, target: Target) -> int:
        """Return how many products a register takes whose overflow is an error; else plenty."""
        register = target.correlation.accumulator
        return register.max // self.largest if register.overflow == "error" else 1 << 30

    def silence(self, weight: Array, limit: int) -> Array:
        """Return weights [rows, ...] of which only the first ``limit`` of a row are not real 0."""
        flat = weight.reshape(len(weight), -1).copy()
        points = np.resize(self.w_zero_points, len(weight))
        flat[:, limit:] = points[:, None]
        return flat.reshape(weight.shape)

    def weight_points(self, outputs: int) -> tuple[Array, dict[str, Array]]:
        """Return the zero point of every row, and the constant that holds them, if it is one."""
        points = np.resize(np.array(self.w_zero_points, np.int64), outputs)
        if len(self.w_zero_points) == 1:
            return points, {}
        return points, {"weight_zero_point": points}

    def extreme_x(self, size: int) -> list[int]:
        """Return the code farthest from the zero point, everywhere."""
        far = self.x.max - self.x_zero_point >= self.x_zero_point - self.x.min
        return [self.x.max if far else self.x.min] * size

    def some_x(self, size: int, rng: random.Random) -> list[int]:
        """Return codes of which half are an end, the zero point or beside it."""
        near = [self.x.min, self.x.max, self.x_zero_point, 0, 1]
        near += [self.x_zero_point + 1, self.x_zero_point - 1]
        held = [code for code in near if self.x.fits(code)]
        return [
            rng.choice(held) if rng.randrange(2) else rng.randint(self.x.min, self.x.max)
            for _ in range(size)
        ]


def plain_rows(
    codes: Codes, target: Target, outputs: int, shape: tuple[int, ...], rng: random.Random
) -> list[Row]:
    """Return rows whose sums stay small: ends, zeros, one product, every sign."""
    del target
    size = math.prod(shape)
    single = [codes.w_zero_points[0]] * size
    single[rng.randrange(size)] = codes.w.max
    signs = [rng.choice((codes.w.min, codes.w.max)) for _ in range(size)]
    made: list[Row] = [
        ([codes.w.min] * size, v.EXTREME),
        ([codes.w.max] * size, v.EXTREME),
        (signs, v.SIGNS),
        (single, v.ZERO),
    ]
    while len(made) < outputs:
        row = [rng.randint(codes.w.min, codes.w.max) for _ in range(size)]
        made.append((row, v.RANDOM))
    if outputs < 4:
        rng.shuffle(made)
    return made[:outputs]


def rows(
    codes: Codes, target: Target, outputs: int, shape: tuple[int, ...], rng: random.Random
) -> list[Row]:
    """Return rows whose partial sums leave a register and come back, by channel and by position.

    The products of a row have one size; what differs is the order of their signs, over channels
    (the first dimension of shape) or over kernel positions.
    """
    channels, size = shape[0], math.prod(shape)
    where = np.arange(size).reshape(shape)
    by_channel = np.broadcast_to(
        np.arange(channels).reshape(-1, *[1] * (len(shape) - 1)), shape
    ).reshape(-1)
    by_position = (where % max(size // channels, 1)).reshape(-1)
    high, low = codes.w.max, codes.w.min
    half, inner = channels // 2, max(size // channels, 1) // 2
    # Only rows that leave the register are counted as such.
    over = codes.products_to_overflow(target, size + 1) <= size // 2
    edge = v.OVERFLOW if over else v.SIGNS
    plans: list[tuple[Iterable[int], str]] = [
        ([high] * size, v.EXTREME),
        ([low] * size, v.EXTREME),
        (np.where(by_channel < half, high, low), edge),
        (np.where(by_channel < half, low, high), edge),
        (np.where(by_position <= inner, high, low), edge),
        (np.where(by_position <= inner, low, high), edge),
        (np.where(where.reshape(-1) % 2, high, low), v.SIGNS),
    ]
    made = [([int(code) for code in row], label) for row, label in plans]
    register = target.correlation.accumulator
    while len(made) < outputs:
        made.append((_edge_row(codes, register.max, size, rng), edge))
        made.append(([rng.randint(low, high) for _ in range(size)], v.RANDOM))
    return made[:outputs]


def _edge_row(codes: Codes, end: int, size: int, rng: random.Random) -> list[int]:
    """Return weights whose sum with the extreme input ends at the register's end, or beside it."""
    x = codes.extreme_x(1)[0] - codes.x_zero_point
    zero = codes.w_zero_points[0]
    goal = (end + rng.randint(-1, 2) * abs(x)) // (x or 1)
    row = []
    for _ in range(size):
        step = min(max(goal, codes.w.min - zero), codes.w.max - zero)
        row.append(step + zero)
        goal -= step
    return row
