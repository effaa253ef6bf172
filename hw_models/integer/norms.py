"""The arithmetic of layer, group, instance and RMS norm: rows of codes, one inverse root each.

For a row of N codes, ``S = sum(x)`` and ``Q = sum(x * x)``; RMS norm takes ``x - x_zero_point`` and
``S = 0``, the others any zero point, which cancels:

    d[i]  = N * x[i] - S                            N times the distance from the mean, exact
    V     = max((N * Q - S * S) * 2**guard + epsilon, 2**guard)
                                                    N**2 times the variance, exact
    k     = floor((2 * root_bits - length(V)) / 2)
    R     = floor(sqrt(floor(V * 4**k)))            root_bits bits, the first of them 1
    f     = floor(2**(2 * root_bits - 1) / R)       one more
    n[i]  = (d[i] * f + h) >> s                     s = 2 * root_bits - 1 - k - guard / 2 - fraction
    acc[i] = n[i] * weight[i] + bias[i]

with ``h = floor(2**s / 2)``, so that ``n / 2**fraction`` is the normalized value, rounded half up,
and acc what is rescaled to the output.

Widths: N times the largest code in magnitude is below ``2**(31 - guard / 2)`` (required). So S fits
32 bits with a sign, d 33, Q and ``N * Q`` 62, V 63 with an epsilon below 2**62. ``d * f`` fits 64
with its sign: f is at most 2**30. ``abs(n)`` is at most ``largest(N)``, about ``2**fraction *
sqrt(N)``: no row has a larger normalized value. acc fits 32 bits, by that bound and the weights
(required).

Error: with z the exact normalized value, ``abs(n / 2**fraction - z)`` is at most
``abs(z) * 2**(1 - root_bits) + 2**-(fraction + 1)``. (R is at most the root and less than 1 below
it, f less than 1 below its quotient: both relative to at least 2**(root_bits - 1), and opposed.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hw_models._arguments import require_scale, show
from hw_models._pointwise import keep_ints, require_int
from hw_models.compiled import kernel
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, if_else
from hw_models.integer.digits import (
    compiled_length,
    compiled_root,
    compiled_scaled,
    length,
    note,
    quotient,
    root,
    rounded,
    scaled,
)
from hw_models.schemes import REQUANTIZERS, FixedPoint, Requantizer
from hw_models.tracing import outlined, step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hw_models.formats import Select

LIMIT: Final = 1 << 31  # of acc
LENGTH: Final = 63


@dataclass(frozen=True, slots=True)
class IntegerNorm:
    """How a row is normalized.

    Attributes:
        rescale: of ``acc``, per tensor, by ``weight_scale / (2**fraction * output_scale)``.
        epsilon: added to ``N**2`` times the variance in codes, with ``guard`` fraction bits, below
            2**62; see ``epsilon_of``.
        fraction: fraction bits of the normalized value, up to root_bits.
        root_bits: width of the root, 8..30.
        guard: fraction bits of V, so that an epsilon is rounded finely: 0, 2, 4, 6 or 8.
    """

    rescale: Requantizer
    epsilon: int = 0
    fraction: int = 12
    root_bits: int = 16
    guard: int = 6

    def __post_init__(self) -> None:
        keep_ints(self, 0, (1 << 62) - 1, "epsilon")
        keep_ints(self, 8, 30, "root_bits")
        keep_ints(self, 0, self.root_bits, "fraction")
        keep_ints(self, 0, 8, "guard")
        if self.guard % 2:
            raise ContractError(
                f"IntegerNorm.guard must be even, not {self.guard} (accepted: 0, 2, 4, 6, 8)"
            )
        if not isinstance(self.rescale, REQUANTIZERS) or self.rescale.channels:
            raise ContractError(
                f"IntegerNorm.rescale must be a requantizer per tensor, not {show(self.rescale)} "
                "(accepted: FixedPoint, PowerOfTwo, ... of scalars)"
            )

    @classmethod
    def from_scales(
        cls,
        count: int,
        input_scale: float,
        output_scale: float,
        weight_scale: float = 1.0,
        eps: float = 1e-5,
        fraction: int = 12,
        root_bits: int = 16,
        guard: int = 6,
        rescale: Callable[[float], Requantizer] = FixedPoint.from_scale,
    ) -> IntegerNorm:
        """Derive epsilon and rescale of rows of ``count`` codes.

        ``rescale`` makes the target's scheme of a real scale. Without weights weight_scale is 1.
        """
        step = require_scale(output_scale, "output_scale")
        places = require_int(fraction, "fraction", 0, 30)
        real = require_scale(weight_scale, "weight_scale") / (1 << places) / step
        epsilon = epsilon_of(eps, count, input_scale, guard)
        return cls(rescale(real), epsilon, fraction, root_bits, guard)

    def inverse_root(self, variance: Any, select: Select = if_else) -> tuple[Any, Any]:
        """Return f and k of ``1 <= V < 2**63``, an integer or a bit-vector: the definition."""
        window, k = self.window(variance, select)
        held = step(outlined(root, window, self.root_bits, select=select), "root")
        most = held - held + (1 << (2 * self.root_bits - 1))
        f = outlined(quotient, most, held, self.root_bits + 1, select=select)
        return step(f, "reciprocal"), k

    def window(self, variance: Any, select: Select = if_else) -> tuple[Any, Any]:
        """Return what the root of V is taken of, and k: the definition."""
        digits = outlined(length, variance, LENGTH, select=select)
        k = step((2 * self.root_bits - digits) >> 1, "places")
        return step(outlined(scaled, variance, k + k, select=select), "window"), k

    def normalized(self, d: Any, f: Any, k: Any) -> Any:
        """Return n, of the f and k of a V of at least ``2**guard``: the definition."""
        s = step(2 * self.root_bits - 1 - self.fraction - self.guard // 2 - k, "shift")
        return rounded(d * f, s)

    def reference(
        self,
        row: Sequence[Any],
        weight: Sequence[Any] | None = None,
        bias: Sequence[Any] | None = None,
        *,
        centred: bool = True,
        select: Select = if_else,
    ) -> list[Any]:
        """Return acc of a row, one weight and bias for each code: the definition."""
        count = len(row)
        total = step(sum(row), "total") if centred else 0
        squares = step(sum(x * x for x in row), "squares")
        f, k = self.inverse_root(
            variance_of(count, total, squares, self.epsilon, self.guard, select), select
        )
        distances = (step(count * x - total, "distance") for x in row)
        values = [step(self.normalized(d, f, k), "normalized") for d in distances]
        factors, addends = weight or [1] * count, bias or [0] * count
        return [step(n * w + b, "acc") for n, w, b in zip(values, factors, addends, strict=True)]

    @property
    def limit(self) -> int:
        """What the number of codes times the largest of them must be below."""
        return 1 << (31 - self.guard // 2)

    def largest(self, count: int) -> int:
        """Return a bound of abs(n) in rows of that many codes."""
        p = self.root_bits - 1
        exact = math.isqrt(count << (2 * self.fraction)) + 1
        return (exact * ((1 << p) + 1) >> p) + 1

    @property
    def registers(self) -> tuple[tuple[str, FixedFormat], ...]:
        """The registers that a row goes through."""
        return (
            ("sum", FixedFormat(32)),
            ("squares", FixedFormat(62, signed=False)),
            ("variance", FixedFormat(63, signed=False)),
            ("root", FixedFormat(self.root_bits, signed=False)),
            ("reciprocal", FixedFormat(self.root_bits + 1, signed=False)),
            ("normalized", FixedFormat(32)),
            ("accumulator", FixedFormat(32)),
        )


def variance_of(
    count: Any, total: Any, squares: Any, epsilon: Any, guard: int, select: Select = if_else
) -> Any:
    """Return V of a row's sums, integers or bit-vectors: the definition."""
    exact = count * squares - total * total
    least = exact - exact + (1 << guard)
    grown = (exact << guard) + epsilon
    return step(select(grown < least, least, grown), "variance")


