"""Functional coverage of a co-simulation: which situations that matter its beats have reached.

Ties, saturations, signs and the like are counted from the beats and from what must come out, by the
plans of the cocotb tests (``rtl_tb/tb/plans``). Stalls are cycles, counted on the ports of somebody
else's design in either lane, and by the cocotb bench around RTL of ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qsim.cosim.dut import Dut
    from qsim.cosim.jobs import Job, Layout, Words
    from rtl_tb.tb.coverage import Plan
    from rtl_tb.tb.job import Values


@dataclass(slots=True)
class Seen:
    """What was on the port of one operand.

    Attributes:
        ports: their names.
        bits: of one value.
        low, high: the least and the greatest number, as the port encodes it.
        ones, zeros: bits that were 1, and 0, in some beat.
    """

    ports: tuple[str, ...]
    bits: int
    low: int
    high: int
    ones: int = 0
    zeros: int = 0

    @property
    def constant(self) -> tuple[int, ...]:
        """Bits that never changed."""
        return tuple(k for k in range(self.bits) if not (self.ones & self.zeros) >> k & 1)


@dataclass(slots=True)
class Coverage:
    """What the calls of one primitive reached.

    Attributes:
        primitive: of the calls.
        bins: how often each was hit; empty where there is no plan of the primitive.
        impossible: those that no beat of any unit can hit, each with the reason.
        stalls: how often each happened; empty where the lane does not count them.
        ports: by operand, what was on the ports of somebody else's design.
    """

    primitive: str
    bins: dict[str, int] = field(default_factory=dict)
    impossible: dict[str, str] = field(default_factory=dict)
    stalls: dict[str, int] = field(default_factory=dict)
    ports: dict[str, Seen] = field(default_factory=dict)

    @property
    def missed(self) -> tuple[str, ...]:
        """Bins that could have been hit, and were not."""
        return tuple(n for n, hits in self.bins.items() if not hits and n not in self.impossible)

    def add(self, job: Job) -> None:
        """Count what the beats of a job reach."""
        plan = _plan(self.primitive)
        if plan is None or not job.unit.sources:
            return
        cannot = plan.impossible(cast("Any", _Played(job.unit.parameters, _packets(job))))
        # What one unit cannot reach another may.
        self.impossible = {
            name: why
            for name, why in cannot.items()
            if not self.bins or (name in self.impossible and not self.bins[name])
        }
        for name in plan.bins:
            self.bins.setdefault(name, 0)
        for beats, results in _parts(job, plan):
            for name in plan.sample(beats, results, job.unit.parameters):
                self.bins[name] += 1

    def add_ports(self, job: Job, dut: Dut) -> None:
        """Note what the beats of a job put on the ports of a design."""
        values = job.unit.inputs.unpack(job.beats)
        for name, binding in dut.operands.items():
            array = values[name]
            if not array.size:
                continue
            ends = sorted(binding.encoded(int(end)) for end in (array.min(), array.max()))
            seen = self.ports.setdefault(name, Seen(binding.ports, binding.bits, ends[0], ends[1]))
            seen.low, seen.high = min(seen.low, ends[0]), max(seen.high, ends[1])
            codes = [binding.encoded(int(v)) & ((1 << binding.bits) - 1) for v in np.unique(array)]
            for code in codes:
                seen.ones |= code
                seen.zeros |= ~code & ((1 << binding.bits) - 1)

    def add_stalls(self, events: Mapping[str, int]) -> None:
        """Count what a bench saw."""
        for name, count in events.items():
            self.stalls[name] = self.stalls.get(name, 0) + count

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "primitive": self.primitive,
            "bins": dict(self.bins),
            "missed": list(self.missed),
            "impossible": dict(self.impossible),
            "stalls": dict(self.stalls),
            "ports": {
                name: {
                    "ports": list(seen.ports),
                    "bits": seen.bits,
                    "low": seen.low,
                    "high": seen.high,
                    "constant_bits": list(seen.constant),
                }
                for name, seen in self.ports.items()
            },
        }


@dataclass(frozen=True, slots=True)
class _Played:
    """What plans ask of a job."""

    parameters: Mapping[str, int]
    packets: list[tuple[int, int]]


def _plan(primitive: str) -> Plan | None:
    """Return what is to be covered of a primitive; None where nobody says."""
    names = {"linear": "correlation", "matmul": "correlation", "clamp": "requantize"}
    module = f"rtl_tb.tb.plans.{names.get(primitive, primitive)}"
    if find_spec(module) is None:
        return None
    plan: Plan = import_module(module).PLAN
    return plan


def _packets(job: Job) -> list[tuple[int, int]]:
    """Return, for each packet with results, the beats sent and taken when it is complete."""
    sent, taken = (np.flatnonzero(last) + 1 for last in (job.last, job.expected_last))
    return list(zip(sent[len(sent) - len(taken) :].tolist(), taken.tolist(), strict=True))


def _parts(job: Job, plan: Plan) -> Iterator[tuple[Sequence[Values], Sequence[Values]]]:
    """Yield the beats of each packet, or each beat, with its results."""
    beats, results = _rows(job.unit.inputs, job.beats), _rows(job.unit.outputs, job.expected)
    if plan.packets:
        first = made = 0
        for sent, taken in _packets(job):
            yield beats[first:sent], results[made:taken]
            first, made = sent, taken
        return
    loud = (beat for beat in beats if not plan.skip(beat))
    for beat, result in zip(loud, results, strict=True):
        yield (beat,), (result,)


def _rows(layout: Layout, words: Words) -> list[Values]:
    values = layout.unpack(words)
    columns = [map(tuple, values[each.name].tolist()) for each in layout.fields]
    names = [each.name for each in layout.fields]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
