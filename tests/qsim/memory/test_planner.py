"""The planners: tensors that live together never overlap, no bank is crossed, little is lost."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from qsim.errors import UsageError
from qsim.memory import PLANNERS, Buffer, Plan, Space, best_fit, greedy_by_size, plan
from tests.qsim.memory.lifetimes import check_plan


def random_buffers(rng: np.random.Generator, largest: int = 1000) -> list[Buffer]:
    buffers = []
    for i in range(int(rng.integers(1, 20))):
        first = int(rng.integers(0, 30))
        size, item = int(rng.integers(0, largest + 1)), int(2 ** rng.integers(0, 4))
        buffers.append(Buffer(f"t{i}", size, first, first + int(rng.integers(0, 8)), item))
    return buffers


@pytest.mark.parametrize("planner", PLANNERS)
@pytest.mark.parametrize(
    "space",
    [
        Space(alignment=1), Space(alignment=16), Space(),
        Space(10080, 1, 7), Space(10080, 1, 21), Space(1 << 15, 64, 8), Space(1 << 15, 32, 128),
    ],
    ids=str,
)  # fmt: skip
def test_random_lifetimes(space: Space, planner: str) -> None:
    rng = np.random.default_rng(space.alignment + space.banks)
    for _ in range(25):
        buffers = random_buffers(rng)
        planned = plan(buffers, space, planner)
        check_plan(planned)
        for buffer in buffers:
            step = max(space.alignment, buffer.alignment)
            assert not buffer.size or planned.offsets[buffer.name] % step == 0
        ends = [planned.offsets[b.name] + b.size for b in buffers]
        assert planned.size == max(ends) >= planned.bound
        assert planned.fits == (not space.bytes or planned.size <= space.bytes)
        shuffled = [buffers[i] for i in rng.permutation(len(buffers))]
        assert dict(plan(shuffled, space, planner).offsets) == dict(planned.offsets)


def test_the_smallest_plan_is_chosen() -> None:
    rng = np.random.default_rng(5)
    chosen = set()
    for _ in range(60):
        buffers = random_buffers(rng)
        space = Space(alignment=16)
        each = [PLANNERS[n](buffers, space) for n in ("greedy-by-size", "best-fit", "in-turn")]
        best = plan(buffers, space)
        assert best.size == min(planned.size for planned in each)
        assert best == next(planned for planned in each if planned.size == best.size)
        assert each[2].size <= each[0].size  # its first turn is by size
        chosen.add(best.planner)
    assert chosen == {"greedy-by-size", "best-fit", "in-turn"}


def test_the_bound_is_the_busiest_step() -> None:
    rng = np.random.default_rng(6)
    for _ in range(60):
        buffers = random_buffers(rng)
        live = [sum(b.size for b in buffers if b.first <= s <= b.last) for s in range(40)]
        assert plan(buffers).bound == max(live)


@pytest.mark.parametrize("planner", PLANNERS)
def test_a_chain_takes_two_places(planner: str) -> None:
    planned = plan([Buffer(f"t{i}", 100, i, i + 1) for i in range(10)], Space(alignment=4), planner)
    assert planned.size == planned.bound == 200
    assert set(planned.offsets.values()) == {0, 100}


def test_greedy_takes_the_lowest_gap_and_best_fit_the_smallest() -> None:
    # When e begins to live, a and c are dead: 0..50 and 90..100 are free, and all behind 105.
    buffers = [Buffer("a", 50, 0, 1), Buffer("b", 40, 0, 3), Buffer("c", 10, 0, 1)]
    buffers += [Buffer("d", 5, 0, 3), Buffer("e", 8, 2, 3)]
    rest = {"a": 0, "b": 50, "c": 90, "d": 100}
    assert greedy_by_size(buffers, Space(alignment=1)).offsets == {**rest, "e": 0}
    assert best_fit(buffers, Space(alignment=1)).offsets == {**rest, "e": 90}


def fewest_bytes(buffers: list[Buffer], space: Space, *, banked: bool = True) -> int | None:
    """Return the bytes of the smallest plan that fits, by trying every address; None without one.

    Sizes of buffers and banks are multiples of 8, which is all that the addresses tried are.
    """
    assert space.bank_bytes
    best: int | None = None
    addresses = []
    for buffer in buffers:
        found = range(0, space.bytes - buffer.size + 1, 8)
        fitting = []
        for at in found:
            first, last = at // space.bank_bytes, (at + buffer.size - 1) // space.bank_bytes
            whole = first == last if buffer.size <= space.bank_bytes else at % space.bank_bytes == 0
            fitting += [at] * (whole or not banked)
        addresses.append(fitting)
    pairs = [(i, j) for i, j in itertools.combinations(range(len(buffers)), 2)
             if buffers[i].meets(buffers[j])]  # fmt: skip
    for places in itertools.product(*addresses):
        if all(
            places[i] + buffers[i].size <= places[j] or places[j] + buffers[j].size <= places[i]
            for i, j in pairs
        ):
            size = max(at + buffer.size for at, buffer in zip(places, buffers, strict=True))
            best = size if best is None else min(best, size)
    return best


def test_small_memories_against_every_placement() -> None:
    """A plan in banks is none but where there is one, and seldom larger than the smallest."""
    rng = np.random.default_rng(7)
    seen = {"smallest": 0, "larger": 0, "across": 0, "missed": 0, "none": 0}
    for _ in range(300):
        space = Space(96, 8, int(rng.choice([2, 3, 4])))
        buffers = []
        for i in range(int(rng.integers(2, 5))):
            first = int(rng.integers(0, 4))
            size = 8 * int(rng.integers(1, 8))
            buffers.append(Buffer(f"t{i}", size, first, first + int(rng.integers(0, 3))))
        planned = plan(buffers, space)
        check_plan(planned, banked=not planned.astray)
        banked = fewest_bytes(buffers, space)
        if planned.astray:
            # It fits although no place in banks was found, or it is too large by less.
            across = fewest_bytes(buffers, space, banked=False)
            assert across is None or across <= planned.size
            seen["across" if banked is None else "missed"] += planned.fits
        elif planned.fits:
            assert banked is not None
            assert banked <= planned.size
            seen["smallest" if banked == planned.size else "larger"] += 1
        else:
            seen["none" if banked is None else "missed"] += 1
    assert seen["smallest"] > 20 * (seen["larger"] + seen["missed"])
    assert min(seen["across"], seen["none"]) > 10


def test_no_bank_is_crossed_and_what_is_missing_is_seen() -> None:
    two = [Buffer(name, 60, 0, 1) for name in "ab"]
    planned = plan([*two, Buffer("c", 60, 2, 2)], Space(128, 4, 2))
    assert (sorted(planned.offsets.values()), planned.astray) == ([0, 0, 64], ())
    assert sorted(planned.banks(name) for name in "abc") == [(0, 0), (0, 0), (1, 1)]
    planned = plan([Buffer(name, 60, 0, 1) for name in "abc"], Space(128, 4, 2))
    assert (planned.size, planned.bound, planned.fits) == (180, 180, False)


def test_what_is_larger_than_a_bank_takes_several() -> None:
    space = Space(256, 8, 4)
    buffers = [Buffer("a", 100, 0, 1), Buffer("b", 24, 0, 1), Buffer("c", 128, 0, 1)]
    for planner in PLANNERS:
        planned = plan(buffers, space, planner)
        check_plan(planned)
        # The last bank of a holds b too.
        assert sorted(planned.banks(name) for name in "ac") == [(0, 1), (2, 3)]
        assert planned.banks("b") == (planned.banks("a")[1],) * 2
        assert (planned.fits, planned.astray) == (True, ())


def test_banks_never_refuse_what_the_bytes_hold() -> None:
    three = [Buffer(name, 40, 0, 1) for name in "abc"]
    planned = plan(three, Space(128, 8, 2))
    check_plan(planned, banked=False)
    assert (planned.size, planned.fits, planned.space.banks) == (120, True, 2)
    (crossing,) = planned.astray
    assert planned.banks(crossing) == (0, 1)
    large = plan([Buffer("a", 40, 0, 0), Buffer("b", 40, 0, 0)], Space(96, 8, 3))
    assert (large.fits, large.astray, large.banks("b")) == (True, ("b",), (1, 2))


def test_banks_begin_at_aligned_addresses() -> None:
    space = Space(1000, 16, 3)
    assert space.bank_bytes == 320
    assert (space.whole(), space.open()) == (Space(1000, 16), Space(0, 16))
    # What is left over belongs to the last bank.
    assert (space.banks_of(636, 8), space.banks_of(960, 40)) == ((1, 2), (2, 2))
    planned = plan([Buffer("a", 960, 0, 0), Buffer("b", 40, 0, 0)], space)
    assert (planned.size, planned.fits, planned.banks("b"), planned.astray) == (
        1000,
        True,
        (2, 2),
        (),
    )
    assert Space(0, 16, 4).bank_bytes is None
    # Banks of less than an aligned word: as one.
    assert (Space(64, 16, 5).bank_bytes, Space(64, 16, 5).banks_of(48, 16)) == (None, (0, 0))


def test_nothing_and_nonsense() -> None:
    assert plan([]).size == plan([]).bound == 0
    assert plan([Buffer("a", 0, 0, 3)], Space(8, 4, 8)).size == 0
    with pytest.raises(UsageError, match=r"alignment of a memory cannot be 3 \(accepted: a power"):
        Space(alignment=3)
    bad: list[dict[str, Any]] = [{"alignment": 0}, {"banks": 0}, {"bytes": -1}]
    for arguments in bad:
        with pytest.raises(UsageError, match="of a memory cannot be"):
            Space(**arguments)
    with pytest.raises(UsageError, match=r"no planner 'best' .accepted: smallest, greedy-by-size"):
        plan([], planner="best")
    with pytest.raises(UsageError, match="two buffers are called 'a'"):
        plan([Buffer("a", 1, 0, 0), Buffer("a", 1, 1, 1)])


def test_a_wrong_plan_is_noticed() -> None:
    """The checks above would pass on anything if this one did not fail."""
    right = plan([Buffer("a", 100, 0, 1), Buffer("b", 100, 1, 2)], Space(256, 8, 2))
    check_plan(right)
    for wrong in ({"a": 0, "b": 99}, {"a": 100, "b": 0}):
        with pytest.raises(AssertionError):
            check_plan(Plan("wrong", right.buffers, wrong, right.space))
