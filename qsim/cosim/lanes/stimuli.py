"""How a job is played where nobody says how: what a command's options mean as a stimulus."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qsim.cosim.lanes.interface import Stimulus

_STALL: Final = 0.3
_SLOWEST: Final = 4096  # operations for each result that a receiver waits for


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


def held_up(stimulus: Stimulus, operations: float) -> Stimulus:
    """Return a stimulus whose receiver is slower than a design that gives a result now and then.

    A receiver that takes a result in most cycles never holds up a sum of many products: whether the
    design waits for it could not be seen. This one takes half of what the design can give.

    Args:
        stimulus: how a design is played that gives a result in each cycle.
        operations: cycles that the design takes for a result at least.
    """
    if operations <= 1:
        return stimulus
    slowest = min(operations, _SLOWEST)
    return replace(stimulus, stall_output=max(stimulus.stall_output, 1 - 1 / (2 * slowest)))
