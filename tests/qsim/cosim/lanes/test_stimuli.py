"""How a job is played where nobody says how."""

from __future__ import annotations

import pytest

from qsim.cosim.lanes import Stimulus, held_up, played
from qsim.errors import UsageError


def test_without_options_a_design_is_played_twice() -> None:
    first, again = played(5)
    assert first == Stimulus(5)
    assert again == Stimulus(5, stall_input=0.3, stall_output=0.3, wait_for_valid=True)
    assert again.stalls == "stalls of 0.3 and a receiver that waits for valid, seed 5"


def test_a_stated_probability_decides_alone() -> None:
    assert played(5, 0.0) == (Stimulus(5), None)
    assert played(5, 0.2) == (Stimulus(5, stall_input=0.2, stall_output=0.2), None)


def test_stated_idle_cycles_decide_alone() -> None:
    first, again = played(0, None, 70)
    assert again is not None
    assert first.patience == again.patience == (70, 0)


@pytest.mark.parametrize(
    ("stall", "least"), [(0.0, 20_050), (0.9, 20_500), (0.999, 70_000), (1 - 1e-12, (1 << 31) - 1)]
)
def test_patience_knows_how_long_a_side_may_stall(stall: float, least: int) -> None:
    limit, factor = Stimulus(stall_input=stall).patience
    assert limit == pytest.approx(least, abs=1)
    assert factor == 32


def test_no_idle_cycle_is_no_patience() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        played(0, None, 0)


def test_a_receiver_is_slower_than_a_design_that_gives_a_result_now_and_then() -> None:
    _, again = played(5)
    assert again is not None
    assert held_up(again, 1) == again
    slow = held_up(again, 4)
    assert (slow.stall_input, slow.stall_output) == (0.3, 0.875)
    assert slow.stalls.startswith("stalls of 0.3 before it, 0.875 behind it and a receiver")
    assert held_up(again, 1e9).stall_output < 1
