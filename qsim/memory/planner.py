"""One memory for tensors that do not live at the same time: four planners, one signature.

``greedy-by-size`` places the largest buffer first, at the lowest address that is free (Pisarchyk
and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020; TFLite Micro's planner
does the same). ``best-fit`` places buffers in the order in which they are made, each in the
smallest gap that holds it, as a heap would. ``in-turn`` is greedy again and again, and places first
what ended the last plan. ``smallest`` takes the smallest of these plans.

Plans do not depend on the order in which buffers are given.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from qsim.errors import UsageError
from qsim.memory.buffers import Buffer, Plan
from qsim.memory.gaps import Gap, gaps
from qsim.memory.space import Space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Planner: TypeAlias = "Callable[[Iterable[Buffer], Space], Plan]"
DEFAULT: Final = Space()
# Greedy plans of a network, and places looked for in all of them: a large one gets fewer plans.
_TURNS: Final = 32
_PLACES: Final = 4000


def greedy_by_size(buffers: Iterable[Buffer], space: Space = DEFAULT) -> Plan:
    """Place buffers by size, each at the lowest free address; arguments as those of ``plan``."""
    return _place("greedy-by-size", _by_size(buffers), _lowest, space)


def best_fit(buffers: Iterable[Buffer], space: Space = DEFAULT) -> Plan:
    """Place buffers by time, each in the smallest gap; arguments as those of ``plan``.

    Gaps that do not make the memory larger come first: with banks, a smaller one may lie behind.
    """
    ordered = sorted(buffers, key=lambda b: (b.first, -b.size, b.name))
    # A gap that nothing ends is the largest.
    return _place(
        "best-fit", ordered, lambda gap, more: (more, gap.room is None, gap.room or 0, gap.start),
        space,
    )  # fmt: skip


def in_turn(buffers: Iterable[Buffer], space: Space = DEFAULT) -> Plan:
    """Return the smallest of several greedy plans; arguments as those of ``plan``.

    The first is by size; in each of the others, what ends the one before it is placed first.
    """
    order = _by_size(buffers)
    best = made = _place("in-turn", order, _lowest, space)
    for _ in range(min(_TURNS, _PLACES // max(1, len(order)))):
        if best.size <= best.bound:
            break
        last = max(order, key=lambda b: (made.offsets[b.name] + b.size, b.name))
        order = [last, *(buffer for buffer in order if buffer is not last)]
        made = _place("in-turn", order, _lowest, space)
        best = min(best, made, key=_size)
    return best


def smallest(buffers: Iterable[Buffer], space: Space = DEFAULT) -> Plan:
    """Return the smallest of their plans, the first of several; arguments as those of ``plan``."""
    known = list(buffers)
    best = min(greedy_by_size(known, space), best_fit(known, space), key=_size)
    return best if best.size <= best.bound else min(best, in_turn(known, space), key=_size)


PLANNERS: Final[Mapping[str, Planner]] = MappingProxyType(
    {
        "smallest": smallest,
        "greedy-by-size": greedy_by_size,
        "best-fit": best_fit,
        "in-turn": in_turn,
    }
)


def plan(buffers: Iterable[Buffer], space: Space = DEFAULT, planner: str = "smallest") -> Plan:
    """Place buffers.

    Args:
        buffers: with unique names, in any order.
        space: the memory. Where buffers do not fit together, the plan goes beyond its end, and
            ``Plan.fits`` is false. Where they fit only across its banks, ``Plan.astray`` says
            which lie so.
        planner: a key of ``PLANNERS``.

    Raises:
        UsageError: no such planner; a name that is used twice.
    """
    if planner not in PLANNERS:
        raise UsageError(f"there is no planner {planner!r}", accepted=", ".join(PLANNERS))
    known = list(buffers)
    planned = PLANNERS[planner](known, space)
    if planned.fits or space.bank_bytes is None:
        return planned
    across = PLANNERS[planner](known, space.whole())
    return replace(across, space=space) if across.size < planned.size else planned


def _by_size(buffers: Iterable[Buffer]) -> list[Buffer]:
    return sorted(buffers, key=lambda b: (-b.size, b.first, b.name))


def _lowest(gap: Gap, _more: int) -> tuple[int, ...]:
    return (gap.start,)


def _size(plan: Plan) -> int:
    return plan.size


def _place(
    name: str,
    buffers: list[Buffer],
    key: Callable[[Gap, int], tuple[int, ...]],
    space: Space,
) -> Plan:
    """Give each buffer, in turn, the gap for which the key is least.

    Args:
        name: of the planner.
        buffers: in order.
        key: of a gap, and of the bytes by which the buffer in it makes the plan larger.
        space: the memory.
    """
    known: dict[str, Buffer] = {}
    placed: list[tuple[int, Buffer]] = []
    size = 0
    for buffer in buffers:
        if buffer.name in known:
            raise UsageError(f"two buffers are called {buffer.name!r}", accepted="unique names")
        known[buffer.name] = buffer
        ends = {gap: gap.start + buffer.size for gap in gaps(buffer, placed, space)}
        gap = min(ends, key=lambda gap: key(gap, max(0, ends[gap] - size)))
        placed.append((gap.start, buffer))
        size = max(size, ends[gap])
    offsets = {buffer.name: offset for offset, buffer in placed}
    names = sorted(known, key=lambda n: (known[n].first, known[n].last, n))
    return Plan(
        name,
        MappingProxyType({n: known[n] for n in names}),
        MappingProxyType({n: offsets[n] for n in names}),
        space,
    )
