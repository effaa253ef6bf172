"""The planner: tensors that live together never overlap, and little memory is lost."""

from __future__ import annotations

import numpy as np
import pytest

from qsim.errors import UsageError
from qsim.memory import Buffer, plan


def overlapping(planned: object) -> list[tuple[str, str]]:
    buffers = sorted(planned.buffers.values(), key=lambda b: b.name)  # type: ignore[attr-defined]
    at = planned.offsets  # type: ignore[attr-defined]
    return [
        (a.name, b.name)
        for a in buffers
        for b in buffers
        if a.name < b.name
        and a.meets(b)
        and at[a.name] < at[b.name] + b.size
        and at[b.name] < at[a.name] + a.size
    ]


@pytest.mark.parametrize("alignment", [1, 16, 64])
def test_random_lifetimes(alignment: int) -> None:
    rng = np.random.default_rng(alignment)
    for _ in range(200):
        count = int(rng.integers(1, 20))
        buffers = []
        for i in range(count):
            first = int(rng.integers(0, 30))
            last = first + int(rng.integers(0, 8))
            buffers.append(Buffer(f"t{i}", int(rng.integers(1, 1000)), first, last))
        planned = plan(buffers, alignment)
        assert overlapping(planned) == []
        assert all(offset % alignment == 0 for offset in planned.offsets.values())
        ends = [planned.offsets[b.name] + b.size for b in buffers]
        assert planned.size == max(ends) >= planned.bound
        rng.shuffle(buffers)  # type: ignore[arg-type]
        assert dict(plan(buffers, alignment).offsets) == dict(planned.offsets)


def test_a_chain_takes_two_places() -> None:
    chain = [Buffer(f"t{i}", 100, i, i + 1) for i in range(10)]
    planned = plan(chain, 4)
    assert planned.size == planned.bound == 200
    assert set(planned.offsets.values()) == {0, 100}


def test_a_gap_is_filled() -> None:
    planned = plan([Buffer("big", 100, 0, 0), Buffer("low", 40, 1, 3), Buffer("long", 60, 0, 3)], 1)
    assert planned.offsets == {"big": 0, "long": 100, "low": 0}


def test_nothing_and_nonsense() -> None:
    assert plan([]).size == plan([]).bound == 0
    with pytest.raises(UsageError, match="alignment must be 1 or more"):
        plan([], 0)
