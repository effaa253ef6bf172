"""Fair ratios on a noisy machine: one thread, every contender once per round, medians.

Contenders of one case take turns in the same process, so that a slow spell of the machine hits all
of them; the median drops the rest. A ratio is a peer's time over ours: 1 is equal, more is faster.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Timing:
    """Median seconds of the contenders of one case.

    Attributes:
        case: what was measured.
        seconds: median time of each contender, ours first.
        work: operations in one call (MACs, elements), for a rate.
        target: the ratio that the project promises against the fastest peer, if it does.
    """

    case: str
    seconds: dict[str, float] = field(default_factory=dict)
    work: int = 0
    target: float | None = None

    @property
    def ours(self) -> str:
        """Name of the first contender."""
        return next(iter(self.seconds))

    @property
    def best_peer(self) -> str | None:
        """Name of the fastest other contender."""
        peers = {name: t for name, t in self.seconds.items() if name != self.ours}
        return min(peers, key=lambda name: peers[name]) if peers else None

    @property
    def ratio(self) -> float:
        """Time of the fastest peer over ours."""
        return self.seconds[self.best_peer] / self.seconds[self.ours] if self.best_peer else 1.0

    @property
    def met(self) -> bool:
        """Whether the ratio reaches the target."""
        return self.target is None or self.ratio >= self.target


def one_thread() -> None:
    """Set Numba and, if it is loaded, torch to one thread."""
    import numba

    numba.set_num_threads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def measure(
    case: str,
    contenders: Mapping[str, Callable[[], object]],
    *,
    work: int = 0,
    target: float | None = None,
    rounds: int | None = None,
    repeats: int = 4,
) -> Timing:
    """Time contenders in turn; the first is ours.

    Args:
        case: a name for the table.
        contenders: name and call of each; they take no argument.
        work: operations in one call.
        target: ratio promised against the fastest peer.
        rounds: how often each contender has its turn; QSIM_BENCH_ROUNDS or 40 by default.
        repeats: calls in one turn; the fastest counts, since what precedes a turn (another
            contender) leaves the caches cold for the first.
    """
    rounds = rounds or int(os.environ.get("QSIM_BENCH_ROUNDS", "40"))
    for call in contenders.values():
        for _ in range(2):
            call()
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            best = float("inf")
            for _ in range(repeats):
                start = time.perf_counter()
                call()
                best = min(best, time.perf_counter() - start)
            samples[name].append(best)
    return Timing(case, {n: statistics.median(s) for n, s in samples.items()}, work, target)


def table(timings: list[Timing], unit: str = "MAC") -> str:
    """Return a table: one line per case, microseconds, rate, ratio and whether it meets target."""
    rate = f"G{unit}/s"
    lines = [
        f"{'case':<34}{'ours':>10}{rate:>10}  {'best peer':<22}{'peer':>10}{'ratio':>8}  target"
    ]
    for timing in timings:
        mine = timing.seconds[timing.ours]
        peer = timing.best_peer
        peer_time = f"{timing.seconds[peer] * 1e6:.0f} us" if peer else "-"
        promise = "" if timing.target is None else f"{timing.target:g} "
        verdict = "" if timing.target is None else "met" if timing.met else "MISSED"
        lines.append(
            f"{timing.case:<34}{mine * 1e6:>7.0f} us{timing.work / mine / 1e9:>10.1f}  "
            f"{peer or '-':<22}{peer_time:>10}{timing.ratio:>8.2f}  {promise}{verdict}"
        )
    return "\n".join(lines)
