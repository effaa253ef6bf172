"""Integers aimed at what random ones miss: ties of a division by 2**s, edges of the output."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import hw_models as hw
from tests.hw_models.soak.drawing import integer

if TYPE_CHECKING:
    from hw_models.schemes import Requantizer
    from tests.hw_models.soak.driver import Rng


def ties(rng: Rng, m: int, s: int, low: int, high: int, added: int = 0) -> list[int]:
    """Values whose ``x * m + added`` lies on or beside a tie of a division by 2**s."""
    odd = 2 * integer(rng, -(1 << 20), 1 << 20) + 1
    found = []
    if s > 0 and m:
        twos = (m & -m).bit_length() - 1
        if s - 1 - twos >= 0 and not added:
            found.append(odd << (s - 1 - twos))  # exact: the product is odd times 2**(s - 1)
        found.append(((odd << (s - 1)) - added) // m)
        found.append(((integer(rng, -300, 300) << s) - added) // m)  # multiples, or just below
    if not added:
        found += [-v for v in found]
    return [v + d for v in found for d in (-1, 0, 1) if low <= v + d <= high]


def edges(m: int, s: int, ends: tuple[int, ...], low: int, high: int, added: int = 0) -> list[int]:
    """Values that ``(x * m + added) / 2**s`` takes to the given results, and their neighbours."""
    found = [(((c << s) if s >= 0 else c >> -s) - added) // m for c in ends] if m else []
    return [v + d for v in found for d in (-1, 0, 1, 2) if low <= v + d <= high]


def aimed(
    rng: Rng, q: Requantizer, channel: int, ends: tuple[int, int], span: tuple[int, int]
) -> list[int]:
    """Values within ``span`` that are hard for this scheme; ``ends``: its results at the clamp."""
    if isinstance(q, (hw.FloatScale, hw.Float64Scale)):
        scale = Fraction(q.scales[channel % len(q.scales)].item())
        near = [int((2 * integer(rng, -300, 300) + 1) / (2 * scale)) for _ in range(3)]
        near += [int(e / scale) for e in ends]
        top = 1 << 40
        return [
            v + d
            for v in near
            for d in (-1, 0, 1)
            if max(-top, span[0]) <= v + d <= min(top, span[1])
        ]
    s = int(q.shifts[channel % len(q.shifts)])
    if isinstance(q, hw.PowerOfTwo):
        return ties(rng, 1, s, *span) + edges(1, s, ends, *span)
    m = int(q.multipliers[channel % len(q.multipliers)])
    if not isinstance(q, hw.FixedPoint):
        added = int(q.addends[channel % len(q.addends)])
        return ties(rng, m, s, *span, added) + edges(m, s, ends, *span, added)
    found = ties(rng, m, s, *span) + edges(m, s, ends, *span)
    if q.rounding in ("double", "double-half-up"):  # the first division's ties too
        found += ties(rng, m << max(q.bits - 1 - s, 0), q.bits - 1, *span)
    if q.rounding == "s64-reduced":
        reduced = min((m + 2**15) >> 16, 2**15 - 1)
        found += ties(rng, reduced, s - 16, *span) + edges(reduced, s - 16, ends, *span)
    if q.rounding == "tosa-double":
        for nudge in (1 << 30, -(1 << 30)):
            found += ties(rng, m, s, *span, nudge)
    return found
