"""How a job is played where nobody says how: what a command's options mean as a stimulus."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qsim.cosim.lanes.interface import Stimulus

_STALL: Final = 0.3


def played(
    seed: int = 0, stall: float | None = None, idle_cycles: int | None = None
) -> tuple[Stimulus, Stimulus | None]:
    """Return how a call is played, and how a design that is not ours is played once more.

    A right handshake is seen only where it is held up: the second time both sides stall, and
    nothing is taken before it has waited. Where a probability is given, that one decides.

    Raises:
        UsageError: a number that no stimulus can have.
    """
    probability = 0.0 if stall is None else stall
    first = Stimulus(
        seed, stall_input=probability, stall_output=probability, idle_limit=idle_cycles
    )
    if stall is not None:
        return first, None
    return first, replace(first, stall_input=_STALL, stall_output=_STALL, wait_for_valid=True)