def epsilon_of(eps: float, count: int, input_scale: float, guard: int = 6) -> int:
    """Return the epsilon of such rows: ``round(eps * (count / input_scale)**2 * 2**guard)``.

    Raises:
        ContractError: it is 2**62 or more.
    """
    items = require_int(count, "count", 1, LIMIT)
    step = require_scale(input_scale, "input_scale")
    number = 0.0 if isinstance(eps, (int, float)) and eps == 0 else require_scale(eps, "eps")
    exact = number * items / step * items / step * (1 << require_int(guard, "guard", 0, 8))
    if not exact < 1 << 62:
        raise ContractError(
            f"eps * (count / input_scale)**2 * 2**guard must be below 2**62, not {exact!r} "
            "(accepted: a smaller eps, shorter rows, or larger steps)"
        )
    return round(exact)


@kernel
def rows(x: Any, acc: Any, weight: Any, bias: Any, fields: Any, ends: Any, centred: Any) -> None:
    """Normalize every row of ``x[rows, count]``; parameters ``[groups, count]``, in turn.

    ``fields``: epsilon, fraction, root_bits, guard. ``ends``: of each of the ``registers``.
    """
    count = x.shape[1]
    bits = fields[2]
    for r in range(x.shape[0]):
        g = r % weight.shape[0]
        total, squares = 0, 0
        for j in range(count):
            total += x[r, j]
            squares += x[r, j] * x[r, j]
        if not centred:
            total = 0
        exact = count * squares - total * total
        variance = max((exact << fields[3]) + fields[0], 1 << fields[3])
        k = (2 * bits - compiled_length(variance)) >> 1
        held = compiled_root(compiled_scaled(variance, k + k))
        f = (1 << (2 * bits - 1)) // held
        s = 2 * bits - 1 - k - fields[3] // 2 - fields[1]
        half = (1 << s) >> 1
        note(ends, 0, total)
        note(ends, 1, squares)
        note(ends, 2, variance)
        note(ends, 3, held)
        note(ends, 4, f)
        for j in range(count):
            n = ((count * x[r, j] - total) * f + half) >> s
            acc[r, j] = n * weight[g, j] + bias[g, j]
            note(ends, 5, n)
            note(ends, 6, acc[r, j])
