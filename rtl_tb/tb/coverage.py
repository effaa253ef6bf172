"""Functional coverage: which of the situations that matter the beats and the stalls have reached.

Every bin is counted. A bin that no beat of a unit can reach is listed with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from rtl_tb.tb.job import Values

if TYPE_CHECKING:
    from rtl_tb.tb.bench import Outcome
    from rtl_tb.tb.job import Job

Parameters: TypeAlias = Mapping[str, int]
# What the beats of one packet (or one beat) and their results reach.
Sample: TypeAlias = Callable[[Sequence[Values], Sequence[Values], Parameters], Iterable[str]]

STREAM: Final = (
    "input_paused",  # no beat was offered though there were more
    "input_held",  # a beat waited for s_axis_tready
    "output_held",  # a result waited for m_axis_tready
    "reset_at_the_first_beat",
    "reset_in_between",
    "reset_at_the_last_beat",
)


def nowhere(_job: Job) -> Mapping[str, str]:
    """Return the impossible bins of a plan that has none."""
    return {}


@dataclass(frozen=True)
class Plan:
    """What is to be covered of one primitive.

    Attributes:
        bins: names, beside those of ``STREAM``.
        sample: which of them a packet and its results reach.
        impossible: those that a job's unit cannot reach, each with the reason.
        packets: results belong to packets; otherwise each beat has one.
        skip: whether an input beat has no result of its own, in a plan without packets.
    """

    bins: tuple[str, ...]
    sample: Sample
    impossible: Callable[[Job], Mapping[str, str]] = nowhere
    packets: bool = False
    skip: Callable[[Values], bool] = lambda _beat: False


@dataclass
class Coverage:
    """Bins with their counts."""

    plan: Plan
    counts: dict[str, int] = field(default_factory=dict)
    impossible: dict[str, str] = field(default_factory=dict)

    def add_events(self, outcome: Outcome) -> None:
        """Count the stalls and resets of a run."""
        for event, times in outcome.events.items():
            self.counts[event] = self.counts.get(event, 0) + times

    def add_beats(self, job: Job) -> None:
        """Count what the beats of a job reach; to be called when it has run to its end."""
        self.impossible |= self.plan.impossible(job)
        packets = _packets(job) if self.plan.packets else _beats(job, self.plan.skip)
        for beats, results in packets:
            for name in self.plan.sample(beats, results, job.parameters):
                self.counts[name] = self.counts.get(name, 0) + 1

    def to_json(self, nonce: str) -> str:
        """Return the text of a coverage file."""
        unknown = set(self.counts) - {*self.plan.bins, *STREAM}
        if unknown:
            raise ValueError(f"no such bins: {sorted(unknown)}")
        bins = {name: self.counts.get(name, 0) for name in (*self.plan.bins, *STREAM)}
        document = {"nonce": nonce, "bins": bins, "impossible": self.impossible}
        return json.dumps(document, indent=1)


_Part: TypeAlias = tuple[Sequence[Values], Sequence[Values]]


def _beats(job: Job, skip: Callable[[Values], bool]) -> Iterator[_Part]:
    loud = (beat for beat in map(job.sent, range(len(job.rows))) if not skip(beat))
    for index, beat in enumerate(loud):
        yield (beat,), (job.result(index),)


def _packets(job: Job) -> Iterator[_Part]:
    first, results = 0, 0
    for sent, taken in job.packets:
        beats = [job.sent(index) for index in range(first, sent)]
        yield beats, [job.result(index) for index in range(results, taken)]
        first, results = sent, taken
